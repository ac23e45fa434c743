//! How long the end takes: one signal ends everything within a container's 10 s, whatever is in the way, and a second
//! one at once. What had to be left is of no account, and gone with the next run.

use std::path::Path;
use std::time::{Duration, Instant};

use dbstash_testkit::server::eventually;
use dbstash_testkit::{
    Dbstash, FakeTools, Finished, RemoteKind, Running, Signal, TestRemote, tools,
};

use crate::matrix::place::{Place, journals, on_each, warned};
use crate::scene::{PATIENCE, backups, dbstash, shop_file, summary};

/// Until a container is killed.
const STOPPED: Duration = Duration::from_secs(10);
/// What "at once" takes on a machine with other things to do; alone, it is a tenth of that.
const AT_ONCE: Duration = Duration::from_secs(2);

const KINDS: [RemoteKind; 3] = [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptS3];

/// A signal, and how it ended.
#[track_caller]
fn ends(running: Running, signal: Signal, within: Duration) -> Finished {
    let told = Instant::now();
    running.signal(signal);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < within, "{:?}: {done}", told.elapsed());
    done.expect_no_leftovers();
    done
}

/// A dump in the middle whose both sides are deaf to TERM: the tool notes it as `termed`, and rclone stands still.
fn deaf(place: &Place, fakes: &FakeTools) -> (Dbstash, Running) {
    let text = "#!/bin/sh\ncd \"${0%/*}\"\ntrap 'touch termed' TERM\nhead -c 25165824 /dev/zero\ntouch there\n\
        while :; do sleep 600 & wait; done\n";
    tools::write_program(&fakes.dir().join("pg_dump"), text);
    let run = place.pg_run(fakes);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| fakes.file("there").exists());
    let begun = || match place.remote.kind() {
        RemoteKind::Local => place.remote.names().len() == 3,
        _ => place.remote.pending_uploads() == 1,
    };
    assert!(eventually(PATIENCE, begun));
    running.child("rclone").unwrap().signal(Signal::STOP);
    (run, running)
}

/// A dump that has been told to end, and an rclone that does not end with cleaning up.
fn cleaning_for_ever(place: &Place, fakes: &FakeTools) -> (Dbstash, Running) {
    let cleaning = fakes.file("cleaning");
    hangs(fakes, &["deletefile", "lsjson --stat"], &cleaning);
    let (run, mut running) = in_the_middle(place, fakes);
    running.signal(Signal::TERM);
    running.wait_until(PATIENCE, |_| cleaning.exists());
    (run, running)
}

/// A dump in the middle whose tool goes at once when it is told to.
fn in_the_middle(place: &Place, fakes: &FakeTools) -> (Dbstash, Running) {
    let there = fakes.file("there");
    let dump = format!("pg-head\nout-bytes 24MiB\ntouch {}\nsleep 600s", there.display());
    fakes.script("pg_dump", &dump);
    let run = place.pg_run(fakes);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    (run, running)
}

/// An rclone that is deaf and does not end, when it is called with these words.
fn hangs(fakes: &FakeTools, calls: &[&str], there: &Path) {
    let real = tools::find("rclone").unwrap();
    let hang = format!("touch {}\nignore TERM\nsleep 600s\n", there.display());
    let script: Vec<_> = calls.iter().map(|call| format!("when {call}\n{hang}")).collect();
    fakes.script("rclone", &format!("{}otherwise\nexec {}", script.concat(), real.display()));
}

/// Nothing new is listed, and the next run takes away what is left.
#[track_caller]
fn left_to_the_next_run(place: &Place, run: &Dbstash, done: &Finished) {
    done.expect_code(143);
    assert_eq!(summary(done)["phase"], "signal", "{done}");
    assert!(warned(done, "the next run will clean up"), "{done}");
    assert_eq!(journals(run).len(), 1);
    place.older.untouched(&dbstash(&place.remote), &place.remote);
    let fakes = FakeTools::new().tool("pg_dump", "pg-head\npg-footer");
    place.works_again(&run.clone().env("PATH", fakes.path()), 2);
    assert_eq!((journals(run).len(), place.remote.pending_uploads()), (0, 0));
}

#[test]
fn a_second_signal_waits_for_nobody() {
    on_each(&KINDS, |place| {
        let fakes = FakeTools::new();
        let (run, mut running) = deaf(&place, &fakes);
        running.signal(Signal::TERM);
        running.wait_until(PATIENCE, |_| fakes.file("termed").exists());
        let done = ends(running, Signal::INT, AT_ONCE);
        assert!(warned(&done, "a second signal: everything ends now"), "{done}");
        left_to_the_next_run(&place, &run, &done);
    });
}

#[test]
fn nor_for_a_clean_up() {
    on_each(&KINDS, |place| {
        let fakes = FakeTools::new();
        let (run, running) = cleaning_for_ever(&place, &fakes);
        let done = ends(running, Signal::TERM, AT_ONCE);
        left_to_the_next_run(&place, &run, &done);
    });
}

#[test]
fn one_signal_gives_the_deaf_a_moment() {
    on_each(&KINDS, |place| {
        let fakes = FakeTools::new();
        let (run, running) = deaf(&place, &fakes);
        let done = ends(running, Signal::TERM, STOPPED);
        done.expect_code(143);
        place.undisturbed_by(&run);
    });
}

#[test]
fn one_signal_waits_for_no_clean_up_without_end() {
    on_each(&KINDS, |place| {
        let fakes = FakeTools::new();
        let (run, running) = cleaning_for_ever(&place, &fakes);
        let told = Instant::now();
        let done = running.wait(PATIENCE);
        assert!(told.elapsed() < STOPPED, "{:?}: {done}", told.elapsed());
        done.expect_no_leftovers();
        assert!(warned(&done, "8s after the signal: everything ends now"), "{done}");
        left_to_the_next_run(&place, &run, &done);
    });
}

#[test]
fn one_signal_waits_for_no_server_that_stands_still() {
    on_each(&[RemoteKind::S3, RemoteKind::Webdav, RemoteKind::Sftp], |mut place| {
        let fakes = FakeTools::new();
        let (run, running) = in_the_middle(&place, &fakes);
        place.remote.signal_server(Signal::STOP);
        let done = ends(running, Signal::TERM, STOPPED);
        place.remote.signal_server(Signal::CONT);
        left_to_the_next_run(&place, &run, &done);
    });
}

/// The backup is there all the same.
#[test]
fn one_signal_ends_retention() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("RETENTION_MAX_FILES", "1");
    let run = run.env("BACKUP_NAME_TEMPLATE", "{db}-{uuid}");
    run.run(PATIENCE).expect_code(0);
    let fakes = FakeTools::new();
    let there = fakes.file("there");
    hangs(&fakes, &["deletefile", "delete"], &there);
    let mut running = run.clone().env("PATH", fakes.path()).spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    let done = ends(running, Signal::TERM, AT_ONCE);
    done.expect_code(0);
    assert!(warned(&done, "retention was not finished: ended by a signal"), "{done}");
    assert_eq!(backups(&run).len(), 2);
    run.run(PATIENCE).expect_code(0);
    assert_eq!((backups(&run).len(), remote.names().len()), (1, 2));
}

/// What one database has is no success of the other.
#[test]
fn one_signal_between_two_databases_is_told() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new().tool("pg_dump", "pg-head\npg-footer");
    let run = dbstash(&remote).env("DBSTASH_ENGINE", "pg").env("DB_HOST", "127.0.0.1");
    let run = run.env("DB_USER", "u").env("DB_PASSWORD", "pw").env("DB_NAME", "a,b");
    let run = run.env("PG_GLOBALS", "off").env("BACKUP_NAME_TEMPLATE", "{db}-{uuid}");
    let run = run.env("RETENTION_MAX_FILES", "1").env("PATH", fakes.path());
    run.run(PATIENCE).expect_code(0);
    let there = fakes.file("there");
    hangs(&fakes, &["deletefile", "delete"], &there);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    let done = ends(running, Signal::TERM, AT_ONCE);
    done.expect_code(143);
    let told: Vec<_> = done.events.iter().filter(|event| event["status"].is_string()).collect();
    let told: Vec<_> = told.iter().map(|e| (&e["database"], &e["status"])).collect();
    assert_eq!(told, [(&"a".into(), &"success".into()), (&"b".into(), &"failure".into())]);
    assert_eq!((backups(&run).len(), fakes.calls_of("pg_dump").len()), (3, 3));
}

/// Nothing was under way: only a run that was asked for once has not been made.
#[test]
fn one_signal_ends_a_delay() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    for (schedule, code) in [("once", 143), ("0 0 1 1 *", 0)] {
        let run = dbstash(&remote).env("DB_URI", file.uri()).env("INITIAL_DELAY", "1h");
        let mut running = run.env("BACKUP_SCHEDULE", schedule).spawn();
        running.wait_until(PATIENCE, listens);
        ends(running, Signal::TERM, AT_ONCE).expect_code(code);
    }
    assert_eq!(remote.names(), [""; 0]);
}

/// A remote that does not answer is asked what was missed.
#[test]
fn one_signal_ends_a_look_at_what_was_missed() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let fakes = FakeTools::new();
    let there = fakes.file("there");
    hangs(&fakes, &["lsjson"], &there);
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path());
    let run = run.env("BACKUP_SCHEDULE", "0 0 1 1 *").env("BACKUP_CATCH_UP", "true");
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    ends(running, Signal::TERM, AT_ONCE).expect_code(0);
}

/// Whether it would hear a TERM.
fn listens(running: &Running) -> bool {
    let status = format!("/proc/{}/status", running.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(status).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_some_and(|mask| mask & 1 << (Signal::TERM.as_raw() - 1) != 0)
}
