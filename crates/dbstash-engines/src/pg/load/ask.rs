//! What a target is asked, and what it answers.

pub(super) use dbstash_core::load::MARK;
use dbstash_core::load::{Side, Target};

use super::one::literal;
use super::parts::Wanted;

/// Of a database: a word and what it is about, one a line.
pub(super) fn of_database() -> String {
    let of_extension = |class: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.{class}'::pg_catalog.regclass \
             AND d.objid = o.oid AND d.deptype = 'e')"
        )
    };
    let theirs = |column: &str| {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.oid = o.{column} AND n.nspname !~ '^pg_' \
             AND n.nspname NOT IN ('information_schema', '{MARK}'))"
        )
    };
    let count = |class: &str, column: &str, which: &str, one: &str| {
        format!(
            "SELECT 'holds ' || count(*) || ' {one}' || CASE count(*) WHEN 1 THEN '' ELSE 's' END \
             FROM pg_catalog.{class} o WHERE {which} AND {} AND NOT {} HAVING count(*) > 0;\n",
            theirs(column),
            of_extension(class)
        )
    };
    let of_class = |kinds: &str, one: &str| {
        count("pg_class", "relnamespace", &format!("o.relkind IN ({kinds})"), one)
    };
    let schemas = format!(
        "SELECT 'holds ' || count(*) || ' schema' || CASE count(*) WHEN 1 THEN '' ELSE 's' END \
         FROM pg_catalog.pg_namespace o WHERE o.nspname !~ '^pg_' \
         AND o.nspname NOT IN ('information_schema', 'public', '{MARK}') AND NOT {} HAVING count(*) > 0;\n",
        of_extension("pg_namespace")
    );
    [
        there(),
        schemas,
        of_class("'r', 'p', 'f'", "table"),
        of_class("'v', 'm'", "view"),
        of_class("'S'", "sequence"),
        count("pg_proc", "pronamespace", "true", "function"),
        count("pg_type", "typnamespace", "o.typtype IN ('d', 'e', 'r')", "type"),
        "SELECT 'holds ' || count(*) || ' large object' || CASE count(*) WHEN 1 THEN '' ELSE 's' END \
         FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0;\n"
            .to_owned(),
    ]
    .concat()
}

/// Of a server.
pub(super) const SERVER: &str = "\
    SELECT 'version ' || pg_catalog.current_setting('server_version');\n\
    SELECT 'fact superuser' FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper;\n";

/// The server, that there is such a database, and its mark.
fn there() -> String {
    format!(
        "{SERVER}SELECT 'exists';\n\
         SELECT 'mark ' || coalesce(pg_catalog.obj_description(oid, 'pg_namespace'), 'a backup') \
         FROM pg_catalog.pg_namespace WHERE nspname = '{MARK}';\n\
         SELECT 'fact {DEFAULTS}' FROM pg_catalog.pg_default_acl HAVING count(*) > 0;\n\
         SELECT 'fact {KEPT_DEFAULTS}' FROM pg_catalog.pg_default_acl \
         WHERE defaclnamespace = 0 AND NOT pg_catalog.pg_has_role(defaclrole, 'MEMBER') HAVING count(*) > 0;\n"
    )
}

/// Of a database that is to have some tables, or only rows: which of them are in the way.
pub(super) fn of_parts(wanted: &[Wanted], side: Side) -> String {
    let which: Vec<String> = wanted.iter().map(Wanted::condition).collect();
    let which = if which.is_empty() { "true".to_owned() } else { which.join(" OR ") };
    let tables = format!(
        "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND ({which}) AND c.relkind IN"
    );
    let name = "c.oid::pg_catalog.regclass";
    let query = match side {
        Side::Data => format!(
            "SELECT pg_catalog.format('SELECT %L WHERE EXISTS (SELECT FROM %s)', 'holds rows of ' || {name}, {name}) \
             {tables} ('r', 'p') \\gexec\n"
        ),
        Side::All | Side::Schema => {
            // No column of pg_class that servers before 10 lack.
            let is_partition = "EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p \
                 ON p.oid = i.inhparent WHERE i.inhrelid = c.oid AND p.relkind = 'p')";
            format!(
                "SELECT '{TABLE}' || {name} {tables} ('r', 'p', 'f') ORDER BY 1;\n\
                 SELECT 'fact {SPLIT}' || {name} {tables} ('r', 'p', 'f') AND (c.relkind = 'p' OR {is_partition}) \
                 ORDER BY 1;\n"
            )
        }
    };
    there() + &query
}

/// The fact that new objects there get rights of their own.
pub(super) const DEFAULTS: &str = "default privileges";

/// The fact that some of them are of roles that this one is none of: it cannot take them away.
pub(super) const KEPT_DEFAULTS: &str = "default privileges of others";

/// How a table is named that is in the way, before its quoted name.
pub(super) const TABLE: &str = "holds table ";

/// The fact that a table in the way has partitions or is one, before its quoted name.
pub(super) const SPLIT: &str = "split ";

/// Of a server that is to have all of a backup, beside what its own database holds.
pub(super) fn of_server() -> String {
    format!(
        "{}{NAMES}SELECT 'exists';\n\
         SELECT 'holds database ' || datname FROM pg_catalog.pg_database \
         WHERE NOT datistemplate AND datname NOT IN (pg_catalog.current_database(), 'postgres', '{MARK}') ORDER BY 1;\n\
         SELECT 'mark ' || coalesce(pg_catalog.shobj_description(oid, 'pg_database'), 'a backup') \
         FROM pg_catalog.pg_database WHERE datname = '{MARK}';\n",
        of_database()
    )
}

/// The roles and tablespaces of a server.
pub(super) const NAMES: &str = "\
    SELECT 'fact role ' || rolname FROM pg_catalog.pg_roles;\n\
    SELECT 'fact tablespace ' || spcname FROM pg_catalog.pg_tablespace;\n";

/// Leaves the mark in a database: which backup half of is there.
pub(super) fn marked(backup: &str) -> String {
    format!(
        // A table, too, for a backup of half a database is known by what was counted in it.
        "CREATE SCHEMA {MARK} CREATE TABLE {MARK} (half int); COMMENT ON SCHEMA {MARK} IS {};",
        literal(backup)
    )
}

/// What it answered.
pub(super) fn read(said: &str) -> Result<Target, String> {
    let mut target = Target::default();
    // A name may hold a line break.
    for line in said.split('\0').map(str::trim_start).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.to_owned();
        match word {
            "version" => target.version = Some(rest),
            "exists" => target.exists = true,
            "holds" => target.holds.push(rest),
            "mark" => target.mark = Some(rest),
            "fact" => target.facts.push(rest),
            _ => return Err(format!("the server answered {line:?}")),
        }
    }
    if target.version.is_none() {
        return Err("the server did not tell its version".to_owned());
    }
    Ok(target)
}

/// A database that is not there yet.
pub(super) fn missing(stderr: &str) -> Option<Target> {
    let told = |line: &str| {
        line.contains("FATAL:  database \"") && line.trim_end().ends_with("\" does not exist")
    };
    stderr.lines().any(told).then(Target::default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_parted_by_nul() {
        let said = "version 15.18 (Debian)\0exists\0holds 2 tables\0holds table \"a\nb\"\0mark 2026\0fact superuser\0";
        let target = read(said).unwrap();
        assert_eq!(target.version.as_deref(), Some("15.18 (Debian)"));
        assert!(target.exists && !target.is_empty());
        assert_eq!(target.holds, ["2 tables", "table \"a\nb\""]);
        assert_eq!((target.mark.as_deref(), target.facts.len()), (Some("2026"), 1));
        assert!(read("exists\0").is_err() && read("who\0").is_err());
    }

    #[test]
    fn a_database_that_is_not_there_is_no_failure() {
        let of = |what: &str| format!("psql: error: connection failed: FATAL:  {what}\n");
        assert_eq!(missing(&of("database \"a\" does not exist")), Some(Target::default()));
        assert_eq!(missing(&of("role \"a\" does not exist")), None);
    }
}
