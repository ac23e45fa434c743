//! The planned sqlite3 command on real files: odd ones, busy ones, damaged ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the plans are carried out without dbstash")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dbstash_core::engine::{Dump, Incomplete, Passed, Plan, PlanError};
use dbstash_core::invocation::Arg;
use dbstash_core::job::{Database, Databases, EngineKey, Job, Source};
use dbstash_engines::engine;
use dbstash_testkit::{Scratch, sqlite};

fn planned(file: &Path, extra: &[&str]) -> Result<Plan, PlanError> {
    let (source, databases) = (Source::File(file.to_owned()), Databases::Named(vec!["d".into()]));
    let mut job = Job::new("j".parse().unwrap(), EngineKey::Sqlite, source, databases);
    job.extra_args = extra.iter().map(|word| (*word).to_owned()).collect();
    engine(EngineKey::Sqlite).plan(&job, &Database::One("d".into()))
}

/// Carries the plan out, in a home that has a `.sqliterc`: what came, and what the check says.
fn dump(file: &Path, extra: &[&str]) -> (Output, Result<Passed, Incomplete>) {
    let home = Scratch::new("home");
    fs::write(home.path().join(".sqliterc"), ".echo on\n.mode csv\nSELECT 'rc was read';\n")
        .unwrap();
    let dump = planned(file, extra).unwrap().dump;
    let tool = dump.invocations()[0].clone();
    let Dump::Stream(mut stream) = dump else { panic!("no stream") };
    let args = tool.args.iter().filter_map(Arg::plain);
    let out = Command::new(&tool.program)
        .args(args)
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    out.stdout.chunks(5000).for_each(|chunk| stream.check.feed(chunk));
    (out, stream.check.finish())
}

/// The dump of a file that has one; whole, and clean on both outputs.
fn good(file: &Path, extra: &[&str]) -> String {
    let (out, verdict) = dump(file, extra);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && stderr.is_empty(), "{}: {stderr}", file.display());
    let text = String::from_utf8(out.stdout).unwrap();
    let tail = || text.get(text.len().saturating_sub(300)..).unwrap_or(&text);
    verdict.unwrap_or_else(|e| panic!("{}: {e}: {}", file.display(), tail()));
    text
}

fn scratch_file(label: &str, name: &str, sql: &str) -> (Scratch, PathBuf) {
    let scratch = Scratch::new(label);
    let file = scratch.path().join(name);
    sqlite::run(&file, sql);
    (scratch, file)
}

#[test]
fn a_restore_has_everything_also_from_odd_names_and_in_wal_mode() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("odd");
    for name in
        ["a.db", "-x.db", "a b.db", "q?mode=rw.db", "h#.db", "p%41.db", "it's \"q\".db", "ünï.db"]
    {
        let file = scratch.path().join(name);
        sqlite::run(
            &scratch.path().join("seed"),
            "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b BLOB, c TEXT, d REAL); \
             INSERT INTO t(b, c, d) VALUES(x'00ff', 'it''s' || char(10) || 'COMMIT;' || char(10), 0.1); \
             CREATE VIEW v AS SELECT 1 /*\nCOMMIT;\n*/ AS one;",
        );
        fs::rename(scratch.path().join("seed"), &file).unwrap();
        let wal = Command::new("sqlite3")
            .args(["-batch", "-init", "/dev/null"])
            .arg(format!(
                "file:{}",
                file.to_str().unwrap().replace('%', "%25").replace('?', "%3F").replace('#', "%23")
            ))
            .args(["PRAGMA journal_mode=WAL", "PRAGMA user_version=42", "PRAGMA application_id=-7"])
            .output()
            .unwrap();
        assert!(wal.status.success(), "{}", String::from_utf8_lossy(&wal.stderr));
        let text = good(&file, &[]);
        assert!(
            text.ends_with("COMMIT;\nPRAGMA user_version=42;\nPRAGMA application_id=-7;\n"),
            "{name}"
        );
        let back = scratch.path().join("back.db");
        sqlite::restore(&back, text.as_bytes()).unwrap();
        let plain = scratch.path().join("plain.db");
        fs::copy(&file, &plain).unwrap();
        assert_eq!(sqlite::digest(&plain), sqlite::digest(&back), "{name}");
        for file in [back, plain] {
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn virtual_tables_foreign_collations_and_an_empty_file_are_no_damage() {
    if !sqlite::available() {
        return;
    }
    let (_scratch, file) = scratch_file(
        "fts",
        "v.db",
        "CREATE VIRTUAL TABLE v USING fts5(a); INSERT INTO v VALUES('x');",
    );
    assert!(good(&file, &[]).contains("fts5"));
    // As an application writes it that brings a collation and a function of its own.
    let sql = "CREATE TABLE t(a TEXT COLLATE nocase, b CHECK(abs(b) > 0)); CREATE INDEX i ON t(a); \
               INSERT INTO t VALUES('x', 1);\n.dbconfig defensive off\nPRAGMA writable_schema=ON; \
               UPDATE sqlite_master SET sql = replace(replace(sql, 'nocase', 'theirs'), 'abs', 'their_own');";
    let (_scratch, file) = scratch_file("own", "o.db", sql);
    let (out, verdict) = dump(&file, &[]);
    assert!(out.status.success() && verdict.unwrap().check == "footer");
    let scratch = Scratch::new("zero");
    fs::write(scratch.path().join("z.db"), "").unwrap();
    good(&scratch.path().join("z.db"), &[]);
}

#[test]
fn a_damaged_file_is_never_whole() {
    if !sqlite::available() {
        return;
    }
    let sql = "CREATE TABLE t(a INTEGER PRIMARY KEY, b); INSERT INTO t SELECT value, hex(randomblob(200)) \
               FROM generate_series(1, 2000); CREATE TABLE u(x);";
    let (_scratch, file) = scratch_file("damaged", "d.db", sql);
    good(&file, &[]);
    fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .write_all_at(&[0xa5; 8192], 40 * 4096)
        .unwrap();
    let (out, verdict) = dump(&file, &[]);
    // Newer tools tell nothing of it themselves.
    assert!(out.stdout.starts_with(b"/**** ERROR: *** in database main ***; "));
    let text = verdict.unwrap_err().0;
    assert!(text.contains("integrity_check"), "{text}: {}", String::from_utf8_lossy(&out.stderr));
    let (_, verdict) = dump(&file, &["--data-only"]);
    verdict.unwrap_err();
}

#[test]
fn what_is_no_database_fails_and_is_told() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("none");
    let missing = scratch.path().join("missing.db");
    let foreign = scratch.path().join("foreign.db");
    fs::write(&foreign, "no database, but long enough to be taken for one. ".repeat(20)).unwrap();
    for (file, told) in
        [(&missing, "missing.db cannot be opened"), (&foreign, "not a SQLite database")]
    {
        let (out, verdict) = dump(file, &[]);
        assert!(!out.status.success() && out.stdout.is_empty() && verdict.is_err());
        let stderr = String::from_utf8_lossy(&out.stderr);
        let sentence =
            engine(EngineKey::Sqlite).explain(&stderr).unwrap_or_else(|| panic!("{stderr}"));
        assert!(sentence.contains(told), "{sentence}");
    }
    assert!(!missing.exists());
    assert!(planned(Path::new(":memory:"), &[]).is_err());
}

#[test]
fn arguments_of_dump() {
    if !sqlite::available() {
        return;
    }
    let sql = "CREATE TABLE \"we'ird \"\"t\\\"(a); CREATE TABLE other(a); INSERT INTO other VALUES(char(10));";
    let (_scratch, file) = scratch_file("args", "a.db", sql);
    let text = good(&file, &["we'ird \"t_"]);
    assert!(text.contains("we'ird") && !text.contains("other"), "{text}");
    for option in ["--data-only", "-data-only"] {
        let (out, verdict) = dump(&file, &[option, "other"]);
        assert!(out.status.success() && verdict.unwrap().degraded.is_some());
    }
    let (out, verdict) = dump(&file, &["--nonsense"]);
    let stderr = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && verdict.is_err());
    assert!(
        engine(EngineKey::Sqlite).explain(&stderr).unwrap().contains("DUMP_EXTRA_ARGS"),
        "{stderr}"
    );
}

#[test]
fn a_dump_is_one_snapshot_and_waits_for_a_writer() {
    if !sqlite::available() {
        return;
    }
    for mode in ["DELETE", "WAL"] {
        // Every transaction adds a row to both and counts: a torn dump would show.
        let sql = format!(
            "PRAGMA journal_mode={mode}; CREATE TABLE a(n); CREATE TABLE bulk(x); CREATE TABLE z(n); \
             INSERT INTO bulk SELECT hex(randomblob(100)) FROM generate_series(1, 20000);"
        );
        let (_scratch, file) = scratch_file("writer", "w.db", &sql);
        let mut writer = Command::new("sqlite3")
            .args(["-batch", "-init", "/dev/null"])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = writer.stdin.take().unwrap();
        let writing = std::thread::spawn(move || {
            let _ = input.write_all(b".timeout 60000\n");
            let end = Instant::now() + Duration::from_secs(3);
            let mut n = 0;
            while Instant::now() < end {
                n += 1;
                let statement = format!(
                    "BEGIN IMMEDIATE; INSERT INTO a VALUES({n}); INSERT INTO z VALUES({n}); PRAGMA user_version={n}; COMMIT;\n"
                );
                if input.write_all(statement.as_bytes()).and_then(|()| input.flush()).is_err() {
                    break;
                }
            }
            n
        });
        let mut seen = Vec::new();
        while !writing.is_finished() {
            let text = good(&file, &[]);
            let rows = |table: &str| text.matches(&format!("INSERT INTO {table} VALUES")).count();
            assert_eq!(rows("a"), rows("z"), "{mode}");
            let version = text.lines().find_map(|line| line.strip_prefix("PRAGMA user_version="));
            assert_eq!(
                version.map_or("0", |v| v.trim_end_matches(';')),
                rows("a").to_string(),
                "{mode}"
            );
            seen.push(rows("a"));
        }
        assert!(writing.join().unwrap() > 0 && writer.wait().unwrap().success());
        // Without a WAL a reader and a busy writer take turns, and a turn may be long.
        let beside = seen.len() > 1 && seen.first() < seen.last();
        assert!(beside || mode == "DELETE", "nobody wrote beside it: {seen:?}");
    }
}
