//! Rounds beside runs: nobody waits for a round, and what is read stays.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use dbstash_testkit::Signal;

use super::{Between, marked, shop};
use crate::health::NEW_YEAR;
use crate::scene::{PATIENCE, backups};

/// Until there is a file `go`.
const WAIT: &str = "touch there; until [ -e go ]; do sleep 0.05; done";

#[test]
fn nobody_waits_for_a_round_and_what_it_reads_stays() {
    let Some((file, remote, run)) = shop() else { return };
    run.run(PATIENCE).expect_code(0);
    let read = backups(&run).remove(0);
    let between = Between::new(WAIT);
    let mut text = "jobs:\n".to_owned();
    for (job, rounds) in [("orders", "verify_schedule: '* * * * * *'"), ("others", "tz: UTC")] {
        let _ = write!(
            text,
            "  {job}:\n    db_uri: {}\n    backup_schedule: '* * * * * *'\n    retention_max_files: 1\n    {rounds}\n",
            file.uri()
        );
    }
    let path = file.scratch.path().join("dbstash.yaml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let fleet = run
        .clone()
        .env_remove("BACKUP_SCHEDULE")
        .env_remove("DB_URI")
        .env_remove("DBSTASH_JOB")
        .env("DBSTASH_CONFIG", &path)
        .env("PATH", between.path());
    let mut running = fleet.spawn();
    running.wait_until(PATIENCE, |_| between.file("there").exists());
    let stored = |output: &str, job: &str| {
        let job = format!("\"job\":\"{job}\"");
        let lines = output.lines().filter(|line| line.contains("backup stored"));
        lines.filter(|line| line.contains(&job)).count()
    };
    let before = running.output();
    let reading = backups(&run.clone().env("DBSTASH_STATE_DIR", file.scratch.dir("elsewhere")));
    running.wait_until(PATIENCE, |running| {
        let now = running.output();
        ["orders", "others"].iter().all(|job| stored(&now, job) > stored(&before, job) + 2)
    });
    // One of each is the limit; the one that is being read is one more.
    let left = backups(&run);
    let orders = reading.iter().filter(|name| left.contains(name)).count();
    assert_eq!(orders, 1, "what is being read went, or nothing did: {reading:?} {left:?}");
    assert!(running.output().contains("are being verified and go with the next run"));
    fs::write(between.file("go"), "").unwrap();
    running.wait_until(PATIENCE, |running| running.output().contains("backup verified: good"));
    running.wait_until(PATIENCE, |_| !reading.iter().any(|name| backups(&run).contains(name)));
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(!done.to_string().contains("backup is corrupt"), "{done}");
    assert!(!backups(&run).contains(&read) && remote.names().len() >= 4);
}

#[test]
fn settings_are_read_again_in_the_middle_of_a_round_and_a_signal_ends_it() {
    let Some((_file, remote, run)) = shop() else { return };
    run.run(PATIENCE).expect_code(0);
    let between = Between::new(WAIT);
    let run = run
        .env("BACKUP_SCHEDULE", NEW_YEAR)
        .env("VERIFY_SCHEDULE", "* * * * * *")
        .env("PATH", between.path());
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| between.file("there").exists());
    fs::remove_file(between.file("there")).unwrap();
    running.signal(Signal::HUP);
    running.wait_until(PATIENCE, |running| {
        let output = running.output();
        output.contains("verification put off") && output.contains("reading the settings once more")
    });
    // Begun anew, and not at its next time alone.
    running.wait_until(PATIENCE, |_| between.file("there").exists());
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < Duration::from_secs(8), "{:?} {done}", told.elapsed());
    done.expect_code(0).expect_no_leftovers();
    assert_eq!(super::marks(&remote), [""; 0]);

    fs::write(between.file("go"), "").unwrap();
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |running| running.output().contains("verification done: 1 good"));
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(0).expect_no_leftovers();
    assert_eq!(marked(&remote, "structure"), 1);
}
