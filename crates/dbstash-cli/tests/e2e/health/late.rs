//! Runs that did not happen: skipped, because another one was at it; missed, because the last one took too long.

use std::fs;

use dbstash_testkit::{FakeTools, RemoteKind, Signal, TestRemote};

use super::{Watched, samples};
use crate::scene::{PATIENCE, backups, dbstash};

const SECONDLY: &str = "* * * * * *";

/// Whether a line of this level says so.
fn logged(output: &str, level: &str, text: &str) -> bool {
    let level = format!("\"level\":\"{level}\"");
    output.lines().any(|line| line.contains(&level) && line.contains(text))
}

#[test]
fn skipped_runs_are_counted_and_an_error_from_the_second_in_a_row_on() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new();
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let wait = format!("touch {}\nwait-for {}", there.display(), go.display());
    let fakes = fakes.tool("pg_dump", &format!("pg-head\n{wait}\npg-footer"));
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u@127.0.0.1:1/shop")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path());
    let mut first = run.spawn();
    first.wait_until(PATIENCE, |_| there.exists());
    let mut second = Watched::start_on(&run, SECONDLY);
    let holder = format!("process {} on ", first.pid().as_raw_nonzero());
    second.running.wait_until(PATIENCE, |running| {
        logged(&running.output(), "WARN", &holder)
            && logged(&running.output(), "ERROR", "3 backups in a row were skipped")
    });
    assert!(!logged(&second.running.output(), "ERROR", "1 backups in a row"));
    let skipped = samples(&second.get("/metrics").body);
    let skipped = skipped.iter().find(|(name, ..)| name == "dbstash_skipped_total").unwrap().2;
    assert!(skipped >= 3000, "{skipped}");
    assert_eq!(backups(&run).len(), 0);
    fs::write(go, "").unwrap();
    first.wait(PATIENCE).expect_code(0);
    second.until("/status", |answer| {
        let tally = answer.json()["jobs"][0]["databases"][0]["tally"].clone();
        tally["successes"].as_u64() > Some(0) && tally["skipped_in_a_row"] == 0
    });
    second.running.signal(Signal::TERM);
    second.running.wait(PATIENCE).expect_no_leftovers();
}

#[test]
fn missed_runs_are_counted_and_an_error_from_the_second_time_in_a_row_on() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new().tool("pg_dump", "pg-head\nsleep 3s\npg-footer");
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u@127.0.0.1:1/shop")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path());
    let mut late = Watched::start_on(&run, SECONDLY);
    let text = "backups were due while the last one was still at work";
    late.running.wait_until(PATIENCE, |running| logged(&running.output(), "ERROR", text));
    let output = late.running.output();
    assert!(logged(&output, "WARN", text) && output.contains("2 times in a row"), "{output}");
    let missed = samples(&late.get("/metrics").body);
    let missed = missed.iter().find(|(name, ..)| name == "dbstash_missed_total").unwrap().2;
    assert!(missed >= 4000, "{missed}");
    late.running.signal(Signal::TERM);
    late.running.wait(PATIENCE).expect_no_leftovers();
}
