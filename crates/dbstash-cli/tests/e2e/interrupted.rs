//! Signals in the middle: TERM ends cleanly, KILL leaves nothing that counts.

use std::time::Duration;

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Signal, TestRemote};

use crate::scene::{Older, PATIENCE, backups, dbstash, each_remote, shop_file, summary};

/// A dump that is under way when `there` exists, and goes on until `go` does.
fn slow_dump(fakes: &FakeTools) {
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    fakes.script(
        "pg_dump",
        &format!(
            "pg-head\nout-bytes 8MiB\ntouch {}\nwait-for {}\npg-footer",
            there.display(),
            go.display()
        ),
    );
}

fn slow_run(remote: &TestRemote, fakes: &FakeTools) -> Dbstash {
    dbstash(remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop").env("PATH", fakes.path())
}

#[test]
fn term_and_int_in_the_middle_leave_nothing() {
    let Some(file) = shop_file(50) else { return };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
            let fakes = FakeTools::new();
            slow_dump(&fakes);
            let run = slow_run(&remote, &fakes);
            let mut running = run.spawn();
            running.wait_until(PATIENCE, |_| fakes.file("there").exists());
            running.signal(signal);
            let done = running.wait(Duration::from_secs(10));
            done.expect_code(code).expect_no_leftovers();
            assert_eq!(summary(&done)["phase"], "signal", "{done}");
            older.alone(&run, &remote);
        }
    });
}

#[test]
fn kill_in_the_middle_is_harmless_and_swept() {
    let Some(file) = shop_file(50) else { return };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        let fakes = FakeTools::new();
        slow_dump(&fakes);
        let run = slow_run(&remote, &fakes).grace(Duration::from_secs(20));
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| fakes.file("there").exists());
        running.signal(Signal::KILL);
        std::fs::write(fakes.file("go"), "").unwrap();
        let done = running.wait(PATIENCE);
        assert_eq!(done.signal, Some(9));
        done.expect_no_leftovers();
        // rclone saw the end of its input and published what it had; nobody counts it.
        older.untouched(&run, &remote);
        let done = run.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        let now = backups(&run);
        assert_eq!(now.len(), 2, "{now:?}");
        assert_eq!(
            remote.names().len(),
            4,
            "what the killed run left is still there: {:?}",
            remote.names()
        );
        let state = std::fs::read_dir(run.state_dir().join("runs")).into_iter().flatten().flatten();
        for job in state {
            assert_eq!(std::fs::read_dir(job.path()).unwrap().count(), 0, "{job:?}");
        }
    });
}

#[test]
fn two_runs_of_a_job_exclude_each_other() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else {
        return;
    };
    let fakes = FakeTools::new();
    slow_dump(&fakes);
    let run = slow_run(&remote, &fakes);
    let mut first = run.spawn();
    first.wait_until(PATIENCE, |_| fakes.file("there").exists());
    let second = run.run(PATIENCE);
    second.expect_code(3);
    let event = summary(&second);
    assert_eq!(event["status"], "skipped");
    let pid = first.pid().as_raw_nonzero().to_string();
    assert!(event["message"].as_str().unwrap().contains(&pid), "{event}");
    // Another database of the same job is another matter.
    let other = FakeTools::new().tool("pg_dump", "pg-head\npg-footer");
    let other =
        run.clone().env("DB_URI", "postgresql://u:pw@127.0.0.1:1/other").env("PATH", other.path());
    other.run(PATIENCE).expect_code(0);
    let unlocked = run.clone().args([""; 0]).env("BACKUP_LOCK", "false");
    std::fs::write(fakes.file("go"), "").unwrap();
    unlocked.run(PATIENCE).expect_code(0);
    first.wait(PATIENCE).expect_code(0);
    assert_eq!(backups(&run).len(), 3);
}

#[test]
fn a_log_that_cannot_be_written_ends_no_backup() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    let full = Dbstash::new("/bin/sh")
        .args(["-c", "exec \"$0\" 2>/dev/full", env!("CARGO_BIN_EXE_dbstash")])
        .envs([("DB_URI", file.uri()), ("RCLONE_REMOTE", remote.root().to_owned())])
        .env("BACKUP_SCHEDULE", "once");
    full.run(PATIENCE).expect_code(0);
    assert_eq!(backups(&run).len(), 1);
}
