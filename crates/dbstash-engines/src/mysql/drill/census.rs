//! How many rows came back, by table.

use std::fmt::Write as _;

use dbstash_core::drill::{Census, Found};
use dbstash_core::engine::PlanError;
use dbstash_core::job::Server;
use dbstash_core::manifest::Manifest;
use dbstash_core::tally::Counts;

use super::asking;
use crate::mysql::Dialect;
use crate::mysql::load::ALL;
use crate::mysql::load::question::{literal, unhex};
use crate::tally::shown;

/// So many tables are open at once.
const AT_ONCE: usize = 200;
/// What no dump of all databases has.
const IN_NO_DUMP: &str = "'information_schema', 'performance_schema', 'ndbinfo'";
/// Those that a server writes to as it likes, but for the tables of who may do what.
const SERVERS_OWN: &str = "'mysql', 'sys'";
const RIGHTS: &str = "'user', 'global_priv', 'db', 'tables_priv', 'columns_priv', 'procs_priv', 'proxies_priv', \
                      'roles_mapping', 'role_edges', 'default_roles', 'global_grants'";

/// Asks it.
pub(super) fn census(
    dialect: Dialect,
    manifest: &Manifest,
    server: &Server,
    database: &str,
) -> Result<Census, PlanError> {
    let tables = match manifest.dump().map(|dump| &dump.counts) {
        Some(Counts::Of(counts)) => counts.len(),
        _ => 0,
    };
    let question = asking(dialect, server, &["--execute", &text(database, tables)])?;
    Ok(Census { question, read: Box::new(read) })
}

/// For about so many tables: of each its name in hex, after its database's where those are all, and its rows.
fn text(database: &str, tables: usize) -> String {
    let parts = tables / AT_ONCE;
    let is_whole = database == ALL;
    let name = if is_whole { "HEX(table_schema), '.', HEX(table_name)" } else { "HEX(table_name)" };
    let schema = if is_whole {
        format!("NOT IN ({IN_NO_DUMP})")
    } else {
        format!("= {}", literal(database))
    };
    let servers = if is_whole {
        format!("table_schema IN ({SERVERS_OWN}) AND table_name NOT IN ({RIGHTS}) OR ")
    } else {
        String::new()
    };
    let mut text = "SET SESSION group_concat_max_len = 100000000".to_owned();
    for part in 0..=parts {
        let most = if part == parts { u64::MAX } else { AT_ONCE as u64 };
        let from = part * AT_ONCE;
        // Of versioned tables the dump has all that ever was; what lies in other tables is in none.
        let _ = write!(
            text,
            "; SELECT COALESCE(GROUP_CONCAT(CONCAT('SELECT ''', {name}, ''', ', IF({servers}engine IN ('MRG_MyISAM', \
             'FEDERATED', 'CONNECT', 'SPIDER', 'SEQUENCE', 'S3'), '''-''', CONCAT('COUNT(*) FROM `', \
             REPLACE(table_schema, '`', '``'), '`.`', REPLACE(table_name, '`', '``'), '`', \
             IF(table_type = 'SYSTEM VERSIONED', ' FOR SYSTEM_TIME ALL', '')))) SEPARATOR ' UNION ALL '), 'DO 0') \
             INTO @dbstash FROM (SELECT table_schema, table_name, table_type, engine FROM information_schema.tables \
             WHERE table_schema {schema} AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') \
             ORDER BY table_schema, table_name LIMIT {from}, {most}) AS few; PREPARE dbstash FROM @dbstash; \
             EXECUTE dbstash"
        );
    }
    text
}

fn read(said: &str) -> Result<Found, String> {
    let mut found = Found::new();
    for line in said.lines() {
        let answer = || {
            let (name, number) = line.split_once('\t')?;
            let parts = name.split('.').map(unhex).collect::<Option<Vec<_>>>()?;
            parts.iter().try_for_each(|part| std::str::from_utf8(part).map(drop)).ok()?;
            let name = shown(&parts);
            Some((name, if number == "-" { None } else { Some(number.parse().ok()?) }))
        };
        let (name, number) = answer().ok_or_else(|| format!("the client says {line:.200?}"))?;
        found.insert(name, number);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let found = read("6120620A63\t12\n74\t-\n").unwrap();
        let all: Vec<_> = found.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(all, [("a b\nc", Some(12)), ("t", None)]);
        let whole = read("61.62\t1\n612E62.63\t2\n").unwrap();
        assert_eq!(whole.keys().collect::<Vec<_>>(), ["\"a.b\".c", "a.b"]);
        for said in ["zz\t1\n", "74\tmany\n", "74\n", "7\t1\n"] {
            assert!(read(said).is_err(), "{said}");
        }
    }

    #[test]
    fn many_tables_are_asked_in_parts() {
        assert_eq!(text("shop", 0).matches("EXECUTE dbstash").count(), 1);
        let many = text("shop", 450);
        assert!(many.contains("LIMIT 0, 200)") && many.contains("LIMIT 200, 200)"), "{many}");
        assert!(many.contains("LIMIT 400, 18446744073709551615)"), "{many}");
    }
}
