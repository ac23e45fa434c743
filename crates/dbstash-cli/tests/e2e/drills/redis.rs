//! Of a server that reads the file as it starts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use dbstash_testkit::redis::Family;
use dbstash_testkit::{
    Dbstash, RedisServer, RemoteKind, Running, Scratch, Signal, TestRemote, Tmpfs, procs, tools,
};
use serde_json::Value;

use super::{drill, expect, marks, noted};
use crate::flips::sha256;
use crate::scene::{PATIENCE, dbstash};

fn product(server: &RedisServer, remote: &TestRemote, work: &Scratch) -> Dbstash {
    dbstash(remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri())
        .env("BACKUP_TEMP_DIR", work.path())
}

fn backed_up(remote: &TestRemote, work: &Scratch) -> Option<Dbstash> {
    let server = RedisServer::start(Family::Redis7)?;
    server.ask("SET here 1");
    server.ask("SET gone 1 PX 1");
    let run = product(&server, remote, work);
    run.run(PATIENCE).expect_code(0);
    Some(run)
}

/// A folder with a program that is found before the real one, which it can call as `$real`.
fn instead(name: &str, script: &str) -> (Scratch, String) {
    let scratch = Scratch::new("instead");
    let real = tools::find(name).unwrap();
    let text = format!("#!/bin/sh\nreal={}\n{script}\n", real.display());
    tools::write_program(&scratch.path().join(name), &text);
    let path = format!("{}:{}", scratch.path().display(), tools::path().to_string_lossy());
    (scratch, path)
}

#[test]
fn what_came_back_is_counted() {
    let Some(remote) = TestRemote::start(RemoteKind::CryptS3) else { return };
    let work = Scratch::new("work");
    let Some(run) = backed_up(&remote, &work) else { return };
    let done = drill(&run.clone().env("DRILL_SQL", "EXISTS here"));
    expect(&done, 0, "as many as were counted; 1 assertion of DRILL_SQL", work.path());
    assert_eq!(noted(&remote)["drill"]["assertions"], 1);
    let done = drill(&run.clone().env("DRILL_SQL", "EXISTS there"));
    expect(&done, 1, "assertion 1 of DRILL_SQL: it is \"0\"", work.path());
    // What the server refuses says nothing.
    for (asked, said) in [
        (
            "GET here\nNONSENSE here",
            "assertion 2 of DRILL_SQL cannot be asked: ERR unknown command",
        ),
        ("LLEN here", "assertion 1 of DRILL_SQL cannot be asked: WRONGTYPE"),
    ] {
        expect(&drill(&run.clone().env("DRILL_SQL", asked)), 4, said, work.path());
    }
    assert_eq!(marks(&remote, "corrupt"), 1);
}

/// What is stored is a whole dump with the sum of the manifest, and a key less than were counted.
#[test]
fn keys_that_do_not_come_back_are_missed() {
    let (Some(remote), Some(server)) =
        (TestRemote::start(RemoteKind::Local), RedisServer::start(Family::Redis7))
    else {
        return;
    };
    let work = Scratch::new("work");
    let run = product(&server, &remote, &work).env("BACKUP_NAME_TEMPLATE", "{timestamp}-{uuid}");
    server.ask("SET here 1");
    let mut names = Vec::new();
    for key in ["there", "gone"] {
        run.run(PATIENCE).expect_code(0);
        names.extend(
            remote.names().into_iter().find(|name| name.ends_with(".rdb") && !names.contains(name)),
        );
        server.ask(&format!("SET {key} 1"));
    }
    let [fewer, more] = &names[..] else { panic!("{names:?}") };
    let lying = remote.read(fewer);
    let manifest = format!("{more}.dbstash.json");
    let mut told: Value = serde_json::from_slice(&remote.read(&manifest)).unwrap();
    let dump = &mut told["objects"][0];
    dump["sha256"] = sha256(&lying).into();
    (dump["bytes"], dump["raw_bytes"]) = (lying.len().into(), lying.len().into());
    remote.write(more, &lying);
    remote.write(&manifest, &serde_json::to_vec(&told).unwrap());
    let run = run.env("DBSTASH_STATE_DIR", work.dir("state"));
    let work = Scratch::new("work");
    let run = run.env("BACKUP_TEMP_DIR", work.path());
    for level in ["bytes", "structure"] {
        run.clone().args(["verify", more, "--level", level]).run(PATIENCE).expect_code(0);
    }
    expect(&drill(&run), 1, "when it was made: db0: 1 of 2", work.path());

    // What is stored does not fit where the server's files go.
    if let Some(small) = Tmpfs::mount("4k") {
        let numbers: Vec<_> = (10_000..30_000).map(|n: u32| (n * n).to_string()).collect();
        server.ask(&format!("SET big {}", numbers.join(",")));
        run.run(PATIENCE).expect_code(0);
        let done = drill(&run.env("BACKUP_TEMP_DIR", small.path()));
        expect(&done, 4, "bytes free", small.path());
    }
}

#[test]
fn a_server_that_fails_says_nothing_of_the_backup() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let work = Scratch::new("work");
    let Some(run) = backed_up(&remote, &work) else { return };
    for (name, script, said) in [
        ("redis-server", "echo no such luck >&2; exit 3", "exited with code 3: no such luck"),
        (
            "redis-server",
            "sleep 0.3; kill -9 $$",
            "the private server failed: redis-server was killed",
        ),
        ("redis-server", "shift $#; exec \"$real\" --nonsense", "the private server"),
        ("redis-cli", "sleep 0.2; echo LOADING", "DRILL_TIMEOUT"),
    ] {
        let (_programs, path) = instead(name, script);
        let done = drill(&run.clone().env("PATH", path).env("DRILL_TIMEOUT", "3s"));
        expect(&done, 4, said, work.path());
    }
    let done = drill(&run.clone().env("PATH", "/nowhere"));
    assert!(done.code != Some(0), "{done}");
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (0, 0));
}

#[test]
fn nobody_outlives_a_killed_drill() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let work = Scratch::new("work");
    let Some(run) = backed_up(&remote, &work) else { return };
    let (_programs, path) = instead("redis-cli", "sleep 0.2; echo LOADING");
    for signal in [Signal::KILL, Signal::TERM] {
        let slow = run
            .clone()
            .env("PATH", &path)
            .env("DRILL_MEMORY", "1GiB")
            .args(["verify", "--level", "restore"]);
        let mut running = slow.spawn();
        // It changes its title, once it is up.
        let server = |running: &Running| {
            let all = procs::descendants(running.pid().as_raw_nonzero().get());
            all.into_iter()
                .find(|one| one.args().iter().any(|arg| arg.starts_with("redis-server ")))
        };
        running.wait_until(PATIENCE, |running| server(running).is_some());
        let server = server(&running).unwrap();
        assert!(fs::read_dir(work.path()).unwrap().count() > 0);
        let about =
            |file: &str| fs::read_to_string(format!("/proc/{}/{file}", server.pid)).unwrap();
        let limits = about("limits");
        let data = limits.lines().find(|line| line.starts_with("Max data size")).unwrap();
        assert!(data.contains("1073741824"), "{data}");
        if fs::metadata("/proc/self").unwrap().uid() == 0 {
            assert!(about("status").contains("\nUid:\t65534\t65534\t"), "{}", about("status"));
        }
        running.signal(signal);
        let begun = Instant::now();
        while !server.args().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10), "it lives on");
            std::thread::sleep(Duration::from_millis(20));
        }
        let done = running.wait(PATIENCE);
        assert!(done.code != Some(0), "{done}");
        if signal == Signal::TERM {
            expect(&done, 143, "", work.path());
        }
        // The next one takes away what is left, too.
        expect(&drill(&run), 0, "good (restore)", work.path());
    }
}
