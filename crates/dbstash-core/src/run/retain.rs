//! Retention after a backup.

use super::Run;
use crate::catalog::Catalog;
use crate::prune::PrunePlan;
use crate::remote::RemoteError;
use crate::state::{Journal, RunDir, StateError};

impl Run<'_> {
    /// Deletes what retention says, and returns how many backups went. Its failures are warnings, the backup is there
    /// all the same.
    pub(super) async fn retain(&self) -> usize {
        if self.job.retention.keeps_everything() {
            return 0;
        }
        let Some(plan) = self.unless_ended(self.judge()).await else { return 0 };
        let noted = match self.note(&plan) {
            Ok(noted) => noted,
            Err(error) => {
                self.warn(format!("retention deleted nothing: {error}"));
                return 0;
            }
        };
        let gone = self.unless_ended(plan.carry_out(self.cx.remote)).await;
        if let (None, Some(noted)) = (gone, noted) {
            noted.keep();
        }
        gone.unwrap_or(0)
    }

    async fn judge(&self) -> Result<PrunePlan, RemoteError> {
        let (cache, now) = (self.cx.state.cache(&self.cx.remote.label()), self.cx.clock.now());
        let catalog = Catalog::load(self.cx.remote, &cache, now).await?;
        let plan = PrunePlan::new(&catalog, self.job, Some(self.database), now);
        plan.holds().into_iter().for_each(|text| self.warn(text));
        Ok(plan)
    }

    /// Writes down what is about to go: once its manifest is gone, nothing else tells that an object is ours. Where a
    /// deletion fails half-way, the next run takes what is left.
    fn note(&self, plan: &PrunePlan) -> Result<Option<RunDir>, StateError> {
        let going: Vec<_> = plan.streams().collect();
        if going.is_empty() {
            return Ok(None);
        }
        let name = format!("prune-{}", uuid::Uuid::new_v4().simple());
        let dir = self.cx.state.run_dir(&self.job.id, &name)?;
        dir.write_journal(&Journal {
            remote: self.cx.remote.label(),
            started: self.cx.clock.now(),
            temporaries: Vec::new(),
            objects: Vec::new(),
            manifest: String::new(),
            files: Vec::new(),
            going,
        })?;
        Ok(Some(dir))
    }

    async fn unless_ended<T>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Option<T> {
        tokio::select! {
            () = self.cx.cancel.cancelled() => {
                self.warn("retention was not finished: ended by a signal".to_owned());
                None
            }
            done = work => done
                .inspect_err(|error| self.warn(format!("retention deleted nothing more: {error}")))
                .ok(),
        }
    }
}
