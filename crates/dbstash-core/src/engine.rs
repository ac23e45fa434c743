//! What a database system is to the core: a planner without I/O.

use serde::{Deserialize, Serialize};

use crate::invocation::Invocation;
use crate::job::{Database, EngineKey, Job};

/// A database system.
///
/// An engine plans; it opens no file, starts no process and looks at no clock, so that a dry run is the same path
/// stopped before the launch.
pub trait Engine: Send + Sync {
    /// Its short name.
    fn key(&self) -> EngineKey;

    /// How to dump `database` of `job`. Errors name what in the job cannot be planned, and the way out.
    fn plan(&self, job: &Job, database: &Database) -> Result<Plan, PlanError>;

    /// How to ask the server for the names of its databases: on stdout, each ended by a NUL.
    fn list_databases(&self, job: &Job) -> Result<Invocation, PlanError>;

    /// The sentence a person needs, when the tool's stderr is a known complaint; `None` when it speaks for itself.
    fn explain(&self, stderr: &str) -> Option<String>;
}

/// How `engine` dumps `database` of `job`, as far as the two fit together.
pub fn plan(engine: &dyn Engine, job: &Job, database: &Database) -> Result<Plan, PlanError> {
    let plan = engine.plan(job, database)?;
    match job.compression {
        Some(compression) if plan.dump.format.compressed => Err(PlanError(format!(
            "BACKUP_COMPRESSION={compression}: the dump tool compresses this dump itself (BACKUP_COMPRESS, or -F or \
             -Z in DUMP_EXTRA_ARGS); unset one of them"
        ))),
        _ => Ok(plan),
    }
}

/// How one backup will be made.
pub struct Plan {
    /// Its first object.
    pub dump: Stream,
    /// What is stored beside it.
    pub companions: Vec<Companion>,
    /// What the user should know at the start, and once: none of it stops a run.
    pub warnings: Vec<String>,
}

/// How one object will be made.
pub struct Stream {
    /// The dump tool.
    pub invocation: Invocation,
    /// What its stdout will be.
    pub format: Format,
    /// Looks at the bytes as they pass.
    pub check: Box<dyn Check>,
}

/// A further object of a backup, without which the dump alone restores less.
pub struct Companion {
    /// What it is, for messages.
    pub what: &'static str,
    /// Ways to make it, the best first: one that fails makes way for the next. The format's extension is added to the
    /// dump's name in the place of the dump's own.
    pub ways: Vec<Stream>,
    /// Whether a backup without it is a failed one.
    pub required: bool,
}

/// What a stream is, and how its object is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The tool's word for it: `plain`, `custom`, ...
    pub name: &'static str,
    /// Without a leading dot.
    pub extension: &'static str,
    /// Whether the tool itself compresses it.
    pub compressed: bool,
}

/// Decides from the bytes alone whether a stream is a whole dump.
///
/// Fed every byte in order, in chunks of any size; keeps a bounded amount of them.
pub trait Check: Send {
    /// The next bytes.
    fn feed(&mut self, bytes: &[u8]);

    /// What the stream turned out to be, after its last byte.
    fn finish(self: Box<Self>) -> Result<Passed, Incomplete>;
}

/// A stream that is whole, as far as its check can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// What was looked at: `footer`, `blocks`, or `exit-status` when nothing else could be.
    pub check: String,
    /// Why less than usual was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
    /// The server's version, where the stream tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// The dump tool's version, where the stream tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_version: Option<String>,
}

impl Passed {
    /// Passed by this check, nothing else known.
    pub fn by(check: &str) -> Self {
        Self { check: check.to_owned(), degraded: None, server_version: None, tool_version: None }
    }

    /// Only the tool's exit status vouches for the stream, for this reason.
    pub fn degraded(reason: &str) -> Self {
        Self { degraded: Some(reason.to_owned()), ..Self::by("exit-status") }
    }
}

/// A stream that is not a whole dump, and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Incomplete(pub String);

/// A job that cannot be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);
