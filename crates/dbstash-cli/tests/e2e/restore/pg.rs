//! PostgreSQL: one transaction, whatever the form of the dump.

use dbstash_testkit::{Dbstash, PgServer, RemoteKind, TestRemote};

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, dbstash};

/// A name that needs quoting wherever it goes.
const ODD: &str = "we\"ird 'name \\ 100%";
const PASSWORD: &str = "p@ss/w:rd%'\" \\x";

type Settings = &'static [(&'static str, &'static str)];

/// A server with a seeded database of this name, and what is in it.
fn seeded(database: &str, rows: u64) -> Option<(PgServer, String)> {
    let server = PgServer::start(PASSWORD)?;
    server.createdb(database);
    server.seed_shop(database, rows);
    // Some of what is seeded belongs to the superuser.
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let digest = server.digest(database);
    Some((server, digest))
}

fn product(server: &PgServer, remote: &TestRemote, database: &str) -> Dbstash {
    dbstash(remote).env("PATH", server.path()).env("DB_URI", server.uri(database))
}

fn databases(server: &PgServer) -> String {
    server.psql("postgres", "SELECT string_agg(datname, ',' ORDER BY 1) FROM pg_database")
}

#[test]
fn each_form_comes_back_as_it_was() {
    let Some((server, digest)) = seeded(ODD, 300) else { return };
    let before = databases(&server);
    let local: &[Settings] = &[
        &[],
        &[("BACKUP_COMPRESSION", "gzip")],
        &[("BACKUP_COMPRESS", "true")],
        &[("DUMP_EXTRA_ARGS", "--format=tar")],
        &[("DUMP_EXTRA_ARGS", "--create --clean --inserts")],
        &[("BACKUP_MODE", "directory"), ("BACKUP_COMPRESS", "true")],
        &[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESSION", "zstd")],
    ];
    let ways: [(RemoteKind, &[Settings]); 3] = [
        (RemoteKind::Local, local),
        (RemoteKind::S3, &[&[("BACKUP_COMPRESSION", "zstd")], &[("BACKUP_MODE", "tar")]]),
        (
            RemoteKind::CryptS3,
            &[
                &[("DUMP_EXTRA_ARGS", "-Fc -Z0"), ("BACKUP_COMPRESSION", "zstd")],
                &[("BACKUP_MODE", "directory")],
            ],
        ),
    ];
    for (kind, forms) in ways {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run = product(&server, &remote, ODD).env("PG_GLOBALS", "off");
        for settings in forms {
            run.clone().envs(settings.iter().copied()).run(PATIENCE).expect_code(0);
            let done = restore(&run, &["--to", &server.uri("new '1\" \\")]);
            done.expect_code(0).expect_no_leftovers();
            assert!(!done.stderr.contains(PASSWORD) && !done.stdout.contains(PASSWORD), "{done}");
            crate::pg::expect_same(
                &server.digest("new '1\" \\"),
                &digest,
                &format!("{settings:?}"),
            );
            server.psql("postgres", "DROP DATABASE \"new '1\"\" \\\"");
        }
    }
    assert_eq!(databases(&server), before);
}

#[test]
fn what_is_there_stays_unless_it_may_go() {
    let Some((server, digest)) = seeded(ODD, 50) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, ODD).env("PG_GLOBALS", "off");
    run.run(PATIENCE).expect_code(0);
    server.psql(ODD, "DROP TABLE bulk; CREATE TABLE later (n int); CREATE SCHEMA \"of later\"");
    let later = server.digest(ODD);
    expect_refused(&run, &[], &["not empty", " tables", "large objects", "--clean"]);
    let dry = restore(&run, &["--clean", "--dry-run"]);
    dry.expect_code(0);
    assert!(dry.stdout.contains("psql") && !dry.stdout.contains(PASSWORD), "{dry}");
    // What fails in the middle loses nothing.
    let name = backups(&run).remove(0);
    let good = remote.read(&name);
    let mut flipped = good.clone();
    let last = flipped.iter().rposition(|byte| byte.is_ascii_digit()).unwrap();
    flipped[last] ^= 1;
    remote.write(&name, &flipped);
    expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
    assert_eq!(server.digest(ODD), later);
    remote.write(&name, &good);
    restore(&run, &["--clean"]).expect_code(0).expect_no_leftovers();
    crate::pg::expect_same(&server.digest(ODD), &digest, "--clean");
}

#[test]
fn what_is_not_what_was_stored_changes_nothing() {
    let Some((server, _)) = seeded("shop", 200) else { return };
    server.createdb("empty");
    let empty = server.digest("empty");
    let before = databases(&server);
    for settings in [
        &[] as Settings,
        &[("BACKUP_COMPRESSION", "zstd")],
        &[("DUMP_EXTRA_ARGS", "-Fc -Z0")],
        &[("BACKUP_MODE", "tar")],
    ] {
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let run = product(&server, &remote, "shop").env("PG_GLOBALS", "off");
        let run = run.envs(settings.iter().copied());
        run.run(PATIENCE).expect_code(0);
        let name = backups(&run).remove(0);
        let good = remote.read(&name);
        let mut flipped = good.clone();
        let middle = flipped.len() - 700;
        flipped[middle] ^= 1;
        let mut swapped = good.clone();
        swapped.reverse();
        for (damaged, to) in [(flipped, "empty"), (swapped, "not there")] {
            remote.write(&name, &damaged);
            expect_refused(
                &run,
                &["--to", &server.uri(to)],
                &["corrupt", "the target is as it was"],
            );
            assert_eq!(server.digest("empty"), empty, "{settings:?}");
            assert_eq!(databases(&server), before, "{settings:?}");
        }
        // A shorter one is no backup any more.
        remote.write(&name, &good[..good.len() - 7]);
        expect_refused(&run, &["--to", &server.uri("empty")], &["no backup here"]);
    }
}
