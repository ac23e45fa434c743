//! What is verified by itself.

use dbstash_core::verify::{Level, Sample};

use super::*;

#[test]
fn nothing_by_default() {
    let settings = good().settings();
    assert_eq!((settings.job.verify_after, &settings.rounds), (None, &None));
}

#[test]
fn rounds_have_a_schedule_of_their_own_in_the_zone() {
    let settings = good()
        .env("VERIFY_AFTER_BACKUP", "Bytes")
        .env("VERIFY_SCHEDULE", "@weekly")
        .env("TZ", "Asia/Kolkata")
        .settings();
    assert_eq!(settings.job.verify_after, Some(Level::Bytes));
    let rounds = settings.rounds.unwrap();
    assert_eq!((rounds.level, rounds.sample), (Level::Structure, Sample::Latest));
    assert_eq!(rounds.timetable.zone.name(), "Asia/Kolkata");
    let share = good()
        .env("VERIFY_SCHEDULE", "0 4 * * *")
        .env("VERIFY_LEVEL", "bytes")
        .env("VERIFY_SAMPLE", "25%");
    let rounds = share.settings().rounds.unwrap();
    assert_eq!((rounds.level, rounds.sample), (Level::Bytes, Sample::Share(25)));
}

#[test]
fn what_has_no_effect_is_told() {
    warns(&good().env("VERIFY_LEVEL", "bytes").settings(), &["VERIFY_LEVEL has no effect without"]);
    warns(&good().env("VERIFY_SAMPLE", "all").settings(), &["VERIFY_SAMPLE has no effect without"]);
    let once = good().env("BACKUP_SCHEDULE", "once").env("VERIFY_SCHEDULE", "@daily").settings();
    warns(&once, &["VERIFY_SCHEDULE has no effect with a schedule of once"]);
    assert_eq!(once.rounds, None);
    let mistyped = good().env("VERIFY_AFTER_BACKUPS", "bytes").settings();
    warns(&mistyped, &["VERIFY_AFTER_BACKUPS is unknown", "did you mean VERIFY_AFTER_BACKUP?"]);
}

#[test]
fn mistakes() {
    for (name, value, accepted) in [
        ("VERIFY_AFTER_BACKUP", "deep", "none, bytes, structure"),
        ("VERIFY_SCHEDULE", "once", "dbstash verify does it now"),
        ("VERIFY_SCHEDULE", "61 * * * *", "accepted are"),
        ("VERIFY_LEVEL", "none", "bytes, structure"),
        ("VERIFY_SAMPLE", "0%", "from 1% to 100%"),
    ] {
        let mistake = good().env("VERIFY_SCHEDULE", "@daily").env(name, value).mistake();
        assert!(mistake.contains(&format!("{name}={value}")), "{mistake}");
        assert!(mistake.contains(accepted), "{mistake}");
    }
}
