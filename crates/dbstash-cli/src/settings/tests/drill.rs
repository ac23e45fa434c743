//! Backups restored on trial.

use std::time::Duration;

use dbstash_core::job::EngineKey;
use dbstash_core::verify::{Level, Sample};

use super::*;

#[test]
fn nothing_is_restored_on_trial_unless_asked() {
    let settings = good().settings();
    assert_eq!((settings.job.drill_after, &settings.drills), (None, &None));
    let trial = &settings.job.trial;
    assert!(trial.scratch.is_none() && trial.assertions.is_empty());
    assert_eq!((trial.timeout, trial.memory), (Duration::from_secs(6 * 3600), 4 << 30));
}

#[test]
fn drills_have_a_schedule_and_a_place() {
    let settings = good()
        .env("DRILL_SCHEDULE", "0 4 * * 0")
        .env("DRILL_AFTER_BACKUP", "Every 10th")
        .env("DRILL_URI", "postgresql://drill:canary@scratch:5433/postgres")
        .env("DRILL_SQL", "SELECT 1\n\n  SELECT count(*) > 3 FROM orders \n")
        .env("DRILL_TIMEOUT", "20m")
        .env("TZ", "Asia/Kolkata")
        .settings();
    let drills = settings.drills.unwrap();
    assert_eq!((drills.level, drills.sample), (Level::Restore, Sample::Latest));
    assert_eq!(drills.timetable.zone.name(), "Asia/Kolkata");
    assert_eq!(settings.job.drill_after, Some(10));
    let trial = &settings.job.trial;
    assert_eq!(trial.assertions, ["SELECT 1", "SELECT count(*) > 3 FROM orders"]);
    assert_eq!(trial.scratch.as_ref().unwrap().engine, EngineKey::Pg);
    assert_eq!(trial.timeout, Duration::from_secs(20 * 60));
}

#[test]
fn mistakes_name_what_is_accepted() {
    for (name, value, said) in [
        ("DRILL_SCHEDULE", "once", "dbstash verify --level restore"),
        ("DRILL_AFTER_BACKUP", "10", "every 10th"),
        ("DRILL_URI", "sqlite:///x", "it has to name a server"),
        ("DRILL_URI", "nonsense", "scheme"),
        ("DRILL_TIMEOUT", "0s", "takes some time"),
        ("DRILL_MEMORY", "1MiB", "256MiB"),
    ] {
        let told = good().env(name, value).mistakes().join("\n");
        assert!(told.contains(name) && told.contains(said), "{told}");
    }
}
