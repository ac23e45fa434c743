//! What is known of the backups of a process's jobs, and whether that is well.
//!
//! A backup that did not happen is as loud as one that failed: a database is overdue when a run of it was due after its
//! newest good backup, and a grace has passed since. A run that is at work is waited for, unless it stands still or
//! outlasts the next due run and its grace. A newest backup that is known to be corrupt is as bad as one that is missing,
//! at once, and until another one is there or this one is found good.

mod checked;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use self::checked::{Checked, Spoiled, Verdicts};
pub use self::snapshot::{
    AtWork, DatabaseStatus, Failed, JobStatus, Problem, Snapshot, State, Tally, Undelivered,
};
use crate::job::{EngineKey, Job, JobId};
use crate::past::Stock;
use crate::report::{Observer, Outcome, Report, RunEvent, RunId};
use crate::timetable::Timetable;

/// When a missing backup is a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This long after one was due by the timetable.
    Grace(Duration),
    /// When the newest is older than this.
    MaxAge(Duration),
}

/// The state of all jobs of a process. Told by observers and ticks, asked for snapshots.
#[derive(Debug)]
pub struct Board {
    born: DateTime<Utc>,
    jobs: Mutex<BTreeMap<JobId, Entry>>,
}

/// One job.
#[derive(Debug)]
struct Entry {
    engine: EngineKey,
    timetable: Timetable,
    expected: Expected,
    /// Whether the settings name its databases: otherwise they are those of the last run.
    named: bool,
    next: Option<DateTime<Utc>>,
    next_round: Option<DateTime<Utc>>,
    databases: BTreeMap<String, DatabaseStatus>,
    /// Runs that were due while one was at work, in all and since the last one that was not late.
    missed: u64,
    missed_in_a_row: u64,
    /// Whether the last one was.
    late: bool,
}

/// What the end of a run tells of its job.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Over {
    /// The most skips in a row any of its databases has now.
    pub skips: u64,
    /// The databases there are by now, where the settings do not name them and the server could be asked.
    pub only: Option<Vec<String>>,
}

impl Board {
    /// One without jobs, of a process that began then.
    pub fn new(born: DateTime<Utc>) -> Self {
        Self { born, jobs: Mutex::default() }
    }

    /// Watches a job, or goes on watching it by other rules. What is known of its databases stays.
    pub fn watch(&self, job: &Job, timetable: &Timetable, expected: Expected) {
        let subjects = job.subjects();
        let mut jobs = self.jobs();
        let old = jobs.remove(&job.id);
        let (missed, mut databases) =
            old.map_or_else(Default::default, |old| (old.missed, old.databases));
        if let Some(subjects) = &subjects {
            databases.retain(|label, _| subjects.iter().any(|one| one.label() == label));
            for subject in subjects {
                let label = subject.label().to_owned();
                databases.entry(label).or_insert_with_key(|label| DatabaseStatus::new(label));
            }
        }
        let entry = Entry {
            engine: job.engine,
            timetable: timetable.clone(),
            expected,
            named: subjects.is_some(),
            next: None,
            next_round: None,
            databases,
            missed,
            missed_in_a_row: 0,
            late: false,
        };
        jobs.insert(job.id.clone(), entry);
    }

    /// Forgets every job but these.
    pub fn keep(&self, wanted: impl Fn(&JobId) -> bool) {
        self.jobs().retain(|id, _| wanted(id));
    }

    /// What was found on the remote when the process began. A run since then knows better.
    pub fn known(&self, job: &JobId, stock: &[Stock]) {
        self.change(job, |entry| {
            for one in stock {
                entry.database(&one.database).known(one);
            }
        });
    }

    /// Its next run starts then.
    pub fn next(&self, job: &JobId, at: Option<DateTime<Utc>>) {
        self.change(job, |entry| entry.next = at);
    }

    /// Its next round of verifications starts then.
    pub fn next_round(&self, job: &JobId, at: Option<DateTime<Utc>>) {
        self.change(job, |entry| entry.next_round = at);
    }

    /// This many runs were due while the last one was at work; how often in a row that happened.
    pub fn missed(&self, job: &JobId, runs: u64) -> u64 {
        let mut in_a_row = 0;
        self.change(job, |entry| {
            entry.missed += runs;
            entry.missed_in_a_row += 1;
            entry.late = true;
            in_a_row = entry.missed_in_a_row;
        });
        in_a_row
    }

    /// A run of the job is over.
    pub fn done(&self, job: &JobId, reports: &[Report]) -> Over {
        let mut over = Over::default();
        self.change(job, |entry| {
            // What was missed during it is only told after its end.
            if !std::mem::take(&mut entry.late) {
                entry.missed_in_a_row = 0;
            }
            let covers = |label: &str| reports.iter().any(|report| report.run.database == label);
            let asked_in_vain = reports.iter().any(|report| {
                matches!(&report.outcome, Outcome::Failed { error, .. } if error.phase() == "databases")
            });
            if !entry.named && !asked_in_vain && !reports.is_empty() {
                entry.databases.retain(|label, _| covers(label));
                over.only = Some(entry.databases.keys().cloned().collect());
            }
            let status = |report: &Report| entry.databases.get(&report.run.database);
            let skips = reports.iter().filter_map(status).map(|s| s.tally.skipped_in_a_row);
            over.skips = skips.max().unwrap_or(0);
        });
        over
    }

    /// Everything, as it is at `now`; nothing is known here of what was told to others.
    pub fn snapshot(&self, now: DateTime<Utc>) -> Snapshot {
        let jobs: Vec<_> =
            self.jobs().iter().map(|(id, entry)| entry.status(id, self.born, now)).collect();
        Snapshot {
            healthy: jobs.iter().all(|job| job.problems.is_empty()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            since: self.born,
            now,
            jobs,
            undelivered: Vec::new(),
        }
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<JobId, Entry>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, job: &JobId, change: impl FnOnce(&mut Entry)) {
        if let Some(entry) = self.jobs().get_mut(job) {
            change(entry);
        }
    }
}

impl Observer for Board {
    fn on(&self, run: &RunId, event: RunEvent<'_>) {
        self.change(&run.job, |entry| {
            let status = entry.database(&run.database);
            match event {
                RunEvent::Started { at, .. } => {
                    let attempt = status.again.take().unwrap_or(1);
                    let id = run.id.clone();
                    status.running = Some(AtWork { id, started: at, attempt, still: None });
                }
                RunEvent::Still(what) => {
                    if let Some(running) = &mut status.running {
                        running.still = what.map(str::to_owned);
                    }
                }
                RunEvent::Again { attempt, report, .. } => {
                    status.running = None;
                    status.again = Some(attempt + 1);
                    status.tally.retries += 1;
                    status.failed(report);
                }
                RunEvent::Finished(report) => {
                    status.running = None;
                    status.again = None;
                    status.finished(report);
                }
                RunEvent::Verified(what) => status.verified(what),
                RunEvent::Warning(_) | RunEvent::Note(_) | RunEvent::Hook { .. } => {}
            }
        });
    }
}

impl Entry {
    fn database(&mut self, label: &str) -> &mut DatabaseStatus {
        self.databases.entry(label.to_owned()).or_insert_with(|| DatabaseStatus::new(label))
    }

    fn status(&self, id: &JobId, born: DateTime<Utc>, now: DateTime<Utc>) -> JobStatus {
        let mut databases: Vec<_> = self.databases.values().cloned().collect();
        let mut problems = Vec::new();
        let is_told = !self.named && databases.iter().any(DatabaseStatus::is_of_this_process);
        for status in &mut databases {
            status.due = self.due(status, born);
            if self.named || status.is_of_this_process() {
                problems.extend(self.problem(status, now));
            }
            problems.extend(status.flaw().filter(|_| !is_told || status.is_of_this_process()));
        }
        // Before the first run nobody knows which databases there still are: the newest backup of any speaks for all.
        if !databases.iter().any(DatabaseStatus::is_of_this_process) && !self.named {
            let newest = databases.iter().max_by_key(|s| s.last_success.as_ref().map(|p| p.ended));
            let mut all = newest.cloned().unwrap_or_else(|| DatabaseStatus::new("*"));
            all.due = self.due(&all, born);
            problems.extend(self.problem(&all, now));
        }
        JobStatus {
            job: id.clone(),
            engine: self.engine,
            next_run: self.next,
            next_verification: self.next_round,
            missed: self.missed,
            problems,
            databases,
        }
    }

    /// When the next good backup is due: after this and the grace it is overdue.
    fn due(&self, status: &DatabaseStatus, born: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let newest = status.last_success.as_ref();
        match (self.expected, newest) {
            (Expected::MaxAge(age), newest) => Some(newest.map_or(born, |past| past.ended) + age),
            (Expected::Grace(_), Some(past)) => self.timetable.next_after(past.ended),
            (Expected::Grace(_), None) => self.timetable.first(born).map(|next| next.due),
        }
    }

    fn problem(&self, status: &DatabaseStatus, now: DateTime<Utc>) -> Option<Problem> {
        let database = status.database.clone();
        if let Some((running, what)) =
            status.running.as_ref().and_then(|running| Some((running, running.still.as_ref()?)))
        {
            let text =
                format!("the run that began at {} stands still: {what}", clock(running.started));
            return Some(Problem { kind: State::Stuck, database, text });
        }
        let due = status.due?;
        let grace = match self.expected {
            Expected::Grace(grace) => grace + self.timetable.jitter,
            Expected::MaxAge(_) => Duration::ZERO,
        };
        let patience = match (&status.running, self.expected) {
            (Some(running), Expected::Grace(_)) => {
                self.timetable.next_after(running.started).unwrap_or(due).max(due)
            }
            _ => due,
        };
        (now > patience + grace).then(|| {
            let newest = match &status.last_success {
                Some(past) => format!("the newest good backup is of {}", clock(past.ended)),
                None => "there is no good backup".to_owned(),
            };
            let cause = match &status.last_failure {
                Some(failed) => format!("; the last failure: {}", failed.error),
                None => String::new(),
            };
            let text = format!("{newest}, and one was due at {}{cause}", clock(due));
            Problem { kind: State::Overdue, database, text }
        })
    }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%FT%TZ").to_string()
}
