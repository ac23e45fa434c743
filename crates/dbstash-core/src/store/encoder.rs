//! Compression beside the stream, on a thread of its own: the runtime goes on watching both ends.

use std::io::{self, Write};
use std::thread::{Builder, JoinHandle};

use super::counter::Counter;
use super::lane::{Chunk, Giver, Shared, Taker, lane};
use crate::compression::Compression;
use crate::tally::Counting;

/// On either side of the thread: one chunk being filled, one under way, one being emptied.
const CHUNKS: usize = 3;

/// A thread that compresses.
pub(super) struct Encoder {
    /// Where the dump goes in; dropped at its end.
    pub(super) dump: Giver,
    /// Where it comes out.
    pub(super) encoded: Encoded,
}

/// What comes out of the thread.
pub(super) struct Encoded {
    chunks: Taker,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Encoder {
    /// Starts it, and whoever counts beside it. It ends with its input, or when nobody takes its output any more.
    pub(super) fn start(
        compression: Compression,
        chunk: usize,
        counting: Counting,
    ) -> io::Result<(Self, Counter)> {
        let (mut dump, input) = lane(CHUNKS, chunk);
        let counter = Counter::start(counting, || dump.fork(&input));
        let (output, chunks) = lane(CHUNKS, chunk);
        let thread = Builder::new()
            .name(compression.name().to_owned())
            .spawn(move || encode(compression, input, Outflow { lane: output, open: None }))?;
        Ok((Self { dump, encoded: Encoded { chunks, thread: Some(thread) } }, counter))
    }
}

impl Encoded {
    /// The next chunk; `None` after the last one of a stream that is whole.
    pub(super) async fn take(&mut self) -> io::Result<Option<Shared>> {
        if let Some(chunk) = self.chunks.take().await {
            return Ok(Some(chunk));
        }
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(None),
            Some(Ok(ended)) => ended.map(|()| None),
            Some(Err(_)) => Err(io::Error::other("its thread panicked")),
        }
    }

    /// Gives a chunk back.
    pub(super) fn give_back(&self, chunk: Shared) {
        self.chunks.give_back(chunk);
    }
}

fn encode(compression: Compression, mut input: Taker, mut output: Outflow) -> io::Result<()> {
    let mut encoder = compression.encoder(&mut output)?;
    while let Some(chunk) = input.wait_to_take() {
        encoder.write_all(chunk.bytes())?;
        input.give_back(chunk);
    }
    encoder.finish()?;
    output.flush()
}

/// Gathers small writes into chunks.
struct Outflow {
    lane: Giver,
    open: Option<Chunk>,
}

impl Write for Outflow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut chunk = match self.open.take() {
            Some(chunk) => chunk,
            None => self.lane.wait_for_spare().ok_or(io::ErrorKind::BrokenPipe)?,
        };
        let room = &mut chunk.buffer[chunk.filled..];
        let n = bytes.len().min(room.len());
        room[..n].copy_from_slice(&bytes[..n]);
        chunk.filled += n;
        if chunk.filled == chunk.buffer.len() {
            self.lane.give(chunk);
        } else {
            self.open = Some(chunk);
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(chunk) = self.open.take() {
            self.lane.give(chunk);
        }
        Ok(())
    }
}
