//! Where a stream is: what tells a side that stands still.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Where a stream is, and since when.
pub struct Progress(Mutex<(Phase, Instant)>);

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has come yet.
    Starting,
    /// The dump comes.
    Reading,
    /// It goes to the remote.
    Writing,
    /// All of it has come, and its tool has to end.
    Closed,
    /// All of it has gone, and the remote has to confirm it.
    Ending,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new((Phase::Starting, Instant::now())))
    }
}

impl Progress {
    pub(crate) fn enter(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// A byte moved, on whichever side.
    pub(crate) fn moved(&self) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = if now.0 == Phase::Starting { Phase::Reading } else { now.0 };
        *now = (phase, Instant::now());
    }

    pub(super) fn now(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
