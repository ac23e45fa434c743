//! A job on its schedule, until a signal.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::job::Job;
use crate::report::Report;
use crate::run::{self, Context};
use crate::schedule::Schedule;

/// Wall clocks jump: no sleep trusts them for longer than this.
const GLANCE: Duration = Duration::from_secs(30);

/// When runs start.
#[derive(Debug)]
pub struct Timetable {
    /// The rule.
    pub schedule: Schedule,
    /// The zone it is read in.
    pub zone: Tz,
    /// Whether to run at the start, too.
    pub on_start: bool,
    /// How long to wait before anything else.
    pub initial_delay: Duration,
}

impl Timetable {
    /// One run, at once.
    pub fn now(zone: Tz) -> Self {
        Self { schedule: Schedule::Once, zone, on_start: false, initial_delay: Duration::ZERO }
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
    let mut last = cx.clock.now();
    loop {
        let planned = due.take().or_else(|| timetable.schedule.next_after(last, timetable.zone));
        let Some(next) = planned else {
            tell(Tick::Never);
            return Vec::new();
        };
        tell(Tick::Next(next));
        if !sleep_until(next, cx).await {
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
