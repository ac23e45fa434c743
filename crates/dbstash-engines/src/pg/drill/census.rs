//! How many rows came back, by table.

use std::collections::{BTreeMap, BTreeSet};

use dbstash_core::drill::{Census, Found};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::Var;
use dbstash_core::job::Server;
use dbstash_core::manifest::Manifest;
use dbstash_core::tally::Counts;

use super::super::load::tools;

/// What stands for a number where the name alone counts: the rows of an extension's table are in no dump, or only some,
/// and those of a partitioned one are in its partitions.
const NO_NUMBER: &str = "-";
/// What stands for one before the name of a partitioned table, this character, and that of a partition of it.
const PARTITION: &str = ">";
const BETWEEN: char = '\u{1}';

/// Asks it; none where the names that were counted are others than these.
pub(super) fn census(
    manifest: &Manifest,
    server: &Server,
    database: &str,
) -> Result<Option<Census>, PlanError> {
    let counts = manifest.dump().map(|dump| &dump.counts);
    let names: Vec<&str> = match counts {
        Some(Counts::Of(counts)) => counts.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    // In another encoding, or without schemas, as a very old pg_dump has them.
    if names.iter().any(|name| name.contains(char::REPLACEMENT_CHARACTER) || !name.contains('.')) {
        return Ok(None);
    }
    let is_whole = manifest.database == "*";
    let mut text = String::new();
    if is_whole {
        let databases: BTreeSet<&str> = names.iter().map(|name| database_of(name)).collect();
        if databases.is_empty() || databases.iter().any(|name| name.contains(['\n', '\r'])) {
            return Ok(None);
        }
        for database in databases {
            text.push_str(&connect(database));
            text.push_str(&question(true));
        }
    } else {
        text.push_str(&question(false));
    }
    let mut question = tools::asking(server, database, &text)?;
    question.env.push(("PGCLIENTENCODING".to_owned(), Var::Plain("UTF8".to_owned())));
    let stored = match counts {
        Some(Counts::Of(counts)) => counts.clone(),
        _ => BTreeMap::new(),
    };
    Ok(Some(Census { question, read: Box::new(move |said| read(said, &stored)) }))
}

/// The first part of a name.
fn database_of(name: &str) -> &str {
    match name.strip_prefix('"').and_then(|rest| rest.split_once("\".")) {
        Some((database, _)) if database.contains('.') => database,
        _ => name.split('.').next().unwrap_or_default(),
    }
}

/// As pg_dumpall says it.
fn connect(database: &str) -> String {
    let name = database.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\"\"");
    format!("\\connect -reuse-previous=on \"dbname='{name}'\"\n")
}

/// The names are those that the tally gives.
fn question(with_database: bool) -> String {
    let part = |name: String| {
        format!("CASE WHEN {name} LIKE '%.%' THEN '\"' || {name} || '\"' ELSE {name} END")
    };
    let database = if with_database {
        format!("{} || '.' || ", part("pg_catalog.current_database()".to_owned()))
    } else {
        String::new()
    };
    let named = |schema: &str, table: &str| {
        let (schema, table) = (format!("{schema}.nspname"), format!("{table}.relname"));
        format!("{database}{} || '.' || {}", part(schema), part(table))
    };
    let name = named("n", "c");
    let tables = |which: &str| {
        format!(
            "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             AND d.objid = c.oid AND d.deptype = 'e' \
             WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND {which}"
        )
    };
    // Row security of the owner's own tables would hide rows from it: then it is an error.
    format!(
        "SET search_path = ''; SET row_security = off;\n\
         SELECT '{NO_NUMBER} ' || {name} {};\n\
         WITH RECURSIVE up (leaf, top) AS (SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits UNION \
         SELECT up.leaf, i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.top) \
         SELECT '{PARTITION} ' || {} || pg_catalog.chr({}) || {} FROM up \
         JOIN pg_catalog.pg_class c ON c.oid = up.leaf AND c.relkind = 'r' \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_class p ON p.oid = up.top AND p.relkind = 'p' \
         JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace;\n\
         SELECT pg_catalog.format('SELECT pg_catalog.count(*) || %L FROM ONLY %I.%I', ' ' || {name}, n.nspname, \
         c.relname) {} \\gexec\n",
        tables("(c.relkind = 'r' AND d.objid IS NOT NULL OR c.relkind = 'p')"),
        named("m", "p"),
        u32::from(BETWEEN),
        name,
        tables("c.relkind = 'r' AND d.objid IS NULL")
    )
}

fn read(said: &str, stored: &BTreeMap<String, u64>) -> Result<Found, String> {
    let mut found = Found::new();
    let mut loose = Vec::new();
    // A name may begin with a blank, and hold a line break.
    for answer in said.split('\0').filter(|answer| !answer.trim().is_empty()) {
        let (number, name) = answer.split_once(' ').unwrap_or((answer, ""));
        let number = match number.trim_start() {
            NO_NUMBER => None,
            PARTITION => {
                loose.extend(name.split_once(BETWEEN));
                continue;
            }
            number => Some(number.parse().map_err(|_| format!("psql says {answer:.200?}"))?),
        };
        found.insert(name.to_owned(), number);
    }
    // --load-via-partition-root: the dump does not say which rows go into which of them, only how many there are.
    loose.retain(|(whole, _)| stored.contains_key(*whole));
    let mut wholes: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for (whole, partition) in &loose {
        let rows = found.get(*partition).copied().flatten();
        let own = stored.get(*partition).copied().unwrap_or_default();
        let rest = rows.and_then(|rows| rows.checked_sub(own));
        let sum = wholes.entry(whole).or_insert(Some(0));
        *sum = sum.zip(rest).and_then(|(sum, rest)| sum.checked_add(rest));
    }
    for (whole, rows) in wholes {
        found.insert(whole.to_owned(), rows);
    }
    for (_, partition) in loose {
        found.insert(partition.to_owned(), None);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let said = "12 public.t\0- public.parts\u{0}7 \"a.b\". c\nd\0> public.parts\u{1}public.t\0";
        let found = read(said, &BTreeMap::new()).unwrap();
        let all: Vec<_> = found.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(
            all,
            [("\"a.b\". c\nd", Some(7)), ("public.parts", None), ("public.t", Some(12))]
        );
        let stored = BTreeMap::from([("public.parts".to_owned(), 12)]);
        let found = read(said, &stored).unwrap();
        assert_eq!((found["public.parts"], found["public.t"]), (Some(12), None));
        assert!(read("many public.t\0", &BTreeMap::new()).is_err());
    }

    #[test]
    fn the_database_of_a_name() {
        for (name, database) in
            [("shop.public.t", "shop"), ("\"a.b\".public.t", "a.b"), ("\"x.public.\"t.u\"", "\"x")]
        {
            assert_eq!(database_of(name), database);
        }
        assert_eq!(
            connect("it's \"x\" \\"),
            "\\connect -reuse-previous=on \"dbname='it\\'s \"\"x\"\" \\\\'\"\n"
        );
    }
}
