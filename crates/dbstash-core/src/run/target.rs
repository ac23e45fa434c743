//! Where a backup will be: a free name, claimed, written down, and an upload under way to it.

use super::Run;
use crate::catalog::{Catalog, temporary};
use crate::error::RunError;
use crate::manifest::{self, Manifest};
use crate::name::{Values, object_name};
use crate::remote::{NewObject, Upload};
use crate::state::{Claim, Journal, RunDir};

/// An object under way.
pub(super) struct Target {
    /// Its name.
    pub(super) object: String,
    /// Its upload.
    pub(super) upload: Box<dyn Upload>,
    _claim: Claim,
}

impl Run<'_> {
    /// Finds a free name, writes down what is about to be made, and begins to make it.
    pub(super) async fn begin(
        &self,
        extension: &str,
        run_dir: &RunDir,
    ) -> Result<Target, RunError> {
        let remote = self.cx.remote;
        let expected = if remote.probe().await?.atomic { self.last_size().await } else { None };
        let (object, claim) = self.free_name(extension).await?;
        let temporary = temporary(&object, &self.id.id);
        let manifest = manifest::name_for(&object);
        run_dir.write_journal(&Journal {
            remote: remote.label(),
            started: self.started,
            temporaries: vec![temporary.clone(), self.manifest_temporary(&manifest)],
            object: object.clone(),
            manifest,
        })?;
        let upload =
            remote.begin(&NewObject { name: &object, temporary: &temporary, expected }).await?;
        Ok(Target { object, upload, _claim: claim })
    }

    /// A name nobody has, and nobody else here will take.
    async fn free_name(&self, extension: &str) -> Result<(String, Claim), RunError> {
        let naming = &self.job.naming;
        let base = naming.template.expand(&Values {
            db: self.database.label(),
            engine: self.job.engine.as_str(),
            job: self.job.id.as_str(),
            host: &naming.host,
            at: self.started,
            zone: naming.zone,
            uuid: self.id.id.rsplit('-').next().unwrap_or_default(),
        });
        for attempt in 1.. {
            let name = object_name(&base, attempt, extension);
            let manifest = manifest::name_for(&name);
            let (object, manifest) =
                tokio::join!(self.cx.remote.stat(&name), self.cx.remote.stat(&manifest));
            if object?.is_some() || manifest?.is_some() {
                continue;
            }
            if let Some(claim) = self.cx.state.claim(&self.cx.remote.label(), &name)? {
                return Ok((name, claim));
            }
        }
        unreachable!("the loop only ends with a name")
    }

    /// The size of the newest backup of this database, so that an upload can be dimensioned; a guess is enough.
    async fn last_size(&self) -> Option<u64> {
        let cache = self.cx.state.cache(&self.cx.remote.label());
        let catalog = Catalog::load(self.cx.remote, &cache, self.started).await.ok()?;
        let ours = |m: &Manifest| m.job == self.job.id && m.database == self.database.label();
        catalog.backups.iter().map(|b| &b.manifest).find(|m| ours(m)).map(Manifest::bytes)
    }

    /// Where the manifest is written until it is whole.
    pub(super) fn manifest_temporary(&self, manifest: &str) -> String {
        temporary(manifest, &self.id.id)
    }
}
