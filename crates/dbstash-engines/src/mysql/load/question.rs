//! What a target is asked before anything is written, and what its answers mean.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use dbstash_core::load::{Extent, MARK, Side, Target};

/// What is counted: the word for it, its table in the information schema, and the columns for its database and what
/// else selects it.
const COUNTED: [(&str, &str, &str, &str); 5] = [
    ("tables", "tables", "table_schema", "table_type <> 'VIEW'"),
    ("views", "tables", "table_schema", "table_type = 'VIEW'"),
    ("routines", "routines", "routine_schema", "1"),
    ("events", "events", "event_schema", "1"),
    ("triggers", "triggers", "trigger_schema", "1"),
];

/// What is counted, and is not in the target's way as such.
const FACTS: [&str; 4] = ["fires", "kin", "lower", "referring"];
/// Before the name of a table that is there.
const HAS: &str = "has ";

/// One line for each answer: what it is, and the answer.
pub(super) fn text(database: &str, extent: &Extent) -> String {
    let it = literal(database);
    let of_it = |column: &str| format!("{column} = {it} AND {} = {}", exact(column), exact(&it));
    let mut text = format!(
        "SELECT 'version', VERSION(); SELECT 'database', default_character_set_name, default_collation_name FROM \
         information_schema.schemata WHERE {}; SELECT 'mark', table_comment FROM information_schema.tables WHERE {} AND \
         table_name = '{MARK}'",
        of_it("schema_name"),
        of_it("table_schema")
    );
    let names: Vec<String> = extent.tables.iter().map(|table| literal(table)).collect();
    let exactly: Vec<String> = names.iter().map(|name| exact(name)).collect();
    let (any, exactly) = (names.join(", "), exactly.join(", "));
    let is_named =
        |column: &str| format!("{column} IN ({any}) AND {} IN ({exactly})", exact(column));
    let among = |column: &str| {
        if names.is_empty() { String::new() } else { format!(" AND {}", is_named(column)) }
    };
    if !names.is_empty() {
        let _ = write!(
            text,
            "; SELECT 'referring', COUNT(*) FROM information_schema.referential_constraints WHERE {} AND {} AND {} AND NOT \
             ({})",
            of_it("constraint_schema"),
            of_it("unique_constraint_schema"),
            is_named("referenced_table_name"),
            is_named("table_name")
        );
    }
    if extent.side == Side::Data {
        let _ = write!(
            text,
            "; SELECT 'fires', COUNT(*) FROM information_schema.triggers WHERE {} AND event_manipulation = \
             'INSERT'{}",
            of_it("trigger_schema"),
            among("event_object_table")
        );
        let _ = write!(
            text,
            "; SELECT 'lower', @@lower_case_table_names; SELECT 'has', HEX(IF(@@lower_case_table_names = 0, table_name, \
             LOWER(table_name))) FROM information_schema.tables WHERE {}",
            of_it("table_schema")
        );
        // Only what has rows is in the way of rows: each table is asked.
        let _ = write!(
            text,
            "; SET SESSION group_concat_max_len = 100000000; SELECT COALESCE(CONCAT('SELECT ''non-empty tables'', ', \
             GROUP_CONCAT(CONCAT('EXISTS (SELECT 1 FROM `', REPLACE(table_schema, '`', '``'), '`.`', \
             REPLACE(table_name, '`', '``'), '`)') SEPARATOR ' + ')), 'DO 0') INTO @dbstash FROM \
             information_schema.tables WHERE {} AND table_type LIKE '%BASE TABLE' AND table_name <> '{MARK}'{}; \
             PREPARE dbstash FROM @dbstash; EXECUTE dbstash",
            of_it("table_schema"),
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
            "; SELECT '{word}', COUNT(*) FROM information_schema.{table} WHERE {} AND {which}{more}",
            of_it(schema)
        );
    }
    if names.is_empty() {
        text.push_str(&events_of_kin(&it));
    }
    text
}

/// How many events there are of databases that the server tells from this one, and drops with it: MariaDB's `DROP DATABASE`
/// compares without case.
fn events_of_kin(it: &str) -> String {
    format!(
        "; SELECT 'kin', COUNT(*) FROM information_schema.events WHERE event_schema = {it} AND {} <> {}",
        exact("event_schema"),
        exact(it)
    )
}

/// A name as the server tells it from others, whose own views of them have collations.
fn exact(name: &str) -> String {
    format!("CAST(IF(@@lower_case_table_names = 0, {name}, LOWER({name})) AS BINARY)")
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
            "has" => {
                let name = unhex(answer).and_then(|name| String::from_utf8(name).ok());
                let name = name.ok_or_else(|| format!("the client says: {line:.200}"))?;
                target.facts.push(format!("{HAS}{name}"));
            }
            "mark" => target.mark = Some(answer.to_owned()),
            _ => {
                let count: u64 =
                    answer.trim().parse().map_err(|_| format!("the client says: {line:.200}"))?;
                if count > 0 && FACTS.contains(&what) {
                    target.facts.push(format!("{what} {count}"));
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

/// Says of the name of a table whether it is there.
pub(super) type There = Box<dyn Fn(&str) -> bool + Send>;

/// Which tables are there, where rows alone are to go into them.
pub(super) fn there(target: &Target) -> There {
    let is_lower = target.facts.iter().any(|fact| fact.starts_with("lower "));
    let there = target.facts.iter().filter_map(|fact| fact.strip_prefix(HAS));
    let there: BTreeSet<_> = there.map(str::to_owned).collect();
    Box::new(move |name| there.contains(name) || is_lower && there.contains(&*name.to_lowercase()))
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

/// The bytes that are written in hex.
pub(in crate::mysql) fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pair = |pair: &[u8]| u8::try_from(digit(pair.first()?)? * 16 + digit(pair.get(1)?)?).ok();
    hex.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_rows_go_into_is_there_or_not() {
        let missing = |lower: u8, name| {
            let said = format!("version\t9\nlower\t{lower}\nhas\t7431\nhas\t61C3BC\n");
            !there(&read(&said).unwrap())(name)
        };
        assert!(!missing(0, "t1") && !missing(0, "a\u{fc}") && !missing(1, "T1"));
        assert!(missing(0, "T1") && missing(0, "t") && missing(1, "t4"));
        assert!(read("version\t9\nhas\t7\n").is_err());
    }

    #[test]
    fn answers_are_read() {
        let said = "version\t10.11.14-MariaDB-0+deb12u2\ndatabase\tutf8mb4\tutf8mb4_bin\nmark\t20260101T000000Z-ab\n\
            tables\t1\nviews\t12\nroutines\t0\nevents\t0\ntriggers\t2\nkin\t3\nreferring\t0\n";
        let target = read(said).unwrap();
        assert!(target.exists);
        assert_eq!(target.version.as_deref(), Some("10.11.14-MariaDB-0+deb12u2"));
        assert_eq!(target.holds, ["1 table", "12 views", "2 triggers"]);
        assert_eq!(target.mark.as_deref(), Some("20260101T000000Z-ab"));
        assert_eq!(target.facts, ["CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "kin 3"]);
        let nothing = read("version\t9.7.0\ntables\t0\nviews\t0\n").unwrap();
        assert!(!nothing.exists && nothing.is_empty());
        assert!(read("tables\t0\n").is_err() && read("version\t9\ntables\tmany\n").is_err());
    }

    #[test]
    fn a_name_says_nothing_but_itself() {
        assert_eq!(literal("a'\\"), "_utf8mb4 X'61275C'");
    }
}
