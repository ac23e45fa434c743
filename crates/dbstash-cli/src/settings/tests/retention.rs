//! What is kept, by its own names and by the neighbours'.

use chrono::TimeDelta;
use dbstash_core::retention::{Keep, Policy};

use super::*;

fn policy(pairs: &[(&str, &str)]) -> Policy {
    pairs.iter().fold(good(), |case, (name, value)| case.env(name, value)).settings().job.retention
}

#[test]
fn keep_rules_count_in_the_zone() {
    let policy = policy(&[
        ("RETENTION_KEEP_LAST", "1"),
        ("RETENTION_KEEP_DURATION", "1d12h"),
        ("RETENTION_KEEP_HOURLY", "2"),
        ("RETENTION_KEEP_DAILY", "3"),
        ("RETENTION_KEEP_WEEKLY", "4"),
        ("RETENTION_KEEP_MONTHLY", "5"),
        ("RETENTION_KEEP_YEARLY", "6"),
        ("TZ", "Asia/Kolkata"),
    ]);
    let duration = Some(TimeDelta::hours(36));
    let keep = Keep { last: 1, duration, hourly: 2, daily: 3, weekly: 4, monthly: 5, yearly: 6 };
    assert_eq!((policy.keep, policy.zone.name()), (keep, "Asia/Kolkata"));
    assert!(!policy.keeps_everything());
}

#[test]
fn no_rule_keeps_everything() {
    let zeros = ["LAST", "DURATION", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
    let names: Vec<_> = zeros.iter().map(|rule| format!("RETENTION_KEEP_{rule}")).collect();
    let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "0")).collect();
    assert!(policy(&pairs).keeps_everything());
    // More than any calendar has is no overflow.
    assert!(!policy(&[("RETENTION_KEEP_DURATION", "99999999999d")]).keeps_everything());
}

#[test]
fn other_names_mean_the_same() {
    let of = |pairs: &[(&str, &str)]| {
        let Policy { max_files, max_age, .. } = policy(pairs);
        (max_files, max_age)
    };
    let hours = |hours| Some(TimeDelta::hours(hours));
    assert_eq!(of(&[("BACKUP_MAX_FILES", "7")]), (Some(7), None));
    assert_eq!(of(&[("BACKUP_RETENTION_HOURS", "36")]), (None, hours(36)));
    assert_eq!(of(&[("BACKUP_RETENTION_HOURS", "0.5")]).1, Some(TimeDelta::minutes(30)));
    assert_eq!(of(&[("BACKUP_RETENTION_HOURS", "0")]), (None, None));
    let both = [
        ("BACKUP_RETENTION_HOURS", "36"),
        ("RETENTION_MAX_DAYS", "1.5"),
        ("BACKUP_MAX_FILES", "7"),
        ("RETENTION_MAX_FILES", "7"),
    ];
    assert_eq!(of(&both), (Some(7), hours(36)));
}

#[test]
fn two_names_with_two_values_are_a_mistake() {
    for [ours, value, alias, other] in [
        ["RETENTION_MAX_DAYS", "1", "BACKUP_RETENTION_HOURS", "25"],
        ["RETENTION_MAX_FILES", "3", "BACKUP_MAX_FILES", "4"],
        // No limit, said aloud, differs from one.
        ["RETENTION_MAX_FILES", "0", "BACKUP_MAX_FILES", "4"],
    ] {
        let told = good().env(ours, value).env(alias, other).mistake();
        assert_eq!(told, format!("{ours} and {alias} mean the same and differ; unset one of them"));
    }
    let told = good().env("BACKUP_RETENTION_HOURS", "a day").mistake();
    assert!(told.contains("accepted are hours"), "{told}");
}
