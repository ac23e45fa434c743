//! What the main job promises beyond the conformance suite: manifests, names of databases, whole servers.

use dbstash_testkit::{PgServer, RemoteKind, TestRemote, sqlite};
use serde_json::json;

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file, summary};

#[test]
fn the_manifest_and_the_summary_tell_the_same_truth() {
    let (Some(file), Some(remote)) = (shop_file(100), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("DBSTASH_JOB", "shop");
    let done = run.run(PATIENCE);
    done.expect_code(0);
    let event = summary(&done);
    let object = event["object"].as_str().unwrap();
    let bytes = remote.read(object);
    let manifest: serde_json::Value =
        serde_json::from_slice(&remote.read(&format!("{object}.dbstash.json"))).unwrap();
    let stored = &manifest["objects"][0];
    let sha256 = sha256(&bytes);
    for (told, truth) in [
        (&event["status"], json!("success")),
        (&event["engine"], json!("sqlite")),
        (&event["database"], json!("shop")),
        (&event["job"], json!("shop")),
        (&event["backup_id"], manifest["id"].clone()),
        (&event["bytes"], json!(bytes.len())),
        (&event["raw_bytes"], json!(bytes.len())),
        (&event["sha256"], json!(sha256)),
        (&stored["bytes"], json!(bytes.len())),
        (&stored["sha256"], json!(sha256)),
        (&stored["name"], json!(object)),
        (&stored["encodings"], json!([])),
        (&manifest["format"], json!(1)),
        (&manifest["database"], json!("shop")),
        (&manifest["mode"], json!("stream")),
    ] {
        assert_eq!(*told, truth, "{event}\n{manifest}");
    }
    assert!(
        event["duration"].as_f64().unwrap() > 0.0 && event["throughput"].as_f64().unwrap() > 0.0
    );
    for event in &done.events {
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{event}");
        assert!(event["message"].is_string(), "{event}");
    }
    assert_eq!(listed(&run)["backups"][0]["id"], manifest["id"]);
}

fn sha256(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut tool = std::process::Command::new("sha256sum")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(bytes).unwrap();
    let out = tool.wait_with_output().unwrap();
    String::from_utf8(out.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn sqlite_is_consistent_under_a_writer_in_wal_mode() {
    let (Some(file), Some(remote)) = (shop_file(20_000), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    sqlite::run(
        &file.path,
        "PRAGMA journal_mode=WAL; PRAGMA user_version=42; PRAGMA application_id=77;
         CREATE TABLE pair(k INTEGER PRIMARY KEY, a INTEGER, b INTEGER);
         INSERT INTO pair VALUES(1, 0, 0);",
    );
    let stop = std::sync::atomic::AtomicBool::new(false);
    let restored = file.scratch.path().join("restored.db");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut n = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                n += 1;
                // Both columns move together, or a dump tore a transaction apart.
                sqlite::run(
                    &file.path,
                    "PRAGMA busy_timeout=20000; BEGIN IMMEDIATE; UPDATE pair SET a = a + 1;
                     UPDATE pair SET b = b + 1; COMMIT;",
                );
            }
            n
        });
        for _ in 0..3 {
            let run = dbstash(&remote).env("DB_URI", file.uri());
            run.run(PATIENCE).expect_code(0);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
    });
    let run = dbstash(&remote);
    for object in backups(&run) {
        let _ = std::fs::remove_file(&restored);
        sqlite::restore(&restored, &remote.read(&object)).unwrap();
        assert_eq!(sqlite::run(&restored, "SELECT count(*) FROM pair WHERE a = b").trim(), "1");
        assert_eq!(
            sqlite::run(&restored, "PRAGMA user_version; PRAGMA application_id").trim(),
            "42\n77"
        );
    }
    assert_eq!(backups(&run).len(), 3);
}

#[test]
fn a_missing_database_file_is_an_error_and_is_not_made() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else {
        return;
    };
    let scratch = dbstash_testkit::Scratch::new("none");
    let missing = scratch.path().join("none.db");
    let run = dbstash(&remote).env("DB_PATH", &missing);
    let done = run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(summary(&done)["error"].as_str().unwrap().contains("none.db"), "{done}");
    assert!(!missing.exists());
    assert_eq!(remote.names(), [""; 0]);
}

#[test]
fn every_way_to_name_a_pg_database() {
    let (Some(server), Some(remote)) =
        (PgServer::start("hunter 22"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    let odd = "Odd = 'name' with%";
    for database in ["plain", odd] {
        server.createdb(database);
        server.psql(
            database,
            "CREATE TABLE t(x int); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO stash",
        );
    }
    let socket = server.socket_dir().to_str().unwrap().replace('/', "%2F");
    let port = server.port();
    let encoded = "Odd%20%3D%20%27name%27%20with%25";
    for uri in [
        server.uri("plain"),
        format!(
            "postgresql://stash:hunter%2022@127.0.0.1:{port}/plain?sslmode=prefer&connect_timeout=5"
        ),
        format!(
            "postgres://stash:hunter%2022@127.0.0.1:1,127.0.0.1:{port}/plain?connect_timeout=5"
        ),
        format!("postgresql://stash:hunter%2022@{socket}:{port}/plain"),
        format!("postgresql:///plain?host={socket}&port={port}&user=stash&password=hunter%2022"),
        format!("postgresql://stash:hunter%2022@127.0.0.1:{port}/{encoded}"),
    ] {
        let done = dbstash(&remote).env("DB_URI", &uri).run(PATIENCE);
        assert_eq!(done.code, Some(0), "{uri}: {done}");
    }
    let parts = dbstash(&remote)
        .env("DBSTASH_ENGINE", "pg")
        .env("DB_HOST", "127.0.0.1")
        .env("DB_PORT", port.to_string())
        .env("DB_USER", "stash")
        .env("DB_PASSWORD", "hunter 22")
        .env("DB_NAME", format!("plain,{odd}"));
    parts.run(PATIENCE).expect_code(0);
    let databases = listed(&parts)["backups"].as_array().unwrap().len();
    assert_eq!(databases, 8);
}

#[test]
fn all_databases_of_a_server_in_one_object() {
    let (Some(server), Some(remote)) =
        (PgServer::start("pw-all-22"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("one");
    server.psql("one", "CREATE TABLE t(x int)");
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let run =
        dbstash(&remote).env("DB_URI", server.uri("postgres")).env("BACKUP_ALL_DATABASES", "true");
    run.run(PATIENCE).expect_code(0);
    let object = backups(&run).pop().unwrap();
    assert!(object.starts_with("all-"), "{object}");
    let text = String::from_utf8(remote.read(&object)).unwrap();
    assert!(text.contains("CREATE ROLE stash") && text.contains("\\connect one"));
}

/// Each job has an rclone configuration of its own, and both share a state directory.
#[test]
fn a_job_never_uses_the_rclone_configuration_of_another() {
    let (Some(file), Some(_)) = (shop_file(10), dbstash_testkit::tools::require("rclone")) else {
        return;
    };
    let folder = |name: &str| file.scratch.dir(name);
    let config = |folder: &std::path::Path| {
        let text = format!("[st]\ntype = alias\nremote = {}\n", folder.display());
        let encoded = std::process::Command::new("sh")
            .args(["-c", "printf %s \"$0\" | base64 -w0", &text])
            .output()
            .unwrap();
        String::from_utf8(encoded.stdout).unwrap()
    };
    let (a, b) = (folder("a"), folder("b"));
    let fakes = dbstash_testkit::FakeTools::new();
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let waits = format!("pg-head\ntouch {}\nwait-for {}\npg-footer", there.display(), go.display());
    fakes.script("pg_dump", &waits);
    let job = dbstash_testkit::Dbstash::new(env!("CARGO_BIN_EXE_dbstash"))
        .env("RCLONE_REMOTE", "st:x")
        .env("BACKUP_SCHEDULE", "once")
        .env("PATH", fakes.path());
    let first = job.clone().env("RCLONE_CONFIG", config(&a)).env("DB_URI", "postgresql://h/first");
    let mut running = first.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    let second = job.clone().env("RCLONE_CONFIG", config(&b)).env("DB_URI", file.uri());
    second.run(PATIENCE).expect_code(0);
    std::fs::write(&go, "").unwrap();
    running.wait(PATIENCE).expect_code(0);
    let stored = |folder: &std::path::Path| {
        let entries = std::fs::read_dir(folder.join("x")).unwrap().flatten();
        let names = entries.map(|e| e.file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".dbstash.json")).collect::<Vec<_>>()
    };
    let (in_a, in_b) = (stored(&a), stored(&b));
    assert!(in_a.len() == 1 && in_a[0].starts_with("first-"), "{in_a:?}");
    assert!(in_b.len() == 1 && in_b[0].starts_with("shop-"), "{in_b:?}");
    let left = std::fs::read_dir(job.state_dir().join("runs/processes")).into_iter().flatten();
    assert_eq!(left.count(), 0, "a private configuration is left");
}

#[test]
fn a_database_called_all_is_not_all_databases() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = dbstash_testkit::FakeTools::new()
        .tool("pg_dump", "pg-head\npg-footer")
        .tool(
            "pg_dumpall",
            "out --\nout -- PostgreSQL database cluster dump\nout --\nout -- PostgreSQL database cluster dump complete",
        );
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://h/all")
        .env("PG_GLOBALS", "off")
        .env("RETENTION_MAX_FILES", "1")
        .env("RETENTION_HOLD_BELOW", "0")
        .env("PATH", fakes.path());
    run.run(PATIENCE).expect_code(0);
    run.clone().env("BACKUP_ALL_DATABASES", "true").run(PATIENCE).expect_code(0);
    assert_eq!(backups(&run).len(), 2);
}

#[test]
fn roles_are_stored_beside_a_dump_as_far_as_the_login_may() {
    let Some(server) = PgServer::start("pw-globals-22") else { return };
    server.createdb("a=b c");
    server.psql("postgres", "CREATE ROLE accountant PASSWORD 'x'");
    crate::scene::each_remote(|remote| {
        let run =
            dbstash(&remote).env("DB_URI", server.uri("a=b c")).env("BACKUP_COMPRESS", "true");
        for (superuser, passwords) in [("NOSUPERUSER", false), ("SUPERUSER", true)] {
            server.psql("postgres", &format!("ALTER ROLE stash {superuser}"));
            let done = run.run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            let newest = &listed(&run)["backups"][0];
            let paths: Vec<_> = newest["paths"].as_array().unwrap().iter().collect();
            let (dump, globals) = (paths[0].as_str().unwrap(), paths[1].as_str().unwrap());
            assert_eq!(globals, dump.replace(".dump", ".globals.sql"));
            let text = String::from_utf8(remote.read(globals)).unwrap();
            assert!(text.contains("CREATE ROLE accountant"), "{text}");
            assert_eq!(text.contains("SCRAM-SHA-256$"), passwords, "{text}");
            assert_eq!(sha256(text.as_bytes()), newest["objects"][1]["sha256"]);
        }
        let before = remote.names();
        assert_eq!(before.len(), 6);
        // One that cannot have them at all: a warning, or a failure when they are wanted.
        let fakes = dbstash_testkit::FakeTools::new()
            .tool("pg_dumpall", "pg-head\nerr no roles for you\nexit 1");
        let without = run.clone().env("PATH", fakes.path());
        let done = without.run(PATIENCE);
        done.expect_code(0);
        assert!(done.stderr.contains("stored without the roles"), "{done}");
        assert_eq!(listed(&run)["backups"][0]["paths"].as_array().unwrap().len(), 1);
        let done = without.clone().env("PG_GLOBALS", "on").run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert_eq!(summary(&done)["stderr"], "no roles for you");
        assert_eq!(remote.names().len(), before.len() + 2);
        run.clone().env("PG_GLOBALS", "off").run(PATIENCE).expect_code(0);
        assert_eq!(listed(&run)["backups"][0]["paths"].as_array().unwrap().len(), 1);
        // They come and go with their dump.
        run.clone().env("RETENTION_MAX_FILES", "1").run(PATIENCE).expect_code(0);
        assert_eq!(remote.names().len(), 3, "{:?}", remote.names());
    });
}

#[test]
fn each_database_of_a_server_but_the_excluded() {
    let (Some(server), Some(remote)) =
        (PgServer::start("pw-each-22"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    for database in ["one", "two words", "tmp_1", "tmp_2"] {
        server.createdb(database);
    }
    server.psql("two words", "CREATE TABLE secret(x int); ALTER TABLE secret OWNER TO postgres");
    let run = dbstash(&remote)
        .env("DB_URI", server.uri(""))
        .env("BACKUP_SPLIT_DATABASES", "true")
        .env("DB_EXCLUDE", "tmp_*,postgres");
    let done = run.run(PATIENCE);
    // One that fails does not stop the others, and fails the run.
    done.expect_code(1);
    assert!(done.stderr.contains("permission denied for table secret"), "{done}");
    server.psql("two words", "DROP TABLE secret");
    run.run(PATIENCE).expect_code(0);
    let all = listed(&run);
    let mut databases: Vec<_> = all["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["database"].as_str().unwrap())
        .collect();
    databases.sort_unstable();
    assert_eq!(databases, ["one", "one", "two words"]);
    let none = run.clone().env("DB_EXCLUDE", "*").run(PATIENCE);
    none.expect_code(1);
    assert!(none.stderr.contains("DB_EXCLUDE"), "{none}");
    let wrong = run.clone().env("DB_URI", server.uri("").replace("22@", "23@")).run(PATIENCE);
    wrong.expect_code(1);
    assert!(summary(&wrong)["error"].as_str().unwrap().contains("password"), "{wrong}");
    let dry = run.clone().env("DRY_RUN", "1").run(PATIENCE);
    dry.expect_code(0);
    assert!(dry.stdout.contains("<each>"), "{dry}");
}

#[test]
fn a_server_newer_than_the_tool_is_refused_with_both_versions() {
    let (Some(server), Some(remote)) =
        (PgServer::start_18("newer-than-22"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    let done = dbstash(&remote).env("DB_URI", server.uri("shop")).run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let error = summary(&done)["error"].as_str().unwrap();
    assert!(error.contains("18") && error.contains("15"), "{error}");
    assert_eq!(remote.names(), [""; 0]);
}
