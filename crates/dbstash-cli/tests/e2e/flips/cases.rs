//! The engines and their formats.

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{
    MongoServer, Mongodump, MysqlServer, PgServer, RedisServer, RemoteKind, TestRemote, redis,
    sqlite,
};

use super::{Case, flips};
use crate::scene::dbstash;

const ZSTD: (&str, &str) = ("BACKUP_COMPRESSION", "zstd");
const GZIP: (&str, &str) = ("BACKUP_COMPRESSION", "gzip");
const FOLDER: (&str, &str) = ("BACKUP_MODE", "directory");
const TAR: (&str, &str) = ("BACKUP_MODE", "tar");
const ALONE: (&str, &str) = ("PG_GLOBALS", "off");

const PG: &str = "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(99), price INT); \
    INSERT INTO item SELECT n, 'item '' number ' || n, n * n * 12345 % 1000 FROM generate_series(1, 40) n;";
/// A few rows, in anybody's SQL.
const SMALL: &str = "CREATE TABLE item (id INT PRIMARY KEY, name VARCHAR(99), price INT); \
    INSERT INTO item VALUES (1, 'a ''quoted'' one', 7), (2, NULL, 9), (3, 'three; (', 0), (4, 'x', 1234567);";

fn flags(words: &'static str) -> (&'static str, &'static str) {
    ("DUMP_EXTRA_ARGS", words)
}

fn postgres(server: &PgServer, newest: bool) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.psql("postgres", "CREATE DATABASE small ENCODING 'UTF8' TEMPLATE template0");
    server.psql("small", &format!("{PG} GRANT SELECT ON item TO PUBLIC"));
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("small"));
    let mut cases = vec![
        Case::new("plain", &[ALONE], (20, 90)),
        Case::new("-Fc", &[ALONE, flags("-Fc")], (33, 68)),
        Case::new("-Fc -Z0", &[ALONE, flags("-Fc -Z0")], (28, 78)),
        Case::new("directory", &[FOLDER, ALONE], (24, 77)),
    ];
    if newest {
        cases.extend([
            Case::new("-Fc -Zzstd", &[ALONE, flags("-Fc -Zzstd")], (31, 69)),
            Case::new("directory -Zzstd", &[FOLDER, ALONE, flags("-Zzstd")], (33, 72)),
        ]);
    } else {
        cases.extend([
            Case::new("plain zstd", &[ALONE, ZSTD], (94, 95)),
            Case::new("plain gzip", &[ALONE, GZIP], (94, 95)),
            Case::new("plain -Z6", &[ALONE, flags("-Z6")], (94, 95)),
            Case::new("--inserts", &[ALONE, flags("--inserts")], (25, 90)),
            Case::new("-Fc -Z0 zstd", &[ALONE, flags("-Fc -Z0"), ZSTD], (94, 95)),
            Case::new("-Ft", &[ALONE, flags("-Ft")], (31, 51)),
            Case::new("directory gzip", &[FOLDER, ALONE, ("BACKUP_COMPRESS", "true")], (34, 72)),
            Case::new("tar", &[TAR, ALONE], (48, 74)),
            Case::new("tar zstd", &[TAR, ALONE, ZSTD], (94, 95)),
            Case { beside: true, ..Case::new("globals", &[("PG_GLOBALS", "on")], (26, 85)) },
        ]);
    }
    for case in &cases {
        flips(&run, &remote, case);
    }
    if !newest {
        let run = run.env("DB_URI", server.uri("")).env("BACKUP_ALL_DATABASES", "true");
        flips(
            &run,
            &remote,
            &Case::new("all databases", &[flags("--no-role-passwords")], (17, 93)),
        );
    }
}

#[test]
fn every_byte_of_postgres_15() {
    if let Some(server) = PgServer::start("pw") {
        postgres(&server, false);
    }
}

#[test]
fn every_byte_of_postgres_18() {
    if let Some(server) = PgServer::start_18("pw") {
        postgres(&server, true);
    }
}

fn mysql(family: Family) {
    let Some(server) = MysqlServer::start(family, "pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("small");
    server.sql("small", SMALL);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("small"));
    for case in [
        Case::new("plain", &[], (54, 78)),
        Case::new("plain zstd", &[ZSTD], (94, 95)),
        Case::new("plain gzip", &[GZIP], (94, 95)),
        Case::new("directory", &[FOLDER], (55, 74)),
        Case::new("tar", &[TAR], (60, 72)),
        Case::new("tar gzip", &[TAR, GZIP], (94, 95)),
    ] {
        flips(&run, &remote, &case);
    }
}

#[test]
fn every_byte_of_mysql() {
    mysql(Family::Mysql);
}

#[test]
fn every_byte_of_mariadb() {
    mysql(Family::Mariadb);
}

#[test]
fn every_byte_of_mongo() {
    let Some(server) = MongoServer::start("pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.keep(&["make", "small", "things"]);
    server.keep(&["few", "small"]);
    let run = dbstash(&remote)
        .env("PATH", server.path(Mongodump::Fake).unwrap())
        .env("DB_URI", server.uri("small"));
    let by_tool = ("BACKUP_COMPRESS", "true");
    for case in [
        Case::new("archive", &[], (72, 90)),
        Case::new("archive --gzip", &[by_tool], (94, 95)),
        Case::new("archive zstd", &[ZSTD], (94, 95)),
        Case::new("directory", &[FOLDER], (46, 56)),
        Case::new("directory --gzip", &[FOLDER, by_tool], (80, 80)),
        Case::new("tar", &[TAR], (55, 55)),
    ] {
        flips(&run, &remote, &case);
    }
}

#[test]
fn every_byte_of_redis() {
    for family in redis::Family::ALL {
        eprintln!("--- {family:?}");
        let Some(server) = RedisServer::start(family) else { continue };
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        for words in [
            "SET key value",
            "RPUSH list a b 3",
            "HSET hash a 1 b 2",
            "ZADD zset 1.5 a",
            "XADD stream 1-1 a 1",
            "SET far future PXAT 33000000000000",
        ] {
            server.ask(words);
        }
        let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri());
        for case in [
            Case::new("rdb", &[], (100, 100)),
            Case::new("rdb zstd", &[ZSTD], (94, 95)),
            Case::new("rdb gzip", &[GZIP], (94, 95)),
        ] {
            flips(&run, &remote, &case);
        }
    }
}

#[test]
fn every_byte_of_sqlite() {
    if !sqlite::available() {
        return;
    }
    let scratch = dbstash_testkit::Scratch::new("small");
    let path = scratch.path().join("small.db");
    let more = "CREATE INDEX by_name ON item (name, price); INSERT INTO item SELECT id + 10, 'number ' || id, price FROM item;";
    sqlite::run(&path, &format!("PRAGMA page_size=512; {SMALL} {more}"));
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = dbstash(&remote).env("DB_URI", format!("sqlite://{}", path.display()));
    let file = ("SQLITE_FORMAT", "file");
    for case in [
        Case::new(".dump", &[], (66, 80)),
        Case::new(".dump zstd", &[ZSTD], (94, 95)),
        Case::new(".dump gzip", &[GZIP], (92, 92)),
        Case { most: 100, ..Case::new("file", &[file], (17, 16)) },
        Case { most: 60, ..Case::new("file gzip", &[file, GZIP], (90, 90)) },
    ] {
        flips(&run, &remote, &case);
    }
}
