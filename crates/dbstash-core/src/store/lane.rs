//! A bounded way for bytes between the runtime and threads, in buffers that go round.

use std::sync::Arc;

use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A buffer, and how much of it is filled.
pub(crate) struct Chunk {
    pub(crate) buffer: Vec<u8>,
    pub(crate) filled: usize,
}

/// A filled chunk, which several may read at the same time: whoever is done with it last can have it filled again.
pub(crate) type Shared = Arc<Chunk>;

impl Chunk {
    /// An empty one.
    pub(crate) fn new(size: usize) -> Self {
        Self { buffer: vec![0; size], filled: 0 }
    }

    /// The filled part.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

/// The end that hands chunks over.
pub(crate) struct Giver {
    full: Vec<Sender<Shared>>,
    spare: Receiver<Chunk>,
    /// Those that came back to this end itself.
    own: Vec<Chunk>,
}

/// An end that takes them, and gives them back.
pub(crate) struct Taker {
    full: Receiver<Shared>,
    spare: Sender<Chunk>,
}

/// A lane on which `chunks` of `size` bytes go round.
pub(crate) fn lane(chunks: usize, size: usize) -> (Giver, Taker) {
    // Either way has room for all there are: nobody waits to send.
    let (full, taken) = channel(chunks);
    let (back, spare) = channel(chunks);
    let own = (0..chunks).map(|_| Chunk::new(size)).collect();
    (Giver { full: vec![full], spare, own }, Taker { full: taken, spare: back })
}

impl Giver {
    /// One that hands nothing over: its chunk comes back to itself.
    pub(crate) fn alone(size: usize) -> Self {
        Self { full: Vec::new(), spare: channel(1).1, own: vec![Chunk::new(size)] }
    }

    /// One more end that takes every chunk, as `first` does.
    pub(crate) fn fork(&mut self, first: &Taker) -> Taker {
        let (full, taken) = channel(first.spare.max_capacity());
        self.full.push(full);
        Taker { full: taken, spare: first.spare.clone() }
    }

    /// A chunk to fill; `None` when the other ends are gone.
    pub(crate) async fn spare(&mut self) -> Option<Chunk> {
        match self.own.pop() {
            None => self.spare.recv().await,
            own => own,
        }
    }

    /// The same, for a thread of its own.
    pub(crate) fn wait_for_spare(&mut self) -> Option<Chunk> {
        self.own.pop().or_else(|| self.spare.blocking_recv())
    }

    /// Hands a chunk over.
    pub(crate) fn give(&mut self, chunk: Chunk) {
        let (chunk, is_taken) = self.send(chunk);
        // When the other ends are gone, there will be no spare one either.
        if is_taken {
            self.take_back(chunk);
        }
    }

    /// Hands a chunk over, and keeps it at hand until it is taken back.
    pub(crate) fn share(&mut self, chunk: Chunk) -> Shared {
        self.send(chunk).0
    }

    fn send(&mut self, chunk: Chunk) -> (Shared, bool) {
        let chunk = Arc::new(chunk);
        let sent = self.full.iter().filter(|full| full.try_send(Arc::clone(&chunk)).is_ok());
        let is_taken = sent.count() > 0;
        (chunk, is_taken)
    }

    /// The end of [`Giver::share`].
    pub(crate) fn take_back(&mut self, chunk: Shared) {
        self.own.extend(Arc::into_inner(chunk).map(|chunk| Chunk { filled: 0, ..chunk }));
    }
}

impl Taker {
    /// The next chunk; `None` when there will be no more.
    pub(crate) async fn take(&mut self) -> Option<Shared> {
        self.full.recv().await
    }

    /// The same, for a thread of its own.
    pub(crate) fn wait_to_take(&mut self) -> Option<Shared> {
        self.full.blocking_recv()
    }

    /// Gives a chunk back.
    pub(crate) fn give_back(&self, chunk: Shared) {
        if let Some(chunk) = Arc::into_inner(chunk) {
            let _ = self.spare.try_send(Chunk { filled: 0, ..chunk });
        }
    }
}
