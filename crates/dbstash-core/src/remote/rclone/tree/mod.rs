//! `rclone copy` of a directory, and the proof that it arrived.

mod files;

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{sleep, timeout};

use self::files::Files;
use super::command::{self, failure};
use super::features::Storage;
use super::upload::{CLEANUP, bounded};
use super::{Probed, Rclone, folders, log};
use crate::artifact::Complete;
use crate::manifest::name_for;
use crate::process::{self, Exit, Running};
use crate::remote::{NewTree, ObjectSize, Remote as _, RemoteError, TreeUpload};
use crate::temporary;

/// How often it is looked how far rclone is.
const GLANCE: Duration = Duration::from_secs(1);
/// How often a rival that has to give way is looked for: its own question takes about as long.
const RIVAL_LEAVES: u32 = 15;

pub(super) struct RcloneTree {
    remote: Rclone,
    name: String,
    temporary: String,
    from: PathBuf,
    kind: String,
    encrypted: bool,
    files: Files,
    running: Option<Running>,
    claim: Claim,
}

/// What there may be on the remote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Claim {
    Nothing,
    /// The temporary.
    Marked,
    /// The folder, too: it was empty when everybody could know that it is ours.
    Ours,
}

/// What a copy has come to.
enum Step {
    Moved(u64),
    Ended(Exit),
}

impl RcloneTree {
    pub(super) fn begin(
        remote: Rclone,
        probed: &Probed,
        tree: &NewTree<'_>,
    ) -> Result<Self, RemoteError> {
        folders::checked(tree.name)?;
        let named = |storage: &Storage| storage.names_a_folder(&remote.settings.root);
        let outermost = tree.name.matches('/').count() == 1;
        if outermost && probed.buckets && !probed.storage.as_ref().is_none_or(named) {
            // Deleting it would delete a bucket.
            return Err(RemoteError::new(format!(
                "{} would be a bucket of its own: name a bucket in RCLONE_REMOTE",
                tree.name
            ))
            .lasting());
        }
        let from = std::path::absolute(tree.from)
            .map_err(|e| RemoteError::new(format!("{}: {e}", tree.from.display())))?;
        Ok(Self {
            remote,
            name: tree.name.to_owned(),
            temporary: tree.temporary.to_owned(),
            from,
            kind: probed.storage.as_ref().map_or(String::new(), |storage| storage.kind.clone()),
            encrypted: probed.encrypted,
            files: Files::default(),
            running: None,
            claim: Claim::Nothing,
        })
    }

    /// Makes the folder ours, or says that it is somebody else's. Of two runs that see each other's temporaries one
    /// gives way; one that sees a rival which should, waits until it has: it may have looked too early to see us.
    async fn claim(&mut self) -> Result<(), RemoteError> {
        self.claim = Claim::Marked;
        let path = self.remote.path(&self.temporary);
        let marker = self.remote.call(&["rcat", &path], b"dbstash\n", super::QUICK).await?;
        super::succeeded(marker, &format!("store {}", self.temporary))?;
        let mut looks = 0;
        while let Some(rival) = self.rival().await? {
            looks += 1;
            if temporary::gives_way(&self.temporary, &rival) || looks == RIVAL_LEAVES {
                return Err(self.taken(&format!(
                    "by a run of the same second that goes first, or was killed and has left {rival}"
                )));
            }
            sleep(GLANCE).await;
        }
        if self.remote.any(&[&self.name, &name_for(&self.name)]).await? {
            return Err(self.taken("and is not written into"));
        }
        self.claim = Claim::Ours;
        Ok(())
    }

    async fn rival(&self) -> Result<Option<String>, RemoteError> {
        let all = self.remote.list(temporary::FOLDER).await?;
        let rivals = all.into_iter().map(|e| e.name);
        // The first one by name goes first of all.
        Ok(rivals.filter(|name| temporary::is_rival(&self.temporary, name)).min())
    }

    fn taken(&self, how: &str) -> RemoteError {
        RemoteError::new(format!(
            "{} has appeared on the remote during the dump, {how}: jobs that share a folder need names of their own, \
             by {{job}}, {{host}} or {{uuid}} in BACKUP_NAME_TEMPLATE",
            self.name
        ))
    }

    /// The directory's path as rclone takes it for one.
    fn source(&self) -> String {
        format!("{}/", self.from.to_string_lossy().trim_end_matches('/'))
    }

    /// Copies everything.
    async fn copy(&mut self, moved: &(dyn Fn(u64) + Sync)) -> Result<(), RemoteError> {
        let (from, to) = (self.source(), self.remote.path(&self.name));
        // As errors, so that a user's `--log-level` does not silence them.
        let mut args = vec!["copy", &*from, &*to, "--stats=2s", "--stats-log-level=ERROR"];
        // Nothing of somebody else's may pass for ours because it is as big and as old.
        args.push("--ignore-times");
        if self.kind == "s3" {
            // Up to 128 MiB, if four files above 200 MiB are under way; rclone makes the parts of what it knows to be
            // too big for 10,000 of them bigger.
            args.extend(["--s3-chunk-size=8Mi", "--s3-upload-concurrency=4"]);
        } else {
            args.push("--low-level-retries=10");
        }
        // What is compared after the copy need not be hashed during it, too.
        if !self.remote.settings.upload_check {
            args.push("--ignore-checksum");
        }
        let mut spec = command::spawn(&self.remote.settings, &args, false);
        // As variables, which an rclone that does not know them yet passes over. A file that is not whole shows under
        // its own name, as everything in a folder without a manifest is nothing: so what is ours is known by its name.
        for (name, value) in [("RCLONE_INPLACE", "true"), ("RCLONE_NO_UPDATE_DIR_MODTIME", "true")]
        {
            spec.env.push((name.into(), value.into()));
        }
        let running = process::spawn(&spec).map_err(|e| command::launch_error(&e))?;
        let running = self.running.insert(running);
        let mut so_far = 0;
        let exit = loop {
            // Whoever takes bytes answers; who takes none for a while is asked.
            match self.remote.attended(glance(running, so_far)).await? {
                Step::Moved(bytes) => {
                    so_far = bytes;
                    moved(bytes);
                }
                Step::Ended(exit) => break exit,
            }
        };
        let stderr = running.last_words().await;
        self.remote.heard(exit, &stderr);
        if exit.success() {
            Ok(())
        } else {
            Err(failure(&format!("store {}", self.name), exit, &stderr))
        }
    }

    /// Makes sure that exactly our files are there, as they are here.
    ///
    /// rclone compares the best hash both sides know, and sizes where they share none. Encrypted files it encrypts once
    /// more, with the salt of the stored ones, and compares the hashes that the remote below has of those.
    async fn compare(&self) -> Result<(), RemoteError> {
        let (from, to) = (self.source(), self.remote.path(&self.name));
        // However long it takes: what it compares may be big, and somebody has to answer all the while.
        let ask = |command| {
            let args = [command, &*from, &*to];
            async move { self.remote.call(&args, b"", Duration::MAX).await }
        };
        let mut answer = ask(if self.encrypted { "cryptcheck" } else { "check" }).await?;
        if self.encrypted && answer.stderr.contains("does not support any hashes") {
            answer = ask("check").await?;
        }
        if answer.exit.success() {
            return Ok(());
        }
        let differences = log::about_objects(&answer.stderr);
        let mut error = failure(&format!("compare {}", self.name), answer.exit, &answer.stderr);
        if !differences.is_empty() {
            let differences = differences.join("; ");
            error.what = format!("{} is not what was copied there: {differences}", self.name);
        }
        Err(error)
    }

    /// Makes sure that listings show what the manifest is going to say.
    async fn counted(&self) -> Result<(), RemoteError> {
        let found = self.remote.list(&self.name).await?;
        let known = |size| if let ObjectSize::Known(size) = size { Some(size) } else { None };
        let bytes = found.iter().try_fold(0_u64, |sum, e| Some(sum.saturating_add(known(e.size)?)));
        let (files, ours) = (self.files.count(), self.files.bytes());
        if found.len() == files && bytes.is_none_or(|bytes| bytes == ours) {
            return Ok(());
        }
        let of = bytes.map_or(String::new(), |bytes| format!(" of {bytes} bytes"));
        Err(RemoteError::new(format!(
            "{} lists {} files{of}, and {files} of {ours} bytes were copied",
            self.name,
            found.len()
        )))
    }

    /// Deletes what is ours. What is somebody else's stays, and so does all of it when somebody vouches for it.
    async fn take_back(&self) -> Result<(), RemoteError> {
        if bounded(self.remote.stat(&name_for(&self.name))).await?.is_some() {
            return Ok(());
        }
        let files = u32::try_from(self.files.count()).unwrap_or(u32::MAX);
        // A slow remote deletes ten a second.
        let deadline = CLEANUP.saturating_add((CLEANUP / 150).saturating_mul(files));
        self.remote.give_up_parts_in(&self.name).await;
        let there = self.remote.listed(&self.name, deadline).await?;
        let is_ours = |name: &str| name.strip_prefix(&self.name).is_some_and(|n| self.files.has(n));
        let (ours, foreign): (Vec<_>, Vec<_>) =
            there.into_iter().map(|e| e.name).partition(|name| is_ours(name));
        if foreign.is_empty() {
            // The folder itself, too, where there are such.
            return self.remote.purge(&self.name, deadline).await;
        }
        timeout(deadline, self.remote.delete(&ours)).await.unwrap_or_else(|_| {
            Err(RemoteError::new(format!("{} was not deleted within {deadline:?}", self.name)))
        })
    }

    async fn unmark(&self) -> Result<(), RemoteError> {
        bounded(self.remote.delete(std::slice::from_ref(&self.temporary))).await
    }
}

#[async_trait]
impl TreeUpload for RcloneTree {
    async fn commit(
        &mut self,
        _proof: &Complete,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<(), RemoteError> {
        self.files = Files::of(&self.from)?;
        self.claim().await?;
        self.copy(moved).await?;
        let bytes = self.files.bytes();
        moved(bytes);
        let proof = async { tokio::try_join!(self.compare(), self.counted()) };
        beating(proof, || moved(bytes)).await?;
        // A manifest follows at once, and the folder is not empty any more: nobody needs to be told. Left behind, it is
        // deleted like any other temporary.
        let _ = self.unmark().await;
        Ok(())
    }

    async fn abort(&mut self, grace: Duration) -> Result<(), RemoteError> {
        if let Some(running) = &mut self.running {
            running.stop(grace).await;
        }
        if self.claim == Claim::Nothing {
            return Ok(());
        }
        let taken_back = if self.claim == Claim::Ours { self.take_back().await } else { Ok(()) };
        // Last: until then, others keep away.
        taken_back.and(self.unmark().await)?;
        self.claim = Claim::Nothing;
        Ok(())
    }
}

/// Waits until rclone has moved something, or has ended.
async fn glance(running: &mut Running, so_far: u64) -> Result<Step, RemoteError> {
    loop {
        if let Ok(exit) = timeout(GLANCE, running.wait()).await {
            return exit.map(Step::Ended).map_err(|e| RemoteError::new(e.to_string()));
        }
        match log::moved(&running.stderr()) {
            Some(bytes) if bytes > so_far => return Ok(Step::Moved(bytes)),
            _ => {}
        }
    }
}

/// Does work, and says again and again that it is being done.
async fn beating<T>(work: impl Future<Output = T>, beat: impl Fn()) -> T {
    let mut work = pin!(work);
    loop {
        match timeout(GLANCE, &mut work).await {
            Ok(done) => return done,
            Err(_) => beat(),
        }
    }
}
