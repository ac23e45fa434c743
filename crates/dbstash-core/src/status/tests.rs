use chrono::TimeDelta;

use super::*;
use crate::error::RunError;
use crate::job::{Databases, Source};
use crate::manifest::Manifest;
use crate::manifest::tests::manifest;
use crate::past::Past;
use crate::verify::{Level, Occasion, Verdict, Verification};
use crate::zone::Zone;

const GRACE: Expected = Expected::Grace(Duration::from_secs(3600));

fn at(text: &str) -> DateTime<Utc> {
    format!("2026-03-{text}:00Z").parse().unwrap()
}

fn job(databases: Databases) -> Job {
    let source = Source::File("/data/app.db".into());
    Job::new("orders".parse().unwrap(), EngineKey::Pg, source, databases)
}

fn timetable(schedule: &str) -> Timetable {
    let schedule = schedule.parse().unwrap();
    Timetable { schedule, ..Timetable::now(Zone::UTC) }
}

fn named() -> Job {
    job(Databases::Named(vec!["shop".to_owned()]))
}

/// Began on the 1st at noon; backs up daily at 2.
fn board(job: &Job, expected: Expected) -> Board {
    let board = Board::new(at("01T12:00"));
    board.watch(job, &timetable("0 2 * * *"), expected);
    board
}

fn past(database: &str, ended: DateTime<Utc>) -> Past {
    let started = ended - TimeDelta::minutes(5);
    let (id, object) = ("id".to_owned(), "object".to_owned());
    Past { id, database: database.to_owned(), object, started, ended, bytes: 1, raw_bytes: 2 }
}

fn stock(database: &str, ended: DateTime<Utc>) -> Stock {
    Stock { good: Some(past(database, ended)), ..Stock::new(database) }
}

fn run(job: &Job, database: &str) -> RunId {
    let id = "20260302T020000Z-00000000".to_owned();
    RunId { id, job: job.id.clone(), engine: job.engine, database: database.to_owned() }
}

fn report(job: &Job, database: &str, outcome: Outcome) -> Report {
    Report {
        run: run(job, database),
        outcome,
        warnings: Vec::new(),
        started: at("02T02:00"),
        duration: Duration::from_secs(1),
        attempts: 1,
    }
}

fn failed() -> Outcome {
    let error = RunError::TimedOut { limit: Duration::from_secs(9), stderr: String::new() };
    Outcome::Failed { error, explained: None }
}

fn stored(database: &str, ended: DateTime<Utc>) -> Outcome {
    let manifest = Manifest { started: ended, ended, ..manifest("orders", database, 0, "o.sql") };
    Outcome::Stored { manifest: Box::new(manifest), object: "o.sql".to_owned(), pruned: 3 }
}

fn finish(board: &Board, job: &Job, reports: &[Report]) -> u64 {
    for report in reports {
        board.on(&report.run, RunEvent::Finished(report));
    }
    board.done(&job.id, reports).skips
}

fn start(board: &Board, job: &Job, at: DateTime<Utc>) {
    let event = RunEvent::Started { at, command: "", remote: "" };
    board.on(&run(job, "shop"), event);
}

/// The kinds of all problems then.
fn problems(board: &Board, then: &str) -> Vec<(State, String)> {
    let snapshot = board.snapshot(at(then));
    let all: Vec<_> = snapshot.jobs.iter().flat_map(|job| &job.problems).collect();
    assert_eq!(snapshot.healthy, all.is_empty());
    all.into_iter().map(|problem| (problem.kind, problem.database.clone())).collect()
}

fn well(board: &Board, then: &str) {
    assert_eq!(problems(board, then), [], "{then}");
}

fn overdue(board: &Board, then: &str) {
    assert_eq!(problems(board, then), [(State::Overdue, "shop".to_owned())], "{then}");
}

#[test]
fn the_first_backup_is_waited_for_until_it_is_overdue() {
    let board = board(&named(), GRACE);
    well(&board, "02T03:00");
    overdue(&board, "02T03:01");
}

#[test]
fn manifests_of_an_earlier_process_count() {
    let job = named();
    let fresh = board(&job, GRACE);
    fresh.known(&job.id, &[stock("shop", at("01T02:05"))]);
    well(&fresh, "02T03:00");
    overdue(&fresh, "02T03:01");
    let stale = board(&job, GRACE);
    stale.known(&job.id, &[stock("shop", at("01T01:00"))]);
    overdue(&stale, "01T12:01");
}

#[test]
fn a_backup_that_is_known_later_does_not_replace_a_newer_one() {
    let job = named();
    let board = board(&job, GRACE);
    finish(&board, &job, &[report(&job, "shop", stored("shop", at("02T02:01")))]);
    board.known(&job.id, &[stock("shop", at("01T02:05"))]);
    well(&board, "03T03:00");
}

#[test]
fn failures_and_skips_are_told_and_do_not_count() {
    let job = named();
    let board = board(&job, GRACE);
    finish(&board, &job, &[report(&job, "shop", failed())]);
    well(&board, "02T02:30");
    overdue(&board, "02T03:01");
    let skipped = || Outcome::Skipped { holder: "h".to_owned() };
    assert_eq!(finish(&board, &job, &[report(&job, "shop", skipped())]), 1);
    assert_eq!(finish(&board, &job, &[report(&job, "shop", skipped())]), 2);
    let snapshot = board.snapshot(at("02T03:01"));
    let status = &snapshot.jobs[0].databases[0];
    assert_eq!(status.tally.failures["timeout"], 1);
    assert_eq!(status.tally.skipped, 2);
    let text = &snapshot.jobs[0].problems[0].text;
    assert!(text.contains("not finished within 9s") && text.contains("02:00:00Z"), "{text}");
    finish(&board, &job, &[report(&job, "shop", stored("shop", at("02T03:05")))]);
    well(&board, "02T23:00");
    let status = &board.snapshot(at("02T23:00")).jobs[0].databases[0];
    assert_eq!((status.tally.skipped_in_a_row, status.tally.deleted), (0, 3));
    assert!(status.last_failure.is_none() && status.running.is_none());
}

#[test]
fn a_run_at_work_is_waited_for_until_the_next_is_overdue_too() {
    let job = named();
    let board = board(&job, GRACE);
    start(&board, &job, at("02T02:00"));
    well(&board, "02T23:00");
    well(&board, "03T03:00");
    overdue(&board, "03T03:01");
    let by_age = self::board(&job, Expected::MaxAge(Duration::from_secs(86_400)));
    start(&by_age, &job, at("02T02:00"));
    well(&by_age, "02T12:00");
    overdue(&by_age, "02T12:01");
}

#[test]
fn a_run_that_stands_still_is_stuck_until_it_moves_or_ends() {
    let job = named();
    let board = board(&job, GRACE);
    start(&board, &job, at("02T02:00"));
    board.on(&run(&job, "shop"), RunEvent::Still(Some("no first byte")));
    assert_eq!(problems(&board, "02T02:30"), [(State::Stuck, "shop".to_owned())]);
    board.on(&run(&job, "shop"), RunEvent::Still(None));
    well(&board, "02T02:30");
    board.on(&run(&job, "shop"), RunEvent::Still(Some("no first byte")));
    finish(&board, &job, &[report(&job, "shop", failed())]);
    well(&board, "02T02:30");
}

#[test]
fn a_run_that_spans_a_due_time_serves_it() {
    let job = named();
    let board = board(&job, GRACE);
    let mut long = past("shop", at("02T02:30"));
    long.started = at("02T01:30");
    board.known(&job.id, &[Stock { good: Some(long), ..Stock::new("shop") }]);
    well(&board, "03T02:59");
    overdue(&board, "03T03:01");
}

#[test]
fn an_age_may_be_said_instead() {
    let job = named();
    let board = board(&job, Expected::MaxAge(Duration::from_secs(6 * 3600)));
    well(&board, "01T18:00");
    overdue(&board, "01T18:01");
    board.known(&job.id, &[stock("shop", at("01T17:00"))]);
    well(&board, "01T23:00");
    overdue(&board, "01T23:01");
}

#[test]
fn of_all_databases_of_a_server_those_of_the_last_run_count() {
    let job = job(Databases::Each);
    let board = board(&job, GRACE);
    board.known(&job.id, &[stock("dropped", at("01T01:00")), stock("shop", at("01T02:05"))]);
    well(&board, "02T03:00");
    overdue(&board, "02T03:01");
    let both = ["shop", "new"].map(|name| report(&job, name, stored(name, at("02T02:01"))));
    finish(&board, &job, &both);
    well(&board, "03T03:00");
    assert_eq!(problems(&board, "03T03:01").len(), 2);
    let labels = |board: &Board| {
        let databases = board.snapshot(at("03T03:00")).jobs.remove(0).databases;
        databases.into_iter().map(|status| status.database).collect::<Vec<_>>()
    };
    assert_eq!(labels(&board), ["new", "shop"]);
    // A server that cannot be asked has the databases it had.
    let error = RunError::Databases(crate::artifact::ProduceError::Incomplete {
        what: "none".to_owned(),
        stderr: String::new(),
    });
    let vain = Outcome::Failed { error, explained: None };
    finish(&board, &job, &[report(&job, "*", vain)]);
    assert_eq!(labels(&board), ["*", "new", "shop"]);
    finish(&board, &job, &[report(&job, "new", stored("new", at("03T02:01")))]);
    assert_eq!(labels(&board), ["new"]);
}

#[test]
fn rules_can_change_and_jobs_can_go() {
    let job = named();
    let board = board(&job, GRACE);
    board.known(&job.id, &[stock("shop", at("01T02:05"))]);
    board.watch(&job, &timetable("0 1 * * *"), GRACE);
    well(&board, "01T12:00");
    overdue(&board, "02T02:01");
    board.keep(|_| false);
    well(&board, "09T06:01");
}

#[test]
fn a_run_in_time_ends_a_row_of_late_ones() {
    let job = named();
    let board = board(&job, GRACE);
    for expected in 1..4 {
        board.done(&job.id, &[]);
        assert_eq!(board.missed(&job.id, 1), expected);
    }
    board.done(&job.id, &[]);
    board.done(&job.id, &[]);
    assert_eq!(board.missed(&job.id, 1), 1);
}

#[test]
fn a_snapshot_is_read_back() {
    let job = named();
    let board = board(&job, GRACE);
    start(&board, &job, at("02T02:00"));
    board.next(&job.id, Some(at("02T02:00")));
    assert_eq!(board.missed(&job.id, 2), 1);
    // As a scheduler tells it: the end of a run, and then what was missed during it.
    board.done(&job.id, &[]);
    assert_eq!(board.missed(&job.id, 1), 2);
    let text = serde_json::to_string(&board.snapshot(at("02T02:01"))).unwrap();
    let back: Snapshot = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_eq!((back.jobs[0].missed, back.jobs[0].next_run), (3, Some(at("02T02:00"))));
    assert!(back.jobs[0].databases[0].running.is_some());
}

/// Found out by a round about a backup of this time.
fn verified(board: &Board, job: &Job, backup: Past, verdict: Verdict, good: Option<Past>) {
    let told = Verification {
        occasion: Occasion::Scheduled,
        backup: Some(backup),
        newest: true,
        good,
        asked: Level::Bytes,
        verdict,
        at: at("02T12:00"),
        duration: Duration::from_secs(1),
    };
    board.on(&run(job, "shop"), RunEvent::Verified(&told));
}

fn good() -> Verdict {
    Verdict::Good { level: Level::Bytes, objects: Vec::new() }
}

fn bad() -> Verdict {
    Verdict::Corrupt("its bytes have changed".to_owned())
}

#[test]
fn a_corrupt_newest_is_none_until_it_is_good_or_another_one_is() {
    let job = named();
    let newest = past("shop", at("02T02:05"));
    let older = Past { id: "older".to_owned(), ..past("shop", at("01T02:05")) };
    let board = board(&job, GRACE);
    board.known(&job.id, &[stock("shop", newest.ended)]);
    well(&board, "02T12:00");
    verified(&board, &job, newest.clone(), bad(), Some(older.clone()));
    let corrupt = |board: &Board, then: &str| {
        let found = problems(board, then);
        found.iter().any(|(kind, _)| *kind == State::Corrupt)
    };
    assert!(corrupt(&board, "02T12:00"));
    let snapshot = board.snapshot(at("02T12:00"));
    let status = &snapshot.jobs[0].databases[0];
    assert_eq!((&status.last_success, status.proven), (&Some(older), None));
    let text = &snapshot.jobs[0].problems.last().unwrap().text;
    assert!(text.contains("its bytes have changed") && text.contains("object"), "{text}");
    // What nobody could test changes nothing.
    let untested = Verdict::Untested("away".to_owned());
    verified(&board, &job, newest.clone(), untested, None);
    assert!(corrupt(&board, "02T12:00"));
    verified(&board, &job, newest.clone(), good(), Some(newest.clone()));
    well(&board, "02T12:00");
    let status = &board.snapshot(at("02T12:00")).jobs[0].databases[0];
    assert_eq!((&status.last_success, status.proven), (&Some(newest.clone()), Some(newest.ended)));
    let tally = status.tally.verifications["bytes"];
    assert_eq!((tally.good, tally.corrupt, tally.untested), (1, 1, 1));

    verified(&board, &job, newest, bad(), None);
    assert!(corrupt(&board, "02T12:00"));
    finish(&board, &job, &[report(&job, "shop", stored("shop", at("02T13:00")))]);
    well(&board, "02T13:30");
}

#[test]
fn what_an_earlier_process_found_corrupt_is() {
    let job = named();
    let board = board(&job, GRACE);
    let spoiled = past("shop", at("02T02:05"));
    let known = Stock {
        corrupt: Some(spoiled.clone()),
        verified: Some(at("02T04:00")),
        ..stock("shop", at("01T02:05"))
    };
    board.known(&job.id, &[known]);
    let found = problems(&board, "02T02:30");
    assert_eq!(found, [(State::Corrupt, "shop".to_owned())]);
    assert_eq!(board.snapshot(at("02T02:30")).jobs[0].databases[0].tested, Some(at("02T04:00")));
    // One that was made since is not it.
    let fresh = self::board(&job, GRACE);
    finish(&fresh, &job, &[report(&job, "shop", stored("shop", at("02T13:00")))]);
    let known = Stock { corrupt: Some(spoiled), ..Stock::new("shop") };
    fresh.known(&job.id, &[known]);
    well(&fresh, "02T13:30");
}
