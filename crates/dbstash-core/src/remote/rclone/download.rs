//! `rclone cat`: an object, as it comes.

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncReadExt as _;

use super::command::{self, failure};
use super::{MISSING, Rclone};
use crate::process::{self, Running};
use crate::remote::{Download, ReadError, RemoteError};

/// Longer than everything rclone itself waits for: after that it is stuck.
const STUCK: Duration = Duration::from_secs(15 * 60);
/// How rclone's crypt says that what is there is not what it wrote.
const DAMAGE: [&str; 4] = [
    "failed to authenticate decrypted block",
    "bad magic string",
    "file is too short to be encrypted",
    "file has truncated block header",
];

pub(super) struct RcloneDownload {
    remote: Rclone,
    name: String,
    running: Running,
}

impl RcloneDownload {
    pub(super) fn begin(remote: Rclone, name: &str) -> Result<Self, RemoteError> {
        // Nobody is waiting for a dump meanwhile: rclone's own number of tries.
        let args = ["cat", "--low-level-retries=10", &remote.path(name)];
        let spec = command::spawn(&remote.settings, &args, false);
        let running = process::spawn(&spec).map_err(|e| command::launch_error(&e))?;
        Ok(Self { remote, name: name.to_owned(), running })
    }

    /// The end of what rclone sends is the end of the object only if it says so.
    async fn ended(&mut self) -> Result<usize, ReadError> {
        self.running.stdout = None;
        let exit = async { Ok(self.running.wait().await) };
        let exit = self.remote.attended(exit).await?;
        let exit = exit.map_err(|e| RemoteError::new(e.to_string()))?;
        let stderr = self.running.last_words().await;
        self.remote.heard(exit, &stderr);
        if exit.success() {
            return Ok(0);
        }
        if MISSING.contains(&exit.code()) {
            return Err(ReadError::Missing);
        }
        let error = failure(&format!("read {} back", self.name), exit, &stderr);
        Err(match DAMAGE.iter().find(|said| stderr.contains(**said)) {
            Some(said) => {
                ReadError::Damaged(format!("the remote's encryption does not know it: {said}"))
            }
            None => error.into(),
        })
    }
}

#[async_trait]
impl Download for RcloneDownload {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        let Some(stdout) = &mut self.running.stdout else { return Ok(0) };
        let next = async {
            tokio::time::timeout(STUCK, stdout.read(buf)).await.map_err(|_| {
                RemoteError::new(format!("rclone sent nothing of {} for {STUCK:?}", self.name))
            })
        };
        match self.remote.attended(next).await? {
            Ok(0) => self.ended().await,
            Ok(n) => Ok(n),
            Err(error) => Err(RemoteError::new(error.to_string()).into()),
        }
    }
}
