//! Redis and Valkey: into the file of a stopped server, and into one that is up.

use std::fs;
use std::thread;

use dbstash_testkit::redis::Family;
use dbstash_testkit::{Dbstash, RedisServer, RemoteKind, Scratch, TestRemote};
use rustix::process::Signal;

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, dbstash};

const MARK: &str = "dbstash:restore:incomplete";

fn job(server: &RedisServer, remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("PATH", server.path()).env("DB_URI", server.uri())
}

/// What a key holds.
fn said(server: &RedisServer, key: &str) -> String {
    server.client().ask(&["GET", key]).unwrap().text()
}

#[test]
fn all_that_a_server_holds_comes_back() {
    let ways = [
        (Family::Redis7, RemoteKind::Local, "none"),
        (Family::Redis8, RemoteKind::S3, "zstd"),
        (Family::Valkey9, RemoteKind::CryptS3, "gzip"),
    ];
    thread::scope(|scope| {
        for (family, kind, compression) in ways {
            scope.spawn(move || {
                let server = RedisServer::start(family)?;
                let remote = TestRemote::start(kind)?;
                server.seed(1);
                server.add_expired();
                let run = job(&server, &remote).env("BACKUP_COMPRESSION", compression);
                run.run(PATIENCE).expect_code(0);
                let digest = server.digest();

                let scratch = Scratch::new("rdb");
                let file = scratch.path().join("dump.rdb");
                let to = file.to_str().unwrap();
                let done = restore(&run, &["--to-file", to]);
                done.expect_code(0).expect_no_leftovers();
                assert!(done.stdout.contains("--appendonly no"), "{done}");
                let loaded = RedisServer::of_dump(family, &fs::read(&file).unwrap()).unwrap();
                assert!(loaded.digest() == digest, "{family:?}: {}\n{digest}", loaded.digest());
                expect_refused(&run, &["--to-file", to], &["not empty", "--clean"]);
                restore(&run, &["--to-file", to, "--clean"]).expect_code(0);

                let fresh = RedisServer::start(family).unwrap();
                let done = restore(&run, &["--to", &fresh.uri()]);
                done.expect_code(0).expect_no_leftovers();
                assert!(done.stderr.contains("1 keys are past their time"), "{done}");
                assert!(fresh.digest() == digest, "{family:?}: {}\n{digest}", fresh.digest());
                Some(())
            });
        }
    });
}

#[test]
fn what_is_there_stays_unless_it_may_go() {
    let (Some(server), Some(remote)) =
        (RedisServer::start(Family::Redis7), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.seed(1);
    let run = job(&server, &remote);
    run.run(PATIENCE).expect_code(0);
    let digest = server.digest();
    let target = RedisServer::start_with(
        Family::Redis7,
        &["--requirepass", "canary 31\"%", "--databases", "16"],
    )
    .unwrap();
    let to = target.uri().replace("//", "//:canary%2031%22%25@");
    target.ask("SET embstr theirs");
    target.ask("SET alone theirs");
    let theirs = target.digest();
    let to = ["--to", &to];
    let with = |more: &[&'static str]| [&to[..], more].concat();
    expect_refused(&run, &to, &["not empty (2 keys in database 0)", "--clean"]);
    expect_refused(
        &run,
        &with(&["--on-existing", "fail"]),
        &["the key \"embstr\" of database 0 is there already", "the target is as it was"],
    );
    expect_refused(&run, &with(&["--clean", "--on-existing", "skip"]), &["exclude each other"]);
    expect_refused(&run, &with(&["--table", "x"]), &["--table is not for redis"]);
    restore(&run, &with(&["--clean", "--dry-run"])).expect_code(0);
    assert_eq!(target.digest(), theirs);

    let done = restore(&run, &with(&["--on-existing", "skip"]));
    done.expect_code(0);
    assert!(done.stderr.contains("1 keys were there already"), "{done}");
    assert_eq!([said(&target, "embstr"), said(&target, "alone")], ["theirs", "theirs"]);
    assert!(!done.to_string().contains("canary"), "{done}");
    let again = restore(&run, &with(&["--on-existing", "replace"])).expect_code(0).to_string();
    assert!(!again.contains("warning"), "{again}");
    assert_eq!([said(&target, "embstr"), said(&target, "alone")], ["short", "theirs"]);
    restore(&run, &with(&["--clean"])).expect_code(0);
    assert!(target.digest() == digest, "{}\n{digest}", target.digest());

    // What cannot work is told before anything is changed.
    let few = RedisServer::start_with(Family::Redis7, &["--databases", "8"]).unwrap();
    let small = RedisServer::start_with(Family::Redis7, &["--proto-max-bulk-len", "1mb"]).unwrap();
    let replica = RedisServer::start(Family::Redis7).unwrap();
    replica.ask(&format!("REPLICAOF 127.0.0.1 {}", server.port()));
    for (target, told) in [
        (&few, "has 8 databases"),
        (&small, "in one piece"),
        (&replica, "a replica of 127.0.0.1: restore into its master"),
    ] {
        expect_refused(&run, &["--to", &target.uri(), "--clean"], &[told]);
    }
    assert_eq!([few.info("db0"), small.info("db0")], ["", ""]);
    let wrong = target.uri().replace("//", "//:wrong@");
    expect_refused(
        &run,
        &["--to", &wrong],
        &["refuses the user or the password", "check --to or RESTORE_TO"],
    );
    expect_refused(&run, &["--to", "redis://127.0.0.1:1"], &["the connection was refused"]);
    expect_refused(&run, &["--to", &format!("{}/5", target.uri()), "--clean"], &["leave /5 out"]);
    // Out of memory in the middle: marked, and mended once there is enough.
    let full = RedisServer::start_with(Family::Redis7, &["--maxmemory", "2mb"]).unwrap();
    expect_refused(&run, &["--to", &full.uri()], &["OOM", "maxmemory", "is marked"]);
    full.ask("CONFIG SET maxmemory 0");
    expect_refused(&run, &["--to", &full.uri()], &["an interrupted restore", "--clean"]);
    restore(&run, &["--to", &full.uri(), "--on-existing", "replace"]).expect_code(0);
    assert!(full.digest() == digest, "{}\n{digest}", full.digest());
    // What it throws out can be the mark: it is set again.
    full.ask("FLUSHALL");
    full.ask("DEBUG POPULATE 30000 key 100");
    let elsewhere = TestRemote::start(RemoteKind::Local).unwrap();
    let many = job(&full, &elsewhere);
    many.run(PATIENCE).expect_code(0);
    full.ask("CONFIG SET maxmemory-policy allkeys-lru");
    full.ask("CONFIG SET maxmemory 4mb");
    expect_refused(&many, &["--clean"], &["has thrown out", "is marked"]);
    assert_eq!(full.ask(&format!("EXISTS {MARK}")).text(), "1");
}

#[test]
fn a_server_gets_nothing_that_it_does_not_read() {
    let all = Family::ALL.map(RedisServer::start);
    let [Some(seven), Some(eight), Some(valkey)] = all else { return };
    for (of, into, reads) in [
        (&seven, &eight, true),
        (&seven, &valkey, true),
        (&eight, &seven, false),
        (&eight, &valkey, false),
        (&valkey, &eight, false),
    ] {
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        for server in [of, into] {
            server.ask("FLUSHALL");
            server.ask("FUNCTION FLUSH");
        }
        of.seed(0);
        into.ask("SET theirs stays");
        let run = job(of, &remote);
        run.run(PATIENCE).expect_code(0);
        let run = run.env("RESTORE_TO", into.uri());
        let case = format!("{:?} into {:?}", of.family(), into.family());
        if reads {
            restore(&run, &["--clean"]).expect_code(0);
            // As the server itself reads the file; one version's digest is not another's.
            let dump = remote.read(&backups(&run)[0]);
            let loaded = RedisServer::of_dump(into.family(), &dump).unwrap();
            assert_eq!(into.digest(), loaded.digest(), "{case}");
        } else {
            expect_refused(&run, &["--clean"], &["does not read", "the target is as it was"]);
            assert_eq!(said(into, "theirs"), "stays", "{case}");
        }
    }
}

#[test]
fn what_is_not_what_was_stored_changes_nothing() {
    let (Some(server), Some(remote)) =
        (RedisServer::start(Family::Redis7), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.seed(1);
    let run = job(&server, &remote).env("BACKUP_COMPRESSION", "zstd");
    run.run(PATIENCE).expect_code(0);
    server.ask("SET later change");
    let before = server.digest();
    let name = backups(&run).remove(0);
    let good = remote.read(&name);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    let mut swapped = good.clone();
    swapped.reverse();
    let file = Scratch::new("rdb");
    let path = file.path().join("dump.rdb");
    for damaged in [flipped, swapped] {
        remote.write(&name, &damaged);
        expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
        expect_refused(&run, &["--to-file", path.to_str().unwrap()], &["corrupt"]);
        assert_eq!(fs::read_dir(file.path()).unwrap().count(), 0);
    }
    remote.write(&name, &good[..good.len() - 7]);
    expect_refused(&run, &["--clean"], &["no backup here"]);
    assert_eq!(server.digest(), before);
    // Half of one is not restored as if it were whole.
    server.ask("SET dbstash:restore:incomplete older");
    let done = run.run(PATIENCE);
    assert!(done.expect_code(1).stderr.contains("holds an interrupted restore"), "{done}");
    run.clone().env("BACKUP_COUNTS", "false").run(PATIENCE).expect_code(0);
    server.ask("DEL dbstash:restore:incomplete");
    expect_refused(&run, &["--clean"], &["holds an interrupted restore", "as it was"]);
    assert_eq!(server.digest(), before);
}

#[test]
fn an_interrupted_restore_is_marked_and_mended() {
    let (Some(server), Some(remote)) =
        (RedisServer::start(Family::Redis7), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.seed(2);
    let run = job(&server, &remote);
    run.run(PATIENCE).expect_code(0);
    let digest = server.digest();
    let mut target = RedisServer::start(Family::Redis7).unwrap();
    let run = run.env("RESTORE_TO", target.uri());
    let slow = run.clone().env("RCLONE_BWLIMIT", "3M").args(["restore", "--yes", "--clean"]);
    let begun = |target: &RedisServer| target.ask("DBSIZE").text().parse::<u64>().unwrap() > 50;
    for what in ["dbstash", "server"] {
        target.ask("FLUSHALL");
        target.ask("SET theirs goes");
        let mut running = slow.spawn();
        running.wait_until(PATIENCE, |_| !said(&target, MARK).is_empty() && begun(&target));
        if what == "dbstash" {
            running.signal(Signal::KILL);
            running.wait(PATIENCE);
        } else {
            // With what it had saved when it died, or with nothing.
            target.ask("SAVE");
            target.signal(Signal::KILL);
            let done = running.wait(PATIENCE);
            done.expect_code(1);
            assert!(done.stderr.contains("is marked as such"), "{done}");
            target.restart();
        }
        assert!(said(&target, "theirs").is_empty());
        expect_refused(&run, &[], &["the target holds an interrupted restore of", "--clean"]);
    }
    restore(&run, &["--clean"]).expect_code(0);
    assert!(target.digest() == digest, "{}\n{digest}", target.digest());
    restore(&run, &["--on-existing", "skip"]).expect_code(0);
}
