//! Jobs on their schedules, until a signal.

mod agenda;
mod history;

use std::num::NonZeroUsize;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::agenda::{Agenda, Appointment};
pub use self::history::Past;
use crate::chance::chance;
use crate::clock::Clock;
use crate::job::{Job, JobId};
use crate::remote::RemoteError;
use crate::report::Report;
use crate::run::{self, Context};
use crate::timetable::{Next, Timetable};

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
    /// With what.
    pub cx: Context<'a>,
    /// Members with the same number have the same remote.
    pub place: usize,
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

/// A run that did not begin because its service was to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Whose.
    pub job: JobId,
    /// When it is due.
    pub due: DateTime<Utc>,
    /// When it starts.
    pub start: DateTime<Utc>,
    /// By which rules that is so.
    timetable: Timetable,
    /// When that was so.
    seen: DateTime<Utc>,
}

impl Left {
    /// Whether it is still to start then: not where the rules are others now, or the clock was wrong.
    fn holds(&self, timetable: &Timetable, now: DateTime<Utc>) -> bool {
        let set_back = agenda::onwards(now, self.seen) < self.seen;
        !set_back && (self.start <= now || self.timetable == *timetable)
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
    Known(&'a [Past]),
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
        match terms.left.iter().find(|left| left.job == member.job.id) {
            None => plan(&mut agenda, index, member, member.timetable.first(born), tell),
            Some(left) if left.holds(member.timetable, born) => {
                tell(member, Tick::Next(left.start));
                agenda.add(Appointment { start: left.start, due: left.due, member: index });
            }
            Some(_) => plan(&mut agenda, index, member, member.timetable.next(born), tell),
        }
    }
    let (call, mut called) = mpsc::unbounded_channel();
    let mut learning = Box::pin(history::learn(members, tell, |index| {
        // Nobody listens any more when all is over.
        let _ = call.send(index);
    }));
    let (mut learned, mut last, mut retired) = (false, Vec::new(), None);
    let mut running = FuturesUnordered::new();
    loop {
        for index in agenda.look(clock.now()) {
            let member = &members[index];
            plan(&mut agenda, index, member, member.timetable.anew(clock.now()), tell);
        }
        let retiring = terms.retire.is_cancelled();
        if running.is_empty() && (retiring || agenda.is_empty()) {
            let now = agenda.seen();
            let left = agenda.all().map(|one| {
                let Member { job, timetable, .. } = members[one.member];
                let (job, timetable) = (job.id.clone(), timetable.clone());
                Left { job, due: one.due, start: one.start, timetable, seen: now }
            });
            return Ended { last, left: left.collect() };
        }
        let held = retiring && holds(retired.get_or_insert_with(Instant::now).elapsed());
        while running.len() < terms.parallel.get()
            && !held
            && let Some(one) = agenda.take()
        {
            let member = &members[one.member];
            running.push(async move { (one, run::run(member.job, member.cx).await) });
        }
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some((one, reports)) = running.next() => {
                let member = &members[one.member];
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
                plan(&mut agenda, one.member, member, next, tell);
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
    while let Some((one, reports)) = running.next().await {
        tell(&members[one.member], Tick::Done(&reports));
        last.extend(reports);
    }
    Ended { last, left: Vec::new() }
}

/// Whether nobody begins, so long after a service was told to end.
fn holds(since: Duration) -> bool {
    let round = HOLD[0].as_millis() + HOLD[1].as_millis();
    since.as_millis() % round < HOLD[0].as_millis()
}

/// Notes a member's next run, which starts a little later than it is due where that is asked for.
fn plan<'a>(
    agenda: &mut Agenda,
    index: usize,
    member: &Member<'a>,
    next: Option<Next>,
    tell: &dyn Fn(&Member<'a>, Tick<'_>),
) {
    let Some(Next { due, spread }) = next else {
        if !member.timetable.is_once() {
            tell(member, Tick::Never);
        }
        return;
    };
    let late = if spread { member.timetable.spread(due).mul_f64(chance()) } else { Duration::ZERO };
    let start = due + late;
    if !member.timetable.is_once() {
        tell(member, Tick::Next(start));
    }
    agenda.add(Appointment { start, due, member: index });
}

/// Sleeps until it is time to look at the clock again.
async fn nap(next: Option<DateTime<Utc>>, clock: &dyn Clock) {
    let Some(next) = next else { return std::future::pending().await };
    let left = (next - clock.now()).to_std().unwrap_or_default();
    tokio::time::sleep(clock.lasts(left).min(GLANCE)).await;
}
