//! A backup beside the one before: what it lacks is a warning.

use super::Run;
use crate::catalog::{Catalog, whole};
use crate::drift::drift;
use crate::manifest::Manifest;
use crate::remote::RemoteError;
use crate::tally::Counts;

impl Run<'_> {
    /// Compares a backup with the one before, whose manifest may be known. The backup is there, whatever comes of it.
    pub(super) async fn compare(&self, manifest: &Manifest, before: Option<String>) {
        let Some(now) = counts(manifest).filter(|counts| counts.total().is_some()) else { return };
        if self.job.drift == 0 {
            return;
        }
        let found = tokio::select! {
            () = self.cx.cancel.cancelled() => {
                self.warn("the backup was not compared with the one before: ended by a signal".to_owned());
                return;
            }
            found = self.before(manifest, before) => found,
        };
        match found {
            Ok(before) => {
                let before = before.as_ref().and_then(counts);
                let told = before.map(|before| drift(self.job.engine, before, now, self.job.drift));
                told.into_iter().flatten().for_each(|text| self.warn(text));
            }
            Err(error) => {
                self.warn(format!("the backup was not compared with the one before: {error}"));
            }
        }
    }

    /// The manifest of the newest good backup before this one.
    async fn before(
        &self,
        manifest: &Manifest,
        known: Option<String>,
    ) -> Result<Option<Manifest>, RemoteError> {
        let remote = self.cx.remote;
        let ours = |other: &Manifest| {
            let same = other.job == manifest.job && other.database == manifest.database;
            same && other.id != manifest.id
        };
        if let Some(name) = known
            && let Some(found) = whole(remote, &name).await?
            && ours(&found)
        {
            return Ok(Some(found));
        }
        let cache = self.cx.state.cache(&remote.label());
        let catalog = Catalog::load(remote, &cache, self.started).await?;
        let older =
            catalog.backups.iter().find(|backup| ours(&backup.manifest) && !backup.is_corrupt());
        match older {
            Some(backup) => whole(remote, &backup.manifest_name).await,
            None => Ok(None),
        }
    }
}

/// What was counted in the dump itself.
fn counts(manifest: &Manifest) -> Option<&Counts> {
    manifest.dump().map(|dump| &dump.counts)
}
