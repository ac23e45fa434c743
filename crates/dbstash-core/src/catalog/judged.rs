//! What retention says of everything that is there.

use chrono::{DateTime, Utc};

use super::{Backup, Catalog};
use crate::job::JobId;
use crate::retention::{self, Policy, Verdict};

impl Catalog {
    /// The verdict on each backup, in their order; none on those of jobs whose policy is not given. The backups are
    /// moved about meanwhile, and come back in the order they had.
    pub fn judge(
        &mut self,
        policies: &[(JobId, Policy)],
        now: DateTime<Utc>,
    ) -> Vec<Option<Verdict>> {
        if policies.is_empty() {
            return vec![None; self.backups.len()];
        }
        let mut all: Vec<(usize, Backup)> = self.backups.drain(..).enumerate().collect();
        // Stable: within a group they stay as they are.
        all.sort_by(|(_, a), (_, b)| subject(a).cmp(&subject(b)));
        let (order, backups): (Vec<usize>, Vec<Backup>) = all.into_iter().unzip();
        let mut verdicts = vec![None; backups.len()];
        let mut done = 0;
        for group in backups.chunk_by(|a, b| subject(a) == subject(b)) {
            let (job, database) = subject(&group[0]);
            if let Some((_, policy)) = policies.iter().find(|(known, _)| known == job) {
                let said = retention::select(group, job, database, policy, now);
                for (n, verdict) in said.into_iter().enumerate() {
                    verdicts[order[done + n]] = Some(verdict);
                }
            }
            done += group.len();
        }
        let mut back: Vec<(usize, Backup)> = order.into_iter().zip(backups).collect();
        back.sort_by_key(|(n, _)| *n);
        self.backups = back.into_iter().map(|(_, backup)| backup).collect();
        verdicts
    }
}

fn subject(backup: &Backup) -> (&JobId, &str) {
    (&backup.manifest.job, &backup.manifest.database)
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
            let manifest = manifest(job, database, age, &object);
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
        let mut catalog = Catalog { backups: backups.clone(), ..Catalog::default() };
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
        assert_eq!(catalog.backups, backups);
        assert_eq!(catalog.judge(&[], now), vec![None; 6]);
    }
}
