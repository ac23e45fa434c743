//! `dbstash pin` and `dbstash unpin`.

use anyhow::Result;
use dbstash_core::catalog::{Among, Backup, LATEST};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::JobId;
use dbstash_core::pin::{self, Pin};
use dbstash_core::state::LockError;

use crate::app::{App, complain, print};
use crate::args::Target;
use crate::commands::site::{ambiguous, named};
use crate::exit::Exit;
use crate::settings::{Here, Machine as _};

/// What is asked for.
pub struct Change<'a> {
    /// Of which backup.
    pub target: &'a Target,
    /// Whose newest one `latest` is.
    pub job: Option<JobId>,
    /// Whether it is to be pinned, or no longer.
    pub pin: bool,
    /// Whether only to show what would be done.
    pub dry_run: bool,
}

impl Change<'_> {
    /// Looks for the backup in all places, each with the jobs that were asked for, and does it: idempotent.
    pub async fn carry_out(&self, places: &[(App, Option<Vec<JobId>>)]) -> Result<Exit> {
        let mut found: Vec<(&App, Backup)> = Vec::new();
        for (app, jobs) in places {
            let own = self.job.as_slice();
            let own = (self.target.id == LATEST && !own.is_empty()).then_some(own);
            let among =
                Among { jobs: jobs.as_deref().or(own), database: self.target.database.as_deref() };
            let catalog = app.catalog().await?;
            let meant = catalog.meant(&self.target.id, among).into_iter();
            found.extend(meant.map(|backup| (app, backup.clone())));
        }
        match found.as_slice() {
            [(app, backup)] => self.change(app, backup).await,
            [] => {
                let id = &self.target.id;
                complain(&format!("error: {id} is no backup here: dbstash list shows their ids"));
                Ok(Exit::Failed)
            }
            several => {
                let several: Vec<&Backup> = several.iter().map(|(_, backup)| backup).collect();
                complain(&ambiguous(&self.target.id, &several));
                Ok(Exit::Failed)
            }
        }
    }

    async fn change(&self, app: &App, backup: &Backup) -> Result<Exit> {
        let (done, already) =
            if self.pin { ("pinned", "already pinned") } else { ("unpinned", "not pinned") };
        let is_as_asked = backup.notes.pinned == self.pin;
        if self.dry_run {
            let told = if is_as_asked { already.to_owned() } else { format!("would be {done}") };
            print(&format!("{told}: {}\n", named(backup)))?;
            return Ok(Exit::Done);
        }
        let (now, host) = (SystemClock.now(), Here.host_name());
        let manifest = &backup.manifest;
        let _held = match app.state.lock(&manifest.job, &manifest.database, &host, now) {
            Ok(held) => held,
            Err(refused @ LockError::Held(_)) => {
                complain(&refused.to_string());
                return Ok(Exit::Skipped);
            }
            Err(error) => return Err(error.into()),
        };
        let remote = &app.destination.remote;
        let changed = if self.pin {
            pin::pin(backup, remote, &host, now).await?
        } else {
            pin::unpin(backup, remote).await?
        };
        let told = if changed == Pin::Done { done } else { already };
        print(&format!("{told}: {}\n", named(backup)))?;
        Ok(Exit::Done)
    }
}
