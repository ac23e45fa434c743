//! When the runs of a job start.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::schedule::Schedule;
use crate::zone::Zone;

/// When runs start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timetable {
    /// The rule.
    pub schedule: Schedule,
    /// The zone it is read in.
    pub zone: Zone,
    /// Whether to run at the start, too.
    pub on_start: bool,
    /// How long to wait before anything else.
    pub initial_delay: Duration,
    /// Up to how long after its time a run starts, by chance.
    pub jitter: Duration,
    /// Whether to run at the start when a run was missed since the newest backup.
    pub catch_up: bool,
}

/// A run to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    /// When it is due.
    pub due: DateTime<Utc>,
    /// Whether it may start a little later.
    pub spread: bool,
}

impl Timetable {
    /// One run, at once.
    pub fn now(zone: Zone) -> Self {
        Self {
            schedule: Schedule::Once,
            zone,
            on_start: false,
            initial_delay: Duration::ZERO,
            jitter: Duration::ZERO,
            catch_up: false,
        }
    }

    /// Whether there is one run and no more.
    pub fn is_once(&self) -> bool {
        self.schedule == Schedule::Once
    }

    /// The first moment after `at` at which a run is due.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedule.next_after(at, self.zone)
    }

    /// The first run of a process that began at `born`.
    pub(crate) fn first(&self, born: DateTime<Utc>) -> Option<Next> {
        let ready = born + self.initial_delay;
        if self.on_start || self.is_once() {
            return Some(Next { due: ready, spread: false });
        }
        self.next(ready)
    }

    /// The run after `at`.
    pub(crate) fn next(&self, at: DateTime<Utc>) -> Option<Next> {
        self.next_after(at).map(|due| Next { due, spread: true })
    }

    /// The next run, if the time it was planned for means nothing any more.
    pub(crate) fn anew(&self, now: DateTime<Utc>) -> Option<Next> {
        if self.is_once() { Some(Next { due: now, spread: false }) } else { self.next(now) }
    }

    /// How many runs were due after `from` and not after `to`: at most `LIMIT`.
    pub fn due_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
        /// More are not worth counting.
        const LIMIT: usize = 100_000;
        let after = |at: &DateTime<Utc>| self.next_after(*at);
        std::iter::successors(after(&from), after).take_while(|at| *at <= to).take(LIMIT).count()
    }
}
