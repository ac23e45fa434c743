//! Who does what when: what is to come, and what its time has come for.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

/// What a member does by a timetable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    /// A run: backups.
    Backup,
    /// A round: backups are verified.
    Verify,
    /// A round of drills.
    Drill,
}

impl Task {
    pub(super) const ALL: [Self; 3] = [Self::Backup, Self::Verify, Self::Drill];
}

/// Something to come. In the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Appointment {
    /// When it starts.
    pub start: DateTime<Utc>,
    /// When it is due: a little before that, where a jitter is asked for.
    pub due: DateTime<Utc>,
    /// Whose it is.
    pub member: usize,
    /// What.
    pub task: Task,
}

/// What is to come of all jobs. A member has one of each task at most.
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
        let task = Task::Backup;
        let later =
            |one: &Appointment| (one.member, one.task) == (member, task) && one.start > start;
        if self.to_come.iter().any(|Reverse(one)| later(one)) {
            self.to_come.retain(|Reverse(one)| !later(one));
            self.add(Appointment { start, due: start, member, task });
        }
    }

    /// Looks at the clock. The appointments that mean nothing any more, because the clock was set back.
    pub(super) fn look(&mut self, now: DateTime<Utc>) -> Vec<Appointment> {
        let before = std::mem::replace(&mut self.seen, now);
        if onwards(now, before) < before {
            return self.to_come.drain().map(|Reverse(one)| one).collect();
        }
        while let Some(Reverse(one)) = self.to_come.peek().filter(|one| one.0.start <= now).copied()
        {
            self.to_come.pop();
            self.ready.push_back(one);
        }
        Vec::new()
    }

    /// The run that has waited longest for its turn.
    pub(super) fn take_run(&mut self) -> Option<Appointment> {
        self.take(|one| one.task == Task::Backup)
    }

    /// The round that has waited longest, of those whose own run is neither at work nor waiting.
    pub(super) fn take_round(&mut self, at_work: &BTreeSet<usize>) -> Option<Appointment> {
        let waiting = self.ready.iter().filter(|one| one.task == Task::Backup);
        let busy: BTreeSet<usize> =
            waiting.map(|one| one.member).chain(at_work.iter().copied()).collect();
        self.take(|one| one.task != Task::Backup && !busy.contains(&one.member))
    }

    fn take(&mut self, wanted: impl Fn(&Appointment) -> bool) -> Option<Appointment> {
        self.ready.remove(self.ready.iter().position(wanted)?)
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
            let (start, task) = (at(*start), Task::Backup);
            agenda.add(Appointment { start, due: start, member, task });
        }
        agenda
    }

    fn members(of: Vec<Appointment>) -> Vec<usize> {
        of.into_iter().map(|one| one.member).collect()
    }

    fn turns(agenda: &mut Agenda) -> Vec<usize> {
        std::iter::from_fn(|| agenda.take(|_| true)).map(|one| one.member).collect()
    }

    #[test]
    fn in_order_and_not_before_their_time() {
        let mut agenda = agenda(&[30, 10, 20]);
        assert_eq!(agenda.look(at(9)), []);
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
        assert_eq!(agenda.look(at(90_000 - 180)), []);
        assert_eq!(agenda.next(), Some(at(100_000)));
        assert_eq!(members(agenda.look(at(0))), [0]);
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn a_round_waits_without_holding_up_who_comes_after_it() {
        let mut agenda = agenda(&[10, 30]);
        for member in [0, 1] {
            agenda.add(Appointment { start: at(5), due: at(5), member, task: Task::Verify });
        }
        agenda.look(at(10));
        let whose = |one: Option<Appointment>| one.map(|one| one.member);
        let (nobody, first) = (BTreeSet::new(), BTreeSet::from([0]));
        assert_eq!(whose(agenda.take_round(&nobody)), Some(1));
        assert_eq!(whose(agenda.take_round(&nobody)), None, "its own run waits");
        assert_eq!(whose(agenda.take_run()), Some(0));
        assert_eq!(whose(agenda.take_round(&first)), None, "its own run is at work");
        assert_eq!(whose(agenda.take_round(&nobody)), Some(0));
        // Called to a backup, it keeps its round.
        agenda.add(Appointment { start: at(40), due: at(40), member: 1, task: Task::Verify });
        agenda.call(1, at(20));
        assert_eq!(agenda.next(), Some(at(20)));
        assert_eq!(agenda.all().count(), 2);
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
