//! The keep rules.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Policy;
use crate::catalog::Backup;
use crate::zone::Zone;

/// Backups by a calendar: the rule's name, and how a bucket of it is called. Of an hour that clocks go through twice,
/// each is one.
const CALENDAR: [(&str, &str); 5] = [
    ("hourly", "%F %H:00 %Z"),
    ("daily", "%F"),
    ("weekly", "%G-W%V"),
    ("monthly", "%Y-%m"),
    ("yearly", "%Y"),
];

/// What keeps a young one.
pub(super) const YOUNG: &str = "within RETENTION_KEEP_DURATION";

/// What each of these backups, the newest first, is kept for, if for anything.
pub(super) fn kept(
    backups: &[&Backup],
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Option<String>> {
    let keep = policy.keep;
    let mut reasons: Vec<Vec<String>> = vec![Vec::new(); backups.len()];
    let started = |backup: &&Backup| backup.manifest.started;
    for (n, reason) in reasons.iter_mut().enumerate().take(keep.last) {
        reason.push(format!("last {} of {}", n + 1, keep.last));
    }
    if let Some(most) = keep.duration {
        let young = |backup: &&Backup| now - started(backup) <= most;
        for (_, reason) in backups.iter().zip(&mut reasons).filter(|(backup, _)| young(backup)) {
            reason.push(YOUNG.to_owned());
        }
    }
    let counts = [keep.hourly, keep.daily, keep.weekly, keep.monthly, keep.yearly];
    for ((rule, form), count) in CALENDAR.into_iter().zip(counts) {
        let mut buckets = HashSet::new();
        for (backup, reason) in backups.iter().zip(&mut reasons) {
            if buckets.len() == count {
                break;
            }
            let bucket = bucket(started(backup), policy.zone, form);
            if buckets.insert(bucket.clone()) {
                reason.push(format!("{rule} {bucket}"));
            }
        }
    }
    let told = |reasons: Vec<String>| (!reasons.is_empty()).then(|| reasons.join(", "));
    reasons.into_iter().map(told).collect()
}

fn bucket(at: DateTime<Utc>, zone: Zone, form: &str) -> String {
    at.with_timezone(&zone).format(form).to_string()
}
