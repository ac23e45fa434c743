//! Retention at work: the choice of [`retention::select`], carried out.

use chrono::{DateTime, Utc};

use crate::catalog::{Backup, Catalog};
use crate::job::{Database, Job};
use crate::remote::{Remote, RemoteError};
use crate::retention::{self, Verdict};

/// What is to become of each backup of a job.
#[derive(Debug, Clone)]
pub struct PrunePlan {
    /// Every backup of the job's databases, the newest first, with its verdict.
    pub verdicts: Vec<(Backup, Verdict)>,
}

impl PrunePlan {
    /// Judges what the catalog holds, for each of these databases of the job.
    pub fn new(catalog: &Catalog, job: &Job, databases: &[Database], now: DateTime<Utc>) -> Self {
        let mut verdicts = Vec::new();
        for database in databases {
            let label = database.label();
            let all = retention::select(&catalog.backups, &job.id, label, &job.retention, now);
            let ours = |b: &Backup| b.manifest.job == job.id && b.manifest.database == label;
            let pairs = catalog.backups.iter().cloned().zip(all);
            verdicts.extend(pairs.filter(|(backup, _)| ours(backup)));
        }
        Self { verdicts }
    }

    /// What goes.
    pub fn deletions(&self) -> impl Iterator<Item = &Backup> {
        self.verdicts.iter().filter(|(_, v)| matches!(v, Verdict::Delete(_))).map(|(b, _)| b)
    }

    /// Deletes it: manifests first, so that what is half deleted is no backup any more. Returns how many went.
    pub async fn carry_out(&self, remote: &dyn Remote) -> Result<usize, RemoteError> {
        let manifests: Vec<String> = self.deletions().map(|b| b.manifest_name.clone()).collect();
        let objects: Vec<String> = self.deletions().flat_map(Backup::objects).collect();
        remote.delete(&manifests).await?;
        remote.delete(&objects).await?;
        Ok(manifests.len())
    }
}
