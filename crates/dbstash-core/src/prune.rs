//! Retention at work: the choice of [`retention::select`], carried out.

mod deletion;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

pub use self::deletion::{Deletion, Pruned};
use crate::catalog::{Backup, Catalog};
use crate::job::{Database, Job, JobId};
use crate::remote::Remote;
use crate::retention::{self, Hold, Reason, Verdict};
use crate::state::{StateDir, StateError};

/// What is to become of each backup of a job.
#[derive(Debug, Clone)]
pub struct PrunePlan {
    /// The job.
    job: JobId,
    /// Every backup it is about with its verdict, database by database, the newest first.
    pub verdicts: Vec<(Backup, Verdict)>,
    /// Objects that a manifest which stays speaks of, too.
    shared: BTreeSet<String>,
}

impl PrunePlan {
    /// Judges what the catalog holds of this database of the job, or of each one that has a backup.
    pub fn new(catalog: &Catalog, job: &Job, only: Option<&Database>, now: DateTime<Utc>) -> Self {
        let of_job = |b: &&Backup| b.manifest.job == job.id;
        let labels: BTreeSet<&str> = match only {
            Some(database) => BTreeSet::from([database.label()]),
            None => catalog.backups.iter().filter(of_job).map(|b| &*b.manifest.database).collect(),
        };
        let mut verdicts = Vec::new();
        for label in labels {
            let all = retention::select(&catalog.backups, &job.id, label, &job.retention, now);
            let ours = |b: &Backup| b.manifest.job == job.id && b.manifest.database == label;
            let pairs = catalog.backups.iter().cloned().zip(all);
            verdicts.extend(pairs.filter(|(backup, _)| ours(backup)));
        }
        let gone = verdicts.iter().filter(|(_, verdict)| verdict.is_delete());
        let gone: BTreeSet<&str> = gone.map(|(backup, _)| &*backup.manifest_name).collect();
        let staying = catalog.backups.iter().filter(|b| !gone.contains(&*b.manifest_name));
        let shared = staying.flat_map(Backup::objects).collect();
        Self { job: job.id.clone(), verdicts, shared }
    }

    /// The databases it is about.
    pub fn databases(&self) -> BTreeSet<&str> {
        self.verdicts.iter().map(|(backup, _)| backup.manifest.database.as_str()).collect()
    }

    /// What the user should know of each database of which doubt keeps more than the limits say.
    pub fn holds(&self) -> Vec<String> {
        let doubt = |(backup, verdict): &(Backup, Verdict)| {
            let name = &backup.manifest.database;
            match verdict {
                Verdict::Keep(Reason::Held(Hold::Small)) => Some(format!(
                    "retention holds: the newest backup of {name} is much smaller than those before it \
                     (RETENTION_HOLD_BELOW), so nothing of it is deleted; look whether the dump lacks something"
                )),
                Verdict::Keep(Reason::Held(Hold::Writers([a, b]))) => Some(format!(
                    "retention holds: {a} and {b} take turns at writing the backups of {name} of job {}, so nothing \
                     of it is deleted: set DBSTASH_JOB on each to a name of its own",
                    backup.manifest.job
                )),
                Verdict::Keep(Reason::Future) => Some(format!(
                    "{name} has backups dated in the future: a clock is or was wrong; until that date they are \
                     kept and not counted"
                )),
                _ => None,
            }
        };
        let mut told: Vec<String> = self.verdicts.iter().filter_map(doubt).collect();
        let mut seen = BTreeSet::new();
        told.retain(|text| seen.insert(text.clone()));
        told
    }

    /// What goes.
    pub fn deletions(&self) -> impl Iterator<Item = &Backup> {
        self.verdicts.iter().filter(|(_, v)| v.is_delete()).map(|(b, _)| b)
    }

    /// Deletes what goes: see [`Deletion::carry_out`].
    pub async fn carry_out(
        &self,
        remote: &dyn Remote,
        state: &StateDir,
        now: DateTime<Utc>,
    ) -> Result<Pruned, StateError> {
        let going = Deletion::sparing(&self.shared, &self.job, self.deletions());
        going.carry_out(remote, state, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Object, name_for, tests::manifest};
    use crate::sidecar::Notes;

    fn backup(place: &str, objects: &[(&str, Option<u64>)]) -> Backup {
        let mut manifest = Box::new(manifest("j", "db", 0, objects[0].0));
        let one = manifest.objects[0].clone();
        let object =
            |&(name, files): &(&str, _)| Object { name: name.into(), files, ..one.clone() };
        manifest.objects = objects.iter().map(object).collect();
        let manifest_name = name_for(&format!("{place}{}", objects[0].0));
        Backup { manifest_name, manifest, notes: Notes::default() }
    }

    /// What goes with `going` while `staying` stays.
    fn gone(going: &Backup, staying: &[Backup]) -> Vec<String> {
        let shared = staying.iter().flat_map(Backup::objects).collect();
        Deletion::sparing(&shared, &"j".parse().unwrap(), [going]).objects(&[going])
    }

    #[test]
    fn nothing_goes_that_what_stays_speaks_of() {
        let tree = || backup("a/", &[("x", Some(3)), ("x.sha256", None)]);
        assert_eq!(gone(&tree(), &[]), ["a/x/", "a/x.sha256"]);
        // What was noted on it.
        let pinned = Notes { pinned: true, ..Notes::default() };
        let noted = Backup { notes: pinned, ..tree() };
        assert_eq!(gone(&noted, &[]), ["a/x/", "a/x.sha256", "a/x.pin"]);
        // Neighbours.
        let beside = [backup("a/", &[("x-2", Some(3))]), backup("a/", &[("x", None)])];
        assert_eq!(gone(&tree(), &beside), ["a/x/", "a/x.sha256"]);
        // The same, something in it, what it is in.
        assert_eq!(gone(&tree(), &[tree()]), [""; 0]);
        assert_eq!(gone(&tree(), &[backup("a/x/", &[("f.sql", None)])]), ["a/x.sha256"]);
        assert_eq!(gone(&tree(), &[backup("a/x/y/", &[("f", Some(1))])]), ["a/x.sha256"]);
        assert_eq!(gone(&tree(), &[backup("", &[("a", Some(9))])]), [""; 0]);
    }
}
