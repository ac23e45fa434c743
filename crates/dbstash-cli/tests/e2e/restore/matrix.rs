//! Every engine from S3 and from crypt over it, where its own tests have no such case: each mode and each compression
//! meets both, and each other. What comes back is what was there.

use std::ffi::OsString;
use std::fs;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::redis::Family as RedisFamily;
use dbstash_testkit::{
    MongoServer, Mongodump, PgServer, RedisServer, RemoteKind, Scratch, TestRemote, bins, sqlite,
    tools,
};

use super::mysql::may_write;
use super::restore;
use crate::modes::Work;
use crate::mysql::conformance::{ODD, Pair};
use crate::scene::{PATIENCE, dbstash, shop_file};

use self::RemoteKind::{CryptS3, Local, S3};

/// Where a backup is, its mode, its compression, and how many connections load it.
type Case = (RemoteKind, &'static str, &'static str, &'static str);

/// A seeded database.
struct Subject<'a> {
    uri: String,
    path: OsString,
    digest: String,
    /// The target, empty each time.
    to: &'a str,
    /// What the target holds; afterwards that is gone.
    taken: &'a dyn Fn() -> String,
    /// What nobody may see.
    secret: &'a str,
}

impl Subject<'_> {
    fn comes_back(&self, cases: &[Case]) {
        for kind in [Local, S3, CryptS3] {
            let cases: Vec<_> = cases.iter().filter(|case| case.0 == kind).collect();
            let Some(remote) = cases.first().and_then(|_| TestRemote::start(kind)) else {
                continue;
            };
            for (number, (_, mode, compression, jobs)) in cases.into_iter().enumerate() {
                let what = format!("{mode} {compression} on {kind}, {jobs} jobs");
                eprintln!("--- {what}");
                let run = dbstash(&remote)
                    .env("DB_URI", &self.uri)
                    .env("PATH", &self.path)
                    .env("PG_GLOBALS", "off")
                    .env("RCLONE_REMOTE", format!("{}/{number}", remote.root()));
                let run = match *mode {
                    "file" | "sql" => run.env("SQLITE_FORMAT", mode),
                    "stream" => run,
                    mode => run.env("BACKUP_MODE", mode),
                };
                let work = Work::under(match *compression {
                    "own" => run.env("BACKUP_COMPRESS", "true"),
                    compression => run.env("BACKUP_COMPRESSION", compression),
                });
                work.run.run(PATIENCE).expect_code(0);
                let done = restore(&work.run, &["--to", self.to, "--jobs", jobs]);
                done.expect_code(0).expect_no_leftovers();
                let taken = (self.taken)();
                assert!(taken == self.digest, "{what}\n{taken}\n---\n{}\n{done}", self.digest);
                assert!(!done.to_string().contains(self.secret), "{done}");
                work.is_empty();
            }
        }
    }
}

#[test]
fn postgresql_comes_back_from_everywhere() {
    let secret = "canary 31";
    let Some(server) = PgServer::start(secret) else { return };
    server.createdb("shop");
    server.seed_shop("shop", 50);
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let taken = || {
        let digest = server.digest("new");
        server.psql("postgres", "DROP DATABASE new");
        digest
    };
    let (uri, path, digest) = (server.uri("shop"), server.path(), server.digest("shop"));
    Subject { uri, path, digest, to: &server.uri("new"), taken: &taken, secret }.comes_back(&[
        (S3, "stream", "gzip", "1"),
        (S3, "tar", "none", "1"),
        (S3, "directory", "none", "2"),
        (CryptS3, "stream", "zstd", "1"),
        (CryptS3, "stream", "own", "2"),
        (CryptS3, "tar", "gzip", "1"),
        (CryptS3, "directory", "own", "1"),
    ]);
}

fn of_family(family: Family, cases: &[Case]) {
    let Some(pair) = Pair::start(family) else { return };
    may_write(&pair.fresh);
    let (uri, path, digest) = (pair.server.uri(ODD), pair.server.path(), pair.digest());
    let taken = || {
        let digest = pair.compared();
        pair.fresh.sql("", &format!("DROP DATABASE `{ODD}`"));
        digest
    };
    let to = pair.fresh.uri(ODD);
    Subject { uri, path, digest, to: &to, taken: &taken, secret: "p@ss" }.comes_back(cases);
}

#[test]
fn mariadb_comes_back_from_everywhere() {
    of_family(
        Family::Mariadb,
        &[
            (Local, "stream", "none", "1"),
            (S3, "stream", "zstd", "1"),
            (S3, "tar", "none", "1"),
            (S3, "directory", "none", "3"),
            (CryptS3, "stream", "gzip", "1"),
            (CryptS3, "tar", "zstd", "1"),
        ],
    );
}

/// What one of the two families has done the other one need not: they differ in their dumps alone.
#[test]
fn mysql_comes_back_from_everywhere() {
    of_family(
        Family::Mysql,
        &[
            (Local, "tar", "gzip", "3"),
            (S3, "stream", "gzip", "1"),
            (CryptS3, "directory", "none", "1"),
        ],
    );
}

#[test]
fn sqlite_comes_back_from_everywhere() {
    let Some(shop) = shop_file(100) else { return };
    let fresh = Scratch::new("fresh");
    let file = fresh.path().join("new.db");
    let taken = || {
        let digest = sqlite::digest(&file);
        fs::remove_file(&file).unwrap();
        digest
    };
    let (uri, path, digest) = (shop.uri(), tools::path(), sqlite::digest(&shop.path));
    let to = format!("sqlite://{}", file.display());
    Subject { uri, path, digest, to: &to, taken: &taken, secret: "canary" }.comes_back(&[
        (S3, "sql", "none", "1"),
        (S3, "file", "gzip", "1"),
        (CryptS3, "sql", "gzip", "1"),
        (CryptS3, "file", "zstd", "1"),
    ]);
}

#[test]
fn redis_comes_back_from_everywhere() {
    let (Some(server), Some(fresh)) =
        (RedisServer::start(RedisFamily::Redis7), RedisServer::start(RedisFamily::Redis7))
    else {
        return;
    };
    server.seed(1);
    let taken = || {
        let digest = fresh.digest();
        fresh.ask("FLUSHALL");
        fresh.ask("FUNCTION FLUSH");
        digest
    };
    let (uri, path, digest, to) = (server.uri(), server.path(), server.digest(), fresh.uri());
    Subject { uri, path, digest, to: &to, taken: &taken, secret: "canary" }.comes_back(&[
        (S3, "stream", "none", "1"),
        (S3, "stream", "gzip", "1"),
        (CryptS3, "stream", "none", "1"),
        (CryptS3, "stream", "zstd", "1"),
    ]);
}

#[test]
fn mongodb_comes_back_from_everywhere() {
    bins::mongo_asker();
    let secret = "canary 31";
    let Some(server) = MongoServer::start(secret) else { return };
    server.seed("shop", 50);
    let taken = || {
        let digest = server.digest("new");
        server.keep(&["drop", "new"]);
        digest
    };
    let path = server.path(Mongodump::Fake).unwrap();
    let (uri, digest) = (server.root_uri("shop"), server.digest("shop"));
    let to = server.root_uri("new");
    Subject { uri, path, digest, to: &to, taken: &taken, secret }.comes_back(&[
        (S3, "stream", "none", "1"),
        (S3, "stream", "own", "1"),
        (CryptS3, "stream", "gzip", "1"),
    ]);
}
