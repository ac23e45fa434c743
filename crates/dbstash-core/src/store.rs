//! A dump streamed to a remote: moved, proven, published, or taken back.

mod counter;
mod encoder;
pub(crate) mod lane;
mod progress;
mod pump;

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::progress::{Phase, Progress};
pub(crate) use self::pump::beside;
use self::pump::{Moved, pump};
use crate::artifact::{Artifact, Complete};
use crate::compression::Compression;
use crate::error::{RunError, Side};
use crate::remote::Upload;
use crate::tally::Counts;

/// What passed through, and the proof that it was all.
#[derive(Debug)]
pub struct Stored {
    /// Bytes on the remote.
    pub bytes: u64,
    /// Of those bytes, in hex.
    pub sha256: String,
    /// What was done to the dump on its way.
    pub compression: Option<Compression>,
    /// The dump's own size and what vouches for it.
    pub proof: Complete,
    /// What is in the dump.
    pub counts: Counts,
}

/// Why something is not stored, and what could not be taken back after that.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong first.
    pub cause: RunError,
    /// Why something may be left on the remote.
    pub left: Option<RunError>,
}

impl<E: Into<RunError>> From<E> for Failure {
    fn from(cause: E) -> Self {
        Self { cause: cause.into(), left: None }
    }
}

/// Streams an artifact into an upload, compressed if asked to, and publishes it. On any failure both are ended and the upload is taken back.
pub async fn store(
    artifact: &mut Artifact,
    compression: Option<Compression>,
    upload: &mut dyn Upload,
    guard: &Guard<'_>,
) -> Result<Stored, Failure> {
    let progress = Progress::default();
    let work = async {
        let Moved { bytes, sha256, counts } =
            pump(artifact, compression, upload, &progress).await?;
        let proof = artifact.finish().await?;
        progress.enter(Phase::Ending);
        upload.commit(&proof).await?;
        Ok(Stored { bytes, sha256, compression, proof, counts })
    };
    match guard.watch(&progress, work).await {
        Ok(stored) => Ok(stored),
        Err(cause) => {
            let grace = cause.grace();
            let (said, undone) = tokio::join!(artifact.stop(grace), upload.abort(grace));
            let left = undone.err().map(RunError::Upload);
            Err(Failure { cause: cause.with_last_words(said), left })
        }
    }
}

/// How soon it is seen that what stood still goes on.
const LOOK: Duration = Duration::from_secs(10);

/// What can end a run from outside its work: a signal, the clock, a side that stands still.
pub struct Guard<'a> {
    /// Cancelled by the first signal.
    pub cancel: &'a CancellationToken,
    /// When the attempt must be over, and the limit that says so.
    pub deadline: Option<(Instant, Duration)>,
    /// How long no byte may move.
    pub stall: Option<Duration>,
    /// Told when nothing happens before the first byte or after the last, and when something does again.
    pub pace: &'a (dyn Fn(Pace) + Sync),
}

/// Whether a run that stands still for its own reasons does so.
#[derive(Debug)]
pub enum Pace {
    /// In words.
    Still(String),
    /// It goes on.
    Again,
}

impl Guard<'_> {
    /// Does the work unless something from outside ends it.
    pub async fn watch<T>(
        &self,
        progress: &Progress,
        work: impl Future<Output = Result<T, RunError>>,
    ) -> Result<T, RunError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(RunError::Interrupted),
            limit = self.expired() => Err(RunError::TimedOut { limit, stderr: String::new() }),
            (side, limit) = self.stalled(progress) => {
                Err(RunError::Stalled { side, limit, stderr: String::new() })
            }
            done = work => done,
        }
    }

    async fn expired(&self) -> Duration {
        match self.deadline {
            Some((at, limit)) => {
                tokio::time::sleep_until(at).await;
                limit
            }
            None => std::future::pending().await,
        }
    }

    async fn stalled(&self, progress: &Progress) -> (Side, Duration) {
        let Some(limit) = self.stall else {
            return std::future::pending().await;
        };
        let mut told = None;
        loop {
            let (phase, since) = progress.now();
            if since.elapsed() < limit {
                if told.take().is_some() {
                    (self.pace)(Pace::Again);
                }
                tokio::time::sleep_until(since + limit).await;
                continue;
            }
            let what = match phase {
                Phase::Reading => return (Side::Dump, limit),
                Phase::Writing => return (Side::Upload, limit),
                Phase::Starting => "the dump has not produced its first byte",
                Phase::Closed => "the dump tool has closed its output and has not ended",
                Phase::Ending => "the dump is whole, and the remote has not confirmed it",
            };
            if told != Some(phase) {
                told = Some(phase);
                (self.pace)(Pace::Still(format!("{what} after {limit:?}; still waiting")));
            }
            tokio::time::sleep(limit.min(LOOK)).await;
        }
    }
}

#[cfg(test)]
mod tests;
