//! PostgreSQL: one transaction, whatever the form of the dump.

use dbstash_testkit::{Dbstash, PgServer, RemoteKind, Running, Scratch, Signal, TestRemote, tools};

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, dbstash};

/// A name that needs quoting wherever it goes.
pub(super) const ODD: &str = "we\"ird 'name \\ 100%";
pub(super) const PASSWORD: &str = "p@ss/w:rd%'\" \\x";

type Settings = &'static [(&'static str, &'static str)];

/// A server with a seeded database of this name, and what is in it.
pub(super) fn seeded(database: &str, rows: u64) -> Option<(PgServer, String)> {
    let server = PgServer::start(PASSWORD)?;
    server.createdb(database);
    server.seed_shop(database, rows);
    // Some of what is seeded belongs to the superuser.
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let digest = server.digest(database);
    Some((server, digest))
}

pub(super) fn product(server: &PgServer, remote: &TestRemote, database: &str) -> Dbstash {
    dbstash(remote).env("PATH", server.path()).env("DB_URI", server.uri(database))
}

pub(super) fn databases(server: &PgServer) -> String {
    server.psql("postgres", "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database")
}

#[test]
fn each_form_comes_back_as_it_was() {
    let Some((server, digest)) = seeded(ODD, 100) else { return };
    let before = databases(&server);
    let ways: [(RemoteKind, &[Settings]); 3] = [
        (
            RemoteKind::Local,
            &[
                &[
                    ("BACKUP_COMPRESSION", "gzip"),
                    ("DUMP_EXTRA_ARGS", "--create --clean --inserts"),
                ],
                &[("BACKUP_COMPRESS", "true")],
                &[("DUMP_EXTRA_ARGS", "-Fp -Z1")],
                &[("BACKUP_MODE", "directory"), ("BACKUP_COMPRESS", "true")],
            ],
        ),
        (RemoteKind::S3, &[&[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESSION", "zstd")]]),
        (RemoteKind::CryptS3, &[&[("DUMP_EXTRA_ARGS", "-Ft"), ("BACKUP_COMPRESSION", "zstd")]]),
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

    // An unpacker may have had enough before the end: how it ends says whether that was right.
    server.psql(ODD, "CREATE TABLE big AS SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, ODD).env("PG_GLOBALS", "off");
    run.clone().env("DUMP_EXTRA_ARGS", "-Ft").run(PATIENCE).expect_code(0);
    let programs = Scratch::new("programs");
    let path = format!("{}:{}", programs.path().display(), server.path().to_string_lossy());
    let hasty = run.env("PATH", path);
    let words = ["--to", &server.uri("new")];
    for (code, said) in [(3, "no more"), (0, "")] {
        let text = format!(
            "#!/bin/sh\nhead -c 1000 >/dev/null\nexec 0<&-\nsleep 0.3\necho 'CREATE TABLE of_it ();'\n\
             echo {said} >&2\nexit {code}\n"
        );
        tools::write_program(&programs.path().join("pg_restore"), &text);
        if code != 0 {
            expect_refused(&hasty, &words, &["pg_restore exited with code 3", said, "as it was"]);
            assert_eq!(databases(&server), before);
        }
    }
    restore(&hasty, &words).expect_code(0).expect_no_leftovers();
    assert_eq!(server.psql("new", "SELECT count(*) FROM of_it").trim(), "0");
}

#[test]
fn several_connections_load_under_a_mark() {
    let Some((server, digest)) = seeded("shop", 100) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, "shop").env("PG_GLOBALS", "off");
    let before = databases(&server);
    for settings in [&[("BACKUP_MODE", "directory")], &[("BACKUP_COMPRESS", "true")]] {
        run.clone().envs(settings.iter().copied()).run(PATIENCE).expect_code(0);
        restore(&run, &["--to", &server.uri("new"), "--jobs", "2"]).expect_code(0);
        crate::pg::expect_same(&server.digest("new"), &digest, &format!("{settings:?}"));
        server.psql("postgres", "DROP DATABASE new");
    }
    server.createdb("half");
    server.psql("half", "CREATE SCHEMA there CREATE TABLE t (a int); SELECT lo_from_bytea(9, 'x')");
    let into = server.uri("half");
    restore(&run, &["--to", &into, "--clean", "--jobs", "2"]).expect_code(0).expect_no_leftovers();
    crate::pg::expect_same(&server.digest("half"), &digest, "--clean");
    // What may not be made changes nothing.
    server.psql("postgres", "DROP DATABASE half; ALTER ROLE stash NOSUPERUSER");
    server.createdb("half");
    let words = ["--to", &into, "--jobs", "2"];
    expect_refused(&run, &words, &["belongs to \"postgres\"", "the target is as it was"]);
    // It cannot go on in the middle: the database is marked, and that is told.
    let check = "ALTER TABLE not_in_half ADD CHECK (current_database() <> 'half')";
    server.psql("shop", &format!("CREATE TABLE not_in_half AS SELECT 1 AS a; {check}"));
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    run.clone().env("BACKUP_COMPRESS", "true").run(PATIENCE).expect_code(0);
    expect_refused(&run, &words, &["violates check constraint", "is marked as such"]);
    expect_refused(&run, &["--to", &into], &["interrupted restore of 2", "--clean"]);
    // Half a database is no backup.
    let half = run.clone().env("DB_URI", &into).run(PATIENCE);
    half.expect_code(1);
    assert!(half.stderr.contains("the database holds an interrupted restore"), "{half}");
    server.psql("postgres", "DROP DATABASE half");
    assert_eq!(databases(&server), before);
}

#[test]
fn a_table_or_one_side_of_it() {
    let Some((server, digest)) = seeded("shop", 50) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, "shop").env("PG_GLOBALS", "off");
    run.run(PATIENCE).expect_code(0);
    // One side, and then the other.
    let to = server.uri("sides");
    expect_refused(&run, &["--to", &to, "--data-only"], &["no database sides"]);
    let done = restore(&run, &["--to", &to, "--schema-only"]);
    assert!(done.expect_code(0).stdout.contains("the server's encoding and locale"), "{done}");
    assert_eq!(server.psql("sides", "SELECT count(*) FROM bulk").trim(), "0");
    let done = restore(&run, &["--to", &to, "--data-only"]);
    assert!(done.expect_code(0).stdout.contains("foreign keys are not checked"), "{done}");
    crate::pg::expect_same(&server.digest("sides"), &digest, "one side, and then the other");
    expect_refused(&run, &["--to", &to, "--data-only"], &["rows of bulk"]);
    // A table beside what is there.
    let rows = "SELECT count(*), sum(amount) FROM bulk";
    let whole = server.psql("shop", rows);
    server.psql("sides", "DELETE FROM bulk WHERE id > 7; CREATE TABLE mine ()");
    let words = ["--to", &to, "--table", "public.bulk", "--table", "no_columns"];
    expect_refused(&run, &words, &["table bulk, table no_columns", "--clean"]);
    let done = restore(&run, &[&words[..], &["--clean"]].concat());
    done.expect_code(0).expect_no_leftovers();
    assert!(done.stdout.contains("triggers and rules with them: those are not"), "{done}");
    assert_eq!(server.psql("sides", rows), whole);
    // What has partitions, or is one, neither goes nor comes alone: told of the target, and of the dump.
    let parts = server.psql("sides", "SELECT count(*) FROM event");
    for (table, to) in [("event", &to), ("event_rest", &server.uri("new"))] {
        let words = ["--to", to, "--table", table, "--clean"];
        expect_refused(&run, &words, &[table, "has partitions or is one", "another database"]);
    }
    assert_eq!(server.psql("sides", "SELECT count(*) FROM event"), parts);
    server.psql("sides", "DROP TABLE mine");
    expect_refused(&run, &["--to", &to, "--table", "none"], &["has no table none", "as it was"]);
}

#[test]
fn bytes_of_no_encoding_want_a_database_of_none() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    let make = |name: &str| {
        let of = "OWNER stash TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'";
        server.psql("postgres", &format!("CREATE DATABASE {name} {of}"));
    };
    make("bytes");
    server.psql(
        "bytes",
        r"CREATE TABLE word AS SELECT E'caf\xe9'::text AS w; ALTER TABLE word OWNER TO stash",
    );
    server.psql("postgres", "ALTER ROLE stash CREATEDB");
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, "bytes").env("PG_GLOBALS", "off");
    let before = databases(&server);
    for (settings, jobs) in [("-Fp", "1"), ("-Fc", "2")] {
        run.clone().env("DUMP_EXTRA_ARGS", settings).run(PATIENCE).expect_code(0);
        let words = ["--to", &server.uri("new"), "--jobs", jobs];
        let why = [
            "is in SQL_ASCII, and the database in UTF8",
            "TEMPLATE template0 ENCODING",
            "the target is as it was",
        ];
        expect_refused(&run, &words, &why);
        assert_eq!(databases(&server), before);
        make("new");
        restore(&run, &words).expect_code(0).expect_no_leftovers();
        assert_eq!(server.psql("new", "SELECT w::bytea FROM word").trim(), r"\x636166e9");
        server.psql("postgres", "DROP DATABASE new");
    }
}

#[test]
fn what_is_there_already_and_is_not_ours_is_left_alone() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    let make = "CREATE EXTENSION pageinspect";
    server.createdb("shop");
    server.psql("shop", make);
    server.psql("shop", "CREATE TABLE t AS SELECT 7 AS a; ALTER TABLE t OWNER TO stash");
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, "shop").env("PG_GLOBALS", "off");
    let to = server.uri("target");
    let comes = |words: &[&str]| {
        server.createdb("target");
        server.psql("target", make);
        let done = restore(&run, &[&["--to", &to], words].concat());
        assert_eq!(server.psql("target", "SELECT a FROM t").trim(), "7", "{done}");
        server.psql("postgres", "DROP DATABASE target");
        done.expect_code(0).expect_no_leftovers().to_string()
    };
    // An extension that the role neither may make nor owns.
    for (settings, jobs) in [("-Fp", "1"), ("-Fc", "2")] {
        run.clone().env("DUMP_EXTRA_ARGS", settings).run(PATIENCE).expect_code(0);
        server.createdb("target");
        let why = ["only a superuser may make the extension \"pageinspect\"", "as it was"];
        expect_refused(&run, &["--to", &to, "--jobs", jobs], &why);
        server.psql("postgres", "DROP DATABASE target");
        let said = comes(&["--jobs", jobs]);
        assert!(said.contains("left out: must be owner of extension pageinspect"), "{said}");
    }
    // Asked for by its name, the schema is made in the dump.
    for (settings, jobs) in [("-Fp -n public", "1"), ("-Fc -n public", "2")] {
        run.clone().env("DUMP_EXTRA_ARGS", settings).run(PATIENCE).expect_code(0);
        comes(&["--jobs", jobs]);
    }
}

#[test]
fn an_older_server_is_refused_by_its_version() {
    let (Some(newer), Some(older)) = (PgServer::start_18(PASSWORD), PgServer::start(PASSWORD))
    else {
        return;
    };
    let versions = [&newer, &older].map(|server| {
        server.psql("postgres", "ALTER ROLE stash SUPERUSER");
        server.psql("postgres", "SHOW server_version").trim().to_owned()
    });
    newer.createdb("shop");
    newer.psql("shop", "CREATE TABLE t AS SELECT 1 AS a");
    older.createdb("target");
    older.psql("target", "CREATE TABLE mine AS SELECT 1 AS a");
    let (digest, before) = (older.digest("target"), databases(&older));
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&newer, &remote, "shop").env("PG_GLOBALS", "off");
    run.clone().env("BACKUP_COMPRESS", "true").run(PATIENCE).expect_code(0);
    let told = versions.each_ref().map(String::as_str);
    for (to, jobs) in [("target", "1"), ("target", "2"), ("new", "1")] {
        let words = ["--clean", "--jobs", jobs, "--to", &older.uri(to)];
        expect_refused(&run, &words, &[&told[..], &["or newer"]].concat());
        assert_eq!((older.digest("target"), databases(&older)), (digest.clone(), before.clone()));
    }
}

/// It has begun to write into a database: what happens there then, happens in the middle.
fn in_the_middle(server: &PgServer, running: &mut Running, database: &str) {
    let busy = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND usename = 'stash' \
         AND backend_xid IS NOT NULL"
    );
    running.wait_until(PATIENCE, |_| server.psql("postgres", &busy).trim() == "1");
}

#[test]
fn whatever_dies_in_the_middle_changes_nothing() {
    let Some((mut server, _)) = seeded("shop", 20_000) else { return };
    server.createdb("target");
    server.psql("target", "CREATE TABLE mine AS SELECT 1 AS a");
    let before = server.digest("target");
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, "shop").env("PG_GLOBALS", "off");
    run.run(PATIENCE).expect_code(0);
    // Of a killed one, psql sees the end of its input, and has to roll back.
    let slow = run.clone().env("RCLONE_BWLIMIT", "1M").grace(PATIENCE);
    for victim in ["dbstash", "rclone", "psql", "server"] {
        eprintln!("--- {victim}");
        let words = ["restore", "--yes", "--clean", "--to", &server.uri("target")];
        let mut running = slow.clone().args(words).spawn();
        in_the_middle(&server, &mut running, "target");
        match victim {
            "dbstash" => running.signal(Signal::KILL),
            "server" => server.bounce(),
            tool => running.child(tool).unwrap().signal(Signal::KILL),
        }
        let done = running.wait(PATIENCE);
        assert_ne!(done.code, Some(0), "{done}");
        done.expect_no_leftovers();
        if victim != "dbstash" {
            done.expect_code(1);
            assert!(done.stderr.contains("the target is as it was"), "{done}");
        }
        assert_eq!(server.digest("target"), before, "{victim}");
    }
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
    let last = flipped.iter().rposition(u8::is_ascii_digit).unwrap();
    flipped[last] ^= 1;
    remote.write(&name, &flipped);
    expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
    assert_eq!(server.digest(ODD), later);
    remote.write(&name, &good);
    // Rights that the target would add by itself are not those of the backup.
    server.psql(
        ODD,
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE stash REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE stash REVOKE ALL ON TYPES FROM PUBLIC, stash; \
         ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO pg_monitor WITH GRANT OPTION",
    );
    let note = "default privileges change the rights";
    let part = restore(&run, &["--table", "none_such", "--dry-run"]);
    assert!(part.stdout.contains(note), "{part}");
    let done = restore(&run, &["--clean"]);
    done.expect_code(0).expect_no_leftovers();
    assert!(!done.stdout.contains(note) && !done.stderr.contains("default privileges"), "{done}");
    crate::pg::expect_same(&server.digest(ODD), &digest, "--clean");
    let defaults = "SELECT count(*) FROM pg_default_acl WHERE defaclnamespace = 0";
    assert_eq!(server.psql(ODD, defaults).trim(), "0");
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
