//! What retention says of everything that is there.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Backup, Catalog};
use crate::job::JobId;
use crate::retention::{self, Policy, Verdict};

impl Catalog {
    /// The verdict on each backup, in their order; none on those of jobs whose policy is not given.
    pub fn judge(&self, policies: &[(JobId, Policy)], now: DateTime<Utc>) -> Vec<Option<Verdict>> {
        let mut verdicts = vec![None; self.backups.len()];
        for (job, policy) in policies {
            let mut databases: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
            for (n, backup) in self.backups.iter().enumerate() {
                if backup.manifest.job == *job {
                    databases.entry(&backup.manifest.database).or_default().push(n);
                }
            }
            for (database, order) in databases {
                let backups: Vec<&Backup> = order.iter().map(|&n| &self.backups[n]).collect();
                let said = retention::select(&backups, job, database, policy, now);
                for (n, verdict) in order.into_iter().zip(said) {
                    verdicts[n].get_or_insert(verdict);
                }
            }
        }
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;
    use crate::manifest::{name_for, tests::manifest};
    use crate::retention::{Limit, Reason};
    use crate::sidecar::Notes;

    #[test]
    fn each_is_judged_among_its_own_and_stays_in_its_place() {
        let backup = |job: &str, database: &str, age| {
            let object = format!("{job}-{database}-{age}");
            let manifest = Box::new(manifest(job, database, age, &object));
            Backup { manifest_name: name_for(&object), manifest, notes: Notes::default() }
        };
        let backups = vec![
            backup("j-1", "a", 1),
            backup("j-10", "a", 2),
            backup("j-1", "b", 3),
            backup("j-1", "a", 4),
            backup("j-10", "a", 5),
            backup("j-1", "a", 6),
        ];
        let catalog = Catalog { backups, ..Catalog::default() };
        let now = chrono::Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
        let policy = Policy { max_files: Some(2), ..Policy::default() };
        let said = catalog.judge(&[("j-1".parse().unwrap(), policy)], now);
        let (newest, within) = (Reason::Newest, Reason::WithinLimits);
        let keep = |reason| Some(Verdict::Keep(reason));
        assert_eq!(
            said,
            [
                keep(newest.clone()),
                None,
                keep(newest),
                keep(within),
                None,
                Some(Verdict::Delete(Limit::Count(2)))
            ]
        );
        assert_eq!(catalog.judge(&[], now), vec![None; 6]);
    }
}
