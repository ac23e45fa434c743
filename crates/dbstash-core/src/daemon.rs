//! Jobs on their schedules, until a signal.
//!
//! Rounds, which verify backups, are apart from runs: one at a time, beside as many runs as there may be, so that no
//! backup waits for one. They wait for the runs of their own job, and not the other way round: what is being read is
//! not deleted (`verify/examine.rs`).

mod agenda;
mod history;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::agenda::{Agenda, Appointment, Task};
use crate::chance::chance;
use crate::clock::Clock;
use crate::job::{Job, JobId};
use crate::past::Stock;
use crate::remote::RemoteError;
use crate::report::Report;
use crate::run::{self, Context};
use crate::timetable::{Next, Timetable};
use crate::verify::{self, Round, Rounds};

/// While a service is to end: how long nobody begins, and then how long everybody may again, in turn. Short runs are
/// over within the first, and long ones hold nobody up for more than a moment.
const HOLD: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(600)];
/// How soon it is seen which of them it is.
const LOOK: Duration = Duration::from_secs(5);

/// Wall clocks jump: no sleep trusts them for longer than this.
const GLANCE: Duration = Duration::from_secs(30);

/// A job, when it runs, and with what.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// What to back up.
    pub job: &'a Job,
    /// When.
    pub timetable: &'a Timetable,
    /// What of it is verified, and when.
    pub rounds: Option<&'a Rounds>,
    /// What of it is restored on trial, and when.
    pub drills: Option<&'a Rounds>,
    /// With what.
    pub cx: Context<'a>,
    /// Members with the same number have the same remote.
    pub place: usize,
}

impl<'a> Member<'a> {
    fn timetable(&self, task: Task) -> Option<&'a Timetable> {
        match task {
            Task::Backup => Some(self.timetable),
            Task::Verify | Task::Drill => self.rounds(task).map(|rounds| &rounds.timetable),
        }
    }

    fn rounds(&self, task: Task) -> Option<&'a Rounds> {
        match task {
            Task::Backup => None,
            Task::Verify => self.rounds,
            Task::Drill => self.drills,
        }
    }
}

/// How members share a process.
pub struct Terms<'a> {
    /// How many run at a time; the others wait for their turn, who came first runs first.
    pub parallel: NonZeroUsize,
    /// Ends the service as soon as no run is at work.
    pub retire: &'a CancellationToken,
    /// What an earlier service has left: its members go on where it stopped.
    pub left: &'a [Left],
}

/// Where a member was when its service ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Whose.
    pub job: JobId,
    /// What of it.
    task: Task,
    /// When its next run, or round, is due, and when it starts; `None` when there is none.
    pub next: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// By which rules that is so.
    timetable: Timetable,
    /// When that was so.
    seen: DateTime<Utc>,
}

impl Left {
    /// Whether it is still to start then: not where the rules are others now, or the clock was wrong.
    fn holds(&self, timetable: &Timetable, now: DateTime<Utc>) -> bool {
        let set_back = agenda::onwards(now, self.seen) < self.seen;
        let is_due = self.next.is_some_and(|(_, start)| start <= now);
        !set_back && (is_due || self.timetable == *timetable)
    }
}

/// How a service ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// The reports of those that ran last: the ones whose schedule was over, or a signal ended.
    pub last: Vec<Report>,
    /// What is left to the next service.
    pub left: Vec<Left>,
}

/// What a member's owner is told.
#[derive(Debug)]
pub enum Tick<'a> {
    /// The newest backups of it that are there; told once.
    Known(&'a [Stock]),
    /// Its remote does not say what is there, and is asked again later.
    Unknown(&'a RemoteError),
    /// Its next run starts then.
    Next(DateTime<Utc>),
    /// A run was due then, and nobody ran; it is made up for now.
    Overdue(DateTime<Utc>),
    /// A run is over.
    Done(&'a [Report]),
    /// This many runs were due while the last one was still at work.
    Missed(usize),
    /// Its schedule never comes again.
    Never,
    /// Its next round starts then; `None` for never again.
    NextRound(Option<DateTime<Utc>>),
    /// A round is over, and so many of it were due meanwhile.
    Round(&'a Round, usize),
}

/// Runs each member by its timetable, until a signal, or until none of them has a run to come.
pub async fn serve<'a>(
    members: &[Member<'a>],
    terms: Terms<'_>,
    tell: &dyn Fn(&Member<'a>, Tick<'_>),
) -> Ended {
    let Some(first) = members.first() else { return Ended::default() };
    let (clock, cancel) = (first.cx.clock, first.cx.cancel);
    let born = clock.now();
    let mut agenda = Agenda::new(born);
    for (index, member) in members.iter().enumerate() {
        for task in Task::ALL {
            let Some(timetable) = member.timetable(task) else { continue };
            let left = |left: &&Left| left.job == member.job.id && left.task == task;
            match terms.left.iter().find(left) {
                None => plan(&mut agenda, (index, task), member, timetable.first(born), tell),
                Some(left) if left.holds(timetable, born) => {
                    if let Some((due, start)) = left.next {
                        tell(member, next_tick(task, start));
                        agenda.add(Appointment { start, due, member: index, task });
                    }
                }
                Some(_) => plan(&mut agenda, (index, task), member, timetable.next(born), tell),
            }
        }
    }
    let (call, mut called) = mpsc::unbounded_channel();
    let mut learning = Box::pin(history::learn(members, tell, |index| {
        // Nobody listens any more when all is over.
        let _ = call.send(index);
    }));
    let (mut learned, mut last, mut retired) = (false, Vec::new(), None);
    let no_more = cancel.child_token();
    let (mut running, mut rounds) = (FuturesUnordered::new(), FuturesUnordered::new());
    let mut at_work = BTreeSet::new();
    loop {
        for Appointment { member: index, task, .. } in agenda.look(clock.now()) {
            let member = &members[index];
            let next = member.timetable(task).and_then(|timetable| timetable.anew(clock.now()));
            plan(&mut agenda, (index, task), member, next, tell);
        }
        let retiring = terms.retire.is_cancelled();
        if retiring {
            no_more.cancel();
        }
        if running.is_empty() && rounds.is_empty() && (retiring || agenda.is_empty()) {
            let now = agenda.seen();
            let mut next = BTreeMap::new();
            next.extend(agenda.all().map(|one| ((one.member, one.task), (one.due, one.start))));
            let all = (0..members.len()).flat_map(|index| Task::ALL.map(|task| (index, task)));
            let left = all.filter_map(|(index, task)| {
                let member = &members[index];
                let (job, timetable) = (member.job.id.clone(), member.timetable(task)?.clone());
                let next = next.get(&(index, task)).copied();
                Some(Left { job, task, next, timetable, seen: now })
            });
            return Ended { last, left: left.collect() };
        }
        let held = retiring && holds(retired.get_or_insert_with(Instant::now).elapsed());
        while running.len() < terms.parallel.get()
            && !held
            && let Some(one) = agenda.take_run()
        {
            let member = &members[one.member];
            at_work.insert(one.member);
            running.push(async move { (one, run::run(member.job, member.cx).await) });
        }
        if rounds.is_empty() && !retiring {
            let ready = agenda.take_round(&at_work);
            let ready = ready.and_then(|one| Some((one, members[one.member].rounds(one.task)?)));
            rounds.extend(ready.map(|(one, what)| {
                let (Member { job, cx, .. }, no_more) = (&members[one.member], &no_more);
                async move { (one, verify::round(job, what, *cx, no_more).await) }
            }));
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some((one, reports)) = running.next() => {
                let member = &members[one.member];
                at_work.remove(&one.member);
                tell(member, Tick::Done(&reports));
                let now = agenda::onwards(clock.now(), one.due);
                match member.timetable.due_between(one.due, now) {
                    0 => {}
                    n => tell(member, Tick::Missed(n)),
                }
                let next = member.timetable.following(one.due, now);
                if next.is_none() {
                    last.extend(reports);
                }
                plan(&mut agenda, (one.member, one.task), member, next, tell);
            }
            Some((one, round)) = rounds.next() => {
                let member = &members[one.member];
                let now = agenda::onwards(clock.now(), one.due);
                let timetable = member.timetable(one.task);
                let missed = timetable.map_or(0, |timetable| timetable.due_between(one.due, now));
                tell(member, Tick::Round(&round, missed));
                if round.whole {
                    let next = timetable.and_then(|timetable| timetable.following(one.due, now));
                    plan(&mut agenda, (one.member, one.task), member, next, tell);
                } else {
                    // The next service begins it anew.
                    agenda.add(one);
                }
            }
            Some(index) = called.recv() => {
                let ready = born + members[index].timetable.initial_delay;
                agenda.call(index, ready.max(clock.now()));
            }
            () = terms.retire.cancelled(), if !retiring => {}
            () = tokio::time::sleep(LOOK), if retiring => {}
            () = &mut learning, if !learned => learned = true,
            () = nap(agenda.next(), clock) => {}
        }
    }
    loop {
        tokio::select! {
            Some((one, reports)) = running.next() => {
                tell(&members[one.member], Tick::Done(&reports));
                last.extend(reports);
            }
            Some(_) = rounds.next() => {}
            else => break,
        }
    }
    Ended { last, left: Vec::new() }
}

/// Whether nobody begins, so long after a service was told to end.
fn holds(since: Duration) -> bool {
    let round = HOLD[0].as_millis() + HOLD[1].as_millis();
    since.as_millis() % round < HOLD[0].as_millis()
}

/// What is told of a next one.
fn next_tick<'a>(task: Task, start: DateTime<Utc>) -> Tick<'a> {
    match task {
        Task::Backup => Tick::Next(start),
        Task::Verify | Task::Drill => Tick::NextRound(Some(start)),
    }
}

/// Notes a member's next run or round, which starts a little later than it is due where that is asked for.
fn plan<'a>(
    agenda: &mut Agenda,
    (index, task): (usize, Task),
    member: &Member<'a>,
    next: Option<Next>,
    tell: &dyn Fn(&Member<'a>, Tick<'_>),
) {
    let Some(timetable) = member.timetable(task) else { return };
    let Some(Next { due, spread }) = next else {
        match task {
            Task::Backup if timetable.is_once() => {}
            Task::Backup => tell(member, Tick::Never),
            Task::Verify | Task::Drill => tell(member, Tick::NextRound(None)),
        }
        return;
    };
    let late = if spread { timetable.spread(due).mul_f64(chance()) } else { Duration::ZERO };
    let start = due + late;
    if !timetable.is_once() {
        tell(member, next_tick(task, start));
    }
    agenda.add(Appointment { start, due, member: index, task });
}

/// Sleeps until it is time to look at the clock again.
async fn nap(next: Option<DateTime<Utc>>, clock: &dyn Clock) {
    let Some(next) = next else { return std::future::pending().await };
    let left = (next - clock.now()).to_std().unwrap_or_default();
    tokio::time::sleep(clock.lasts(left).min(GLANCE)).await;
}
