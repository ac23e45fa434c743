//! An object on its way back: counted and hashed as it comes, freed of our own encodings.

use std::io::Read as _;

use tokio::task::JoinHandle;

use super::{RestoreError, Scene};
use crate::engine::Incomplete;
use crate::manifest::Object;
use crate::store::lane::{Giver, Shared, Taker, lane};
use crate::verify::inspect::{Found, Source, unpacked};
use crate::verify::judge;

const BUFFER: usize = 256 * 1024;
const CHUNKS: usize = 4;

/// The end at which its bytes come out.
pub(super) struct Inflow {
    out: Taker,
    work: JoinHandle<Found>,
}

/// The end at which they go in.
pub(super) struct Intake {
    giver: Giver,
}

/// Both ends of an object.
pub(super) fn inflow(object: &Object) -> (Intake, Inflow) {
    let (giver, stored) = lane(CHUNKS, BUFFER);
    let (raw, out) = lane(CHUNKS, BUFFER);
    let encodings = object.encodings.clone();
    let work = tokio::task::spawn_blocking(move || decode(Source::of(stored), &encodings, raw));
    (Intake { giver }, Inflow { out, work })
}

impl Intake {
    /// Reads all of it from the remote.
    pub(super) async fn run(self, name: &str, scene: &Scene<'_>) -> Result<(), RestoreError> {
        self.counted(name, scene.moved, scene).await
    }

    /// The same, and somebody else is told how many bytes have come.
    pub(super) async fn counted(
        mut self,
        name: &str,
        moved: &(dyn Fn(u64) + Sync),
        scene: &Scene<'_>,
    ) -> Result<(), RestoreError> {
        let mut download = scene.cx.remote.read(name).await.map_err(RestoreError::Remote)?;
        // Without a spare chunk the thread is gone, and what it found says why.
        while let Some(mut chunk) = self.giver.spare().await {
            chunk.filled = download.read(&mut chunk.buffer).await?;
            if chunk.filled == 0 {
                break;
            }
            moved(chunk.filled as u64);
            self.giver.give(chunk);
        }
        Ok(())
    }
}

impl Inflow {
    /// The next bytes; `None` at the end, which says nothing about the object.
    pub(super) async fn take(&mut self) -> Option<Shared> {
        self.out.take().await
    }

    pub(super) fn give_back(&self, chunk: Shared) {
        self.out.give_back(chunk);
    }

    /// After the end: the proof that all of it came as it was stored.
    pub(super) async fn proven(self, object: &Object) -> Result<(), RestoreError> {
        drop(self.out);
        let found = self.work.await.map_err(|e| RestoreError::Untested(e.to_string()))?;
        judge(object, found).map(drop).map_err(RestoreError::from)
    }
}

/// Does all of it. The stored bytes are read to their end, unless nobody takes what comes of them.
fn decode(mut source: Source, encodings: &[String], mut out: Giver) -> Found {
    let mut raw_bytes = 0;
    let structure = match unpacked(&mut source, encodings) {
        Err(what) => Err(what),
        Ok(mut raw) => loop {
            // Nobody takes it any more: then nobody asks what was found.
            let Some(mut chunk) = out.wait_for_spare() else { break Ok(None) };
            match raw.read(&mut chunk.buffer) {
                Ok(0) => break Ok(None),
                Ok(n) => {
                    raw_bytes += n as u64;
                    chunk.filled = n;
                    out.give(chunk);
                }
                Err(error) => break Err(Incomplete(format!("it cannot be unpacked: {error}"))),
            }
        },
    };
    drop(out);
    Found { raw_bytes: Some(raw_bytes), structure: Some(structure), ..source.drained() }
}
