//! TERM and INT end a run cleanly.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the first signal was, and the token it cancels.
#[derive(Clone)]
pub struct Signals {
    /// Cancelled by the first signal.
    pub cancel: CancellationToken,
    caught: Arc<AtomicU8>,
}

impl Signals {
    /// Listens from now on. Needs a running tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let signals = Self { cancel: CancellationToken::new(), caught: Arc::default() };
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let (cancel, caught) = (signals.cancel.clone(), Arc::clone(&signals.caught));
        tokio::spawn(async move {
            let number = tokio::select! {
                _ = term.recv() => 15,
                _ = int.recv() => 2,
            };
            caught.store(number, Ordering::Relaxed);
            cancel.cancel();
        });
        Ok(signals)
    }

    /// The signal that was caught.
    pub fn caught(&self) -> Option<u8> {
        Some(self.caught.load(Ordering::Relaxed)).filter(|&number| number != 0)
    }
}
