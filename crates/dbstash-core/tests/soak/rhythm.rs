//! When the jobs of the soak are due, by arithmetic of its own.

use chrono::{DateTime, TimeDelta, Utc};

/// A schedule of whole minutes.
#[derive(Clone, Copy)]
pub(crate) struct Rhythm {
    /// The same as a cron expression, in UTC.
    pub(crate) cron: &'static str,
    /// Whether it is due in this minute since 1970.
    pub(crate) is_due: fn(i64) -> bool,
}

/// In minutes since 1970, and back.
fn minute(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(60)
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
}

impl Rhythm {
    /// The first time after `then`.
    pub(crate) fn after(self, then: DateTime<Utc>) -> DateTime<Utc> {
        (minute(then) + 1..i64::MAX).find(|minute| (self.is_due)(*minute)).map(at).unwrap()
    }

    /// The last time that is not after `then`.
    pub(crate) fn before(self, then: DateTime<Utc>) -> DateTime<Utc> {
        (0..=minute(then)).rev().find(|minute| (self.is_due)(*minute)).map(at).unwrap()
    }

    /// How many times there are between these two, none of which counts.
    pub(crate) fn between(self, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
        let inside = minute(from) + 1..minute(to);
        inside.filter(|minute| (self.is_due)(*minute)).count()
    }
}
