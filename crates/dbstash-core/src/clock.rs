//! Wall time, as something that can be replaced. Durations are measured by tokio's clock, not by this one.

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// How long a duration of this clock lasts by tokio's.
    fn lasts(&self, duration: Duration) -> Duration {
        duration
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}
