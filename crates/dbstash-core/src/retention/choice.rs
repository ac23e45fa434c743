//! The choice itself.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::{Limit, Policy, Reason, Verdict, hold, rules};
use crate::catalog::Backup;
use crate::job::JobId;

/// Judges every backup, in the order given. Only backups of `job` and `database` are ever deleted; age is what the
/// manifest says. One from the future stays and does not count: it must not push out what is truly the newest. A pinned
/// one counts like any other.
pub fn select(
    backups: &[Backup],
    job: &JobId,
    database: &str,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    let ours = |b: &Backup| b.manifest.job == *job && b.manifest.database == database;
    let mut verdicts: Vec<Verdict> =
        backups.iter().map(|_| Verdict::Keep(Reason::Foreign)).collect();
    let mut by_age: Vec<usize> = (0..backups.len()).filter(|&i| ours(&backups[i])).collect();
    by_age.sort_by_key(|&i| {
        let backup = &backups[i];
        Reverse((backup.manifest.started, &backup.manifest.id, &backup.manifest_name))
    });
    let future = by_age.partition_point(|&i| backups[i].manifest.started > now);
    for &i in &by_age[..future] {
        let reason = if backups[i].notes.pinned { Reason::Pinned } else { Reason::Future };
        verdicts[i] = Verdict::Keep(reason);
    }
    let all: Vec<&Backup> = by_age.iter().map(|&i| &backups[i]).collect();
    let past = &all[future..];
    let hold = hold::hold(&all, past, policy);
    let kept = rules::kept(past, policy, now);
    for (newer, (&i, kept)) in by_age[future..].iter().zip(kept).enumerate() {
        let verdict = judge(&backups[i], newer, kept, policy, now);
        verdicts[i] = match &hold {
            Some(hold) if verdict.is_delete() => Verdict::Keep(Reason::Held(hold.clone())),
            _ => verdict,
        };
    }
    verdicts
}

/// One of ours that has `newer` newer ones, and what keep rules want it for.
fn judge(
    backup: &Backup,
    newer: usize,
    kept: Option<String>,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Verdict {
    if backup.notes.pinned {
        return Verdict::Keep(Reason::Pinned);
    }
    if newer < policy.min_files.max(1) {
        return Verdict::Keep(Reason::Newest);
    }
    if let Some(rules) = kept {
        return Verdict::Keep(Reason::Rule(rules));
    }
    if policy.keeps_everything() {
        return Verdict::Keep(Reason::WithinLimits);
    }
    let age = now - backup.manifest.started;
    if let Some(max) = policy.max_files.filter(|&max| newer >= max) {
        Verdict::Delete(Limit::Count(max))
    } else if let Some(max) = policy.max_age.filter(|&max| age > max) {
        Verdict::Delete(Limit::Age(max))
    } else if policy.is_limited() {
        Verdict::Keep(Reason::WithinLimits)
    } else {
        Verdict::Delete(Limit::Rules)
    }
}
