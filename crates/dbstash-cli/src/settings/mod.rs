//! Settings: from variables and flags to a job, with every mistake reported at once.
//!
//! [`table`] declares them, [`layers`] collects what was given, [`resolve()`] makes values of it.

pub mod children;
pub mod complaints;
mod connection;
mod connection_string;
mod document;
mod drill;
mod health;
mod hooks;
mod job;
pub mod later;
pub mod layers;
pub mod machine;
mod marks;
mod modes;
mod nearest;
mod notify;
mod overruled;
pub(crate) mod parse;
mod pass;
mod process;
mod reader;
mod redis;
mod remote;
mod remotes;
pub mod resolve;
mod retention;
pub mod schema;
pub mod scope;
pub mod secrets;
mod shard;
mod shown;
pub mod table;
#[cfg(test)]
mod tests;
mod unison;
mod verify;
mod yaml;

use std::path::PathBuf;
use std::sync::Arc;

use dbstash_core::drill::Trial;
use dbstash_core::job::{Job, JobId};
use dbstash_core::secret::{ExposeSecret, Redactor, SecretString};
use dbstash_core::status::Expected;
use dbstash_core::timetable::Timetable;
use dbstash_core::verify::Rounds;
use dbstash_core::zone::Zone;

use crate::health::HealthSettings;

use marks::Marks;

pub use complaints::Mistakes;
pub use document::Spot;
pub use layers::{Environment, Layers, Origin, Selection};
pub use machine::{Here, Machine};
pub use marks::changes;
pub use notify::NotifySettings;
pub use resolve::{explain, resolve, resolve_places, resolve_state_dir, resolve_target};
pub use shown::Shown;

/// Everything the settings say, checked: what the process has once, and its jobs.
///
/// Not `Debug`: arguments for other programs may hold a secret.
pub struct Fleet {
    /// What the process has once.
    pub process: Process,
    /// In the order in which they were given.
    pub jobs: Vec<JobSettings>,
}

/// What a process has once, however many jobs it runs. Not `Debug`, as above.
pub struct Process {
    /// The job file, when the jobs are from one.
    pub file: Option<PathBuf>,
    /// What to log.
    pub log: LogSettings,
    /// The state directory, when it was chosen.
    pub state_dir: Option<PathBuf>,
    /// Whether only to show what would be done.
    pub dry_run: bool,
    /// The zone in which times are shown that belong to no job.
    pub zone: Zone,
    /// How many jobs may be at work at once; at least 1.
    pub parallel: usize,
    /// Where a scheduler is asked for its health.
    pub health: HealthSettings,
    /// Something has no effect, or not the effect it seems to have.
    pub warnings: Vec<String>,
    /// Worth knowing, and as intended.
    pub notes: Vec<String>,
    /// Every text that must never be shown, of all jobs.
    pub secrets: Vec<SecretString>,
    /// What tells them from changed ones.
    pub(crate) marks: Marks,
}

impl Process {
    /// Replaces every secret of every job.
    pub fn redactor(&self) -> Redactor {
        Redactor::new(self.secrets.iter().map(ExposeSecret::expose_secret))
    }
}

/// What each job has. A process may hold thousands of them: nothing is in here that only
/// `dbstash config` shows. Not `Debug`, as above.
pub struct JobSettings {
    /// What to back up, how to name it, how long to keep it.
    pub job: Arc<Job>,
    /// Where it goes. Jobs that go to the same place share it.
    pub remote: Arc<RemoteSettings>,
    /// When runs start.
    pub timetable: Timetable,
    /// What is verified by a schedule of its own.
    pub rounds: Option<Box<Rounds>>,
    /// What is restored on trial by a schedule of its own.
    pub drills: Option<Box<Rounds>>,
    /// When a missing backup is a problem.
    pub expected: Expected,
    /// Who is told of what.
    pub notify: NotifySettings,
    /// What tells them from changed ones.
    pub(crate) marks: Marks,
}

/// What it takes to look at backups: settings without a database. Not `Debug`, as above.
pub struct Places {
    /// Each remote once, in the order of the jobs.
    pub places: Vec<Place>,
    /// The state directory, when it was chosen.
    pub state_dir: Option<PathBuf>,
    /// Whether only to show what would be done.
    pub dry_run: bool,
    /// Something has no effect, or not the effect it seems to have.
    pub warnings: Vec<String>,
    /// Every text that must never be shown.
    pub secrets: Vec<SecretString>,
}

/// Where backups are.
pub struct Place {
    /// The remote.
    pub remote: Arc<RemoteSettings>,
    /// The zone in which times are shown: its first job's.
    pub zone: Zone,
    /// The jobs that were asked for; `None` for all, also those that nobody knows any more.
    pub jobs: Option<Vec<JobId>>,
    /// Where copies on local disk are made: its first job's.
    pub temp_dir: PathBuf,
    /// How drills are held of each job; without an id, of all that have no other.
    pub trials: Vec<(Option<JobId>, Trial)>,
}

impl Place {
    /// How drills of a job's backups are held.
    pub fn trial(&self, job: &JobId) -> Trial {
        let of = |id: Option<&JobId>| self.trials.iter().find(|(known, _)| known.as_ref() == id);
        if let Some((_, trial)) = of(Some(job)).or_else(|| of(None)) {
            return trial.clone();
        }
        // A job that nobody knows any more: what is said of another's data says nothing of its own.
        let any = self.trials.first().map(|(_, trial)| trial.clone()).unwrap_or_default();
        Trial { scratch: None, assertions: Vec::new(), ..any }
    }
}

/// Where backups go. Not `Debug`, as above.
#[derive(Clone)]
pub struct RemoteSettings {
    /// `remote:path` or a local folder, without a needless slash at its end.
    pub root: String,
    /// Which rclone.conf to use.
    pub config: RcloneConfig,
    /// The password of an encrypted rclone.conf.
    pub config_pass: Option<SecretString>,
    /// Arguments for every call of rclone.
    pub extra_args: Vec<String>,
    /// How an upload is proved.
    pub upload_check: UploadCheck,
    /// Whether rclone may put the whole dump on the local disk.
    pub allow_spool: bool,
}

/// Which rclone.conf to use.
#[derive(Debug, Clone)]
pub enum RcloneConfig {
    /// None was given: rclone's own rules.
    Default,
    /// This file.
    Path(PathBuf),
    /// This text; jobs that have the same share it.
    Inline(Arc<SecretString>),
}

/// How an upload is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadCheck {
    /// Our byte count against the remote's.
    Size,
    /// That, and rclone's own hashing.
    Rclone,
}

/// What to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The least severe level.
    pub level: tracing::Level,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object.
    Json,
    /// For people.
    Text,
}
