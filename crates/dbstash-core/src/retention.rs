//! What to keep: a pure choice over what is there.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::Backup;
use crate::job::JobId;

/// The limits of one job. The default keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// At most this many backups; `None` is no limit.
    pub max_files: Option<usize>,
    /// None older than this; `None` is no limit.
    pub max_age: Option<TimeDelta>,
    /// The newest ones that are never deleted, however old; at least 1.
    pub min_files: usize,
    /// Delete nothing while the newest is smaller than this share, in percent, of the median of the 7 before it; 0 is
    /// never.
    pub hold_below: u8,
}

/// How many backups before the newest say what is usual.
const USUAL: usize = 7;

impl Default for Policy {
    fn default() -> Self {
        Self { max_files: None, max_age: None, min_files: 1, hold_below: 50 }
    }
}

impl Policy {
    /// Whether this policy can ever delete anything.
    pub fn keeps_everything(&self) -> bool {
        self.max_files.is_none() && self.max_age.is_none()
    }
}

/// What becomes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep(Reason),
    /// It goes.
    Delete(Limit),
}

/// Why a backup stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Another job's or database's: not ours to judge.
    Foreign,
    /// One of the newest, which always stay.
    Newest,
    /// Begun later than now: a clock is or was wrong, and its true age is unknown.
    Future,
    /// Over the limits, but the newest is too small to be trusted.
    Held,
    /// Within the limits.
    WithinLimits,
}

/// Which limit a backup is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// There are enough newer ones.
    Count(usize),
    /// It is too old.
    Age(TimeDelta),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(Reason::Foreign) => f.write_str("keep: belongs to another job or database"),
            Self::Keep(Reason::Newest) => f.write_str("keep: among the newest RETENTION_MIN_FILES"),
            Self::Keep(Reason::Future) => {
                f.write_str("keep: dated in the future, not counted before that date")
            }
            Self::Keep(Reason::Held) => {
                f.write_str("keep: the newest is suspiciously small (RETENTION_HOLD_BELOW)")
            }
            Self::Keep(Reason::WithinLimits) => f.write_str("keep: within the limits"),
            Self::Delete(Limit::Count(max)) => {
                write!(f, "delete: more than RETENTION_MAX_FILES ({max}) are newer or as new")
            }
            Self::Delete(Limit::Age(max)) => {
                let days = max.as_seconds_f64() / 86_400.0;
                write!(f, "delete: older than RETENTION_MAX_DAYS ({days})")
            }
        }
    }
}

/// Judges every backup, in the order given. Only backups of `job` and `database` are ever deleted; age is what the
/// manifest says. One from the future stays and does not count: it must not push out what is truly the newest.
pub fn select(
    backups: &[Backup],
    job: &JobId,
    database: &str,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Vec<Verdict> {
    let ours = |b: &Backup| b.manifest.job == *job && b.manifest.database == database;
    let future = |b: &Backup| b.manifest.started > now;
    let past = |&i: &usize| ours(&backups[i]) && !future(&backups[i]);
    let mut by_age: Vec<usize> = (0..backups.len()).filter(past).collect();
    by_age.sort_by_key(|&i| {
        let backup = &backups[i];
        std::cmp::Reverse((backup.manifest.started, &backup.manifest.id, &backup.manifest_name))
    });
    let sizes: Vec<u64> = by_age.iter().map(|&i| backups[i].manifest.raw_bytes()).collect();
    let held = is_suspicious(&sizes, policy.hold_below);
    let other = |b: &Backup| if ours(b) { Reason::Future } else { Reason::Foreign };
    let mut verdicts: Vec<_> = backups.iter().map(|b| Verdict::Keep(other(b))).collect();
    for (newer, &i) in by_age.iter().enumerate() {
        let age = now - backups[i].manifest.started;
        verdicts[i] = if newer < policy.min_files.max(1) {
            Verdict::Keep(Reason::Newest)
        } else if let Some(max) = policy.max_files.filter(|&max| newer >= max) {
            Verdict::Delete(Limit::Count(max))
        } else if let Some(max) = policy.max_age.filter(|&max| age > max) {
            Verdict::Delete(Limit::Age(max))
        } else {
            Verdict::Keep(Reason::WithinLimits)
        };
        if held && matches!(verdicts[i], Verdict::Delete(_)) {
            verdicts[i] = Verdict::Keep(Reason::Held);
        }
    }
    verdicts
}

/// Whether the first of these sizes is below its share of what is usual after it.
fn is_suspicious(sizes: &[u64], percent: u8) -> bool {
    let Some((newest, before)) = sizes.split_first() else { return false };
    let mut usual = before[..before.len().min(USUAL)].to_vec();
    usual.sort_unstable();
    usual
        .get(usual.len() / 2)
        .is_some_and(|median| u128::from(*newest) * 100 < u128::from(*median) * u128::from(percent))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{self, tests::manifest};

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
    }

    fn backup(job: &str, database: &str, age_hours: i64, n: usize) -> Backup {
        let object = format!("{n}.sql");
        let manifest = manifest(job, database, age_hours, &object);
        Backup { manifest_name: manifest::name_for(&object), manifest, verified: Vec::new() }
    }

    fn policy(max_files: Option<usize>, max_hours: Option<i64>, min_files: usize) -> Policy {
        Policy { max_files, max_age: max_hours.map(TimeDelta::hours), min_files, hold_below: 50 }
    }

    fn job() -> JobId {
        "redis-1".parse().unwrap()
    }

    #[test]
    fn the_oldest_go_first_and_the_newest_stays() {
        let backups: Vec<_> = [30, 10, 20, 40]
            .iter()
            .enumerate()
            .map(|(n, &h)| backup("redis-1", "a", h, n))
            .collect();
        let deleted = |p: &Policy| {
            let verdicts = select(&backups, &job(), "a", p, now());
            (0..4).filter(|&i| matches!(verdicts[i], Verdict::Delete(_))).collect::<Vec<_>>()
        };
        assert_eq!(deleted(&policy(Some(2), None, 1)), [0, 3]);
        assert_eq!(deleted(&policy(None, Some(25), 1)), [0, 3]);
        assert_eq!(deleted(&policy(None, Some(1), 1)), [0, 2, 3]);
        assert_eq!(deleted(&policy(None, Some(1), 3)), [3]);
        assert_eq!(deleted(&policy(Some(2), Some(15), 1)), [0, 2, 3]);
        assert!(deleted(&Policy::default()).is_empty());
    }

    #[test]
    fn a_suspiciously_small_newest_holds_everything() {
        let sized = |sizes: &[u64]| -> Vec<Backup> {
            let one = |(n, size): (usize, &u64)| {
                let mut backup = backup("redis-1", "a", i64::try_from(n).unwrap(), n);
                backup.manifest.objects[0].raw_bytes = *size;
                backup
            };
            sizes.iter().enumerate().map(one).collect()
        };
        let deletes = |sizes: &[u64], hold_below| {
            let policy = Policy { hold_below, ..policy(Some(1), None, 1) };
            let verdicts = select(&sized(sizes), &job(), "a", &policy, now());
            verdicts.iter().filter(|v| matches!(v, Verdict::Delete(_))).count()
        };
        assert_eq!(deletes(&[52, 1_000_000], 50), 0);
        assert_eq!(deletes(&[52, 1_000_000], 0), 1);
        assert_eq!(deletes(&[500_000, 1_000_000], 50), 1);
        assert_eq!(deletes(&[499_999, 1_000_000, 1_000_000], 50), 0);
        // One odd one among many is no measure.
        assert_eq!(deletes(&[100, 100, 9_000_000, 110, 90], 50), 4);
        assert_eq!(deletes(&[52, 52, 52, 52, 52, 52, 52, 52, 1_000_000], 50), 8);
    }

    #[test]
    fn one_from_the_future_stays_and_pushes_nothing_out() {
        let ages = [-1000, -1, 0, 1, 2];
        let backups: Vec<_> =
            ages.iter().enumerate().map(|(n, &h)| backup("redis-1", "a", h, n)).collect();
        let verdicts = select(&backups, &job(), "a", &policy(Some(1), None, 1), now());
        assert_eq!(
            verdicts,
            [
                Verdict::Keep(Reason::Future),
                Verdict::Keep(Reason::Future),
                Verdict::Keep(Reason::Newest),
                Verdict::Delete(Limit::Count(1)),
                Verdict::Delete(Limit::Count(1)),
            ]
        );
    }

    fn any_backups() -> impl Strategy<Value = Vec<Backup>> {
        let one = (
            prop::sample::select(vec!["redis-1", "redis-10", "redis"]),
            prop::sample::select(vec!["a", "b"]),
            -50_i64..500,
        );
        prop::collection::vec(one, 0..40).prop_map(|all| {
            all.into_iter().enumerate().map(|(n, (j, d, h))| backup(j, d, h, n)).collect()
        })
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        (prop::option::of(1_usize..20), prop::option::of(0_i64..400), 1_usize..6)
            .prop_map(|(f, h, m)| policy(f, h, m))
    }

    fn deleted(backups: &[Backup], verdicts: &[Verdict]) -> Vec<Backup> {
        backups
            .iter()
            .zip(verdicts)
            .filter(|(_, v)| matches!(v, Verdict::Delete(_)))
            .map(|(b, _)| b.clone())
            .collect()
    }

    proptest! {
        #[test]
        fn never_foreign_never_the_newest_never_below_the_minimum(backups in any_backups(), policy in any_policy()) {
            let verdicts = select(&backups, &job(), "a", &policy, now());
            let gone = deleted(&backups, &verdicts);
            prop_assert!(gone.iter().all(|b| b.manifest.job == job() && b.manifest.database == "a"));
            let ours: Vec<_> = backups.iter()
                .filter(|b| b.manifest.job == job() && b.manifest.database == "a" && b.manifest.started <= now())
                .collect();
            prop_assert!(ours.len() - gone.len() >= policy.min_files.min(ours.len()));
            if let Some(newest) = ours.iter().max_by_key(|b| (b.manifest.started, &b.manifest.id)) {
                prop_assert!(!gone.contains(newest));
            }
            if let Some(max) = policy.max_files {
                prop_assert!(ours.len() - gone.len() <= max.max(policy.min_files));
            }
        }

        #[test]
        fn a_second_pass_deletes_nothing_more(backups in any_backups(), policy in any_policy()) {
            let gone = deleted(&backups, &select(&backups, &job(), "a", &policy, now()));
            let left: Vec<_> = backups.into_iter().filter(|b| !gone.contains(b)).collect();
            prop_assert!(deleted(&left, &select(&left, &job(), "a", &policy, now())).is_empty());
        }

        #[test]
        fn tighter_limits_delete_no_less(backups in any_backups(), a in any_policy(), b in any_policy()) {
            let least = |x: Option<usize>, y: Option<usize>| x.into_iter().chain(y).min();
            let tighter = Policy {
                max_files: least(a.max_files, b.max_files),
                max_age: a.max_age.into_iter().chain(b.max_age).min(),
                min_files: a.min_files.min(b.min_files),
                hold_below: 50,
            };
            let gone = |p| deleted(&backups, &select(&backups, &job(), "a", p, now()));
            let most = gone(&tighter);
            prop_assert!(gone(&a).iter().all(|b| most.contains(b)));
        }
    }
}
