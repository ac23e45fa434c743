//! When the runs of a job start.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

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

    /// The run after one that was due at `due` and is over by `now`. An interval is one from start to start.
    pub(crate) fn following(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> Option<Next> {
        if let Schedule::Every(pause) = self.schedule
            && let Ok(since) = (now - due).to_std()
        {
            let steps = u32::try_from(since.as_nanos() / pause.as_nanos().max(1)).ok()?;
            let next =
                due.checked_add_signed(TimeDelta::from_std(pause.checked_mul(steps + 1)?).ok()?)?;
            return Some(Next { due: next, spread: true });
        }
        self.next(now)
    }

    /// Up to how long after `due` that run starts: no run is put off until the one after it.
    pub(crate) fn spread(&self, due: DateTime<Utc>) -> Duration {
        let most = self.next_after(due).and_then(|after| (after - due).to_std().ok());
        most.map_or(self.jitter, |most| self.jitter.min(most.mul_f64(0.9)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-03-01T{text}Z").parse().unwrap()
    }

    #[test]
    fn an_interval_is_from_start_to_start() {
        let pause = Duration::from_secs(3600);
        let every = Timetable { schedule: Schedule::Every(pause), ..Timetable::now(Zone::UTC) };
        let following = |now| every.following(at("02:00:00"), at(now)).unwrap().due;
        assert_eq!(following("02:20:00"), at("03:00:00"));
        assert_eq!(following("03:00:00"), at("04:00:00"));
        assert_eq!(following("06:59:59"), at("07:00:00"));
        assert_eq!(every.due_between(at("02:00:00"), at("06:59:59")), 4);
        // A clock that was wrong by hours.
        assert_eq!(every.following(at("09:00:00"), at("02:00:00")).unwrap().due, at("03:00:00"));
    }

    #[test]
    fn nothing_is_put_off_until_the_next_time() {
        let often = |jitter| Timetable {
            schedule: "*/5 * * * *".parse().unwrap(),
            jitter: Duration::from_secs(jitter),
            ..Timetable::now(Zone::UTC)
        };
        assert_eq!(often(60).spread(at("02:00:00")), Duration::from_secs(60));
        assert_eq!(often(7200).spread(at("02:00:00")), Duration::from_secs(270));
    }
}
