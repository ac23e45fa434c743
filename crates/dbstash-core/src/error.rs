//! Why a run failed: one cause, the first one.
//!
//! - A library error is a lowercase fragment that names the thing and the way out.
//! - The cause is what went wrong first; what failed while cleaning up after it is a warning of its own.
//! - Failures after the backup is stored (retention) are warnings and never undo it.

use std::fmt;
use std::time::Duration;

use crate::artifact::ProduceError;
use crate::engine::{Engine, PlanError};
use crate::hook::HookError;
use crate::process::LaunchError;
use crate::remote::RemoteError;
use crate::spool::SpoolError;
use crate::state::StateError;

/// Why a backup was not made.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The job cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The state directory fails.
    #[error(transparent)]
    State(#[from] StateError),
    /// The server could not be asked which databases it has.
    #[error("the databases of the server cannot be listed: {0}")]
    Databases(ProduceError),
    /// The dump failed.
    #[error(transparent)]
    Dump(#[from] ProduceError),
    /// The upload failed.
    #[error(transparent)]
    Upload(#[from] RemoteError),
    /// Local disk for the dump fails.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Our own compression failed.
    #[error("the dump could not be compressed: {0}")]
    Compression(std::io::Error),
    /// The dump is whole and stored, but the manifest is not.
    #[error("the manifest could not be stored: {0}")]
    Manifest(Box<RunError>),
    /// The backup is stored, and is not what was stored.
    #[error("the backup was stored, and what is read back of it is corrupt: {0}")]
    Corrupt(String),
    /// A side stood still.
    #[error("{side} moved no byte for {limit:?} (BACKUP_STALL_TIMEOUT)")]
    Stalled {
        /// Which one.
        side: Side,
        /// The limit.
        limit: Duration,
        /// The end of the dump tool's stderr, if it is the one.
        stderr: String,
    },
    /// The attempt took too long.
    #[error("not finished within {limit:?} (BACKUP_TIMEOUT)")]
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The end of the dump tool's stderr: what it was waiting for, perhaps.
        stderr: String,
    },
    /// The hook before the backup failed: nothing was begun.
    #[error(transparent)]
    Hook(#[from] HookError),
    /// A signal asked for the end.
    #[error("ended by a signal")]
    Interrupted,
}

/// An end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where the bytes come from.
    Dump,
    /// Where they go.
    Upload,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dump => "the dump",
            Self::Upload => "the upload",
        })
    }
}

impl From<LaunchError> for RunError {
    fn from(error: LaunchError) -> Self {
        Self::Dump(error.into())
    }
}

/// Every phase in which a run can fail.
pub const PHASES: [&str; 13] = [
    "hook",
    "plan",
    "state",
    "databases",
    "dump",
    "spool",
    "compression",
    "upload",
    "manifest",
    "verify",
    "stall",
    "timeout",
    "signal",
];

impl RunError {
    /// The part of the run that failed.
    pub fn phase(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::State(_) => "state",
            Self::Databases(_) => "databases",
            Self::Dump(_) => "dump",
            Self::Spool(_) => "spool",
            Self::Compression(_) => "compression",
            Self::Upload(_) => "upload",
            Self::Manifest(_) => "manifest",
            Self::Corrupt(_) => "verify",
            Self::Stalled { .. } => "stall",
            Self::TimedOut { .. } => "timeout",
            Self::Hook(_) => "hook",
            Self::Interrupted => "signal",
        }
    }

    /// Whether a new attempt may succeed, as far as anybody can tell: not where somebody has to do something first.
    pub fn may_pass(&self, engine: &dyn Engine) -> bool {
        match self {
            Self::Plan(_)
            | Self::State(_)
            | Self::Spool(_)
            | Self::Compression(_)
            | Self::Hook(_)
            | Self::Interrupted => false,
            Self::Databases(error) | Self::Dump(error) => {
                error.may_pass(|stderr| engine.may_pass(stderr))
            }
            Self::Upload(error) => !error.lasting,
            Self::Manifest(cause) => cause.may_pass(engine),
            // Another transfer may go well.
            Self::Corrupt(_) | Self::Stalled { .. } | Self::TimedOut { .. } => true,
        }
    }

    /// The end of the failed program's stderr; empty when there is none.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Dump(error) | Self::Databases(error) => error.stderr(),
            Self::Upload(RemoteError { stderr, .. })
            | Self::Stalled { stderr, .. }
            | Self::TimedOut { stderr, .. } => stderr,
            Self::Manifest(cause) => cause.stderr(),
            Self::Hook(error) => error.stderr(),
            Self::Plan(_)
            | Self::State(_)
            | Self::Spool(_)
            | Self::Compression(_)
            | Self::Corrupt(_)
            | Self::Interrupted => "",
        }
    }

    /// With what the dump tool said by the time it was ended, where that may tell why it had to be.
    pub(crate) fn with_last_words(mut self, said: String) -> Self {
        if let Self::Stalled { side: Side::Dump, stderr, .. } | Self::TimedOut { stderr, .. } =
            &mut self
        {
            *stderr = said;
        }
        self
    }

    /// How long children may take to end: a container has 10 s in all.
    pub(crate) fn grace(&self) -> Duration {
        match self {
            Self::Interrupted => Duration::from_secs(3),
            _ => Duration::from_secs(10),
        }
    }
}
