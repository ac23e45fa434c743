//! The manifest: written last, and the same way as the dump.

use super::Run;
use super::draft::Draft;
use crate::artifact::Artifact;
use crate::catalog;
use crate::error::RunError;
use crate::manifest::{self, Manifest};
use crate::remote::NewObject;
use crate::store::{Failure, Guard, Progress, store};

impl Run<'_> {
    /// What was stored, by whom, and what vouches for it.
    pub(super) fn manifest(&self, draft: &Draft) -> Manifest {
        let mut manifest = Manifest {
            format: manifest::FORMAT,
            id: self.id.id.clone(),
            job: self.job.id.clone(),
            engine: self.job.engine,
            database: self.id.database.clone(),
            mode: self.job.mode.as_str().to_owned(),
            objects: draft.stored.clone(),
            started: self.started,
            ended: self.cx.clock.now(),
            host: self.job.naming.host.clone(),
            dbstash: env!("CARGO_PKG_VERSION").to_owned(),
        };
        if manifest.write().len() as u64 > manifest::MAX_BYTES {
            manifest.sum_counts();
        }
        manifest
    }

    /// Stores the manifest, the same way as the dump: this makes it a backup.
    pub(super) async fn publish(
        &self,
        object: &str,
        manifest: &Manifest,
        guard: &Guard<'_>,
    ) -> Result<(), Failure> {
        let name = manifest::name_for(object);
        let bytes = manifest.write();
        let size = bytes.len() as u64;
        let temporary = self.temporary(&name);
        let new =
            NewObject { name: &name, temporary: &temporary, expected: Some(size), owned: true };
        let opening = async { Ok(self.cx.remote.begin(&new).await?) };
        let work = async {
            let mut upload = guard.watch(&Progress::default(), opening).await?;
            let mut artifact = Artifact::of_bytes(bytes);
            store(&mut artifact, None, upload.as_mut(), guard).await
        };
        work.await.map_err(|Failure { cause, left }| match cause {
            RunError::Interrupted => Failure { cause, left },
            other => Failure { cause: RunError::Manifest(Box::new(other)), left },
        })?;
        let cache = self.cx.state.cache(&self.cx.remote.label());
        catalog::remember(&cache, &name, size, manifest);
        Ok(())
    }
}
