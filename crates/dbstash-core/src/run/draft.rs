//! Where a backup will be: a free name, claimed and written down, and the uploads under way to it.

use std::time::Duration;

use super::Run;
use super::shape::{Names, Shape};
use crate::catalog::{Catalog, folders_above};
use crate::engine::Format;
use crate::error::RunError;
use crate::job::Database;
use crate::load;
use crate::manifest::{self, Manifest};
use crate::name::Values;
use crate::remote::{NewObject, RemoteError, TreeUpload, Upload};
use crate::state::{Claim, Journal, RunDir};
use crate::store::Stored;
use crate::tally::Counts;
use crate::temporary;

/// Each costs a question, and a template that gives the same name so often is a mistake.
const MOST_NAMES: u32 = 1000;

/// A backup that is not one yet: no manifest vouches for it.
pub(super) struct Draft {
    /// The dump's name; a folder's ends with a `/`.
    pub(super) object: String,
    /// The dump's name without its extension.
    pub(super) base: String,
    /// The uploads of its objects, a stream's first.
    pub(super) uploads: Vec<Box<dyn Upload>>,
    /// The upload of a folder.
    pub(super) tree: Option<Box<dyn TreeUpload>>,
    /// About how many bytes the dump will have, where an earlier backup tells.
    pub(super) expected: Option<u64>,
    /// What is whole.
    pub(super) stored: Vec<manifest::Object>,
    /// All of it is whole, and the manifest on its way.
    pub(super) announced: bool,
    _claim: Claim,
}

/// The extension of the list of a folder's files and their sums.
pub(super) const SUMS: &str = "sha256";

impl Draft {
    /// The name of an object beside the dump.
    pub(super) fn beside(&self, extension: &str) -> String {
        format!("{}.{extension}", self.base)
    }

    /// Notes an object that is whole on the remote.
    pub(super) fn add(&mut self, object: &str, format: Format, stored: Stored) {
        let file = object.rsplit('/').next().unwrap_or(object);
        self.stored.push(manifest::Object {
            name: file.to_owned(),
            files: None,
            names: None,
            format: format.name.to_owned(),
            bytes: stored.bytes,
            raw_bytes: stored.proof.raw_bytes(),
            sha256: stored.sha256,
            encodings: stored.compression.iter().map(|c| c.name().to_owned()).collect(),
            passed: stored.proof.passed().clone(),
            counts: stored.counts,
        });
    }

    /// The mark of a restore that was not complete, if the dump of this database holds one or is the mark: it is of half
    /// a database, or of a server that has such a one.
    pub(super) fn marked(&self, database: &Database) -> Option<&str> {
        if matches!(database, Database::One(name) if name == load::MARK) {
            return Some(load::MARK);
        }
        let is_mark = |name: &&String| name.rsplit('.').next() == Some(load::MARK);
        self.stored.iter().find_map(|object| match &object.counts {
            Counts::Of(counts) => counts.keys().find(is_mark).map(String::as_str),
            _ => None,
        })
    }

    /// Takes everything back; the first reason why something may be left.
    pub(super) async fn undo(&mut self, grace: Duration) -> Option<RunError> {
        let mut left = None;
        if let Some(tree) = &mut self.tree
            && let Err(error) = tree.abort(grace).await
        {
            left = Some(RunError::Upload(error));
        }
        for upload in &mut self.uploads {
            if let Err(error) = upload.abort(grace).await {
                left.get_or_insert(RunError::Upload(error));
            }
        }
        left
    }
}

impl Run<'_> {
    /// Finds a free name and writes down what is about to be made.
    pub(super) async fn reserve(&self, shape: &Shape, run_dir: &RunDir) -> Result<Draft, RunError> {
        let remote = self.cx.remote;
        let asked = async {
            // Folders have a temporary everywhere.
            if remote.probe().await?.atomic && !shape.folder {
                return Ok(self.last_size().await);
            }
            self.tidy().await;
            Ok::<_, RunError>(None)
        };
        let (expected, name) = tokio::join!(asked, self.free_name(shape));
        let (expected, (names, claim)) = (expected?, name?);
        run_dir.write_journal(&Journal {
            remote: remote.label(),
            started: self.started,
            temporaries: names.own().map(|name| self.temporary(name)).collect(),
            objects: names.objects.clone(),
            manifest: names.manifest,
            files: Vec::new(),
            going: Vec::new(),
        })?;
        Ok(Draft {
            object: names.objects.into_iter().next().unwrap_or_default(),
            base: names.base,
            uploads: Vec::new(),
            tree: None,
            expected,
            stored: Vec::new(),
            announced: false,
            _claim: claim,
        })
    }

    /// The same, and begins to make it.
    pub(super) async fn begin(&self, shape: &Shape, run_dir: &RunDir) -> Result<Draft, RunError> {
        let mut draft = self.reserve(shape, run_dir).await?;
        draft.uploads.push(self.upload(&draft.object, draft.expected).await?);
        Ok(draft)
    }

    /// Begins to store an object of this run.
    pub(super) async fn upload(
        &self,
        name: &str,
        expected: Option<u64>,
    ) -> Result<Box<dyn Upload>, RunError> {
        let temporary = self.temporary(name);
        let new = NewObject { name, temporary: &temporary, expected, owned: false };
        Ok(self.cx.remote.begin(&new).await?)
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
    async fn free_name(&self, shape: &Shape) -> Result<(Names, Claim), RunError> {
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
        let above: Vec<String> = folders_above(&base).map(manifest::name_for).collect();
        if !above.is_empty() {
            let above: Vec<&str> = above.iter().map(String::as_str).collect();
            if self.cx.remote.any(&above).await? {
                return Err(RunError::Upload(RemoteError::new(format!(
                    "{base} would be in a folder that is a backup itself ({} is there): give the two jobs names that \
                     are not inside each other, by BACKUP_NAME_TEMPLATE",
                    above.join(" or ")
                ))));
            }
        }
        for attempt in 1..=MOST_NAMES {
            let names = shape.names(&base, attempt);
            let all = names.all();
            if self.cx.remote.any(&all.iter().map(String::as_str).collect::<Vec<_>>()).await? {
                continue;
            }
            if let Some(claim) = self.cx.state.claim(&self.cx.remote.label(), &names.objects[0])? {
                return Ok((names, claim));
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
        catalog.backups.iter().map(|b| &*b.manifest).find(|m| ours(m)).map(Manifest::bytes)
    }

    /// Where an object of this run is written until it is whole.
    pub(super) fn temporary(&self, object: &str) -> String {
        temporary::name(object, &self.id.id)
    }
}
