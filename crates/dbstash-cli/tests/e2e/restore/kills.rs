//! Killed at random moments: the target is as it was, empty, whole, or marked, and the next restore knows which.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use dbstash_testkit::redis::Family;
use dbstash_testkit::{
    Dbstash, MongoServer, Mongodump, MysqlServer, PgServer, RedisServer, RemoteKind, Signal,
    TestRemote, bins, sqlite,
};

use super::mysql::may_write;
use super::{expect_refused, restore};
use crate::scene::{PATIENCE, dbstash, shop_file};

/// What a target may hold.
#[derive(Debug, PartialEq, Eq)]
enum Held {
    /// What it held before.
    Before,
    Empty,
    Whole,
    Marked,
    /// What it never may.
    Other(String),
}

/// A restore that replaces what a target holds.
struct Restore<'a> {
    /// It takes its time.
    run: &'a Dbstash,
    words: Vec<&'a str>,
    /// Nothing of it is seen before all of it is there.
    atomic: bool,
    /// Gives the target what it holds before.
    reset: &'a dyn Fn(),
    held: &'a dyn Fn() -> Held,
}

impl Restore<'_> {
    fn survives(&self, victims: &[&str]) {
        let words = [&["--clean"], &self.words[..]].concat();
        (self.reset)();
        assert_eq!((self.held)(), Held::Before);
        let begun = Instant::now();
        restore(self.run, &words).expect_code(0);
        let whole = begun.elapsed();
        assert_eq!((self.held)(), Held::Whole);
        for victim in victims {
            (self.reset)();
            let after = random(whole);
            // Of a killed one, the loader sees the end of its input, and has to roll back.
            let running = self
                .run
                .clone()
                .grace(PATIENCE)
                .args(["restore", "--yes"].iter().chain(&words))
                .spawn();
            thread::sleep(after);
            match (*victim, running.child(victim)) {
                ("dbstash", _) => running.signal_if_alive(Signal::KILL),
                // It is not at work yet, or any more.
                (_, None) => {}
                (_, Some(child)) => child.signal(Signal::KILL),
            }
            let done = running.wait(PATIENCE);
            done.expect_no_leftovers();
            let held = (self.held)();
            let what = format!("{victim} after {after:?} of {whole:?}: {held:?}, {done}");
            eprintln!("--- {victim} after {after:?} of {whole:?}: code {:?}, {held:?}", done.code);
            match (done.code, &held) {
                (Some(0), held) => assert_eq!(*held, Held::Whole, "{what}"),
                (None, Held::Before | Held::Whole) => {}
                (Some(1), Held::Before) => {
                    let was_begun = done.events.iter().any(|event| event["restore"] == "begun");
                    let is_told = done.stderr.contains("the target is as it was");
                    assert!(is_told || !was_begun, "{what}");
                }
                // All of it is there, but for the last word.
                (None | Some(1), Held::Empty | Held::Marked) if !self.atomic => {}
                _ => panic!("{what}"),
            }
            let mark = ["an interrupted restore of 2", "--clean"];
            match held {
                Held::Marked => expect_refused(self.run, &self.words, &mark),
                Held::Before | Held::Whole => {
                    expect_refused(self.run, &self.words, &["not empty", "--clean"]);
                }
                _ => {}
            }
        }
        restore(self.run, &words).expect_code(0);
        assert_eq!((self.held)(), Held::Whole);
    }
}

/// Some part of it; another one each time.
fn random(whole: Duration) -> Duration {
    let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
    // The digits that nobody has a hand in.
    whole.mul_f64(f64::from(nanos / 100 % 1000) / 1000.0)
}

#[test]
fn a_database_in_one_transaction_or_by_several() {
    let Some(server) = PgServer::start("secret") else { return };
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    server.createdb("shop");
    server.psql(
        "shop",
        "CREATE TABLE big AS SELECT n, md5(n::text) FROM generate_series(1, 30000) AS n",
    );
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off").env("RCLONE_BWLIMIT", "2M");
    let (to, whole) = (server.uri("target"), server.digest("shop"));
    let reset = || {
        server.psql("postgres", "DROP DATABASE IF EXISTS target WITH (FORCE)");
        server.createdb("target");
        server.psql("target", "CREATE TABLE mine AS SELECT 1 AS a");
    };
    reset();
    let before = server.digest("target");
    let held = || {
        let marks =
            "SELECT count(*) FROM pg_namespace WHERE nspname = 'dbstash_restore_incomplete'";
        match server.digest("target") {
            digest if digest == before => Held::Before,
            digest if digest == whole => Held::Whole,
            _ if server.psql("target", marks).trim() == "1" => Held::Marked,
            digest => Held::Other(digest),
        }
    };
    for (setting, jobs, loader) in [("false", "1", "psql"), ("true", "2", "pg_restore")] {
        run.clone().env("BACKUP_COMPRESS", setting).env_remove("RCLONE_BWLIMIT").run(PATIENCE);
        let words = vec!["--to", &to, "--jobs", jobs];
        let atomic = jobs == "1";
        Restore { run: &run, words, atomic, reset: &reset, held: &held }
            .survives(&["dbstash", "rclone", loader]);
    }
}

#[test]
fn a_mariadb_at_any_moment() {
    let Some(server) = MysqlServer::start_mariadb("secret") else { return };
    may_write(&server);
    server.createdb("shop");
    server.sql(
        "shop",
        "CREATE TABLE early (a INT); INSERT INTO early VALUES (7);
        CREATE TABLE later AS SELECT seq, MD5(seq) AS text FROM seq_1_to_30000",
    );
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    run.run(PATIENCE).expect_code(0);
    let run = run.env("RCLONE_BWLIMIT", "4M");
    let to = server.uri("copy");
    let reset = || {
        server.sql("", "DROP DATABASE IF EXISTS copy; CREATE DATABASE copy");
        server.sql("copy", "CREATE TABLE mine (a INT); INSERT INTO mine VALUES (1)");
    };
    let held = || {
        let tables = "SELECT GROUP_CONCAT(table_name ORDER BY 1) FROM information_schema.tables WHERE table_schema = 'copy'";
        match server.sql("", tables).as_str() {
            "NULL" => Held::Empty,
            "mine" => Held::Before,
            tables if tables.contains("dbstash_restore_incomplete") => Held::Marked,
            _ if server.digest("copy") == server.digest("shop") => Held::Whole,
            tables => Held::Other(tables.to_owned()),
        }
    };
    Restore { run: &run, words: vec!["--to", &to], atomic: false, reset: &reset, held: &held }
        .survives(&["dbstash", "rclone", "mariadb", "dbstash"]);
}

#[test]
fn a_redis_at_any_moment() {
    let (Some(server), Some(target)) =
        (RedisServer::start(Family::Redis7), RedisServer::start(Family::Redis7))
    else {
        return;
    };
    server.seed(1);
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri());
    run.run(PATIENCE).expect_code(0);
    let run = run.env("RCLONE_BWLIMIT", "4M");
    let (to, whole) = (target.uri(), server.digest());
    let reset = || {
        target.ask("FLUSHALL");
        target.ask("FUNCTION FLUSH");
        target.ask("SET mine 1");
    };
    let held = || {
        let marked = target.ask("EXISTS dbstash:restore:incomplete").text() == "1";
        match target.ask("DBSIZE").text().as_str() {
            _ if marked => Held::Marked,
            "1" if target.ask("EXISTS mine").text() == "1" => Held::Before,
            _ if target.digest() == whole => Held::Whole,
            keys => Held::Other(format!("{keys} keys")),
        }
    };
    Restore { run: &run, words: vec!["--to", &to], atomic: false, reset: &reset, held: &held }
        .survives(&["dbstash", "rclone", "dbstash"]);
}

#[test]
fn a_mongodb_at_any_moment() {
    bins::mongo_asker();
    let Some(server) = MongoServer::start("secret") else { return };
    server.keep(&["few", "shop"]);
    server.keep(&["bump", "shop"]);
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", server.root_uri("shop"));
    let run = run.env("PATH", server.path(Mongodump::Fake).unwrap());
    run.run(PATIENCE).expect_code(0);
    let run = run.env("RCLONE_BWLIMIT", "200k");
    let to = server.root_uri("copy");
    let whole = server.digest("shop");
    let reset = || drop(server.keep(&["only", "copy", "mine"]));
    let held = || match server.digest("copy") {
        digest if digest.contains("dbstash_restore_incomplete") => Held::Marked,
        digest if digest == whole => Held::Whole,
        digest if digest.starts_with("mine ") && digest.lines().count() == 3 => Held::Before,
        digest if digest.is_empty() => Held::Empty,
        digest => Held::Other(digest),
    };
    // The loader is a script, and so called as what runs it.
    Restore { run: &run, words: vec!["--to", &to], atomic: false, reset: &reset, held: &held }
        .survives(&["dbstash", "rclone", "python3"]);
}

#[test]
fn a_file_at_any_moment() {
    let (Some(shop), Some(target)) = (shop_file(3000), shop_file(10)) else { return };
    let small = fs::read(&target.path).unwrap();
    let (before, whole) = (sqlite::digest(&target.path), sqlite::digest(&shop.path));
    for (format, victims) in
        [("sql", &["dbstash", "rclone", "sqlite3"][..]), ("file", &["dbstash", "rclone"])]
    {
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let run = dbstash(&remote).env("DB_URI", shop.uri()).env("SQLITE_FORMAT", format);
        run.run(PATIENCE).expect_code(0);
        let run = run.env("RCLONE_BWLIMIT", "1M");
        let to = target.uri();
        let reset = || fs::write(&target.path, &small).unwrap();
        let held = || match sqlite::digest(&target.path) {
            digest if digest == before => Held::Before,
            digest if digest == whole => Held::Whole,
            digest => Held::Other(digest),
        };
        Restore { run: &run, words: vec!["--to", &to], atomic: true, reset: &reset, held: &held }
            .survives(victims);
        // What a killed one left beside it is gone with the next one.
        assert_eq!(fs::read_dir(target.path.parent().unwrap()).unwrap().count(), 1);
    }
}
