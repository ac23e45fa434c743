//! What observers are told of a run.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::RunError;
use crate::hook::{Line, When};
use crate::job::{EngineKey, JobId};
use crate::manifest::Manifest;
use crate::verify::Verification;

/// Which run an event belongs to.
#[derive(Debug, Clone)]
pub struct RunId {
    /// The backup's id: the start of the run and a random part.
    pub id: String,
    /// The job.
    pub job: JobId,
    /// The engine.
    pub engine: EngineKey,
    /// The database's label.
    pub database: String,
}

/// Something worth telling about a run.
#[derive(Debug, Clone, Copy)]
pub enum RunEvent<'a> {
    /// It began; the command line is shown without secrets.
    Started {
        /// When.
        at: DateTime<Utc>,
        /// The dump tool's command line.
        command: &'a str,
        /// The remote's label.
        remote: &'a str,
    },
    /// Something the user should know; the run goes on.
    Warning(&'a str),
    /// It stands still where that may be right: what it waits for, or nothing any more. A warning says so, too.
    Still(Option<&'a str>),
    /// Something good to know.
    Note(&'a str),
    /// A hook says something.
    Hook {
        /// Which one.
        when: When,
        /// What.
        line: Line<'a>,
    },
    /// An attempt has failed, and there will be another one.
    Again {
        /// The failed one.
        report: &'a Report,
        /// After this long.
        wait: Duration,
        /// Which further attempt it will be, from 1.
        attempt: u32,
        /// How many there may be.
        of: u32,
    },
    /// A backup was verified; the run's id is that backup's.
    Verified(&'a Verification),
    /// It is over.
    Finished(&'a Report),
}

/// Sees what happens. Infallible and quick: a run waits for it.
pub trait Observer: Send + Sync {
    /// An event of a run.
    fn on(&self, run: &RunId, event: RunEvent<'_>);
}

/// Several, told one after the other.
pub struct Observers<'a>(pub Vec<&'a dyn Observer>);

impl Observer for Observers<'_> {
    fn on(&self, run: &RunId, event: RunEvent<'_>) {
        for observer in &self.0 {
            observer.on(run, event);
        }
    }
}

/// One run, from start to end.
#[derive(Debug)]
pub struct Report {
    /// Which run.
    pub run: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// What did not go as it should, and did not stop it.
    pub warnings: Vec<String>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// How long it took; the last attempt, where there were several.
    pub duration: Duration,
    /// How many attempts there were.
    pub attempts: u32,
}

impl Report {
    /// Whether a signal ended it.
    pub fn is_interrupted(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { error: RunError::Interrupted, .. })
    }
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// A backup is there.
    Stored {
        /// Its manifest.
        manifest: Box<Manifest>,
        /// The dump's name on the remote.
        object: String,
        /// How many old backups retention deleted.
        pruned: usize,
    },
    /// No backup is there.
    Failed {
        /// Why.
        error: RunError,
        /// The engine's sentence for it, when the tool's complaint is a known one.
        explained: Option<String>,
    },
    /// Another run is at work.
    Skipped {
        /// Which one.
        holder: String,
    },
}

impl Outcome {
    /// Whether a backup is there.
    pub fn is_stored(&self) -> bool {
        matches!(self, Self::Stored { .. })
    }

    /// The cause of a failure as one sentence: the explanation where there is one.
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Stored { .. } => None,
            Self::Failed { error, explained: None } => Some(error.to_string()),
            Self::Failed { error, explained: Some(sentence) } => {
                Some(format!("{sentence} ({error})"))
            }
            Self::Skipped { holder } => Some(format!(
                "another run of this job and database is at work ({holder}); jobs that are to run side by side need a \
                 DBSTASH_JOB each"
            )),
        }
    }
}
