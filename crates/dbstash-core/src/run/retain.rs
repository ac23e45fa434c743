//! Retention after a backup.

use std::fmt::Display;

use super::Run;
use crate::catalog::Catalog;
use crate::prune::PrunePlan;
use crate::remote::RemoteError;
use crate::report::RunEvent;

impl Run<'_> {
    /// Deletes what retention says, and returns how many backups went. Its failures are warnings, the backup is there
    /// all the same.
    pub(super) async fn retain(&self) -> usize {
        if self.job.retention.keeps_everything() {
            return 0;
        }
        let Some(plan) = self.unless_ended(self.judge()).await else { return 0 };
        let (state, now) = (self.cx.state, self.cx.clock.now());
        let work = plan.carry_out(self.cx.remote, state, now);
        let Some(pruned) = self.unless_ended(work).await else { return 0 };
        if pruned.read > 0 {
            let text =
                format!("{} backups are being verified and go with the next run", pruned.read);
            self.tell(RunEvent::Note(&text));
        }
        if let Some(trouble) = pruned.trouble(plan.deletions().count()) {
            self.warn(trouble);
        }
        pruned.gone
    }

    async fn judge(&self) -> Result<PrunePlan, RemoteError> {
        let (cache, now) = (self.cx.state.cache(&self.cx.remote.label()), self.cx.clock.now());
        let catalog = Catalog::load(self.cx.remote, &cache, now).await?;
        let plan = PrunePlan::new(&catalog, self.job, Some(self.database), now);
        plan.holds().into_iter().for_each(|text| self.warn(text));
        Ok(plan)
    }

    async fn unless_ended<T, E: Display>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        tokio::select! {
            () = self.cx.cancel.cancelled() => {
                self.warn("retention was not finished: ended by a signal".to_owned());
                None
            }
            done = work => done
                .inspect_err(|error| self.warn(format!("retention deleted nothing: {error}")))
                .ok(),
        }
    }
}
