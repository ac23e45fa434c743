//! `rclone rcat`, whose commit signal is the end of its input.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncWriteExt as _;

use super::command::{self, failure};
use super::{Probed, Rclone};
use crate::artifact::Complete;
use crate::manifest::name_for;
use crate::process::{self, Running};
use crate::remote::{Entry, NewObject, ObjectSize, Remote as _, RemoteError, Upload};
use crate::temporary;

const MIB: u64 = 1024 * 1024;
/// The S3 part limit of the common providers.
const PARTS: u64 = 10_000;
/// How long one clean-up call may take.
pub(super) const CLEANUP: Duration = Duration::from_secs(15);

pub(super) struct RcloneUpload {
    remote: Rclone,
    name: String,
    /// Where the bytes go first; the final name on atomic remotes.
    target: String,
    running: Running,
    written: u64,
    /// Under which names the object may be by now; all of them were free before.
    may_be_at: Vec<String>,
    /// Somebody else has the name by now.
    taken: bool,
    owned: bool,
    clean: bool,
}

impl RcloneUpload {
    pub(super) fn begin(
        remote: Rclone,
        probed: &Probed,
        object: &NewObject<'_>,
    ) -> Result<Self, RemoteError> {
        let target = if probed.features.atomic { object.name } else { object.temporary };
        let path = remote.path(target);
        let chunk = format!("--s3-chunk-size={}Mi", chunk_mib(object.expected));
        let mut args = vec!["rcat", path.as_str()];
        let storage = probed.storage.as_ref().map_or("", |storage| &*storage.kind);
        if storage == "s3" {
            args.extend([chunk.as_str(), "--s3-upload-concurrency=4"]);
        } else {
            // rclone's own number: its S3 multiplies it, and nothing else does.
            args.push("--low-level-retries=10");
        }
        // sftp hashes on the far side, a real re-reading; elsewhere our size check and sha256 say more.
        if !remote.settings.upload_check && storage != "sftp" {
            args.push("--ignore-checksum");
        }
        let spec = command::spawn(&remote.settings, &args, true);
        let running = process::spawn(&spec).map_err(|e| command::launch_error(&e))?;
        let (name, target) = (object.name.to_owned(), target.to_owned());
        // What is atomic is nowhere before it is committed.
        let may_be_at = if probed.features.atomic { Vec::new() } else { vec![target.clone()] };
        Ok(Self {
            remote,
            name,
            target,
            running,
            written: 0,
            may_be_at,
            taken: false,
            owned: object.owned,
            clean: false,
        })
    }

    /// Once more, right before the name is taken: somebody else may have had a long dump, too. Of two that end together
    /// neither sees the other's object yet, but its temporary, which is listed before: a rival that is done with it has
    /// its object there by then.
    async fn claimed(&self, temporaries: &[Entry]) -> Result<Option<RemoteError>, RemoteError> {
        if self.owned {
            return Ok(None);
        }
        let mut rivals = temporaries.iter().map(|entry| &entry.name);
        let what = if let Some(rival) = rivals.find(|name| temporary::gives_way(&self.target, name))
        {
            format!(
                "by a run of the same second that goes first, or was killed and has left {rival}"
            )
        } else if self.remote.any(&[&self.name, &name_for(&self.name)]).await? {
            "and is not overwritten".to_owned()
        } else {
            return Ok(None);
        };
        Ok(Some(RemoteError::new(format!(
            "{} has appeared on the remote during the dump, {what}: jobs that share a folder need names of their own, \
             by {{job}}, {{host}} or {{uuid}} in BACKUP_NAME_TEMPLATE",
            self.name
        ))))
    }

    /// Makes sure that the temporary is whole, and tells which others there are, unless nobody else can want the name.
    async fn whole(&self) -> Result<Vec<Entry>, RemoteError> {
        let all = if self.owned { Vec::new() } else { self.remote.list(temporary::FOLDER).await? };
        let size = ObjectSize::Known(self.written);
        if !all.iter().any(|entry| entry.name == self.target && entry.size == size) {
            // A listing may be late, and does not always tell sizes.
            self.remote.verify(&self.target, self.written).await?;
        }
        Ok(all)
    }

    /// From now on, what is under the name is ours, unless it is somebody else's.
    fn take(&mut self, claimed: Option<RemoteError>) -> Result<(), RemoteError> {
        self.taken = claimed.is_some();
        self.may_be_at.extend(claimed.is_none().then(|| self.name.clone()));
        claimed.map_or(Ok(()), Err)
    }

    /// Whether rclone published although its input never ended: a TERM at the moment it begins a multipart upload makes
    /// it complete what it has. The name was free when we began; what has a manifest or more bytes is not ours.
    async fn slipped_through(&self) -> Result<bool, RemoteError> {
        Ok(match self.remote.stat(&self.target).await? {
            None => false,
            Some(ObjectSize::Known(size)) if size > self.written => false,
            Some(_) => self.remote.stat(&name_for(&self.target)).await?.is_none(),
        })
    }

    /// Deletes whatever may be there; every name is tried, and the first refusal told.
    async fn take_back(&mut self) -> Result<(), RemoteError> {
        if self.may_be_at.is_empty() && !self.taken && bounded(self.slipped_through()).await? {
            self.may_be_at.push(self.target.clone());
        }
        if self.written > 0 {
            self.remote.give_up_parts(&self.target).await;
        }
        let mut refused = None;
        for name in &self.may_be_at {
            // Ours has no manifest yet: another run, whose name it is by now, vouches for what is there.
            if *name == self.name && bounded(self.remote.stat(&name_for(name))).await?.is_some() {
                continue;
            }
            let path = self.remote.path(name);
            let answer = bounded(self.remote.call(&["deletefile", &path], b"", CLEANUP)).await?;
            if !answer.exit.success() && !super::MISSING.contains(&answer.exit.code()) {
                let what = format!("take {name} back");
                refused.get_or_insert(failure(&what, answer.exit, &answer.stderr));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn gone(&self, what: &str) -> RemoteError {
        RemoteError::new(format!("{what} {}", self.name))
    }
}

#[async_trait]
impl Upload for RcloneUpload {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        let Some(stdin) = &mut self.running.stdin else {
            return Err(self.gone("nothing can be written any more to"));
        };
        let write = async { Ok(stdin.write_all(bytes).await) };
        match self.remote.attended(write).await? {
            Ok(()) => {
                self.written += bytes.len() as u64;
                Ok(())
            }
            // EPIPE only says that rclone is gone; rclone itself says why.
            Err(_) => Err(self.died().await),
        }
    }

    async fn died(&mut self) -> RemoteError {
        match self.running.wait().await {
            Ok(exit) => {
                let stderr = self.running.last_words().await;
                self.remote.heard(exit, &stderr);
                failure(&format!("store {}", self.name), exit, &stderr)
            }
            Err(e) => RemoteError::new(format!("rclone cannot be waited for: {e}")),
        }
    }

    async fn commit(&mut self, _proof: &Complete) -> Result<(), RemoteError> {
        if self.target == self.name {
            let claimed = self.claimed(&[]).await?;
            self.take(claimed)?;
        }
        if let Some(mut stdin) = self.running.stdin.take() {
            // A pipe has no buffer of ours; this only makes tokio's own contract explicit.
            if stdin.flush().await.is_err() {
                return Err(self.died().await);
            }
        }
        let end = async { Ok(self.running.wait().await) };
        let exit = self.remote.attended(end).await?;
        let exit = exit.map_err(|e| RemoteError::new(e.to_string()))?;
        if !exit.success() {
            return Err(self.died().await);
        }
        if self.target == self.name {
            self.remote.verify(&self.name, self.written).await?;
        } else {
            let temporaries = self.whole().await?;
            let claimed = self.claimed(&temporaries).await?;
            self.take(claimed)?;
            let (from, to) = (self.remote.path(&self.target), self.remote.path(&self.name));
            let answer = self.remote.call(&["moveto", &from, &to], b"", super::LONG).await?;
            super::succeeded(answer, &format!("move {} to its name", self.name))?;
            // On some remotes moving what is not there succeeds. What was whole before the move and is not now is
            // another's: it moved its own over ours.
            if let Err(error) = self.remote.verify(&self.name, self.written).await {
                self.may_be_at.retain(|name| *name != self.name);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn abort(&mut self, grace: Duration) -> Result<(), RemoteError> {
        if self.clean {
            return Ok(());
        }
        self.running.stop(grace).await;
        // Only now may the pipe close: rclone took its end for success.
        self.running.stdin = None;
        self.take_back().await?;
        self.clean = true;
        Ok(())
    }
}

/// A step of cleaning up, which may not take for ever.
pub(super) async fn bounded<T>(
    step: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    tokio::time::timeout(CLEANUP, step)
        .await
        .unwrap_or_else(|_| Err(RemoteError::new(format!("no answer within {CLEANUP:?}"))))
}

/// S3 parts big enough that a dump twice the expected size stays below the part limit, in MiB.
fn chunk_mib(expected: Option<u64>) -> u64 {
    let needed = expected.unwrap_or(0).saturating_mul(2).div_ceil(PARTS).div_ceil(MIB);
    needed.clamp(16, 5 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stream_hits_the_part_limit() {
        assert_eq!(chunk_mib(None), 16);
        assert_eq!(chunk_mib(Some(1 << 30)), 16);
        let tib = 1 << 40;
        assert!(chunk_mib(Some(tib)) * MIB * PARTS >= 2 * tib);
        assert_eq!(chunk_mib(Some(u64::MAX)), 5 * 1024);
    }
}
