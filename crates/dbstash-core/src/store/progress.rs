//! Where a stream is: what tells a side that stands still.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// Where a stream is, and since when.
pub struct Progress(Mutex<(Phase, Instant)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Reading,
    Writing,
    Closed,
    Ending,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new((Phase::Starting, Instant::now())))
    }
}

impl Progress {
    pub(super) fn enter(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    /// A byte moved, on whichever side.
    pub(super) fn moved(&self) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let phase = if now.0 == Phase::Starting { Phase::Reading } else { now.0 };
        *now = (phase, Instant::now());
    }

    pub(super) fn now(&self) -> (Phase, Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
