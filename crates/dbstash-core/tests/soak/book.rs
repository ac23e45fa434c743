//! What was told of one job, and whether it adds up.

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::daemon::Tick;
use dbstash_core::report::{Outcome, Report};

use crate::rhythm::Rhythm;

/// A clock that is set back by more than this was wrong before: what has been comes again.
const WRONG: TimeDelta = TimeDelta::hours(3);
/// More are not counted after one run.
const MOST: usize = 100_000;

/// The account of one job.
pub(crate) struct Account {
    name: &'static str,
    rhythm: Rhythm,
    jitter: TimeDelta,
    state: State,
    /// How far the clock was set back since the last appointment was told.
    back: TimeDelta,
    /// And between that and the one before it.
    back_before: TimeDelta,
    /// What the clock showed when it had been set back.
    set_to: DateTime<Utc>,
    /// How it went.
    pub(crate) tally: Tally,
    /// What does not add up.
    pub(crate) flaws: Vec<String>,
}

/// Of one job.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) stored: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    pub(crate) missed: u64,
    pub(crate) deleted: u64,
    /// Appointments that came again because the clock had been wrong.
    pub(crate) anew: u64,
    /// Runs that were made up for.
    pub(crate) overdue: u64,
    /// Runs that one service left to the next.
    pub(crate) left: u64,
}

impl Tally {
    /// Ticks that were accounted for.
    pub(crate) fn ticks(&self) -> u64 {
        self.stored + self.failed + self.skipped + self.missed
    }

    /// Whether there was each kind of thing.
    pub(crate) fn is_varied(&self) -> bool {
        let Self { stored, failed, skipped, missed, deleted, anew, overdue, left } = *self;
        [stored, failed, skipped, missed, deleted, anew, overdue, left].iter().all(|n| *n > 0)
    }

    /// All in all.
    pub(crate) fn sum(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::default(), |a, b| Self {
            stored: a.stored + b.stored,
            failed: a.failed + b.failed,
            skipped: a.skipped + b.skipped,
            missed: a.missed + b.missed,
            deleted: a.deleted + b.deleted,
            anew: a.anew + b.anew,
            overdue: a.overdue + b.overdue,
            left: a.left + b.left,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing was told yet by this service.
    Young { born: DateTime<Utc> },
    /// This run was left by the service before.
    Left { due: DateTime<Utc>, start: DateTime<Utc> },
    /// The next run starts then.
    Waits { due: DateTime<Utc>, start: DateTime<Utc> },
    /// The run that was due then was over at `ended`.
    Over { due: DateTime<Utc>, ended: DateTime<Utc>, missed: usize },
}

impl Account {
    /// Of a job whose process begins now.
    pub(crate) fn new(
        name: &'static str,
        rhythm: Rhythm,
        jitter: TimeDelta,
        born: DateTime<Utc>,
    ) -> Self {
        Self {
            name,
            rhythm,
            jitter,
            state: State::Young { born },
            back: TimeDelta::zero(),
            back_before: TimeDelta::zero(),
            set_to: born,
            tally: Tally::default(),
            flaws: Vec::new(),
        }
    }

    /// The clock was set, and shows `now`.
    pub(crate) fn clock_set(&mut self, by: TimeDelta, now: DateTime<Utc>) {
        if by < TimeDelta::zero() {
            self.back -= by;
            self.set_to = now;
        }
    }

    /// A service ended and left a run, by when it is due and starts, and the next service begins.
    pub(crate) fn served_anew(&mut self, left: Option<(DateTime<Utc>, DateTime<Utc>)>) {
        let odd = |at| self.rhythm.before(at) != at;
        self.state = match (self.state, left) {
            (State::Waits { due: ours, .. }, Some((due, start))) if ours == due || odd(due) => {
                self.tally.left += 1;
                State::Left { due, start }
            }
            (state, _) => {
                self.flaws.push(format!("{}: {left:?} is left of {state:?}", self.name));
                state
            }
        };
    }

    /// Something is told while the clock shows `now`.
    pub(crate) fn tell(&mut self, tick: &Tick<'_>, now: DateTime<Utc>) {
        let state = self.state;
        let fits = match (tick, state) {
            (Tick::Known(_) | Tick::Unknown(_), _) => true,
            (Tick::Next(start), _) => self.next(*start, now),
            (Tick::Overdue(_), State::Waits { start, .. }) => {
                self.tally.overdue += 1;
                if start > now {
                    self.state = State::Waits { due: now, start: now };
                }
                true
            }
            (Tick::Done(reports), State::Waits { due, start }) => {
                self.state = State::Over { due, ended: now, missed: 0 };
                self.done(reports, start)
            }
            (Tick::Missed(n), State::Over { due, ended, missed: 0 }) => {
                self.tally.missed += *n as u64;
                self.state = State::Over { due, ended, missed: *n };
                *n > 0
            }
            _ => false,
        };
        if !fits {
            let back = self.back;
            let flaw = format!("{}: {tick:?} at {now} in {state:?}, set back {back}", self.name);
            self.flaws.push(flaw);
        }
    }

    /// Whether this is the right time for the next run.
    fn next(&mut self, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        let due = self.rhythm.before(start);
        let back = std::mem::take(&mut self.back);
        let back_before = std::mem::replace(&mut self.back_before, back);
        let state = std::mem::replace(&mut self.state, State::Waits { due, start });
        let first = |then| self.rhythm.after(then);
        let right = match state {
            State::Young { born } => (first(born)..=first(now)).contains(&due),
            State::Left { due, start: then } if start == then => {
                self.state = State::Waits { due, start };
                return true;
            }
            // Planned anew. That concerns all, also who has just been planned after a run.
            State::Waits { .. } | State::Left { .. } => {
                self.tally.anew += 1;
                back + back_before > WRONG && (first(self.set_to)..=first(now)).contains(&due)
            }
            State::Over { due: done, ended, missed } => {
                let onwards = |now| if done - now > WRONG { now } else { done.max(now) };
                let between = self.rhythm.between(done, due).min(MOST);
                (first(onwards(ended))..=first(onwards(now))).contains(&due)
                    && between == missed
                    && (due > done || back > WRONG)
            }
        };
        right && start - due <= self.jitter
    }

    fn done(&mut self, reports: &[Report], start: DateTime<Utc>) -> bool {
        let [report] = reports else { return false };
        match &report.outcome {
            Outcome::Stored { pruned, .. } => {
                self.tally.stored += 1;
                self.tally.deleted += *pruned as u64;
            }
            Outcome::Failed { .. } => self.tally.failed += 1,
            Outcome::Skipped { .. } => self.tally.skipped += 1,
        }
        // Not before its time, unless the clock was set back after that had come.
        report.started >= start || !self.back.is_zero()
    }
}
