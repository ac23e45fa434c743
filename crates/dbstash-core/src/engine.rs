//! What a database system is to the core: a planner without I/O.

use serde::{Deserialize, Serialize};

use crate::checkup::Checkup;
use crate::dialogue::Call;
use crate::drill::{Drill, Ground};
use crate::invocation::Invocation;
use crate::job::{Database, EngineKey, Job, Mode};
use crate::load::{Load, Survey, Target, Wish};
use crate::manifest::Object;
use crate::recipe::Subject;
use crate::tally::{Counting, TreeCounting};

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

    /// What to look at before anybody relies on backups of `database` of `job`.
    fn checkup(&self, _job: &Job, _database: &Database) -> Result<Checkup, PlanError> {
        Ok(Checkup::default())
    }

    /// The sentence a person needs, when the tool's stderr is a known complaint; `None` when it speaks for itself.
    fn explain(&self, stderr: &str) -> Option<String>;

    /// Whether what the tool complains of may be over when it is run again. What nobody knows may.
    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none()
    }

    /// Whether a line of stderr of a tool that ended well is worth a person's time.
    fn is_remark(&self, _line: &str) -> bool {
        true
    }

    /// What reads all of a stored object, freed of our own encodings; `None` for a format it does not know. Such a look
    /// may take its time, and says more than the check of a dump on its way.
    fn structure(&self, _object: &Object) -> Option<Structure> {
        None
    }

    /// The lines for bash that load a stored backup with stock tools, once its bytes are known to be right; `None` for
    /// a format that has no such way.
    fn by_hand(&self, _stored: Subject<'_>) -> Option<Vec<String>> {
        None
    }

    /// Whether its backups can be restored into such a server, too.
    fn is_kin(&self, _other: EngineKey) -> bool {
        false
    }

    /// What to look for at a target before a backup is restored there. Errors name what cannot be restored, and the way
    /// out.
    fn survey(&self, _wish: &Wish<'_>) -> Result<Survey, PlanError> {
        Err(PlanError(format!("restoring {} is not known to this version", self.key())))
    }

    /// How to restore a backup into such a target: one that may be written to, which the caller has made sure of.
    fn load(&self, _wish: &Wish<'_>, _target: &Target) -> Result<Load, PlanError> {
        Err(PlanError(format!("restoring {} is not known to this version", self.key())))
    }

    /// How a backup is restored on trial.
    fn drill(&self, _ground: &Ground<'_>) -> Result<Drill, PlanError> {
        Err(PlanError(format!("drills of {} are not known to this version", self.key())))
    }

    /// Whether what a loader or its server complains of is missing around the restore, and says nothing of the backup.
    fn is_surroundings(&self, stderr: &str) -> bool {
        ["No space left on device", "Cannot allocate memory", "out of memory", "Out of memory"]
            .iter()
            .any(|words| stderr.contains(words))
    }
}

/// What reads a whole dump that is stored.
pub enum Structure {
    /// Its bytes, as the tool wrote them.
    Stream(Box<dyn Check>),
    /// Its files, from a folder or a tar.
    Files(Box<dyn TreeCheck>),
    /// A program reads a copy on local disk.
    Copy {
        /// What the copy is called in its directory.
        file: &'static str,
        /// Its stdout vouches.
        step: Step,
    },
}

/// How `engine` dumps `database` of `job`, as far as the two fit together.
pub fn plan(engine: &dyn Engine, job: &Job, database: &Database) -> Result<Plan, PlanError> {
    let mut plan = engine.plan(job, database)?;
    if !job.counts {
        plan.dump.uncount();
    }
    if let (Dump::Stream(_), Mode::Directory | Mode::Tar) = (&plan.dump, job.mode) {
        return Err(PlanError(format!(
            "BACKUP_MODE={} is not for {}: set BACKUP_MODE=stream",
            job.mode.as_str(),
            job.engine
        )));
    }
    match job.compression {
        Some(compression) if job.is_folder(&plan.dump) => Err(PlanError(format!(
            "BACKUP_COMPRESSION={compression} compresses one object, and BACKUP_MODE=directory stores many: use \
             BACKUP_MODE=tar, or BACKUP_COMPRESS=true where the dump tool can compress"
        ))),
        Some(compression) if plan.dump.format().compressed => Err(PlanError(format!(
            "BACKUP_COMPRESSION={compression}: the dump tool compresses this dump itself (BACKUP_COMPRESS, or -F, -Z or \
             --gzip in DUMP_EXTRA_ARGS); unset one of them"
        ))),
        _ => Ok(plan),
    }
}

/// How one backup will be made.
pub struct Plan {
    /// Its first object.
    pub dump: Dump,
    /// What is stored beside it.
    pub companions: Vec<Companion>,
    /// What the user should know at the start, and once: none of it stops a run.
    pub warnings: Vec<String>,
}

/// How a dump comes into being.
pub enum Dump {
    /// As a tool's stdout: it is stored as it comes.
    Stream(Stream),
    /// As files on local disk: they are stored when all of them are whole.
    Tree(Tree),
}

impl Dump {
    /// What it will be.
    pub fn format(&self) -> &Format {
        match self {
            Self::Stream(stream) => &stream.format,
            Self::Tree(tree) => &tree.format,
        }
    }

    /// Has nobody count it.
    fn uncount(&mut self) {
        match self {
            Self::Stream(stream) => stream.counting = Counting::Off,
            Self::Tree(tree) => tree.counting = TreeCounting::Off,
        }
    }

    /// The programs that make it, in order; none where a server is spoken to.
    pub fn invocations(&self) -> Vec<&Invocation> {
        match self {
            Self::Stream(Stream { origin: Origin::Tool { invocation, .. }, .. }) => {
                vec![invocation]
            }
            Self::Stream(_) => Vec::new(),
            Self::Tree(tree) => tree.steps.iter().map(|step| &step.invocation).collect(),
        }
    }

    /// What is run or said to make it, in order, for people: without secrets.
    pub fn commands(&self) -> Vec<String> {
        match self {
            Self::Stream(stream) => vec![stream.origin.to_string()],
            Self::Tree(tree) => tree.steps.iter().map(|s| s.invocation.to_string()).collect(),
        }
    }
}

/// How a tree of files will be made, in an empty directory of its own.
pub struct Tree {
    /// One after the other; one that fails ends it.
    pub steps: Vec<Step>,
    /// What the files are.
    pub format: Format,
    /// Looks at the files; `None` where the check of a step says all.
    pub check: Option<Box<dyn TreeCheck>>,
    /// Who counts what is in it.
    pub counting: TreeCounting,
    /// The only file of it, stored as it is; otherwise the tree is stored, as a folder or a tar.
    pub file: Option<&'static str>,
}

/// One program on the way to a tree.
pub struct Step {
    /// The program.
    pub invocation: Invocation,
    /// What becomes of its stdout.
    pub stdout: Stdout,
}

/// What becomes of a step's stdout.
pub enum Stdout {
    /// Nothing: the program writes files.
    Ignored,
    /// It vouches for the files.
    Checked(Box<dyn Check>),
    /// It is the dump, cut into files.
    Split(Box<dyn Splitter>),
}

/// Cuts one dump into files: says what goes where, and writes nothing itself.
///
/// Fed every byte in order, in chunks of any size; keeps a bounded amount of them.
pub trait Splitter: Send {
    /// The next bytes of the dump.
    fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(Piece<'_>));

    /// What is left, and what the dump turned out to be, after its last byte.
    fn finish(self: Box<Self>, out: &mut dyn FnMut(Piece<'_>)) -> Result<Passed, Incomplete>;
}

/// A part of a file of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Here begins the file of this path, relative to the tree; no path comes twice.
    File(&'a str),
    /// Bytes for the file begun last.
    Bytes(&'a [u8]),
}

/// Decides from the files of a tree whether it is a whole dump.
///
/// The files come in the order of their paths, which are relative to the tree.
pub trait TreeCheck: Send {
    /// A file; whether its bytes are of interest.
    fn begin(&mut self, path: &str, bytes: u64) -> bool;

    /// The next bytes of the file begun last, in chunks of any size.
    fn feed(&mut self, bytes: &[u8]);

    /// What the tree turned out to be, after its last file.
    fn finish(self: Box<Self>) -> Result<Passed, Incomplete>;
}

/// How one object will be made.
pub struct Stream {
    /// Where its bytes come from.
    pub origin: Origin,
    /// Where they come from if the server of the first origin does not support it.
    pub otherwise: Option<Box<Origin>>,
    /// What they will be.
    pub format: Format,
    /// Looks at the bytes as they pass.
    pub check: Box<dyn Check>,
    /// Who counts what is in them.
    pub counting: Counting,
}

impl Stream {
    /// A tool's stdout, as it is.
    pub fn of_tool(invocation: Invocation, format: Format, check: Box<dyn Check>) -> Self {
        let origin = Origin::Tool { invocation, mark: None };
        Self { origin, otherwise: None, format, check, counting: Counting::Off }
    }

    /// The same, counted as it passes.
    #[must_use]
    pub fn counted(self, counting: Counting) -> Self {
        Self { counting, ..self }
    }
}

/// Where the bytes of a dump come from.
#[derive(Clone)]
pub enum Origin {
    /// A program's stdout.
    Tool {
        /// The program.
        invocation: Invocation,
        /// What may follow the dump and does not belong to it.
        mark: Option<Mark>,
    },
    /// A server that we speak to ourselves.
    Server(Call),
}

/// What may stand at the end of a tool's output without being a part of the dump.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// How many bytes it has.
    pub len: usize,
    /// Whether the last `len` bytes are one; a dump never ends with such bytes.
    pub is: fn(&[u8]) -> bool,
}

impl Origin {
    /// What it is called, in a sentence.
    pub fn name(&self) -> &str {
        match self {
            Self::Tool { invocation, .. } => &invocation.program,
            Self::Server(_) => "the server",
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tool { invocation, .. } => invocation.fmt(f),
            Self::Server(call) => call.fmt(f),
        }
    }
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
    /// Without a leading dot; empty for a tree, which is a folder or a tar.
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
