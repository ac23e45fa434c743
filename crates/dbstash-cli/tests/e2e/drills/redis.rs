//! Of a server that reads the file as it starts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use dbstash_testkit::redis::Family;
use dbstash_testkit::{
    Dbstash, RedisServer, RemoteKind, Running, Scratch, Signal, TestRemote, procs, tools,
};

use super::{drill, expect, marks, noted};
use crate::scene::{PATIENCE, dbstash};

fn backed_up(remote: &TestRemote, work: &Scratch) -> Option<Dbstash> {
    let server = RedisServer::start(Family::Redis7)?;
    server.ask("SET here 1");
    server.ask("SET gone 1 PX 1");
    let run = dbstash(remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri())
        .env("BACKUP_TEMP_DIR", work.path());
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
