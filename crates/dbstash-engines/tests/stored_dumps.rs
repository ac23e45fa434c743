//! What reads a stored dump: says nothing of good ones, and finds what the format can show of damage. Real dumps of the
//! real tools; every byte of the small ones is changed in turn, and they are cut at every length.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the dumps are made without dbstash")]
#![allow(clippy::print_stderr, reason = "the shares are told")]

mod common;

use std::process::Command;

use dbstash_core::engine::{Passed, Structure};
use dbstash_core::job::EngineKey;
use dbstash_engines::engine;
use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, PgServer, RedisServer, Scratch, redis, sqlite};

use self::common::object;

/// What is said of a stream, in chunks of any size.
fn verdict(key: EngineKey, format: &str, dump: &[u8], chunk: usize) -> Result<Passed, String> {
    let Some(Structure::Stream(mut check)) = engine(key).structure(&object(format)) else {
        panic!("{key:?} {format}")
    };
    dump.chunks(chunk).for_each(|chunk| check.feed(chunk));
    check.finish().map_err(|error| error.0)
}

/// A few rows, in anybody's SQL.
const SMALL: &str = "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(99), price INT); \
    INSERT INTO item VALUES (1, 'a ''quoted'' one', 7), (2, NULL, 9), (3, 'three; (', 0), (4, 'x', 1234567);";
const SMALL_PG: &str = "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(99), price INT); \
    INSERT INTO item SELECT n, 'item '' number ' || n, n * n * 12345 % 1000 FROM generate_series(1, 60) n; \
    CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2 -- it''s';";

/// At most this many of a dump's bytes are changed, or lengths tried.
const MOST: usize = 1500;

/// The share of changed bytes that is found, in hundredths; each is changed in one of its bits, or in all of them.
#[track_caller]
fn share(case: &str, key: EngineKey, format: &str, dump: &[u8]) -> usize {
    for chunk in [1, 1000, dump.len()] {
        let passed = verdict(key, format, dump, chunk);
        assert!(passed.is_ok(), "{case}: {passed:?}");
    }
    let step = dump.len().div_ceil(MOST);
    let (mut found, mut tried) = (0, 0);
    let mut damaged = dump.to_vec();
    for at in (0..dump.len()).step_by(step) {
        for mask in [1 << (at % 8), 0xff] {
            damaged[at] = dump[at] ^ mask;
            tried += 1;
            found += usize::from(verdict(key, format, &damaged, damaged.len()).is_err());
        }
        damaged[at] = dump[at];
    }
    let share = found * 100 / tried;
    eprintln!("{case}: {} bytes, {share} % of {tried} changes are found", dump.len());
    for len in (0..dump.len()).step_by(step) {
        let blank = dump[len..].iter().all(|byte| b"-\n ".contains(byte));
        let short = verdict(key, format, &dump[..len], 64 * 1024);
        assert!(short.is_err() || blank, "{case}: {len} of {} bytes pass", dump.len());
    }
    share
}

fn stdout(command: &mut Command) -> Vec<u8> {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

fn postgres(server: &PgServer, version: &str) {
    server.psql("postgres", "CREATE DATABASE small ENCODING 'UTF8' TEMPLATE template0");
    server.psql("small", SMALL_PG);
    let of = |database: &str, words: &[&str]| {
        let mut tool = server.client("pg_dump");
        stdout(tool.args(words).args(["-d", database]))
    };
    let dump = |words: &[&str]| of("small", words);
    for (words, format, least) in [
        (&["-Fp"][..], "plain", 50),
        (&["-Fp", "--inserts"], "plain", 50),
        (&["-Fp", "-Z6"], "plain", 97),
        (&["-Fc"], "custom", 52),
        (&["-Fc", "-Z0"], "custom", 54),
    ] {
        let case = format!("pg {version} {words:?}");
        assert!(share(&case, EngineKey::Pg, format, &dump(words)) >= least, "{case}");
    }
    // One of everything.
    server.createdb("shop");
    server.seed_shop("shop", 20);
    for words in [
        &["-Fp"][..],
        &["-Fp", "--inserts"],
        &["-Fc"],
        &["-Fc", "-Z0"],
        &["-Fp", "--schema-only", "--create", "--clean", "--if-exists"],
        &["-Fp", "--quote-all-identifiers", "--column-inserts"],
        &["-Fp", "--section=data", "--disable-triggers"],
        &["-Fc", "--section=post-data"],
        &["-Fc", "--inserts"],
        &["-Fc", "--data-only"],
    ] {
        let format = if words[0] == "-Fp" { "plain" } else { "custom" };
        let passed = verdict(EngineKey::Pg, format, &of("shop", words), 4096);
        assert!(passed.is_ok(), "{version} {words:?}: {passed:?}");
    }
    let all = stdout(&mut server.client("pg_dumpall"));
    let passed = verdict(EngineKey::Pg, "plain", &all, 4096);
    assert!(passed.is_ok(), "{version} pg_dumpall: {passed:?}");
}

#[test]
fn postgres_15() {
    if let Some(server) = PgServer::start("pw") {
        postgres(&server, "15");
    }
}

#[test]
fn postgres_18() {
    if let Some(server) = PgServer::start_18("pw") {
        postgres(&server, "18");
        let zstd = stdout(server.client("pg_dump").args(["-Fc", "-Zzstd", "-d", "small"]));
        assert!(share("pg 18 zstd", EngineKey::Pg, "custom", &zstd) >= 50);
    }
}

#[test]
fn mysql_and_mariadb() {
    for (family, key) in [(Family::Mariadb, EngineKey::Mariadb), (Family::Mysql, EngineKey::Mysql)]
    {
        let Some(server) = MysqlServer::start(family, "pw") else { continue };
        server.createdb("small");
        server.sql("small", SMALL);
        server.createdb("shop");
        server.seed_shop("shop", 20);
        let tool = family.dump_tool();
        let of = |database, words: &[&str]| stdout(server.client(tool).args(words).arg(database));
        let dump = |words: &[&str]| of("shop", words);
        let full = &["--single-transaction", "--routines", "--triggers", "--events"];
        let passed = verdict(key, "plain", &dump(full), 4096);
        assert!(passed.is_ok(), "{tool}: {passed:?}");
        let found = share(tool, key, "plain", &of("small", full));
        assert!(found >= 68, "{found}");
        for words in [
            &["--hex-blob"][..],
            &["--xml"],
            &["--skip-extended-insert", "--no-data"],
            &["--complete-insert", "--skip-extended-insert", "--order-by-primary"],
            &["--insert-ignore", "--skip-quote-names"],
            &["--replace", "--skip-add-locks", "--skip-disable-keys", "--skip-tz-utc"],
            &["--compatible=ansi", "--routines", "--events"],
            &["--skip-opt", "--add-drop-trigger"],
            &["--skip-set-charset", "--no-create-info"],
            &["--default-character-set=latin1", "--routines"],
            &["--default-character-set=gbk", "--routines"],
            &["--databases", "--add-drop-database", "--routines", "--events"],
        ] {
            let passed = verdict(key, "plain", &dump(words), 4096);
            assert!(passed.is_ok(), "{tool} {words:?}: {passed:?}");
        }
        let mut of_all = vec![&["--all-databases", "--flush-privileges", "--routines"][..]];
        if family == Family::Mariadb {
            of_all.push(&["--all-databases", "--system=all", "--insert-ignore"]);
            of_all.push(&["--system=users"]);
        }
        for words in of_all {
            let all = stdout(server.client(tool).args(words));
            let passed = verdict(key, "plain", &all, 4096);
            assert!(passed.is_ok(), "{tool} {words:?}: {passed:?}");
        }
        // Without comments, so without a footer.
        let mut footless = object("plain");
        footless.passed = Passed::degraded("--compact leaves the footer out");
        for words in [&["--compact"][..], &["--skip-comments", "--skip-quote-names"]] {
            let Some(Structure::Stream(mut check)) = engine(key).structure(&footless) else {
                panic!("{key:?}")
            };
            check.feed(&dump(words));
            let passed = check.finish();
            assert!(passed.is_ok(), "{tool} {words:?}: {passed:?}");
        }
    }
}

#[test]
fn redis_dumps() {
    let by_hand = redis::rdb::dump(1500);
    assert_eq!(share("rdb by hand", EngineKey::Redis, "rdb", &by_hand), 100);
    for family in redis::Family::ALL {
        let Some(server) = RedisServer::start(family) else { continue };
        server.seed(1);
        server.ask("SAVE");
        let dump = std::fs::read(server.dir().join("dump.rdb")).unwrap();
        let passed = verdict(EngineKey::Redis, "rdb", &dump, 1000).unwrap();
        eprintln!("{family:?}: {} bytes, {passed:?}", dump.len());
        assert!(passed.check.starts_with("records") || passed.degraded.is_some(), "{passed:?}");
        // Without a checksum, the walk alone.
        let mut bare = dump.clone();
        let end = bare.len() - 8;
        bare[end..].fill(0);
        assert!(verdict(EngineKey::Redis, "rdb", &bare, 1000).is_ok());
        assert!(verdict(EngineKey::Redis, "rdb", &bare[..end - 1], 1000).is_err());
    }
}

#[test]
fn sqlite_dumps() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("dumps");
    let file = scratch.path().join("shop.db");
    sqlite::seed_shop(&file, 20);
    let dump = (sqlite::run(&file, ".dump") + "\n").into_bytes();
    let passed = verdict(EngineKey::Sqlite, "plain", &dump, 4096);
    assert!(passed.is_ok(), "{passed:?}");
    let small = scratch.path().join("small.db");
    sqlite::run(&small, SMALL);
    let dump = (sqlite::run(&small, ".dump") + "\n").into_bytes();
    assert!(share("sqlite .dump", EngineKey::Sqlite, "plain", &dump) >= 80);
    for words in ["--newlines", "--preserve-rowids", "--nosys", "bulk", "audit words"] {
        let dump = (sqlite::run(&file, &format!(".dump {words}")) + "\n").into_bytes();
        let passed = verdict(EngineKey::Sqlite, "plain", &dump, 4096);
        assert!(passed.is_ok(), "{words}: {passed:?}");
    }
}
