//! SQLite beyond the conformance suite: large values, many rows, none at all.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use dbstash_testkit::{RemoteKind, Scratch, TestRemote, sqlite};

use crate::modes::Work;
use crate::scene::{backups, dbstash, watched};

/// Our own memory, in KiB: less than one of the values. In a debug build most of it is the program
/// itself.
const MEMORY: u64 = 40 * 1024;
/// zstd's own tables and buffers on top, for each of two threads.
const MEMORY_OF_ZSTD: u64 = 128 * 1024;
/// How it is dumped, and how the object's name ends.
const WAYS: [(&str, &str, &str); 4] = [
    ("sql", "none", ".sql"),
    ("sql", "gzip", ".sql.gz"),
    ("file", "none", ".db"),
    ("file", "zstd", ".db.zst"),
];

/// Stored in one way, and restored with stock tools.
fn restored(file: &Path, remote: &TestRemote, way: (&str, &str, &str), fresh: &Path) {
    let (format, compression, end) = way;
    let run = dbstash(remote).env("DB_PATH", file).env("SQLITE_FORMAT", format);
    let run = run.env("DBSTASH_ENGINE", "sqlite").env("COMPRESSION_THREADS", "2");
    let work = Work::under(run.env("BACKUP_COMPRESSION", compression));
    let before = Instant::now();
    let (done, peak) = watched(&work.run);
    done.expect_code(0).expect_no_leftovers();
    eprintln!("--- {end}: {:?}, at most {peak} KiB", before.elapsed());
    work.is_empty();
    let limit = if compression == "zstd" { MEMORY_OF_ZSTD } else { MEMORY };
    assert!(peak < limit, "{end}: {peak} KiB");
    let object = backups(&work.run).remove(0);
    assert!(object.ends_with(end), "{object}");
    let from = format!("{}/{object}", remote.root().trim_end_matches('/'));
    let got = fresh.with_extension("got");
    let copied = remote.rclone(&["copyto", &from, got.to_str().unwrap()]).status().unwrap();
    assert!(copied.success());
    let _ = fs::remove_file(fresh);
    let plain = fresh.with_extension("plain");
    match compression {
        "none" => fs::rename(&got, &plain).unwrap(),
        tool => {
            let out = File::create(&plain).unwrap();
            let mut unpack = Command::new(tool);
            let unpack = unpack.arg("-dc").stdin(File::open(&got).unwrap()).stdout(out);
            assert!(unpack.status().unwrap().success());
        }
    }
    if format == "file" {
        fs::rename(&plain, fresh).unwrap();
        return;
    }
    let mut tool = Command::new(dbstash_testkit::tools::find("sqlite3").unwrap());
    tool.args(["-batch", "-bail", "-init", "/dev/null"]).arg(fresh);
    let out = tool.stdin(File::open(&plain).unwrap()).stderr(Stdio::piped()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn large_values_and_many_rows() {
    if !sqlite::available() {
        return;
    }
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let scratch = Scratch::new("large");
    let (file, fresh) = (scratch.path().join("large.db"), scratch.path().join("fresh.db"));
    // As many characters, among them what a dump has to write in another way.
    sqlite::run(
        &file,
        "CREATE TABLE huge (id INTEGER PRIMARY KEY, value);
         INSERT INTO huge VALUES (1, randomblob(64 << 20));
         INSERT INTO huge VALUES (2, replace(printf('%.*c', 1 << 20, 'x'), 'x',
             'it''s \"ü\" ' || char(10) || 'COMMIT;' || printf('%050d', 7)));
         CREATE TABLE bulk (id INTEGER PRIMARY KEY, noise TEXT NOT NULL, amount REAL);
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500000)
         INSERT INTO bulk SELECT i, hex(randomblob(95)), i / 7.0 FROM n;",
    );
    assert!(fs::metadata(&file).unwrap().len() > 220_000_000);
    let lengths = sqlite::run(&file, "SELECT length(CAST(value AS BLOB)) >= 64 << 20 FROM huge");
    assert_eq!(lengths, "1\n1");
    let digest = sqlite::digest(&file);
    for way in WAYS {
        let before = Instant::now();
        restored(&file, &remote, way, &fresh);
        assert_eq!(sqlite::digest(&fresh), digest, "{way:?}");
        eprintln!("    and restored: {:?}", before.elapsed());
        for name in remote.names() {
            remote.delete(&name);
        }
    }
}

#[test]
fn an_empty_database_in_every_way() {
    if !sqlite::available() {
        return;
    }
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let scratch = Scratch::new("empty");
    let (file, fresh) = (scratch.path().join("empty.db"), scratch.path().join("fresh.db"));
    for sql in
        ["", "CREATE TABLE t (x); DROP TABLE t", "PRAGMA journal_mode=WAL; PRAGMA user_version=3"]
    {
        let _ = fs::remove_file(&file);
        File::create(&file).unwrap();
        sqlite::run(&file, sql);
        for way in WAYS {
            eprintln!("--- {sql:?} {way:?}");
            restored(&file, &remote, way, &fresh);
            assert_eq!(sqlite::digest(&fresh), sqlite::digest(&file), "{sql:?} {way:?}");
        }
    }
}
