//! Where a backup will be: a free name, claimed and written down, and the uploads under way to it.

use std::time::Duration;

use super::Run;
use crate::catalog::Catalog;
use crate::engine::{Companion, Format, Plan};
use crate::error::RunError;
use crate::manifest::{self, Manifest};
use crate::name::{Values, object_name};
use crate::remote::{NewObject, RemoteError, Upload};
use crate::state::{Claim, Journal, RunDir};
use crate::store::Stored;
use crate::temporary;

/// Each costs a question, and a template that gives the same name so often is a mistake.
const MOST_NAMES: u32 = 1000;

/// A backup that is not one yet: no manifest vouches for it.
pub(super) struct Draft {
    /// The dump's name.
    pub(super) object: String,
    /// The dump's name without its extension.
    pub(super) base: String,
    /// The uploads of its objects, the dump's first.
    pub(super) uploads: Vec<Box<dyn Upload>>,
    /// What is whole.
    pub(super) stored: Vec<manifest::Object>,
    /// All of it is whole, and the manifest on its way.
    pub(super) announced: bool,
    _claim: Claim,
}

impl Draft {
    /// Notes an object that is whole on the remote.
    pub(super) fn add(&mut self, object: &str, format: Format, stored: Stored) {
        let file = object.rsplit('/').next().unwrap_or(object);
        self.stored.push(manifest::Object {
            name: file.to_owned(),
            files: None,
            format: format.name.to_owned(),
            bytes: stored.bytes,
            raw_bytes: stored.proof.raw_bytes(),
            sha256: stored.sha256,
            encodings: stored.compression.iter().map(|c| c.name().to_owned()).collect(),
            passed: stored.proof.passed().clone(),
        });
    }

    /// Takes everything back; the first reason why something may be left.
    pub(super) async fn undo(&mut self, grace: Duration) -> Option<RunError> {
        let mut left = None;
        for upload in &mut self.uploads {
            if let Err(error) = upload.abort(grace).await {
                left.get_or_insert(RunError::Upload(error));
            }
        }
        left
    }
}

impl Run<'_> {
    /// Finds a free name, writes down what is about to be made, and begins to make it.
    pub(super) async fn begin(&self, plan: &Plan, run_dir: &RunDir) -> Result<Draft, RunError> {
        let remote = self.cx.remote;
        let asked = async {
            if remote.probe().await?.atomic {
                return Ok(self.last_size().await);
            }
            self.tidy().await;
            Ok::<_, RunError>(None)
        };
        let extension = self.job.dump_extension(&plan.dump);
        let (expected, name) = tokio::join!(asked, self.free_name(&extension));
        let (expected, (object, claim)) = (expected?, name?);
        let base =
            object.strip_suffix(&extension).map_or(&*object, |base| base.trim_end_matches('.'));
        let temporary = self.temporary(&object);
        let manifest = manifest::name_for(&object);
        let companions = plan.companions.iter().filter_map(|c| self.companion_name(base, c));
        let objects: Vec<_> = std::iter::once(object.clone()).chain(companions).collect();
        let every = objects.iter().chain(std::iter::once(&manifest));
        run_dir.write_journal(&Journal {
            remote: remote.label(),
            started: self.started,
            temporaries: every.map(|name| self.temporary(name)).collect(),
            objects,
            manifest,
        })?;
        let upload = remote
            .begin(&NewObject { name: &object, temporary: &temporary, expected, owned: false })
            .await?;
        let (base, uploads) = (base.to_owned(), vec![upload]);
        Ok(Draft { object, base, uploads, stored: Vec::new(), announced: false, _claim: claim })
    }

    /// Deletes the temporaries of runs that are long over.
    async fn tidy(&self) {
        let work = async {
            let stale = Catalog::stale(self.cx.remote, self.started).await?;
            self.cx.remote.delete(&stale).await
        };
        if let Err(error) = work.await {
            self.warn(format!("leftovers of earlier runs could not be deleted: {error}"));
        }
    }

    /// A name nobody has, and nobody else here will take.
    async fn free_name(&self, extension: &str) -> Result<(String, Claim), RunError> {
        let naming = &self.job.naming;
        let base = naming.template.expand(&Values {
            db: self.database.file_name(),
            engine: self.job.engine.as_str(),
            job: self.job.id.as_str(),
            host: &naming.host,
            at: self.started,
            zone: naming.zone,
            uuid: self.id.id.rsplit('-').next().unwrap_or_default(),
        });
        for attempt in 1..=MOST_NAMES {
            let name = object_name(&base, attempt, extension);
            let manifest = manifest::name_for(&name);
            if self.cx.remote.any(&[&name, &manifest]).await? {
                continue;
            }
            if let Some(claim) = self.cx.state.claim(&self.cx.remote.label(), &name)? {
                return Ok((name, claim));
            }
        }
        Err(RunError::Upload(RemoteError::new(format!(
            "{base} and {MOST_NAMES} names like it are taken: add {{date}} and {{time}}, or {{uuid}}, to \
             BACKUP_NAME_TEMPLATE"
        ))))
    }

    /// The size of the newest backup of this database, so that an upload can be dimensioned; a guess is enough.
    async fn last_size(&self) -> Option<u64> {
        let (label, database) = (self.cx.remote.label(), self.database.label());
        let remembered = self.cx.state.remembered_size(&label, &self.job.id, database);
        if remembered.is_some() {
            return remembered;
        }
        let cache = self.cx.state.cache(&label);
        let catalog = Catalog::load(self.cx.remote, &cache, self.started).await.ok()?;
        let ours = |m: &Manifest| m.job == self.job.id && m.database == database;
        catalog.backups.iter().map(|b| &b.manifest).find(|m| ours(m)).map(Manifest::bytes)
    }

    /// The name of a companion of the dump with this name.
    pub(super) fn companion_name(&self, base: &str, companion: &Companion) -> Option<String> {
        let way = companion.ways.first()?;
        Some(format!("{base}.{}", self.job.extension(&way.format)))
    }

    /// Where an object of this run is written until it is whole.
    pub(super) fn temporary(&self, object: &str) -> String {
        temporary::name(object, &self.id.id)
    }
}
