//! The manifest: written last, and the same way as the dump.

use super::Run;
use crate::artifact::Artifact;
use crate::error::RunError;
use crate::manifest::{self, Manifest};
use crate::remote::NewObject;
use crate::store::{Guard, Progress, Stored, store};

impl Run<'_> {
    /// What was stored, by whom, and what vouches for it.
    pub(super) fn manifest(&self, object: &str, format: &str, stored: Stored) -> Manifest {
        let file = object.rsplit('/').next().unwrap_or(object);
        Manifest {
            format: manifest::FORMAT,
            id: self.id.id.clone(),
            job: self.job.id.clone(),
            engine: self.job.engine,
            database: self.id.database.clone(),
            mode: "stream".to_owned(),
            objects: vec![manifest::Object {
                name: file.to_owned(),
                format: format.to_owned(),
                bytes: stored.bytes,
                raw_bytes: stored.proof.raw_bytes(),
                sha256: stored.sha256,
                encodings: Vec::new(),
                passed: stored.proof.passed().clone(),
            }],
            started: self.started,
            ended: self.cx.clock.now(),
            host: self.job.naming.host.clone(),
            dbstash: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Stores the manifest, the same way as the dump: this makes it a backup.
    pub(super) async fn publish(
        &self,
        object: &str,
        manifest: &Manifest,
        guard: &Guard<'_>,
    ) -> Result<(), (RunError, Option<RunError>)> {
        let name = manifest::name_for(object);
        let bytes = manifest.write();
        let temporary = self.manifest_temporary(&name);
        let new =
            NewObject { name: &name, temporary: &temporary, expected: Some(bytes.len() as u64) };
        let opening = async { Ok(self.cx.remote.begin(&new).await?) };
        let wrap = |cause| match cause {
            RunError::Interrupted => RunError::Interrupted,
            other => RunError::Manifest(Box::new(other)),
        };
        let mut upload = guard
            .watch(&Progress::default(), opening)
            .await
            .map_err(|cause| (wrap(cause), None))?;
        let mut artifact = Artifact::of_bytes(bytes);
        let stored = store(&mut artifact, upload.as_mut(), guard).await;
        stored.map(drop).map_err(|(cause, undone)| (wrap(cause), undone))
    }
}
