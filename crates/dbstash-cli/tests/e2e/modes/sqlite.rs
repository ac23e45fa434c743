//! An exact copy of a SQLite file.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dbstash_testkit::{RemoteKind, TestRemote, sqlite};

use super::Work;
use crate::compression::filter;
use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file, summary};

#[test]
fn a_copy_of_the_file_conforms() {
    for journal in ["DELETE", "WAL"] {
        let Some(file) = shop_file(2000) else { return };
        let ticker = "CREATE TABLE ticker(n); INSERT INTO ticker VALUES (0)";
        sqlite::run(&file.path, &format!("PRAGMA journal_mode={journal}; {ticker}"));
        // What `.dump` cannot carry.
        let odd = "CREATE TABLE odd(t); INSERT INTO odd VALUES (9e999), (CAST(x'610062' AS TEXT)); \
            PRAGMA user_version=42; PRAGMA application_id=-7";
        sqlite::run(&file.path, odd);
        let before = sqlite::digest_without(&file.path, "ticker");
        for kind in RemoteKind::MAIN {
            let Some(remote) = TestRemote::start(kind) else { continue };
            for (compression, end) in [("none", ".db"), ("gzip", ".db.gz")] {
                let run = dbstash(&remote).env("DB_URI", file.uri()).env("SQLITE_FORMAT", "file");
                let work = Work::under(run.env("BACKUP_COMPRESSION", compression));
                let done = AtomicBool::new(false);
                thread::scope(|scope| {
                    scope.spawn(|| {
                        while !done.load(Ordering::Relaxed) {
                            let update = "PRAGMA busy_timeout=20000; UPDATE ticker SET n = n + 1;";
                            sqlite::run(&file.path, update);
                        }
                    });
                    let finished = work.run.run(PATIENCE);
                    done.store(true, Ordering::Relaxed);
                    finished.expect_code(0).expect_no_leftovers();
                });
                work.is_empty();
                let object = backups(&work.run).into_iter().find(|o| o.ends_with(end)).unwrap();
                let bytes = remote.read(&object);
                let bytes = if compression == "gzip" {
                    filter("gzip", &["-dc"], &bytes).stdout
                } else {
                    bytes
                };
                let fresh = file.scratch.path().join("restored.db");
                fs::write(&fresh, bytes).unwrap();
                assert_eq!(sqlite::digest_without(&fresh, "ticker"), before, "{journal} {kind}");
                let kept = "SELECT hex(t), typeof(t) FROM odd; PRAGMA user_version; \
                    PRAGMA application_id; PRAGMA journal_mode; PRAGMA integrity_check";
                assert_eq!(sqlite::run(&fresh, kept), sqlite::run(&file.path, kept));
            }
        }
    }
}

#[test]
fn a_damaged_file_is_no_backup() {
    let Some(file) = shop_file(2000) else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let mut bytes = fs::read(&file.path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 6000].fill(0xa5);
    fs::write(&file.path, bytes).unwrap();
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("SQLITE_FORMAT", "file");
    let work = Work::under(run);
    let done = work.run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert_eq!(summary(&done)["phase"], "dump", "{done}");
    assert!(done.stderr.contains("damaged"), "{done}");
    assert!(remote.names().is_empty());
    work.is_empty();
}

#[test]
fn a_collation_of_the_application_is_copied_unchecked() {
    let Some(file) = shop_file(50) else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    // As an application with a collation of its own leaves it.
    sqlite::run(
        &file.path,
        "CREATE TABLE odd_words(w TEXT); CREATE INDEX by_word ON odd_words(w); INSERT INTO odd_words VALUES ('a'), ('b'); \
         PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql = 'CREATE TABLE odd_words(w TEXT COLLATE german)' \
         WHERE name = 'odd_words'",
    );
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("SQLITE_FORMAT", "file");
    let work = Work::under(run);
    work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
    let dump = &listed(&work.run)["backups"][0]["objects"][0];
    assert!(dump["degraded"].as_str().unwrap().contains("collation"), "{dump}");
}
