//! Retention at work: the choice of [`retention::select`], carried out.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::catalog::{Backup, Catalog, folders_above};
use crate::job::{Database, Job};
use crate::remote::{Remote, RemoteError};
use crate::retention::{self, Reason, Verdict};
use crate::state::Going;

/// What is to become of each backup of a job.
#[derive(Debug, Clone)]
pub struct PrunePlan {
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
        let gone = verdicts.iter().filter(|(_, verdict)| is_delete(verdict));
        let gone: BTreeSet<&str> = gone.map(|(backup, _)| &*backup.manifest_name).collect();
        let staying = catalog.backups.iter().filter(|b| !gone.contains(&*b.manifest_name));
        let shared = staying.flat_map(Backup::objects).collect();
        Self { verdicts, shared }
    }

    /// The databases it is about.
    pub fn databases(&self) -> BTreeSet<&str> {
        self.verdicts.iter().map(|(backup, _)| backup.manifest.database.as_str()).collect()
    }

    /// What the user should know of each database of which doubt keeps more than the limits say.
    pub fn holds(&self) -> Vec<String> {
        let kept = |why: Reason| -> BTreeSet<&str> {
            let kept = self.verdicts.iter().filter(|(_, v)| *v == Verdict::Keep(why));
            kept.map(|(b, _)| &*b.manifest.database).collect()
        };
        let small = |name: &str| {
            format!(
                "retention holds: the newest backup of {name} is much smaller than those before it \
                 (RETENTION_HOLD_BELOW), so nothing of it is deleted; look whether the dump lacks something"
            )
        };
        let future = |name: &str| {
            format!(
                "{name} has backups dated in the future: a clock is or was wrong; until that date they are kept \
                 and not counted"
            )
        };
        let small = kept(Reason::Held).into_iter().map(small);
        small.chain(kept(Reason::Future).into_iter().map(future)).collect()
    }

    /// What goes.
    pub fn deletions(&self) -> impl Iterator<Item = &Backup> {
        self.verdicts.iter().filter(|(_, v)| is_delete(v)).map(|(b, _)| b)
    }

    /// The objects that go, as far as they are no folders, each with its manifest.
    pub(crate) fn streams(&self) -> impl Iterator<Item = Going> {
        self.deletions().flat_map(|backup| {
            let objects = self.objects(&[backup]).into_iter();
            objects.filter(|name| !name.ends_with('/')).map(|object| {
                let manifest = backup.manifest_name.clone();
                Going { manifest, object }
            })
        })
    }

    /// Deletes it: manifests first, so that what is half deleted is no backup any more. Folders, which go one by one, go
    /// right after their own: what is interrupted leaves one. Returns how many backups went.
    pub async fn carry_out(&self, remote: &dyn Remote) -> Result<usize, RemoteError> {
        let (trees, streams): (Vec<&Backup>, Vec<&Backup>) =
            self.deletions().partition(|b| b.objects().any(|name| name.ends_with('/')));
        let manifests: Vec<String> = streams.iter().map(|b| b.manifest_name.clone()).collect();
        remote.delete(&manifests).await?;
        remote.delete(&self.objects(&streams)).await?;
        for tree in &trees {
            remote.delete(std::slice::from_ref(&tree.manifest_name)).await?;
            remote.delete(&self.objects(&[tree])).await?;
        }
        Ok(streams.len() + trees.len())
    }

    /// The objects that go with these; folders end with a `/`.
    fn objects(&self, going: &[&Backup]) -> Vec<String> {
        let ours = going.iter().flat_map(|backup| backup.objects().chain(backup.sidecars()));
        ours.filter(|name| !self.is_shared(name)).collect()
    }

    /// Whether a manifest which stays speaks of an object, of a folder it is in, or of anything in it.
    fn is_shared(&self, name: &str) -> bool {
        let mut inside = self.shared.range(name.to_owned()..);
        self.shared.contains(name)
            || folders_above(name).any(|folder| self.shared.contains(folder))
            || name.ends_with('/') && inside.next().is_some_and(|first| first.starts_with(name))
    }
}

fn is_delete(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Delete(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Object, name_for, tests::manifest};

    fn backup(place: &str, objects: &[(&str, Option<u64>)]) -> Backup {
        let mut manifest = manifest("j", "db", 0, objects[0].0);
        let one = manifest.objects[0].clone();
        let object =
            |&(name, files): &(&str, _)| Object { name: name.into(), files, ..one.clone() };
        manifest.objects = objects.iter().map(object).collect();
        Backup {
            manifest_name: name_for(&format!("{place}{}", objects[0].0)),
            manifest,
            verified: Vec::new(),
        }
    }

    /// What goes with `going` while `staying` stays.
    fn gone(going: &Backup, staying: &[Backup]) -> Vec<String> {
        let shared = staying.iter().flat_map(Backup::objects).collect();
        PrunePlan { verdicts: Vec::new(), shared }.objects(&[going])
    }

    #[test]
    fn nothing_goes_that_what_stays_speaks_of() {
        let tree = || backup("a/", &[("x", Some(3)), ("x.sha256", None)]);
        assert_eq!(gone(&tree(), &[]), ["a/x/", "a/x.sha256"]);
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
