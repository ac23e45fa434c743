//! The deletions themselves: few calls for many backups, and nothing half deleted is a backup.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};

use crate::catalog::{Backup, Catalog, folders_above};
use crate::job::JobId;
use crate::remote::{Remote, RemoteError};
use crate::state::{Going, Journal, RunDir, StateDir, StateError};

/// How many backups two calls take: what goes wrong in one does not touch the next, and what is under way is one
/// journal.
const BATCH: usize = 1000;

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Pruned {
    /// How many backups are none any more.
    pub gone: usize,
    /// The names of the manifests that the remote did not let go.
    pub refused: Vec<String>,
    /// How many stay for now because somebody here reads them.
    pub read: usize,
    /// Why something did not go, the first time.
    pub error: Option<RemoteError>,
}

impl Pruned {
    /// What the user should know of `all` that were to go.
    pub fn trouble(&self, all: usize) -> Option<String> {
        let error = self.error.as_ref()?;
        let stays = match self.refused.as_slice() {
            [] => String::new(),
            [one] => format!(", {one} stays"),
            [one, rest @ ..] => format!(", {one} and {} others stay", rest.len()),
        };
        let gone = self.gone;
        Some(format!("retention deleted nothing more than {gone} of {all} backups{stays}: {error}"))
    }
}

/// Backups of a job that are to go.
#[derive(Debug)]
pub struct Deletion<'a> {
    job: &'a JobId,
    going: Vec<&'a Backup>,
    /// Objects that a manifest which stays speaks of, too.
    shared: BTreeSet<String>,
}

impl<'a> Deletion<'a> {
    /// These of a job; all others that the catalog has stay, and what they speak of.
    pub fn new(
        catalog: &Catalog,
        job: &'a JobId,
        going: impl IntoIterator<Item = &'a Backup>,
    ) -> Self {
        let going: Vec<&Backup> = going.into_iter().collect();
        let names: HashSet<&str> = going.iter().map(|b| &*b.manifest_name).collect();
        let staying = catalog.backups.iter().filter(|b| !names.contains(&*b.manifest_name));
        Self { job, shared: staying.flat_map(Backup::objects).collect(), going }
    }

    /// The same, with what stays known already.
    pub(super) fn sparing(
        shared: &BTreeSet<String>,
        job: &'a JobId,
        going: impl IntoIterator<Item = &'a Backup>,
    ) -> Self {
        Self { job, going: going.into_iter().collect(), shared: shared.clone() }
    }

    /// The objects that go with these, and what was noted on them; folders end with a `/`.
    pub(super) fn objects(&self, going: &[&Backup]) -> Vec<String> {
        let ours = going.iter().flat_map(|b| b.objects().chain(b.sidecars()));
        ours.filter(|name| !self.is_shared(name)).collect()
    }

    /// Whether a manifest which stays speaks of an object, of a folder it is in, or of anything in it.
    fn is_shared(&self, name: &str) -> bool {
        let mut inside = self.shared.range(name.to_owned()..);
        self.shared.contains(name)
            || folders_above(name).any(|folder| self.shared.contains(folder))
            || name.ends_with('/') && inside.next().is_some_and(|first| first.starts_with(name))
    }

    /// Deletes them: manifests first, so that what is half deleted is no backup any more. The oldest first, as that is how
    /// the locks of a remote expire; what it refuses stays whole, and the rest goes on. Folders, which go one by one, go
    /// right after their own manifest: what is interrupted leaves one.
    ///
    /// What is about to go is written down: once its manifest is gone, nothing else tells that an object is ours. Where
    /// that ends half-way, also by a drop of this future, the next run of the job takes what is left.
    pub async fn carry_out(
        &self,
        remote: &dyn Remote,
        state: &StateDir,
        now: DateTime<Utc>,
    ) -> Result<Pruned, StateError> {
        let mut pruned = Pruned::default();
        let mut going = self.going.clone();
        let (all, label) = (going.len(), remote.label());
        going.retain(|b| b.objects().next().is_none_or(|name| !state.is_claimed(&label, &name)));
        pruned.read = all - going.len();
        going.sort_by_key(|backup| backup.manifest.started);
        let (trees, streams): (Vec<&Backup>, Vec<&Backup>) =
            going.into_iter().partition(|b| b.objects().any(|name| name.ends_with('/')));
        for batch in streams.chunks(BATCH) {
            let note = self.note(batch, remote, state, now)?;
            match self.delete(batch, remote, &mut pruned).await {
                Outcome::Done => note.done(),
                Outcome::Left => drop(note),
                Outcome::Nobody => return Ok(pruned),
            }
        }
        for tree in &trees {
            if let Outcome::Nobody = self.delete(&[*tree], remote, &mut pruned).await {
                break;
            }
        }
        Ok(pruned)
    }

    async fn delete(&self, batch: &[&Backup], remote: &dyn Remote, pruned: &mut Pruned) -> Outcome {
        let manifests: Vec<String> = batch.iter().map(|b| b.manifest_name.clone()).collect();
        let mut going = batch.to_vec();
        let mut after = Outcome::Done;
        if let Err(error) = remote.delete(&manifests).await {
            let may_pass = !error.lasting;
            pruned.error.get_or_insert(error);
            let Ok(there) = remote.list("").await else { return Outcome::Nobody };
            let there: HashSet<String> = there.into_iter().map(|entry| entry.name).collect();
            let (stay, gone): (Vec<&Backup>, Vec<&Backup>) =
                going.into_iter().partition(|b| there.contains(&b.manifest_name));
            if gone.is_empty() && may_pass {
                after = Outcome::Nobody;
            }
            pruned.refused.extend(stay.iter().map(|b| b.manifest_name.clone()));
            going = gone;
        }
        pruned.gone += going.len();
        if let Err(error) = remote.delete(&self.objects(&going)).await {
            let may_pass = !error.lasting;
            pruned.error.get_or_insert(error);
            after = if may_pass { Outcome::Nobody } else { Outcome::Left };
        }
        after
    }

    fn note(
        &self,
        batch: &[&Backup],
        remote: &dyn Remote,
        state: &StateDir,
        now: DateTime<Utc>,
    ) -> Result<Note, StateError> {
        let name = format!("prune-{}", uuid::Uuid::new_v4().simple());
        let dir = state.run_dir(self.job, &name)?;
        let going = |backup: &&Backup| {
            let manifest = backup.manifest_name.clone();
            let one = move |object| Going { manifest: manifest.clone(), object };
            self.objects(&[backup]).into_iter().map(one)
        };
        dir.write_journal(&Journal {
            remote: remote.label(),
            started: now,
            temporaries: Vec::new(),
            objects: Vec::new(),
            manifest: String::new(),
            files: Vec::new(),
            going: batch.iter().flat_map(going).collect(),
        })?;
        Ok(Note(Some(dir)))
    }
}

/// How a batch ended.
enum Outcome {
    /// Nothing is left of what went.
    Done,
    /// Objects may be, without their manifest.
    Left,
    /// The remote does not do anything at all.
    Nobody,
}

/// The journal of a batch, which stays unless that is done.
struct Note(Option<RunDir>);

impl Note {
    fn done(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(dir) = self.0.take() {
            dir.keep();
        }
    }
}
