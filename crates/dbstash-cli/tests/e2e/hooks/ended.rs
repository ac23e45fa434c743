//! Runs that are ended from outside: the hook after them runs, and all is over within a container's 10 s.

use std::time::{Duration, Instant};

use dbstash_testkit::{Dbstash, FakeTools, Finished, RemoteKind, Signal, TestRemote};

use super::{Calls, WHOLE, faked, text};
use crate::scene::{PATIENCE, backups, summary};

/// What docker gives a container after TERM.
const GRACE: Duration = Duration::from_secs(10);
/// Of a hook that does not end by itself, nor at TERM.
const STUCK: &str = "trap '' TERM INT; sleep 1000 & while :; do sleep 1000; done";
/// Goes on at TERM, whose trap is run between two naps.
const WAIT: &str = "while :; do sleep 0.05; done";

/// A run that gets a signal once this file is there.
fn hit(run: &Dbstash, signal: Signal, there: &std::path::Path) -> Finished {
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    let told = Instant::now();
    running.signal(signal);
    let done = running.wait(PATIENCE);
    let took = told.elapsed();
    eprintln!("    over after {took:?}");
    assert!(took < GRACE, "{took:?}: {done}");
    done.expect_no_leftovers();
    done
}

#[test]
fn by_its_time_limit() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", "pg-head\nsleep 300s"));
    // The hook before it has a limit of its own.
    let run = calls.hooked(faked(&remote, &fakes), "sleep 1.5", "sleep 1.5; echo all of it");
    let done = run.env("BACKUP_TIMEOUT", "1s").run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert_eq!(text(summary(&done), "phase"), "timeout");
    assert_eq!(fakes.calls_of("pg_dump").len(), 1, "{done}");
    assert_eq!(super::said(&done, "post"), [("INFO", "all of it")]);
    let (_, post) = (calls.one("pre"), calls.one("post"));
    assert_eq!(post["DBSTASH_STATUS"], "failure");
    assert_eq!(post["DBSTASH_ERROR"], "not finished within 1s (BACKUP_TIMEOUT)");
    assert!(remote.names().is_empty());
}

#[test]
fn by_a_signal_in_the_middle() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        let (calls, fakes) = (Calls::new(), FakeTools::new());
        let there = fakes.file("there");
        // Everybody is as stubborn as can be.
        let dump =
            format!("ignore TERM\npg-head\nout-bytes 1MiB\ntouch {}\nsleep 300s", there.display());
        fakes.script("pg_dump", &dump);
        let done = hit(&calls.hooked(faked(&remote, &fakes), "", STUCK), signal, &there);
        done.expect_code(code);
        assert_eq!(text(summary(&done), "phase"), "signal");
        let post = calls.one("post");
        assert_eq!(
            (post["DBSTASH_STATUS"].as_str(), post["DBSTASH_ERROR"].as_str()),
            ("failure", "ended by a signal")
        );
        assert!(
            done.stderr.contains("HOOK_POST_BACKUP was ended, 2.5s after the signal"),
            "{done}"
        );
        assert!(remote.names().is_empty());
    }
}

#[test]
fn by_a_signal_in_the_hook_before() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let pre = format!("touch \"$CALLS/there\"\n{STUCK}");
    let run = calls.hooked(faked(&remote, &fakes), &pre, STUCK);
    let done = hit(&run, Signal::TERM, &calls.file("there"));
    done.expect_code(143);
    assert_eq!(text(summary(&done), "phase"), "signal");
    assert_eq!(calls.one("post")["DBSTASH_ERROR"], "ended by a signal");
    assert!(fakes.calls_of("pg_dump").is_empty() && remote.names().is_empty());
}

#[test]
fn by_a_signal_in_the_hook_after() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let post = format!("touch \"$CALLS/there\"\n{STUCK}");
    let run = calls.hooked(faked(&remote, &fakes), "", &post);
    let done = hit(&run, Signal::TERM, &calls.file("there"));
    // It is stored, and stays so.
    done.expect_code(0);
    assert_eq!(
        (&summary(&done)["status"], &summary(&done)["warnings"]),
        (&"success".into(), &1.into())
    );
    assert_eq!(backups(&run).len(), 1);
    // One that needs a moment has it.
    let calls = Calls::new();
    let post = "touch \"$CALLS/there\"; sleep 1; touch \"$CALLS/whole\"";
    let run = calls.hooked(faked(&remote, &fakes), "", post);
    let done = hit(&run, Signal::TERM, &calls.file("there"));
    assert!(calls.file("whole").exists() && summary(&done)["warnings"] == 0, "{done}");
}

#[test]
fn by_a_second_signal() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let there = calls.file("there");
    let pre = format!("trap 'touch \"$CALLS/told\"' TERM; touch \"$CALLS/there\"\n{WAIT}");
    let run = calls.hooked(faked(&remote, &fakes), &pre, "");
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    running.signal(Signal::TERM);
    running.wait_until(PATIENCE, |_| calls.file("told").exists());
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    done.expect_code(143).expect_no_leftovers();
    // Then nothing is begun any more, and that is said.
    assert!(calls.of("post").is_empty(), "{done}");
    assert!(done.stderr.contains("HOOK_POST_BACKUP could not be run"), "{done}");
}

#[test]
fn by_kill() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for stage in ["pre", "post"] {
        let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
        let once = "[ -e \"$CALLS/there\" ] || { touch \"$CALLS/there\"; sleep 1000; }";
        let (pre, post) = if stage == "pre" { (once, "") } else { ("", once) };
        let run = calls.hooked(faked(&remote, &fakes), pre, post);
        let run = run.env("BACKUP_NAME_TEMPLATE", "{uuid}");
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| calls.file("there").exists());
        let good = backups(&run).len();
        running.signal(Signal::KILL);
        let again = run.clone().grace(Duration::ZERO).run(PATIENCE);
        again.expect_code(0);
        assert_eq!(backups(&run).len(), good + 1, "{again}");
        assert_eq!(running.wait(PATIENCE).signal, Some(9));
        let state = std::fs::read_dir(run.state_dir().join("runs")).into_iter().flatten().flatten();
        for job in state {
            assert_eq!(std::fs::read_dir(job.path()).unwrap().count(), 0, "{job:?}");
        }
    }
}
