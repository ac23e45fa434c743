//! The choice itself.

use std::borrow::Borrow;
use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use super::{Limit, Policy, Reason, Verdict, hold, rules};
use crate::catalog::Backup;
use crate::job::JobId;

/// Judges every backup, in the order given. Only backups of `job` and `database` are ever deleted; age is what the
/// manifest says. One from the future stays and does not count: it must not push out what is truly the newest. A pinned
/// one counts like any other. One that is known to be corrupt takes nobody's place: it goes by the limits, once a good
/// one is newer; until then it may be the last to save something from.
pub fn select(
    backups: &[impl Borrow<Backup>],
    job: &JobId,
    database: &str,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    let backups: Vec<&Backup> = backups.iter().map(Borrow::borrow).collect();
    let ours = |b: &Backup| b.manifest.job == *job && b.manifest.database == database;
    let mut verdicts: Vec<Verdict> =
        backups.iter().map(|_| Verdict::Keep(Reason::Foreign)).collect();
    let mut by_age: Vec<usize> = (0..backups.len()).filter(|&i| ours(backups[i])).collect();
    by_age.sort_by_key(|&i| {
        let backup = backups[i];
        Reverse((backup.manifest.started, &backup.manifest.id, &backup.manifest_name))
    });
    let future = by_age.partition_point(|&i| backups[i].manifest.started > now);
    for &i in &by_age[..future] {
        let reason = if backups[i].notes.pinned { Reason::Pinned } else { Reason::Future };
        verdicts[i] = Verdict::Keep(reason);
    }
    let all: Vec<&Backup> = by_age.iter().map(|&i| backups[i]).collect();
    let good: Vec<&Backup> = all[future..].iter().copied().filter(|b| !b.is_corrupt()).collect();
    let hold = hold::hold(&all, &good, policy);
    let mut kept = rules::kept(&good, policy, now).into_iter();
    let mut newer = 0;
    for &i in &by_age[future..] {
        let verdict = if backups[i].is_corrupt() {
            spoiled(backups[i], newer, policy, now)
        } else {
            newer += 1;
            judge(backups[i], newer - 1, kept.next().flatten(), policy, now)
        };
        verdicts[i] = match &hold {
            Some(hold) if verdict.is_delete() => Verdict::Keep(Reason::Held(hold.clone())),
            _ => verdict,
        };
    }
    verdicts
}

/// One of ours that has `newer` newer good ones, and what keep rules want it for.
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
    limited(backup, newer, kept, policy, now)
}

/// The same of one that is corrupt. That it is young keeps it, too; no other rule asks for it.
fn spoiled(backup: &Backup, newer: usize, policy: &Policy, now: DateTime<Utc>) -> Verdict {
    if backup.notes.pinned {
        return Verdict::Keep(Reason::Pinned);
    }
    if newer == 0 {
        return Verdict::Keep(Reason::Corrupt);
    }
    let young = policy.keep.duration.is_some_and(|most| now - backup.manifest.started <= most);
    limited(backup, newer, young.then(|| rules::YOUNG.to_owned()), policy, now)
}

/// One that nothing but rules and limits concerns.
fn limited(
    backup: &Backup,
    newer: usize,
    kept: Option<String>,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Verdict {
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
