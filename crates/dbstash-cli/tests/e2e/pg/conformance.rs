//! Version 18, and its tools for an older server: every format and mode, while somebody writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use super::{expect_same, product, restore};
use crate::modes::Work;
use crate::scene::{PATIENCE, backups, listed, summary};

/// A name that needs quoting wherever it goes.
const ODD: &str = "-Shop = 'x' \\ 100%";
const PASSWORD: &str = "p@ss/w:rd%'\" \\x";
/// What a writer changes in one transaction: a number, and a row for each of its values.
const TICKER: &str = "CREATE TABLE ticker (n int); INSERT INTO ticker VALUES (0); CREATE TABLE aticks (n int); \
    ALTER TABLE ticker OWNER TO stash; ALTER TABLE aticks OWNER TO stash";
const TICK: &str =
    "BEGIN; UPDATE ticker SET n = n + 1; INSERT INTO aticks SELECT n FROM ticker; COMMIT;";

type Settings = &'static [(&'static str, &'static str)];

/// The settings of a backup, how its name ends, and the remote for those that need no more.
#[rustfmt::skip]
const WAYS: [(Settings, &str, &[RemoteKind]); 17] = {
    use RemoteKind::{CryptS3, Local, S3};
    [
        (&[],                                                                   ".sql",     &[Local, S3]),
        (&[("BACKUP_COMPRESSION", "zstd")],                                     ".sql.zst", &[Local, S3]),
        (&[("BACKUP_COMPRESSION", "gzip")],                                     ".sql.gz",  &[Local]),
        (&[("DUMP_EXTRA_ARGS", "--statistics --inserts")],                      ".sql",     &[Local]),
        (&[("BACKUP_COMPRESS", "true")],                                        ".dump",    &[Local, CryptS3]),
        (&[("DUMP_EXTRA_ARGS", "-Fc -Z0"), ("BACKUP_COMPRESSION", "zstd")],     ".dump.zst", &[S3]),
        (&[("DUMP_EXTRA_ARGS", "-Fc --compress=zstd:3 --statistics")],          ".dump",    &[Local]),
        (&[("DUMP_EXTRA_ARGS", "--format=tar")],                                ".tar",     &[Local, S3]),
        (&[("BACKUP_MODE", "directory"), ("BACKUP_JOBS", "2")],                 "/",        &[Local, S3]),
        (&[("BACKUP_MODE", "directory"), ("BACKUP_COMPRESS", "true")],          "/",        &[Local, CryptS3]),
        (&[("BACKUP_MODE", "directory"), ("BACKUP_JOBS", "2"), ("DUMP_EXTRA_ARGS", "--compress=zstd")], "/", &[Local]),
        (&[("BACKUP_MODE", "directory"), ("DUMP_EXTRA_ARGS", "-Z lz4")],        "/",        &[Local]),
        (&[("BACKUP_MODE", "directory"), ("DUMP_EXTRA_ARGS", "--statistics")],  "/",        &[Local]),
        (&[("BACKUP_MODE", "tar"), ("BACKUP_JOBS", "2")],                       ".tar",     &[Local, S3]),
        (&[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESSION", "zstd")],             ".tar.zst", &[S3]),
        (&[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESSION", "gzip")],             ".tar.gz",  &[Local]),
        (&[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESS", "true")],                ".tar",     &[Local]),
    ]
};

/// One backup while somebody writes: the object, the mode, and that it is nothing less than good.
fn stored(server: &PgServer, remote: &TestRemote, at: usize, writes: bool) -> (String, String) {
    let (settings, end, _) = WAYS[at];
    let run = product(server, remote).env("DB_URI", server.uri(ODD)).env("PG_GLOBALS", "off");
    let work = Work::under(run.envs(settings.iter().copied()));
    let done = AtomicBool::new(!writes);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                server.psql(ODD, TICK);
            }
        });
        let finished = work.run.run(PATIENCE);
        done.store(true, Ordering::Relaxed);
        finished.expect_code(0).expect_no_leftovers();
    });
    work.is_empty();
    let newest = &listed(&work.run)["backups"][0];
    assert!(newest["objects"][0]["degraded"].is_null(), "{settings:?}: {newest}");
    let object = newest["paths"][0].as_str().unwrap().to_owned();
    assert!(object.ends_with(end), "{settings:?}: {object}");
    let mode = settings.iter().find(|(name, _)| *name == "BACKUP_MODE");
    (object, mode.map_or("stream", |(_, mode)| mode).to_owned())
}

/// As a connection string has it.
fn quoted(database: &str) -> String {
    format!("dbname='{}'", database.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn digest_of(server: &PgServer, database: &str) -> String {
    server.psql(database, "UPDATE ticker SET n = 0; TRUNCATE aticks");
    server.digest(database)
}

/// Into a fresh database of this server; what it holds is as of one moment.
fn restored(server: &PgServer, remote: &TestRemote, object: &str, mode: &str) -> String {
    server.psql("postgres", "DROP DATABASE IF EXISTS restored");
    server.createdb("restored");
    restore(server, "restored", remote, object, mode);
    let ticks = "(SELECT count(*) FROM aticks), (SELECT coalesce(max(n), 0) FROM aticks)";
    let moment = format!("SELECT (n, n) = ({ticks}) FROM ticker");
    assert_eq!(server.psql("restored", &moment), "t", "the dump is of more than one moment");
    digest_of(server, "restored")
}

fn seeded(server: &PgServer) -> String {
    server.createdb(ODD);
    server.seed_shop(ODD, 1000);
    server.psql(ODD, TICKER);
    digest_of(server, ODD)
}

#[test]
fn version_18_conforms() {
    let Some(server) = PgServer::start_18(PASSWORD) else { return };
    conforms(&server, &[RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptS3], |_| true);
}

#[test]
#[ignore = "make test-versions"]
fn version_17_conforms() {
    let Some(server) = PgServer::start_version("17", PASSWORD) else { return };
    conforms(&server, &[RemoteKind::Local], every_version_knows);
}

/// Whether these settings need no tool of a late version.
fn every_version_knows(settings: Settings) -> bool {
    let words = settings.iter().find(|(name, _)| *name == "DUMP_EXTRA_ARGS");
    words.is_none_or(|(_, words)| !words.contains("stat") && !words.contains('z'))
}

fn conforms(server: &PgServer, kinds: &[RemoteKind], known: impl Fn(Settings) -> bool) {
    let digest = seeded(server);
    for &kind in kinds {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let wanted = |way: &(Settings, &str, &[RemoteKind])| way.2.contains(&kind) && known(way.0);
        for (at, (settings, _, _)) in WAYS.iter().enumerate().filter(|(_, way)| wanted(way)) {
            eprintln!("--- {settings:?} on {kind}");
            let (object, mode) = stored(server, &remote, at, true);
            let found = restored(server, &remote, &object, &mode);
            expect_same(&found, &digest, &format!("{settings:?}"));
        }
    }
}

#[test]
fn newer_tools_for_an_older_server() {
    let Some(server) = PgServer::start_with_clients_18(PASSWORD) else { return };
    let Some(newer) = PgServer::start_18(PASSWORD) else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    seeded(&server);
    // A newer server writes a view's text in other words: what the bare tools make of it is right.
    let dump = server.client("pg_dump").args(["-d", &quoted(ODD)]).output().unwrap();
    newer.createdb("reference");
    newer.feed("reference", &dump.stdout).unwrap();
    expect_same(&newer.contents("reference"), &server.contents(ODD), "bare");
    let digest = newer.digest("reference");
    // In-stream compression does not see what it compresses.
    let in_stream = |settings: Settings| settings.iter().any(|s| s.0 == "BACKUP_COMPRESSION");
    for (at, (settings, _, _)) in WAYS.iter().enumerate().filter(|way| !in_stream(way.1.0)) {
        eprintln!("--- {settings:?}");
        let (object, mode) = stored(&server, &remote, at, true);
        let found = restored(&newer, &remote, &object, &mode);
        expect_same(&found, &digest, &format!("{settings:?}"));
    }
}

#[test]
fn an_empty_database_in_every_way() {
    for server in [PgServer::start(PASSWORD), PgServer::start_18(PASSWORD)].into_iter().flatten() {
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        server.createdb(ODD);
        let digest = server.digest(ODD);
        let newer = server.psql("postgres", "SHOW server_version").starts_with("18");
        for (at, (settings, _, _)) in WAYS.iter().enumerate() {
            if !newer && !every_version_knows(settings) {
                continue;
            }
            eprintln!("--- {settings:?}");
            let (object, mode) = stored(&server, &remote, at, false);
            server.psql("postgres", "DROP DATABASE IF EXISTS restored");
            server.createdb("restored");
            restore(&server, "restored", &remote, &object, &mode);
            expect_same(&server.digest("restored"), &digest, &format!("{settings:?}"));
        }
    }
}

#[test]
fn older_tools_are_refused_in_every_mode() {
    let (Some(server), Some(remote)) =
        (PgServer::start_18(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    for mode in ["stream", "directory", "tar"] {
        for jobs in ["1", "2"] {
            // This machine's, which come first on the usual path.
            let run = crate::scene::dbstash(&remote).env("DB_URI", server.uri("shop"));
            let run = run.env("BACKUP_MODE", mode).env("BACKUP_JOBS", jobs);
            let work = Work::under(run);
            let done = work.run.run(PATIENCE);
            done.expect_code(1).expect_no_leftovers();
            assert_eq!(summary(&done)["phase"], "dump", "{done}");
            let error = summary(&done)["error"].as_str().unwrap();
            assert!(error.contains("PostgreSQL 18") && error.contains("only 15"), "{error}");
            assert_eq!(remote.names(), [""; 0]);
            work.is_empty();
        }
    }
    assert_eq!(backups(&product(&server, &remote)), [""; 0]);
}
