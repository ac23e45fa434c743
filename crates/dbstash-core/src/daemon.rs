//! A job on its schedule, until a signal.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::Catalog;
use crate::chance::chance;
use crate::job::Job;
use crate::remote::RemoteError;
use crate::report::Report;
use crate::run::{self, Context};
use crate::schedule::Schedule;
use crate::zone::Zone;

/// Wall clocks jump: no sleep trusts them for longer than this.
const GLANCE: Duration = Duration::from_secs(30);

/// When runs start.
#[derive(Debug)]
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
}

/// What a timetable tells its owner.
pub enum Tick<'a> {
    /// The next run starts then.
    Next(DateTime<Utc>),
    /// A run is over.
    Done(&'a [Report]),
    /// This many runs were due while the last one was still at work.
    Missed(usize),
    /// A run was due then, and nobody ran; it is made up for now.
    Overdue(DateTime<Utc>),
    /// Whether a run was missed cannot be told.
    Unknown(RemoteError),
    /// The schedule never comes again.
    Never,
}

/// Runs a job once, or again and again until a signal; returns the reports of the last run, empty when a signal came
/// between two runs.
pub async fn serve(
    job: &Job,
    timetable: &Timetable,
    cx: Context<'_>,
    tell: impl Fn(Tick<'_>),
) -> Vec<Report> {
    if !pause(timetable.initial_delay, cx).await {
        return Vec::new();
    }
    if matches!(timetable.schedule, Schedule::Once) {
        return run::run(job, cx).await;
    }
    let mut due = timetable.on_start.then(|| cx.clock.now());
    if due.is_none() && timetable.catch_up {
        let asked = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Vec::new(),
            asked = overdue(job, timetable, cx) => asked,
        };
        match asked {
            Ok(None) => {}
            Ok(Some(missed)) => {
                tell(Tick::Overdue(missed));
                due = Some(cx.clock.now());
            }
            Err(error) => tell(Tick::Unknown(error)),
        }
    }
    let mut last = cx.clock.now();
    loop {
        let by_schedule = || {
            let next = timetable.schedule.next_after(last, timetable.zone)?;
            Some((next, next + timetable.jitter.mul_f64(chance())))
        };
        let Some((next, start)) = due.take().map(|now| (now, now)).or_else(by_schedule) else {
            tell(Tick::Never);
            return Vec::new();
        };
        tell(Tick::Next(start));
        if !sleep_until(start, cx).await {
            return Vec::new();
        }
        let reports = run::run(job, cx).await;
        tell(Tick::Done(&reports));
        if cx.cancel.is_cancelled() {
            return reports;
        }
        last = cx.clock.now().max(next);
        match missed(timetable, next, last) {
            0 => {}
            n => tell(Tick::Missed(n)),
        }
    }
}

/// The first run that was due since the newest backup of a database that has one, if that time has passed.
async fn overdue(
    job: &Job,
    timetable: &Timetable,
    cx: Context<'_>,
) -> Result<Option<DateTime<Utc>>, RemoteError> {
    let now = cx.clock.now();
    let catalog = Catalog::load(cx.remote, &cx.state.cache(&cx.remote.label()), now).await?;
    let mut newest = BTreeMap::new();
    for manifest in catalog.backups.iter().map(|backup| &backup.manifest) {
        if manifest.job == job.id {
            let started = newest.entry(&manifest.database).or_insert(manifest.started);
            *started = manifest.started.max(*started);
        }
    }
    let subjects = job.subjects();
    let wanted = |database: &str| {
        subjects.as_ref().is_none_or(|all| all.iter().any(|subject| subject.label() == database))
    };
    let oldest = newest.iter().filter(|(database, _)| wanted(database)).map(|(_, at)| *at).min();
    let missed = oldest.and_then(|at| timetable.schedule.next_after(at, timetable.zone));
    Ok(missed.filter(|missed| *missed <= now))
}

/// Runs that were due after `from` and not after `to`, counted up to 1000.
fn missed(timetable: &Timetable, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let after = |at: &DateTime<Utc>| timetable.schedule.next_after(*at, timetable.zone);
    std::iter::successors(after(&from), after).take_while(|at| *at <= to).take(1000).count()
}

/// Waits for a time of day; `false` when a signal came first.
async fn sleep_until(at: DateTime<Utc>, cx: Context<'_>) -> bool {
    while let Ok(left @ 1..) = u64::try_from((at - cx.clock.now()).num_milliseconds()) {
        if !pause(Duration::from_millis(left).min(GLANCE), cx).await {
            return false;
        }
    }
    !cx.cancel.is_cancelled()
}

async fn pause(duration: Duration, cx: Context<'_>) -> bool {
    tokio::select! {
        biased;
        () = cx.cancel.cancelled() => false,
        () = tokio::time::sleep(duration) => true,
    }
}
