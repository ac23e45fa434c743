//! Dumps whose completeness mark the user's own flags hide: stored, listed and restored, and their manifest says that
//! less was checked.
//!
//! Of `pg_dump` 15 and 18 no flag takes the footer away, only compression hides it; none does of `pg_dumpall` (see
//! `real_dumps.rs` of the engines). `sqlite3` leaves the transaction out with `--data-only`.

use std::fs::{self, File};
use std::process::Command;

use dbstash_testkit::{Dbstash, FakeTools, PgServer, RemoteKind, Scratch, TestRemote, sqlite};
use serde_json::Value;

use super::PG;
use super::ground::Ground;
use crate::scene::{PATIENCE, backups, dbstash, summary};

/// The bytes of the one backup that this run makes, which is a degraded one.
fn stored(remote: &TestRemote, run: &Dbstash, extension: &str, why: &str) -> Vec<u8> {
    let done = run.run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert_eq!(summary(&done)["check"], "exit-status", "{done}");
    let names = backups(run);
    assert!(names.len() == 1 && names[0].ends_with(extension), "{names:?}");
    let manifest = remote.read(&format!("{}.dbstash.json", names[0]));
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let object = &manifest["objects"][0];
    assert_eq!((&object["check"], &object["degraded"]), (&"exit-status".into(), &why.into()));
    remote.read(&names[0])
}

#[test]
fn a_plain_dump_that_pg_dump_compresses() {
    let Some(server) = PgServer::start("pw") else { return };
    server.createdb("shop");
    server.seed_shop("shop", 100);
    let (digest, scratch) = (server.digest("shop"), Scratch::new("gz"));
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        let run = dbstash(&remote)
            .env("DB_URI", server.uri("shop"))
            .env("PG_GLOBALS", "off")
            .env("DUMP_EXTRA_ARGS", "--compress=3 --verbose");
        let file = scratch.path().join("dump.sql.gz");
        fs::write(&file, stored(&remote, &run, ".sql.gz", "compressed by pg_dump itself")).unwrap();
        let plain = Command::new("gzip").arg("-dc").stdin(File::open(&file).unwrap()).output();
        let plain = plain.unwrap();
        assert!(plain.status.success(), "on {kind}");
        server.psql("postgres", "DROP DATABASE IF EXISTS restored");
        server.createdb("restored");
        server.feed("restored", &plain.stdout).unwrap();
        assert!(server.digest("restored") == digest, "on {kind}");
    }
}

/// What is not even compressed is no such dump.
#[test]
fn garbage_in_the_place_of_a_compressed_dump() {
    let Some(ground) = Ground::on(RemoteKind::S3) else { return };
    for script in ["out-bytes 1MiB", "HEAD\nFOOTER", "out x"] {
        let fakes = FakeTools::new();
        let run = PG.run(&ground, &fakes, script).env("DUMP_EXTRA_ARGS", "-Z3");
        let told = "it does not begin as gzip does";
        ground.failed(script, &run.run(PATIENCE), "dump", told);
    }
    ground.over();
}

#[test]
fn rows_without_the_transaction_of_a_sqlite_dump() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("data");
    let file = scratch.path().join("shop.db");
    let schema = "CREATE TABLE t(a INTEGER PRIMARY KEY, b);";
    sqlite::run(
        &file,
        &format!("{schema} INSERT INTO t VALUES (1, 'COMMIT;'), (2, x'00ff'), (3, NULL);"),
    );
    let rows = sqlite::run(&file, ".sha3sum");
    for kind in RemoteKind::MATRIX {
        let Some(remote) = TestRemote::start(kind) else { return };
        let run = dbstash(&remote)
            .env("DB_URI", format!("sqlite://{}", file.display()))
            .env("DUMP_EXTRA_ARGS", "--data-only");
        let why = "--data-only leaves out the transaction that marks the end";
        let dump = stored(&remote, &run, ".sql", why);
        let restored = scratch.path().join(format!("{kind}.db"));
        sqlite::run(&restored, schema);
        sqlite::restore(&restored, &dump).unwrap();
        assert_eq!(sqlite::run(&restored, ".sha3sum"), rows, "on {kind}");
    }
}
