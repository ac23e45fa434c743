//! A wall clock that runs fast, and is set.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::clock::Clock;

/// A minute of it lasts 20 ms.
const PACE: u32 = 3000;

/// A clock of that pace.
pub(crate) struct Fast {
    base: DateTime<Utc>,
    born: Instant,
    /// How far it was set forward, all in all, in milliseconds.
    set: AtomicI64,
}

impl Fast {
    /// One that shows `base` now.
    pub(crate) fn new(base: DateTime<Utc>) -> Self {
        Self { base, born: Instant::now(), set: AtomicI64::new(0) }
    }

    /// Sets it forward, or back.
    pub(crate) fn set(&self, by: TimeDelta) {
        self.set.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

impl Clock for Fast {
    fn now(&self) -> DateTime<Utc> {
        let set = TimeDelta::milliseconds(self.set.load(Ordering::SeqCst));
        self.base + self.born.elapsed() * PACE + set
    }

    fn lasts(&self, duration: Duration) -> Duration {
        duration / PACE
    }
}
