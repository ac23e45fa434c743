//! TERM and INT end a run cleanly; a second one ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use dbstash_core::process;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a clean end may take: a container is killed after 10 s, and then nobody knows why.
const CLEAN_END: Duration = Duration::from_secs(8);

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
        let mut both =
            Both { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
        let (cancel, caught) = (signals.cancel.clone(), Arc::clone(&signals.caught));
        tokio::spawn(async move {
            let number = both.next().await;
            caught.store(number, Ordering::Relaxed);
            cancel.cancel();
            let why = match tokio::time::timeout(CLEAN_END, both.next()).await {
                Ok(_) => "a second signal".to_owned(),
                Err(_) => format!("{CLEAN_END:?} after the signal"),
            };
            tracing::warn!("{why}: everything ends now; what is left, the next run cleans up");
            process::hurry();
        });
        Ok(signals)
    }

    /// The first signal that was caught.
    pub fn caught(&self) -> Option<u8> {
        Some(self.caught.load(Ordering::Relaxed)).filter(|&number| number != 0)
    }
}

struct Both {
    term: Signal,
    int: Signal,
}

impl Both {
    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.term.recv() => 15,
            _ = self.int.recv() => 2,
        }
    }
}
