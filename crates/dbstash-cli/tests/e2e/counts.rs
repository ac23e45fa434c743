//! What the manifest says is in a dump is what the server says, and what is lost since the last one is told.

use std::fmt::Write as _;

use dbstash_testkit::redis::Family;
use dbstash_testkit::{
    Dbstash, Finished, MongoServer, Mongodump, MysqlServer, PgServer, RedisServer, RemoteKind,
    TestRemote, sqlite,
};
use serde_json::{Value, json};

use crate::modes::Work;
use crate::scene::{PATIENCE, dbstash, listed, shop_file};

/// Runs it well; what the new manifest says of the dump.
#[track_caller]
fn dumped(run: &Dbstash, remote: &TestRemote) -> (Value, Finished) {
    let before = remote.names();
    let done = run.run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    let is_new = |name: &&String| name.ends_with(".dbstash.json") && !before.contains(name);
    let names = remote.names();
    let manifest = names.iter().find(is_new).unwrap_or_else(|| panic!("no manifest: {done}"));
    let manifest: Value = serde_json::from_slice(&remote.read(manifest)).unwrap();
    (manifest["objects"][0].clone(), done)
}

#[track_caller]
fn counts(run: &Dbstash, remote: &TestRemote) -> Value {
    let (dump, done) = dumped(run, remote);
    assert!(dump["counts"].is_object(), "{dump}: {done}");
    dump["counts"].clone()
}

/// What the run warned of.
fn warnings(done: &Finished) -> Vec<String> {
    let warnings = done.events.iter().filter(|event| event["level"] == "WARN");
    warnings.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rows_of_pg() {
    let (Some(server), Some(remote)) =
        (PgServer::start("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 2000);
    let expected = server.psql(
        "shop",
        r#"SELECT json_object_agg(CASE WHEN s LIKE '%.%' THEN '"' || s || '"' ELSE s END || '.'
             || CASE WHEN t LIKE '%.%' THEN '"' || t || '"' ELSE t END,
             (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM ONLY %I.%I', s, t), false, true, '')))[1]
             ::text::bigint)
           FROM (SELECT n.nspname AS s, c.relname AS t FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')) AS tables"#,
    );
    let expected: Value = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected["public.bulk"], 2000);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off").env("DRIFT_WARN", "0");
    assert_eq!(counts(&run, &remote), expected);
    let inserts = run.clone().env("DUMP_EXTRA_ARGS", "--rows-per-insert=300");
    assert_eq!(counts(&inserts.env("BACKUP_COMPRESSION", "zstd:1"), &remote), expected);
    let work = Work::under(run.clone().env("BACKUP_MODE", "directory"));
    assert_eq!(counts(&work.run, &remote), expected);

    // The same of all databases; the first without one before is compared with nothing.
    let all = run.env("BACKUP_ALL_DATABASES", "true").env("DRIFT_WARN", "10%");
    let all = all.env("DB_URI", server.uri("")).env("DUMP_EXTRA_ARGS", "--no-role-passwords");
    let (dump, done) = dumped(&all, &remote);
    assert_eq!(warnings(&done), [""; 0], "{done}");
    for (name, rows) in expected.as_object().unwrap() {
        assert_eq!(dump["counts"][format!("shop.{name}")], *rows, "{name}");
    }
}

#[test]
fn rows_of_mysql_and_mariadb() {
    for family in dbstash_testkit::mysql::Family::ALL {
        let Some(server) = MysqlServer::start(family, "pw") else { continue };
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        server.createdb("shop");
        server.seed_shop("shop", 2000);
        let each = server.sql(
            "shop",
            "SET SESSION group_concat_max_len = 1000000; SELECT GROUP_CONCAT(CONCAT('SELECT ', QUOTE(table_name), \
             ' AS t, COUNT(*) AS n FROM `', REPLACE(table_name, '`', '``'), '`') SEPARATOR ' UNION ALL ') \
             FROM information_schema.tables WHERE table_schema = 'shop' AND table_type = 'BASE TABLE'",
        );
        let all =
            server.sql("shop", &format!("SELECT JSON_OBJECTAGG(t, n) FROM ({each}) AS counted"));
        let expected: Value = serde_json::from_str(&all).unwrap();
        assert_eq!(expected["bulk"], 2000);
        let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
        let own = |mut counts: Value| {
            // One with rows that were once.
            counts.as_object_mut().unwrap().remove("versioned");
            counts
        };
        assert_eq!(own(counts(&run, &remote)), expected, "{family:?}");
        let work = Work::under(run.clone().env("BACKUP_MODE", "directory"));
        assert_eq!(own(counts(&work.run, &remote)), expected, "{family:?}");
        let all = run.env("DB_URI", server.uri("")).env("BACKUP_ALL_DATABASES", "true");
        assert_eq!(counts(&all, &remote)["shop.bulk"], 2000, "{family:?}");
    }
}

#[test]
fn rows_of_sqlite_and_what_is_lost() {
    let (Some(file), Some(remote)) = (shop_file(300), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let names = sqlite::run(
        &file.path,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' \
         AND name NOT LIKE 'sqlite%'",
    );
    let mut all = String::new();
    for name in names.lines() {
        let union = if all.is_empty() { "" } else { " UNION ALL " };
        let _ = write!(all, "{union}SELECT '{name}' AS t, count(*) AS n FROM \"{name}\"");
    }
    let all = sqlite::run(&file.path, &format!("SELECT json_group_object(t, n) FROM ({all})"));
    let expected: Value = serde_json::from_str(&all).unwrap();
    assert_eq!(expected["bulk"], 300);
    let run = dbstash(&remote).env("DB_URI", file.uri());
    assert_eq!(counts(&run, &remote), expected);
    let shown = run.clone().args(["show", "latest"]).run(PATIENCE);
    let total: u64 = expected.as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert!(shown.stdout.contains(&format!("counts      {total} in all")), "{shown}");
    assert!(shown.stdout.contains("         300  bulk\n"), "{shown}");
    let shown = run.clone().args(["show", "latest", "--json"]).run(PATIENCE);
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["objects"][0]["counts"], expected);
    assert!(listed(&run)["backups"][0]["objects"][0].get("counts").is_none());
    run.clone().args(["verify"]).run(PATIENCE).expect_code(0);

    // As much as before, and less.
    assert_eq!(warnings(&dumped(&run, &remote).1), [""; 0]);
    let rows = |count: u64| format!("DELETE FROM bulk WHERE id > {count}");
    sqlite::run(&file.path, &format!("{}; DROP TABLE empty", rows(179)));
    let (_, done) = dumped(&run, &remote);
    let gone = "1 table of the backup before is gone: empty (0 rows)";
    let down = "1 table has lost 40 % of the rows or more since the backup before (DRIFT_WARN): \
        bulk (300 rows, now 179)";
    assert_eq!(warnings(&done)[..2], [gone, down], "{done}");

    // Where nothing is remembered, the newest of the remote is the one before.
    std::fs::remove_dir_all(run.state_dir().join("sizes")).unwrap();
    sqlite::run(&file.path, &rows(100));
    let (dump, done) = dumped(&run, &remote);
    assert_eq!(dump["counts"]["bulk"], 100);
    assert!(warnings(&done)[0].contains("bulk (179 rows, now 100)"), "{done}");
    sqlite::run(&file.path, &rows(1));
    assert_eq!(warnings(&dumped(&run.clone().env("DRIFT_WARN", "0"), &remote).1), [""; 0]);
    let (dump, _) = dumped(&run.clone().env("BACKUP_COUNTS", "false"), &remote);
    assert!(dump.get("counts").is_none() && dump.get("uncounted").is_none(), "{dump}");
    let (dump, done) = dumped(&Work::under(run.env("SQLITE_FORMAT", "file")).run, &remote);
    assert!(dump.get("counts").is_some_and(Value::is_null), "{dump}: {done}");
    assert_eq!(dump["uncounted"], "it is a copy of the database file");
}

#[test]
fn keys_of_redis() {
    for family in Family::ALL {
        let Some(server) = RedisServer::start(family) else { continue };
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        server.seed(0);
        server.add_expired();
        let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri());
        let keys = |name: &str| -> Option<u64> {
            server.info(name).split(',').find_map(|part| part.strip_prefix("keys=")?.parse().ok())
        };
        let counted = counts(&run, &remote);
        let expected: Value =
            ["db0", "db5", "db15"].map(|db| (db, json!(keys(db)))).into_iter().collect();
        assert_eq!(counted, expected, "{family:?}");
        assert!(counted["db0"].as_u64().unwrap() > 10, "{counted}");
        server.ask("FLUSHALL");
        let (dump, done) = dumped(&run, &remote);
        assert_eq!(dump["counts"], json!({}));
        let told = "3 databases of the backup before are gone: db0 (";
        assert!(warnings(&done)[0].starts_with(told), "{done}");
    }
}

#[test]
fn documents_of_mongo() {
    let (Some(server), Some(remote)) =
        (MongoServer::start("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.seed("shop", 70);
    let run = dbstash(&remote).env("PATH", server.path(Mongodump::Fake).unwrap());
    let run = run.env("DB_URI", server.uri("shop"));
    let counted = counts(&run, &remote);
    for (name, documents) in [
        ("rows", 70),
        ("keys", 8),
        ("indexed", 10),
        ("empty", 0),
        ("a.b.c", 1),
        ("sl/ash:co*lon?", 1),
        ("söme 😀", 1),
    ] {
        assert_eq!(counted[name], documents, "{name}: {counted}");
    }
    assert!(counted.get("view").is_none(), "{counted}");
    let work = Work::under(run.clone().env("BACKUP_MODE", "directory"));
    assert_eq!(counts(&work.run, &remote), counted);
    let all = run.env("DB_URI", server.uri("")).env("BACKUP_ALL_DATABASES", "true");
    let all = counts(&all, &remote);
    for (name, documents) in counted.as_object().unwrap() {
        assert_eq!(all[format!("shop.{name}")], *documents, "{name}");
    }
}
