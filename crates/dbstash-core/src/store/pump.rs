//! Moves every byte of a dump to the upload.

use std::future::Future;

use sha2::{Digest as _, Sha256};

use super::encoder::{Encoded, Encoder};
use super::lane::Giver;
use super::progress::{Phase, Progress};
use crate::artifact::Artifact;
use crate::compression::Compression;
use crate::error::RunError;
use crate::remote::Upload;

/// Big reads: a stream costs its wake-ups, not its copies.
const BUFFER: usize = 256 * 1024;

/// Moves every byte, and returns how many are stored and their hash.
pub(super) async fn pump(
    artifact: &mut Artifact,
    compression: Option<Compression>,
    upload: &mut dyn Upload,
    progress: &Progress,
) -> Result<(u64, String), RunError> {
    let mut outlet = Outlet { upload, progress, hash: Sha256::new(), bytes: 0 };
    match compression {
        None => straight(artifact, &mut outlet).await?,
        Some(compression) => {
            let Encoder { dump, encoded } =
                Encoder::start(compression, BUFFER).map_err(RunError::Compression)?;
            tokio::try_join!(feed(artifact, dump, progress), drain(encoded, &mut outlet))?;
        }
    }
    progress.enter(Phase::Closed);
    Ok((outlet.bytes, base16ct::lower::encode_string(&outlet.hash.finalize())))
}

async fn straight(artifact: &mut Artifact, outlet: &mut Outlet<'_>) -> Result<(), RunError> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match outlet.while_it_lives(artifact.read(&mut buffer)).await?? {
            0 => return Ok(()),
            n => outlet.put(&buffer[..n]).await?,
        }
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
