//! A dump of files: made on local disk, looked at, and stored as a folder, as a tar, or as the one file it is.

use std::fmt::Write as _;

use super::draft::{Draft, SUMS};
use super::{Run, Work};
use crate::artifact::{Artifact, TreeArtifact, WholeTree};
use crate::catalog::Catalog;
use crate::engine::{Format, Tree};
use crate::error::RunError;
use crate::job::{Job, Mode, SqliteFormat};
use crate::manifest::{self, Manifest};
use crate::remote::NewTree;
use crate::spool::{self, Spool};
use crate::store::{Failure, Phase, Progress, store};
use crate::tally::Counts;

const LIST: Format = Format { name: "sha256sum", extension: SUMS, compressed: false };

impl Run<'_> {
    /// Makes the files and stores them; what their tools had to remark.
    pub(super) async fn tree(
        &self,
        plan: Tree,
        draft: &mut Draft,
        work: Work<'_>,
    ) -> Result<String, Failure> {
        let (format, file) = (plan.format, plan.file);
        let room = async { Ok(self.last_raw_size().await.unwrap_or(0)) };
        let needed = work.guard.watch(&Progress::default(), room).await?;
        let spool = Spool::make(&self.job.temp_dir, &self.id.id, needed).map_err(RunError::from)?;
        let is_folder = file.is_none() && draft.object.ends_with('/');
        let mut whole = self.fill(plan, &spool, is_folder, work).await?;
        let counts = std::mem::take(&mut whole.counts);
        let remarks = whole.proof.remarks().to_owned();
        if is_folder {
            self.store_folder(whole, format, &spool, draft, work).await?;
        } else {
            let contents = match file {
                Some(file) => spool::of_file(spool.tree().join(file)),
                None => spool::of_tar(spool.tree(), whole.files, folder_name(&draft.base)),
            };
            let mut artifact = Artifact::proven(Box::new(contents), &whole.proof);
            let opening = self.upload(&draft.object, Some(whole.proof.raw_bytes()));
            let mut upload = work.guard.watch(&Progress::default(), opening).await?;
            let stored =
                store(&mut artifact, self.job.compression, upload.as_mut(), work.guard).await?;
            draft.uploads.push(upload);
            draft.add(&draft.object.clone(), format, stored);
        }
        if let Some(dump) = draft.stored.first_mut() {
            dump.counts = counts;
        }
        Ok(remarks)
    }

    /// Runs the tools and looks at what they made.
    async fn fill(
        &self,
        plan: Tree,
        spool: &Spool,
        sums: bool,
        work: Work<'_>,
    ) -> Result<WholeTree, Failure> {
        let mut artifact = TreeArtifact::new(plan, spool.tree(), self.job.limits.min_size);
        let progress = Progress::default();
        let making = async {
            artifact.make(self.cx.launcher, work.run_dir, &progress).await?;
            artifact.finish(sums, &progress).await
        };
        match work.guard.watch(&progress, making).await {
            Ok(whole) => Ok(whole),
            Err(cause) => {
                let said = artifact.stop(cause.grace()).await;
                Err(cause.with_last_words(said).into())
            }
        }
    }

    /// Stores the files one by one, and beside them the list by which `sha256sum -c` knows them.
    async fn store_folder(
        &self,
        whole: WholeTree,
        format: Format,
        spool: &Spool,
        draft: &mut Draft,
        work: Work<'_>,
    ) -> Result<(), Failure> {
        let tree = spool.tree();
        let in_folder = |file: &spool::TreeFile| format!("{}{}", draft.object, file.path);
        let files = whole.files.iter().map(in_folder).collect();
        work.run_dir.add_files(files).map_err(RunError::from)?;
        let temporary = self.temporary(&draft.object);
        let new = NewTree { name: &draft.object, temporary: &temporary, from: &tree };
        let opening = async { Ok(self.cx.remote.begin_tree(&new).await?) };
        let upload = work.guard.watch(&Progress::default(), opening).await?;
        let upload = draft.tree.insert(upload);
        let progress = Progress::default();
        progress.enter(Phase::Writing);
        // Told while the files are compared, too: that is work, although no byte moves.
        let told = |_| progress.moved();
        let copying = async { Ok(upload.commit(&whole.proof, &told).await?) };
        work.guard.watch(&progress, copying).await?;

        let name = draft.beside(SUMS);
        let mut sums = String::new();
        let folder = folder_name(&draft.base);
        for (file, sum) in whole.files.iter().zip(&whole.sums) {
            let _ = writeln!(sums, "{sum}  {folder}/{}", file.path);
        }
        let opening = self.upload(&name, Some(sums.len() as u64));
        let mut upload = work.guard.watch(&Progress::default(), opening).await?;
        let mut artifact = Artifact::of_bytes(sums.into_bytes());
        let list = store(&mut artifact, None, upload.as_mut(), work.guard).await?;
        draft.uploads.push(upload);
        let bytes = whole.proof.raw_bytes();
        draft.stored.push(manifest::Object {
            name: folder,
            files: Some(whole.files.len() as u64),
            names: Some(manifest::digest_of_names(whole.files.iter().map(|file| &*file.path))),
            format: format.name.to_owned(),
            bytes,
            raw_bytes: bytes,
            sha256: list.sha256.clone(),
            encodings: Vec::new(),
            passed: whole.proof.passed().clone(),
            counts: Counts::Untold,
        });
        draft.add(&name, LIST, list);
        Ok(())
    }

    /// The size of the newest backup's dump, which is about what this one needs on local disk.
    async fn last_raw_size(&self) -> Option<u64> {
        let label = self.cx.remote.label();
        let cache = self.cx.state.cache(&label);
        let catalog = Catalog::load(self.cx.remote, &cache, self.started).await.ok()?;
        let ours = |m: &&Manifest| {
            m.job == self.job.id
                && m.database == self.id.database
                && m.mode == self.job.mode.as_str()
        };
        catalog.backups.iter().map(|b| &*b.manifest).find(ours).map(Manifest::raw_bytes)
    }
}

/// The last part of a backup's name.
fn folder_name(base: &str) -> String {
    base.rsplit('/').next().unwrap_or(base).to_owned()
}

/// What a tool means that found no room for its files.
pub(super) fn out_of_room(job: &Job, error: &RunError) -> Option<String> {
    let makes_files = job.mode != Mode::Stream || job.sqlite_format == SqliteFormat::File;
    let full = ["No space left on device", "Disk quota exceeded", "disk is full"];
    let path = job.temp_dir.display();
    (makes_files && full.iter().any(|said| error.stderr().contains(said))).then(|| {
        format!("the temporary directory {path} is full: make room, or set BACKUP_TEMP_DIR to a bigger disk")
    })
}
