//! A dump that fails: exit 1, the cause named, nothing listed, nothing left.

use dbstash_testkit::{FakeTools, PgServer, tools};

use crate::scene::{Older, PATIENCE, dbstash, each_remote, shop_file, summary};

/// A lying or dying `pg_dump`, what the error must say, and the phase it is laid to.
const DUMPS: [(&str, &str, &str, &str); 8] = [
    (
        "half, then exit 1",
        "pg-head\nout-bytes 3MiB\nerr disk on fire\nexit 1",
        "exited with code 1",
        "dump",
    ),
    ("exit 1 at once", "err no route\nexit 1", "exited with code 1", "dump"),
    (
        "whole, then exit 1",
        "pg-head\nout-bytes 1MiB\npg-footer\nexit 1",
        "exited with code 1",
        "dump",
    ),
    ("no footer, exit 0", "pg-head\nout-bytes 3MiB\nexit 0", "not complete", "dump"),
    ("killed", "pg-head\nout-bytes 3MiB\nkill KILL", "killed by signal 9", "dump"),
    ("segfault", "pg-head\nkill SEGV", "killed by signal 11", "dump"),
    ("nothing at all", "exit 0", "empty", "dump"),
    (
        "a grandchild holds the output",
        "pg-head\npg-footer\ngrandchild-holds-stdout 60s\nexit 0",
        "keeps its output open",
        "dump",
    ),
];

#[test]
fn a_failed_dump_is_never_published() {
    let Some(file) = shop_file(50) else { return };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        for (case, script, told, phase) in DUMPS {
            eprintln!("    {case}");
            let fakes = FakeTools::new().tool("pg_dump", script);
            let run = dbstash(&remote)
                .env("DB_URI", "postgresql://u:canary-3141@127.0.0.1:1/shop")
                .env("PATH", fakes.path());
            let done = run.run(PATIENCE);
            done.expect_code(1).expect_no_leftovers();
            let event = summary(&done);
            let error = event["error"].as_str().unwrap();
            assert!(error.contains(told) && event["phase"] == phase, "{case}: {done}");
            if script.contains("err disk on fire") {
                assert_eq!(event["stderr"], "disk on fire");
            }
            older.alone(&run, &remote);
        }
    });
}

#[test]
fn a_missing_dump_tool_is_named() {
    let (Some(file), Some(rclone)) = (shop_file(50), tools::require("rclone")) else {
        return;
    };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        let only_rclone = FakeTools::new().tool("rclone", &format!("exec {}", rclone.display()));
        let run = dbstash(&remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop");
        let done = run.env("PATH", only_rclone.dir()).run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let error = summary(&done)["error"].as_str().unwrap().to_owned();
        assert!(error.contains("pg_dump is not installed"), "{error}");
        older.alone(&dbstash(&remote), &remote);
    });
}

#[test]
fn a_real_pg_dump_that_fails_is_explained() {
    let Some(mut server) = PgServer::start("rightpassword") else {
        return;
    };
    server.createdb("shop");
    server.psql("shop", "CREATE TABLE t(x int); INSERT INTO t SELECT generate_series(1, 1000)");
    each_remote(|remote| {
        let wrong = server.uri("shop").replace("rightpassword", "wrongpassword");
        for (uri, told) in [
            (server.uri("shop"), "permission denied for table t"),
            (wrong, "password"),
            (server.uri("nonesuch"), "nonesuch"),
            ("postgresql://u:pw@127.0.0.1:1/shop".to_owned(), "127.0.0.1"),
            ("postgresql://u:pw@no-such-host.invalid/shop".to_owned(), "no-such-host.invalid"),
        ] {
            let run = dbstash(&remote).env("DB_URI", &uri);
            let done = run.run(PATIENCE);
            done.expect_code(1).expect_no_leftovers();
            let error = summary(&done)["error"].as_str().unwrap();
            assert!(error.contains(told), "{uri}: {done}");
            assert!(!done.stderr.contains("wrongpassword"), "{done}");
            assert_eq!(remote.names(), [""; 0]);
        }
    });
    server.stop();
}

#[test]
fn limits_end_a_run() {
    let Some(file) = shop_file(50) else { return };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        for (case, setting, value, script, phase) in [
            ("too slow", "BACKUP_TIMEOUT", "1s", "pg-head\nout-bytes 1MiB\nsleep 300s", "timeout"),
            ("silent, deaf", "BACKUP_TIMEOUT", "1s", "ignore TERM\nsleep 300s", "timeout"),
            (
                "stalled",
                "BACKUP_STALL_TIMEOUT",
                "1s",
                "pg-head\nout-bytes 1MiB\nsleep 300s",
                "stall",
            ),
            ("too small", "BACKUP_MIN_SIZE", "2MiB", "pg-head\nout-bytes 1MiB\npg-footer", "dump"),
        ] {
            eprintln!("    {case}");
            let fakes = FakeTools::new().tool("pg_dump", script);
            let run = dbstash(&remote)
                .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
                .env("PATH", fakes.path())
                .env(setting, value);
            let done = run.run(PATIENCE);
            done.expect_code(1).expect_no_leftovers();
            let event = summary(&done);
            assert_eq!(event["phase"], phase, "{done}");
            assert!(event["error"].as_str().unwrap().contains(setting), "{done}");
            older.alone(&run, &remote);
        }
    });
}
