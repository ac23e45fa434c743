use dbstash_core::error::RunError;
use dbstash_core::manifest::Manifest;
use dbstash_core::past::Past;
use dbstash_core::report::RunId;
use dbstash_core::verify::Level;

use super::*;
use crate::notify::On;

const JOB: &str = "pg-h-5432";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_429_600 + seconds, 0).unwrap()
}

fn report(database: &str, outcome: Outcome) -> Report {
    Report {
        run: RunId {
            id: "x".into(),
            job: JOB.parse().unwrap(),
            engine: EngineKey::Pg,
            database: database.into(),
        },
        outcome,
        warnings: Vec::new(),
        started: at(0),
        duration: Duration::ZERO,
        attempts: 1,
    }
}

fn failed(database: &str) -> Report {
    report(database, Outcome::Failed { error: RunError::Interrupted, explained: None })
}

fn skipped(database: &str) -> Report {
    report(database, Outcome::Skipped { holder: "somebody".into() })
}

fn stored(database: &str) -> Report {
    let manifest = Manifest {
        format: 1,
        id: "x".into(),
        job: JOB.parse().unwrap(),
        engine: EngineKey::Pg,
        database: database.into(),
        mode: "stream".into(),
        objects: Vec::new(),
        started: at(0),
        ended: at(0),
        host: "box".into(),
        dbstash: "0.1.0".into(),
    };
    let manifest = Box::new(manifest);
    report(database, Outcome::Stored { manifest, object: "x.sql".into(), pruned: 0 })
}

#[test]
fn the_first_success_after_trouble_is_a_recovery() {
    let mut ledger = Ledger::new(None);
    let mut told = |report: &Report| ledger.finished(report, at(0));
    assert_eq!(told(&stored("a")), Some(Kind::Stored));
    assert_eq!(told(&failed("a")), Some(Kind::Failed));
    assert_eq!(told(&stored("b")), Some(Kind::Stored), "another database");
    assert_eq!(told(&failed("a")), Some(Kind::Failed));
    assert_eq!(told(&stored("a")), Some(Kind::Recovered));
    assert_eq!(told(&stored("a")), Some(Kind::Stored));
}

#[test]
fn skipped_runs_count_in_a_row() {
    let mut ledger = Ledger::new(None);
    let mut told = |report: &Report| ledger.finished(report, at(0));
    assert_eq!(told(&skipped("a")), None);
    assert_eq!(told(&stored("a")), Some(Kind::Stored), "nobody was told");
    assert_eq!(told(&skipped("a")), None);
    assert_eq!(told(&skipped("b")), None);
    assert_eq!(told(&skipped("a")), Some(Kind::Skipped(2)));
    assert_eq!(told(&skipped("a")), Some(Kind::Skipped(3)));
    assert_eq!(told(&failed("a")), Some(Kind::Failed));
    assert_eq!(told(&skipped("a")), None);
    assert_eq!(told(&stored("a")), Some(Kind::Recovered));
}

#[test]
fn a_silence_is_told_once_and_then_once_a_day() {
    const HOUR: i64 = 3600;
    let mut ledger = Ledger::new(Some(Duration::from_secs(2 * 3600)));
    assert_eq!(ledger.next(), None);
    ledger.expected(JOB, "a", at(0));
    ledger.expected(JOB, "a", at(HOUR));
    assert_eq!(ledger.next(), Some(at(2 * HOUR)));
    assert_eq!(ledger.silences(at(2 * HOUR - 1)), []);
    let told = ledger.silences(at(2 * HOUR));
    assert_eq!((told.len(), told[0].last, told[0].since), (1, None, at(0)));
    assert_eq!(ledger.silences(at(25 * HOUR)), []);
    // A failure is no good backup.
    ledger.finished(&failed("a"), at(25 * HOUR));
    assert_eq!(ledger.next(), Some(at(26 * HOUR)));
    assert_eq!(ledger.silences(at(26 * HOUR)).len(), 1);
    assert_eq!(ledger.finished(&stored("a"), at(27 * HOUR)), Some(Kind::Recovered));
    assert_eq!(ledger.next(), Some(at(29 * HOUR)));
    let told = ledger.silences(at(29 * HOUR));
    assert_eq!((told[0].last, told[0].engine), (Some(at(27 * HOUR)), Some(EngineKey::Pg)));
}

#[test]
fn a_manifest_tells_of_the_time_before_the_start() {
    let mut ledger = Ledger::new(Some(Duration::from_secs(100)));
    ledger.expected(JOB, "a", at(0));
    ledger.known(JOB, "a", at(-70));
    ledger.known(JOB, "a", at(-90));
    assert_eq!(ledger.next(), Some(at(30)));
    ledger.known(JOB, "b", at(-300));
    assert_eq!(ledger.silences(at(0)).len(), 1);
    assert_eq!(Ledger::new(None).next(), None);
}

#[test]
fn no_limit_is_too_long() {
    let mut ledger = Ledger::new(Some(Duration::from_secs(1 << 40)));
    ledger.expected(JOB, "a", at(0));
    assert_eq!(ledger.silences(at(0)), []);
    assert!(Ledger::new(Some(Duration::MAX)).silence_after.is_none());
}

#[test]
fn a_server_that_names_its_databases_again_has_recovered() {
    let mut ledger = Ledger::new(Some(Duration::from_secs(100)));
    assert_eq!(ledger.finished(&failed("*"), at(0)), Some(Kind::Failed));
    assert_eq!(ledger.finished(&stored("a"), at(1)), Some(Kind::Recovered));
    assert_eq!(ledger.finished(&stored("b"), at(2)), Some(Kind::Stored));
    ledger.only(JOB, |database| database == "b");
    let mut heir = Ledger::new(Some(Duration::from_secs(200)));
    heir.inherit(&mut ledger);
    assert_eq!((ledger.next(), heir.next()), (None, Some(at(202))));
    assert_eq!(heir.silences(at(202)).len(), 1);
}

/// A verification of the backup that was begun then.
fn verified(begun: i64, verdict: Verdict) -> Verification {
    let Outcome::Stored { mut manifest, .. } = stored("a").outcome else { unreachable!() };
    manifest.started = at(begun);
    Verification {
        occasion: Occasion::Scheduled,
        backup: Some(Past::of(&manifest, "a.sql")),
        newest: true,
        good: None,
        asked: Level::Bytes,
        verdict,
        at: at(begun),
        duration: Duration::ZERO,
    }
}

fn good() -> Verdict {
    Verdict::Good { level: Level::Bytes, objects: Vec::new() }
}

fn bad() -> Verdict {
    Verdict::Corrupt("it has changed".into())
}

#[test]
fn corruption_is_told_each_time_and_its_end_once() {
    let mut ledger = Ledger::new(None);
    let run = stored("a").run;
    let told = |ledger: &mut Ledger, what: Verification| ledger.verified(&run, &what);
    assert_eq!(told(&mut ledger, verified(5, good())), None);
    for _ in 0..2 {
        assert_eq!(told(&mut ledger, verified(5, bad())), Some(Kind::Corrupt));
    }
    // An older one says nothing of the newest.
    assert_eq!(told(&mut ledger, verified(4, good())), None);
    let older = Verification { newest: false, ..verified(3, bad()) };
    assert_eq!(told(&mut ledger, older), Some(Kind::Corrupt));
    assert_eq!(told(&mut ledger, verified(5, good())), Some(Kind::GoodAgain));
    assert_eq!(told(&mut ledger, verified(6, good())), None);
    // Another backup is as good as that.
    assert_eq!(told(&mut ledger, verified(6, bad())), Some(Kind::Corrupt));
    assert_eq!(ledger.finished(&stored("a"), at(7)), Some(Kind::Recovered));
    assert_eq!(told(&mut ledger, verified(7, good())), None);
    // What a run tells itself.
    let own = Verification { occasion: Occasion::Stored, ..verified(8, bad()) };
    assert_eq!(told(&mut ledger, own), None);
    for (on, wanted) in [(On::Always, true), (On::Failure, true), (On::Success, false)] {
        assert_eq!((on.wants(Kind::Corrupt), on.wants(Kind::GoodAgain)), (wanted, true));
    }
}

#[test]
fn rounds_that_leave_something_untested_count_in_a_row() {
    let mut ledger = Ledger::new(None);
    let run = stored("a").run;
    let mut round = |reasons: &[&str]| {
        for why in reasons {
            let untested = verified(1, Verdict::Untested((*why).into()));
            assert_eq!(ledger.verified(&run, &untested), None);
        }
        assert_eq!(ledger.verified(&run, &verified(1, good())), None);
        let news = ledger.round(JOB);
        news.into_iter().map(|(database, _, times, why)| (database, times, why)).collect::<Vec<_>>()
    };
    assert_eq!(round(&["away", "gone"]), []);
    assert_eq!(round(&["slow", "away"]), [("a".to_owned(), 2, "slow".to_owned())]);
    assert_eq!(round(&["away"]), [("a".to_owned(), 3, "away".to_owned())]);
    assert_eq!(round(&[]), []);
    assert_eq!(round(&["away"]), []);
}
