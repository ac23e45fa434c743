//! Moves every byte of a dump to the upload.

use std::future::Future;

use sha2::{Digest as _, Sha256};

use super::counter::Counter;
use super::encoder::{Encoded, Encoder};
use super::lane::{Chunk, Giver, lane};
use super::progress::{Phase, Progress};
use crate::artifact::Artifact;
use crate::compression::Compression;
use crate::error::RunError;
use crate::remote::Upload;
use crate::tally::{Counting, Counts};

/// Big reads: a stream costs its wake-ups, not its copies.
const BUFFER: usize = 256 * 1024;

/// Where the dump is counted: one chunk being filled or stored, one under way, one being looked at.
const CHUNKS: usize = 3;

/// What has moved.
pub(super) struct Moved {
    /// How many bytes are stored.
    pub(super) bytes: u64,
    /// Their hash.
    pub(super) sha256: String,
    /// What is in the dump.
    pub(super) counts: Counts,
}

/// Moves every byte.
pub(super) async fn pump(
    artifact: &mut Artifact,
    compression: Option<Compression>,
    upload: &mut dyn Upload,
    progress: &Progress,
) -> Result<Moved, RunError> {
    let mut outlet = Outlet { upload, progress, hash: Sha256::new(), bytes: 0 };
    let counting = artifact.counting();
    let counter = match compression {
        None => {
            let (giver, counter) = beside(counting);
            straight(artifact, giver, &mut outlet).await?;
            counter
        }
        Some(compression) => {
            let (Encoder { dump, encoded }, counter) =
                Encoder::start(compression, BUFFER, counting).map_err(RunError::Compression)?;
            tokio::try_join!(feed(artifact, dump, progress), drain(encoded, &mut outlet))?;
            counter
        }
    };
    progress.enter(Phase::Closed);
    let sha256 = base16ct::lower::encode_string(&outlet.hash.finalize());
    Ok(Moved { bytes: outlet.bytes, sha256, counts: counter.counts().await })
}

/// A lane past whoever counts, and back.
pub(crate) fn beside(counting: Counting) -> (Giver, Counter) {
    let mut giver = None;
    let counter = Counter::start(counting, || {
        let (ours, theirs) = lane(CHUNKS, BUFFER);
        giver = Some(ours);
        theirs
    });
    (giver.unwrap_or_else(|| Giver::alone(BUFFER)), counter)
}

async fn straight(
    artifact: &mut Artifact,
    mut lane: Giver,
    outlet: &mut Outlet<'_>,
) -> Result<(), RunError> {
    loop {
        let spare = outlet.while_it_lives(lane.spare()).await?;
        let mut chunk = spare.unwrap_or_else(|| Chunk::new(BUFFER));
        chunk.filled = outlet.while_it_lives(artifact.read(&mut chunk.buffer)).await??;
        if chunk.filled == 0 {
            return Ok(());
        }
        let chunk = lane.share(chunk);
        outlet.put(chunk.bytes()).await?;
        lane.take_back(chunk);
    }
}

async fn feed(
    artifact: &mut Artifact,
    mut lane: Giver,
    progress: &Progress,
) -> Result<(), RunError> {
    // Without a spare chunk the thread is gone, and whoever takes from it will tell why.
    while let Some(mut chunk) = lane.spare().await {
        chunk.filled = artifact.read(&mut chunk.buffer).await?;
        if chunk.filled == 0 {
            break;
        }
        progress.moved();
        lane.give(chunk);
    }
    Ok(())
}

async fn drain(mut encoded: Encoded, outlet: &mut Outlet<'_>) -> Result<(), RunError> {
    loop {
        let taken = outlet.while_it_lives(encoded.take()).await?;
        let Some(chunk) = taken.map_err(RunError::Compression)? else { return Ok(()) };
        outlet.put(chunk.bytes()).await?;
        encoded.give_back(chunk);
    }
}

/// The way out: what passes here is what is stored.
struct Outlet<'a> {
    upload: &'a mut dyn Upload,
    progress: &'a Progress,
    hash: Sha256,
    bytes: u64,
}

impl Outlet<'_> {
    /// Waits for something, unless the upload dies meanwhile.
    async fn while_it_lives<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, RunError> {
        tokio::select! {
            biased;
            done = wait => Ok(done),
            error = self.upload.died() => Err(error.into()),
        }
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        self.progress.enter(Phase::Writing);
        self.upload.write(bytes).await?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.progress.enter(Phase::Reading);
        Ok(())
    }
}
