//! The state of jobs as a value, for `/status` and whoever reads it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::checked::{Checked, Spoiled, Verdicts};
use crate::job::{EngineKey, JobId};
use crate::past::Past;
use crate::report::{Outcome, Report};

/// The state of a process's jobs at one time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whether no job has a problem.
    pub healthy: bool,
    /// dbstash's own.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// When it began.
    pub since: DateTime<Utc>,
    /// When this was so.
    pub now: DateTime<Utc>,
    /// By their names.
    pub jobs: Vec<JobStatus>,
    /// What could not be told to those who were to know.
    pub undelivered: Vec<Undelivered>,
}

/// What a target was not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The target: its kind, number and host.
    pub target: String,
    /// How many notices, since the start.
    pub count: u64,
    /// Why the last one was not delivered.
    pub last_error: String,
    /// When it was given up.
    pub at: DateTime<Utc>,
}

/// One job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub job: JobId,
    /// The kind of database.
    pub engine: EngineKey,
    /// When its next run starts.
    pub next_run: Option<DateTime<Utc>>,
    /// When its next round of verifications starts.
    pub next_verification: Option<DateTime<Utc>>,
    /// How many runs were due while one was at work, since the process began.
    pub missed: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// By their labels.
    pub databases: Vec<DatabaseStatus>,
}

/// Something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: State,
    /// Of which database.
    pub database: String,
    /// In words.
    pub text: String,
}

/// How it is with a database's backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// One was due and is not there.
    Overdue,
    /// A run stands still.
    Stuck,
    /// The newest is not what was stored.
    Corrupt,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Stuck => "stuck",
            Self::Corrupt => "corrupt",
        }
    }
}

/// The backups of one database.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DatabaseStatus {
    /// Its label.
    pub database: String,
    /// The newest good backup: the newest that is not known to be corrupt.
    pub last_success: Option<Past>,
    /// The newest backup of all, if it is corrupt.
    pub corrupt: Option<Box<Spoiled>>,
    /// What was verified last.
    pub last_verification: Option<Box<Checked>>,
    /// When anything was found out about a backup last, by whomever.
    pub tested: Option<DateTime<Utc>>,
    /// When the newest that was found good was whole.
    pub proven: Option<DateTime<Utc>>,
    /// How long the last restore on trial took, in milliseconds.
    pub restored_in_ms: Option<u64>,
    /// What went wrong last, unless a good backup came after it.
    pub last_failure: Option<Failed>,
    /// The run that is at work.
    pub running: Option<AtWork>,
    /// When the next good backup is due.
    pub due: Option<DateTime<Utc>>,
    /// What happened since the process began.
    pub tally: Tally,
    /// Which attempt comes next, between two of a run.
    #[serde(skip)]
    pub(super) again: Option<u32>,
}

/// A run at work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AtWork {
    /// The backup's id.
    pub id: String,
    /// When this attempt began.
    pub started: DateTime<Utc>,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// What it has been waiting for, for too long.
    pub still: Option<String>,
}

/// A run that failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Failed {
    /// When it began.
    pub started: DateTime<Utc>,
    /// In which phase.
    pub phase: String,
    /// Why.
    pub error: String,
    /// The end of what the failed program said.
    pub stderr: String,
}

/// What happened since the process began.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Runs that left a good backup.
    pub successes: u64,
    /// Runs that failed, by phase.
    pub failures: BTreeMap<String, u64>,
    /// Runs that found another one at work.
    pub skipped: u64,
    /// Of those, how many since the last run that was not skipped.
    pub skipped_in_a_row: u64,
    /// Further attempts.
    pub retries: u64,
    /// Old backups that retention deleted.
    pub deleted: u64,
    /// Verifications, by how far they were to go.
    pub verifications: BTreeMap<String, Verdicts>,
}

impl DatabaseStatus {
    pub(super) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            last_success: None,
            corrupt: None,
            last_verification: None,
            tested: None,
            proven: None,
            restored_in_ms: None,
            last_failure: None,
            running: None,
            due: None,
            tally: Tally::default(),
            again: None,
        }
    }

    /// Whether a run of this process covered it.
    pub(super) fn is_of_this_process(&self) -> bool {
        let tally = &self.tally;
        tally.successes + tally.skipped + tally.retries > 0
            || !tally.failures.is_empty()
            || self.running.is_some()
    }

    pub(super) fn failed(&mut self, report: &Report) {
        if let Outcome::Failed { error, .. } = &report.outcome {
            self.last_failure = Some(Failed {
                started: report.started,
                phase: error.phase().to_owned(),
                error: report.outcome.cause().unwrap_or_default(),
                stderr: end(error.stderr(), 2048),
            });
        }
    }

    pub(super) fn finished(&mut self, report: &Report) {
        let tally = &mut self.tally;
        match &report.outcome {
            Outcome::Skipped { .. } => {
                tally.skipped += 1;
                tally.skipped_in_a_row += 1;
                return;
            }
            Outcome::Stored { manifest, object, pruned } => {
                tally.successes += 1;
                tally.deleted += *pruned as u64;
                self.last_failure = None;
                self.corrupt = None;
                self.last_success = Some(Past::of(manifest, object));
            }
            Outcome::Failed { error, .. } => {
                *tally.failures.entry(error.phase().to_owned()).or_default() += 1;
                self.failed(report);
            }
        }
        self.tally.skipped_in_a_row = 0;
    }
}

/// As much of the end of a text as fits into so many bytes.
fn end(text: &str, bytes: usize) -> String {
    let from = text.len().saturating_sub(bytes);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(from);
    text[from..].to_owned()
}
