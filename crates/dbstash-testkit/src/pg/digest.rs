//! A text that is the same for two databases exactly when they hold the same.

use super::{PgServer, conninfo};

pub(super) fn of(server: &PgServer, database: &str) -> String {
    let schema = server
        .client("pg_dump")
        .args(["--schema-only", "-d", &conninfo(database)])
        .output()
        .unwrap();
    assert!(schema.status.success(), "{}", String::from_utf8_lossy(&schema.stderr));
    let schema = String::from_utf8_lossy(&schema.stdout);
    // A key that is new each time, and the server's version.
    let passing = ["\\restrict", "\\unrestrict", "-- Dumped from "];
    let lasts = |line: &&str| !passing.iter().any(|start| line.starts_with(start));
    let schema: Vec<&str> = schema.lines().filter(lasts).collect();
    format!("{}\n{}", schema.join("\n"), contents(server, database))
}

pub(super) fn contents(server: &PgServer, database: &str) -> String {
    server.psql(database, CONTENTS)
}

/// One line for each table, sequence and large object. Rows are compared as text, in any order.
const CONTENTS: &str = r#"
SET TimeZone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = hex;
SELECT format(
    'SELECT %L, count(*), md5(string_agg(md5(t::text), '''' ORDER BY md5(t::text) COLLATE "C"))
    FROM %s %s t',
    'rows of ' || oid::regclass, CASE relkind WHEN 'r' THEN 'ONLY' ELSE '' END, oid::regclass)
FROM pg_class
WHERE relkind IN ('r', 'm') AND relpersistence <> 't'
    AND relnamespace::regnamespace::text !~ '^(pg_catalog|information_schema|pg_toast)'
ORDER BY oid::regclass::text COLLATE "C" \gexec
SELECT format('SELECT %L, last_value, is_called FROM %s',
    'sequence ' || oid::regclass, oid::regclass)
FROM pg_class WHERE relkind = 'S' ORDER BY oid::regclass::text COLLATE "C" \gexec
SELECT 'large object', oid, md5(lo_get(oid)), pg_get_userbyid(lomowner), lomacl
FROM pg_largeobject_metadata ORDER BY oid;
"#;
