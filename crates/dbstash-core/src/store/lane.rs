//! A bounded way for bytes between the runtime and a thread, in buffers that go round.

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A buffer, and how much of it is filled.
pub(crate) struct Chunk {
    pub(crate) buffer: Vec<u8>,
    pub(crate) filled: usize,
}

impl Chunk {
    /// The filled part.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

/// The end that hands chunks over.
pub(crate) struct Giver {
    full: Sender<Chunk>,
    spare: Receiver<Chunk>,
}

/// The end that takes them, and gives them back.
pub(crate) struct Taker {
    full: Receiver<Chunk>,
    spare: Sender<Chunk>,
}

/// A lane on which `chunks` of `size` bytes go round.
pub(crate) fn lane(chunks: usize, size: usize) -> (Giver, Taker) {
    // Either way has room for all there are: nobody waits to send.
    let (full, taken) = channel(chunks);
    let (back, spare) = channel(chunks);
    for _ in 0..chunks {
        let _ = back.try_send(Chunk { buffer: vec![0; size], filled: 0 });
    }
    (Giver { full, spare }, Taker { full: taken, spare: back })
}

impl Giver {
    /// A chunk to fill; `None` when the other end is gone.
    pub(crate) async fn spare(&mut self) -> Option<Chunk> {
        self.spare.recv().await
    }

    /// The same, for a thread of its own.
    pub(crate) fn wait_for_spare(&mut self) -> Option<Chunk> {
        self.spare.blocking_recv()
    }

    /// Hands a chunk over.
    pub(crate) fn give(&self, chunk: Chunk) {
        // When the other end is gone, there will be no spare one either.
        let _ = self.full.try_send(chunk);
    }
}

impl Taker {
    /// The next chunk; `None` when there will be no more.
    pub(crate) async fn take(&mut self) -> Option<Chunk> {
        self.full.recv().await
    }

    /// The same, for a thread of its own.
    pub(crate) fn wait_to_take(&mut self) -> Option<Chunk> {
        self.full.blocking_recv()
    }

    /// Gives a chunk back.
    pub(crate) fn give_back(&self, chunk: Chunk) {
        let _ = self.spare.try_send(Chunk { filled: 0, ..chunk });
    }
}
