//! TERM and INT end a run cleanly; a second one ends it at once. HUP has the settings read again.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// Cancelled by a second one, or when the time for a clean end is over: nobody waits for anything any more.
    pub hurry: CancellationToken,
    caught: Arc<AtomicU8>,
    hangup: Arc<Mutex<Option<CancellationToken>>>,
}

impl Signals {
    /// Listens from now on. Needs a running tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let signals = Self {
            cancel: CancellationToken::new(),
            hurry: CancellationToken::new(),
            caught: Arc::default(),
            hangup: Arc::default(),
        };
        let mut both =
            Both { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? };
        let (cancel, hurry) = (signals.cancel.clone(), signals.hurry.clone());
        let caught = Arc::clone(&signals.caught);
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
            hurry.cancel();
        });
        let (mut hup, hangup) = (signal(SignalKind::hangup())?, Arc::clone(&signals.hangup));
        tokio::spawn(async move {
            while hup.recv().await.is_some() {
                let token = hangup.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(token) = token {
                    tracing::info!("HUP: the settings are read again as soon as no run is at work");
                    token.cancel();
                } else {
                    tracing::info!("HUP: there are no settings to read again now");
                }
            }
        });
        Ok(signals)
    }

    /// A token that the next HUP cancels. Without one, a HUP changes nothing.
    pub fn hangup(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.hangup.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        token
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
