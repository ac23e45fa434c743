//! A backup read back as soon as it is stored, where that is asked for.

use tokio::time::Instant;

use super::Run;
use crate::catalog::{Backup, Catalog};
use crate::error::RunError;
use crate::manifest::{self, Manifest};
use crate::past::Past;
use crate::report::RunEvent;
use crate::sidecar::Notes;
use crate::store::{Pace, Progress};
use crate::verify::{
    Context, Examined, Level, Mark, Occasion, Outcome, Verdict, Verification, Witness, examine,
};

impl Run<'_> {
    /// Whether it is what was stored. It stays where it is not, with a mark that says so. What nobody can tell is a
    /// warning: it was stored as any other.
    pub(super) async fn verified(&self, manifest: &Manifest, object: &str) -> Result<(), RunError> {
        let drill = self.drill_is_due(manifest).await.then_some(Level::Restore);
        let Some(asked) = drill.or(self.job.verify_after) else { return Ok(()) };
        let backup = Backup {
            manifest_name: manifest::name_for(object),
            manifest: Box::new(manifest.clone().uncounted()),
            notes: Notes::default(),
        };
        let (begun, progress, limits) = (Instant::now(), Progress::default(), self.job.limits);
        let cx = Context {
            remote: self.cx.remote,
            engine: self.cx.engine,
            launcher: self.cx.launcher,
            state: self.cx.state,
            trial: &self.job.trial,
            temp_dir: &self.job.temp_dir,
            run: &self.id.id,
            progress: &progress,
        };
        let by = Witness {
            clock: self.cx.clock,
            host: &self.job.naming.host,
            cancel: self.cx.cancel,
            limits: [limits.timeout, limits.stall],
            pace: &|pace| match pace {
                Pace::Still(_) => self.tell(RunEvent::Still(Some(
                    "the backup is stored, and a program has been looking at it for very long",
                ))),
                Pace::Again => self.tell(RunEvent::Still(None)),
            },
        };
        let Ok(Examined { verdict, mark, warning }) = examine(&backup, asked, cx, by).await else {
            self.warn("the backup was not verified: ended by a signal".to_owned());
            return Ok(());
        };
        if let Some(text) = warning {
            self.warn(text);
        }
        let untested =
            |why: &str| format!("the backup is stored, and could not be verified: {why}");
        let (done, told) = match &verdict {
            Verdict::Good { .. } | Verdict::Restored(_) => (Ok(()), None),
            Verdict::Corrupt(what) => (Err(RunError::Corrupt(what.clone())), None),
            Verdict::Untested(why) => (Ok(()), Some(untested(why))),
            Verdict::Gone => (Ok(()), Some(untested("somebody has deleted it"))),
        };
        let told_of = Verification {
            occasion: Occasion::Stored,
            backup: Some(Past::of(manifest, object)),
            newest: true,
            good: None,
            asked,
            verdict,
            at: mark.map_or_else(|| self.cx.clock.now(), |mark| mark.at),
            duration: begun.elapsed(),
        };
        self.tell(RunEvent::Verified(&told_of));
        if let Some(text) = told {
            self.warn(text);
        }
        done
    }

    /// Whether none of the last backups was restored on trial. Where that cannot be told, one is restored too many.
    async fn drill_is_due(&self, manifest: &Manifest) -> bool {
        let Some(every) = self.job.drill_after else { return false };
        if every == 1 {
            return true;
        }
        let cache = self.cx.state.cache(&self.cx.remote.label());
        let Ok(catalog) = Catalog::load(self.cx.remote, &cache, self.started).await else {
            return true;
        };
        let ours = |backup: &&Backup| {
            let other = &backup.manifest;
            other.job == manifest.job
                && other.database == manifest.database
                && other.id != manifest.id
        };
        let mut before = catalog.backups.iter().filter(ours).take(every - 1);
        let is_drilled = |mark: &Mark| mark.outcome == Outcome::Restored;
        !before.any(|backup| backup.notes.verified.iter().any(is_drilled))
    }
}
