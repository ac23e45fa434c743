//! How far a restore is, on a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use crate::text::{age, size};

/// How often it is told.
const EVERY: Duration = Duration::from_millis(500);

/// One line that changes; nothing where nobody looks.
pub(super) struct Bar {
    total: u64,
    done: AtomicU64,
    begun: Instant,
    told: Mutex<Option<Instant>>,
    shown: bool,
}

impl Bar {
    /// Of so many bytes.
    pub(super) fn new(total: u64) -> Self {
        let shown = io::stderr().is_terminal();
        Self {
            total,
            done: AtomicU64::new(0),
            begun: Instant::now(),
            told: Mutex::new(None),
            shown,
        }
    }

    /// So many more have come.
    pub(super) fn moved(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if !self.shown {
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= EVERY) {
            *told = Some(Instant::now());
            // Nobody is left to be told that stderr is gone.
            let _ =
                write!(io::stderr(), "\r\x1b[K{}", line(done, self.total, self.begun.elapsed()));
        }
    }

    /// The line makes way for others.
    pub(super) fn done(&self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// `42 %  1.2 GiB of 2.9 GiB, 1m 3s left`.
fn line(done: u64, total: u64, since: Duration) -> String {
    let percent = (done.min(total) * 100).checked_div(total).unwrap_or(100);
    let left = total.saturating_sub(done);
    let left = (u128::from(left) * since.as_millis()).checked_div(u128::from(done));
    let left = left.and_then(|ms| i64::try_from(ms).ok()).map(TimeDelta::milliseconds);
    let left = left.map_or(String::new(), |left| format!(", {} left", age(left)));
    format!("{percent} %  {} of {}{left}", size(done), size(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_and_how_long() {
        let told = line(1 << 20, 4 << 20, Duration::from_secs(10));
        assert_eq!(told, "25 %  1.0 MiB of 4.0 MiB, 30s left");
        assert_eq!(line(0, 0, Duration::ZERO), "100 %  0 B of 0 B");
        assert_eq!(line(9, 4, Duration::from_secs(1)), "100 %  9 B of 4 B, 0s left");
    }
}
