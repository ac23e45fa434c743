//! Further attempts: for what may pass, and for nothing else.

use std::time::{Duration, Instant};

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Running, Signal, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, summary};

const AWAY: &str = "err connection to server at \"db\" failed: Connection refused\nexit 1";
const WHOLE: &str = "pg-head\nout-bytes 1MiB\npg-footer";

fn job(remote: &TestRemote, fakes: &FakeTools, retries: &str) -> Dbstash {
    let run = dbstash(remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop");
    run.env("PG_GLOBALS", "off").env("PATH", fakes.path()).env("BACKUP_RETRIES", retries)
}

/// A run whose first attempt has failed.
fn waiting(run: &Dbstash) -> Running {
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |running| running.output().contains("again in"));
    running
}

#[test]
fn a_server_that_is_back_is_backed_up() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new().tool("pg_dump", AWAY);
    let run = job(&remote, &fakes, "3");
    let running = waiting(&run);
    // Nobody else begins meanwhile.
    run.clone().run(PATIENCE).expect_code(3);
    fakes.script("pg_dump", WHOLE);
    let done = running.wait(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert_eq!(summary(&done)["attempts"], 2, "{done}");
    let told: Vec<_> = done.events.iter().filter(|event| event["attempt"].is_u64()).collect();
    assert_eq!(told.len(), 1, "{done}");
    assert_eq!((&told[0]["level"], &told[0]["retries"]), (&"WARN".into(), &3.into()), "{done}");
    let what = told[0]["message"].as_str().unwrap();
    assert!(what.contains("does not answer") && what.contains("(1 of 3)"), "{what}");
    assert_eq!((backups(&run).len(), fakes.calls_of("pg_dump").len()), (1, 2));
}

#[test]
fn the_last_failure_is_the_runs() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new().tool("pg_dump", AWAY);
    let done = job(&remote, &fakes, "1").run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let event = summary(&done);
    assert_eq!((&event["status"], &event["attempts"]), (&"failure".into(), &2.into()), "{done}");
    assert_eq!(fakes.calls_of("pg_dump").len(), 2);
}

#[test]
fn what_somebody_has_to_put_right_is_not_tried_again() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let wrong = "err FATAL:  password authentication failed for user \"u\"\nexit 1";
    for (tool, rclone) in [(wrong, None), (WHOLE, Some("err AccessDenied: no\nexit 1"))] {
        let fakes = FakeTools::new().tool("pg_dump", tool);
        if let Some(script) = rclone {
            let real = dbstash_testkit::tools::find("rclone").unwrap();
            let script = format!("when rcat\n{script}\notherwise\nexec {}", real.display());
            fakes.script("rclone", &script);
        }
        let done = job(&remote, &fakes, "3").run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert_eq!(summary(&done)["attempts"], 1, "{done}");
        assert_eq!(fakes.calls_of("pg_dump").len(), 1, "{done}");
    }
}

#[test]
fn a_signal_ends_the_wait() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new().tool("pg_dump", AWAY);
    let running = waiting(&job(&remote, &fakes, "3"));
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    done.expect_code(143).expect_no_leftovers();
    assert_eq!(summary(&done)["phase"], "signal", "{done}");
    assert_eq!(fakes.calls_of("pg_dump").len(), 1);
}
