//! Who runs when: the runs to come, and those whose time has come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// A run to come. In the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Appointment {
    /// When it starts.
    pub start: DateTime<Utc>,
    /// When it is due: a little before that, where a jitter is asked for.
    pub due: DateTime<Utc>,
    /// Whose it is.
    pub member: usize,
}

/// The runs to come of all jobs. A member has one at most.
#[derive(Debug)]
pub(super) struct Agenda {
    to_come: BinaryHeap<Reverse<Appointment>>,
    ready: VecDeque<Appointment>,
    seen: DateTime<Utc>,
}

/// A clock set back by less does not repeat what has been: it is being set right. By more, it was wrong before.
const SET_RIGHT: TimeDelta = TimeDelta::hours(3);

/// Where to go on after `done`.
pub(super) fn onwards(now: DateTime<Utc>, done: DateTime<Utc>) -> DateTime<Utc> {
    if done - now > SET_RIGHT { now } else { now.max(done) }
}

impl Agenda {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self { to_come: BinaryHeap::new(), ready: VecDeque::new(), seen: now }
    }

    pub(super) fn add(&mut self, appointment: Appointment) {
        self.to_come.push(Reverse(appointment));
    }

    /// Has a member run at `start` instead of later, unless it is about to, or at it.
    pub(super) fn call(&mut self, member: usize, start: DateTime<Utc>) {
        let later = |one: &Appointment| one.member == member && one.start > start;
        if self.to_come.iter().any(|Reverse(one)| later(one)) {
            self.to_come.retain(|Reverse(one)| !later(one));
            self.add(Appointment { start, due: start, member });
        }
    }

    /// Looks at the clock. The members whose appointments mean nothing any more, because the clock was set back.
    pub(super) fn look(&mut self, now: DateTime<Utc>) -> Vec<usize> {
        let before = std::mem::replace(&mut self.seen, now);
        if onwards(now, before) < before {
            return self.to_come.drain().map(|Reverse(one)| one.member).collect();
        }
        while let Some(Reverse(one)) = self.to_come.peek().filter(|one| one.0.start <= now).copied()
        {
            self.to_come.pop();
            self.ready.push_back(one);
        }
        Vec::new()
    }

    /// The one that has waited longest for its turn.
    pub(super) fn take(&mut self) -> Option<Appointment> {
        self.ready.pop_front()
    }

    /// When the next one starts.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.to_come.peek().map(|Reverse(one)| one.start)
    }

    /// Who has not begun: those whose time has come, and all others.
    pub(super) fn all(&self) -> impl Iterator<Item = Appointment> {
        self.ready.iter().chain(self.to_come.iter().map(|Reverse(one)| one)).copied()
    }

    /// When the clock was looked at last.
    pub(super) fn seen(&self) -> DateTime<Utc> {
        self.seen
    }

    /// Whether nobody will run any more.
    pub(super) fn is_empty(&self) -> bool {
        self.to_come.is_empty() && self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn agenda(starts: &[i64]) -> Agenda {
        let mut agenda = Agenda::new(at(0));
        for (member, start) in starts.iter().enumerate() {
            agenda.add(Appointment { start: at(*start), due: at(*start), member });
        }
        agenda
    }

    fn turns(agenda: &mut Agenda) -> Vec<usize> {
        std::iter::from_fn(|| agenda.take()).map(|one| one.member).collect()
    }

    #[test]
    fn in_order_and_not_before_their_time() {
        let mut agenda = agenda(&[30, 10, 20]);
        assert_eq!(agenda.look(at(9)), [0; 0]);
        assert_eq!((turns(&mut agenda), agenda.next()), (vec![], Some(at(10))));
        agenda.look(at(20));
        assert_eq!((turns(&mut agenda), agenda.next()), (vec![1, 2], Some(at(30))));
        agenda.look(at(100_000));
        assert_eq!(turns(&mut agenda), [0]);
        assert!(agenda.is_empty());
    }

    #[test]
    fn a_clock_that_is_set_right_repeats_nothing_and_one_that_was_wrong_is_forgotten() {
        let mut agenda = agenda(&[100_000, 10]);
        agenda.look(at(90_000));
        assert_eq!(turns(&mut agenda), [1]);
        assert_eq!(agenda.look(at(90_000 - 180)), [0; 0]);
        assert_eq!(agenda.next(), Some(at(100_000)));
        assert_eq!(agenda.look(at(0)), [0]);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn who_is_called_comes_once() {
        let mut agenda = agenda(&[50]);
        agenda.call(0, at(1));
        agenda.call(0, at(1));
        agenda.look(at(60));
        assert_eq!(turns(&mut agenda), [0]);
    }
}
