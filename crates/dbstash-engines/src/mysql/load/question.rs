//! What a target is asked before anything is written, and what its answers mean.

use std::fmt::Write as _;

use dbstash_core::load::{Extent, Side, Target};

use super::MARK;

/// What is counted: the word for it, its table in the information schema, and the columns for its database and what
/// else selects it.
const COUNTED: [(&str, &str, &str, &str); 5] = [
    ("tables", "tables", "table_schema", "table_type <> 'VIEW'"),
    ("views", "tables", "table_schema", "table_type = 'VIEW'"),
    ("routines", "routines", "routine_schema", "1"),
    ("events", "events", "event_schema", "1"),
    ("triggers", "triggers", "trigger_schema", "1"),
];

/// One line for each answer: what it is, and the answer.
pub(super) fn text(database: &str, extent: &Extent) -> String {
    let it = literal(database);
    let mut text = format!(
        "SELECT 'version', VERSION(); SELECT 'database', default_character_set_name, default_collation_name FROM \
         information_schema.schemata WHERE schema_name = {it}; SELECT 'mark', table_comment FROM \
         information_schema.tables WHERE table_schema = {it} AND table_name = '{MARK}'"
    );
    let names: Vec<String> = extent.tables.iter().map(|table| literal(table)).collect();
    let among = |column: &str| match &*names.join(", ") {
        "" => String::new(),
        names => format!(" AND {column} IN ({names})"),
    };
    if extent.side == Side::Data {
        let _ = write!(
            text,
            "; SELECT 'fires', COUNT(*) FROM information_schema.triggers WHERE trigger_schema = {it} AND \
             event_manipulation = 'INSERT'{}",
            among("event_object_table")
        );
        // Only what has rows is in the way of rows: each table is asked.
        let _ = write!(
            text,
            "; SET SESSION group_concat_max_len = 100000000; SELECT COALESCE(CONCAT('SELECT ''non-empty tables'', ', \
             GROUP_CONCAT(CONCAT('EXISTS (SELECT 1 FROM `', REPLACE(table_schema, '`', '``'), '`.`', \
             REPLACE(table_name, '`', '``'), '`)') SEPARATOR ' + ')), 'DO 0') INTO @dbstash FROM \
             information_schema.tables WHERE table_schema = {it} AND table_type LIKE '%BASE TABLE' AND table_name <> \
             '{MARK}'{}; PREPARE dbstash FROM @dbstash; EXECUTE dbstash",
            among("table_name")
        );
        return text;
    }
    for (word, table, schema, which) in COUNTED {
        let more = match (word, names.is_empty()) {
            ("tables", _) => format!(" AND table_name <> '{MARK}'{}", among("table_name")),
            ("views", _) => among("table_name"),
            (_, true) => String::new(),
            (_, false) => continue,
        };
        let _ = write!(
            text,
            "; SELECT '{word}', COUNT(*) FROM information_schema.{table} WHERE {schema} = {it} AND {which}{more}"
        );
    }
    text
}

/// The answers. What is there of no database is nothing.
pub(super) fn read(said: &str) -> Result<Target, String> {
    let mut target = Target::default();
    for line in said.lines() {
        let (what, answer) = line.split_once('\t').unwrap_or((line, ""));
        match what {
            "version" => target.version = Some(answer.to_owned()),
            "database" => {
                target.exists = true;
                let (set, collation) = answer.split_once('\t').unwrap_or((answer, ""));
                if [set, collation].iter().all(|word| is_word(word)) {
                    target.facts.push(format!("CHARACTER SET {set} COLLATE {collation}"));
                }
            }
            "mark" => target.mark = Some(answer.to_owned()),
            _ => {
                let count: u64 =
                    answer.trim().parse().map_err(|_| format!("the client says: {line:.200}"))?;
                if count > 0 && what == "fires" {
                    target.facts.push(format!("fires {count}"));
                } else if count > 0 {
                    let one = what.strip_suffix('s').filter(|_| count == 1).unwrap_or(what);
                    target.holds.push(format!("{count} {one}"));
                }
            }
        }
    }
    if target.version.is_none() {
        return Err("the client says nothing of the server's version".to_owned());
    }
    Ok(target)
}

/// A name of a character set or of a collation.
fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A text as SQL has it, whatever the server makes of backslashes.
pub(in crate::mysql) fn literal(text: &str) -> String {
    let mut hex = "_utf8mb4 X'".to_owned();
    for byte in text.bytes() {
        let _ = write!(hex, "{byte:02X}");
    }
    hex.push('\'');
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let said = "version\t10.11.14-MariaDB-0+deb12u2\ndatabase\tutf8mb4\tutf8mb4_bin\nmark\t20260101T000000Z-ab\n\
            tables\t1\nviews\t12\nroutines\t0\nevents\t0\ntriggers\t2\n";
        let target = read(said).unwrap();
        assert!(target.exists);
        assert_eq!(target.version.as_deref(), Some("10.11.14-MariaDB-0+deb12u2"));
        assert_eq!(target.holds, ["1 table", "12 views", "2 triggers"]);
        assert_eq!(target.mark.as_deref(), Some("20260101T000000Z-ab"));
        assert_eq!(target.facts, ["CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"]);
        let nothing = read("version\t9.7.0\ntables\t0\nviews\t0\n").unwrap();
        assert!(!nothing.exists && nothing.is_empty());
        assert!(read("tables\t0\n").is_err() && read("version\t9\ntables\tmany\n").is_err());
    }

    #[test]
    fn a_name_says_nothing_but_itself() {
        assert_eq!(literal("a'\\"), "_utf8mb4 X'61275C'");
    }
}
