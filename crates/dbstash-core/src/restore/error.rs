//! What keeps a backup from being restored.

use std::io;
use std::path::PathBuf;

use crate::artifact::ProduceError;
use crate::engine::PlanError;
use crate::process::LaunchError;
use crate::remote::{ReadError, RemoteError};
use crate::spool::SpoolError;
use crate::state::StateError;
use crate::verify::Flaw;

/// Why a backup is not restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// It cannot be planned, or is refused.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What is stored is not what was stored.
    #[error("the backup is corrupt: {0}")]
    Corrupt(String),
    /// It could not be read.
    #[error("the backup could not be read: {0}")]
    Untested(String),
    /// It was deleted meanwhile.
    #[error("the backup is gone: it was deleted meanwhile")]
    Gone,
    /// The remote failed.
    #[error(transparent)]
    Remote(RemoteError),
    /// The target could not be asked what it holds.
    #[error("the target could not be asked what it holds: {what}")]
    Survey {
        /// Why.
        what: String,
        /// The end of the tool's stderr.
        stderr: String,
    },
    /// A loader failed.
    #[error("{what}")]
    Loader {
        /// Which, and how.
        what: String,
        /// What it said.
        stderr: String,
    },
    /// The place that it was to go to could not be made: nothing of it was loaded.
    #[error("{what}")]
    Unmade {
        /// Why.
        what: String,
        /// What the program said.
        stderr: String,
    },
    /// Another program on the way failed.
    #[error(transparent)]
    Tool(#[from] ProduceError),
    /// A program could not be started.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// What passes by is not what such a dump is made of.
    #[error("the dump cannot be restored like this: {0}")]
    Script(String),
    /// A file of the target fails.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// Local disk for a copy fails.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The state directory fails.
    #[error(transparent)]
    State(#[from] StateError),
    /// The server that is told the dump fails, or refuses it.
    #[error("{server}: {what}")]
    Server {
        /// Its address.
        server: String,
        /// Why.
        what: String,
    },
    /// A signal asked for the end.
    #[error("ended by a signal")]
    Interrupted,
    /// Any of these, and what had been made could not be taken away: an empty database is left.
    #[error(transparent)]
    Left(Box<RestoreError>),
    /// Any of these, before anything was changed.
    #[error(transparent)]
    Before(Box<RestoreError>),
    /// Any of these, while the target was made ready: no mark may be there, and what it held may be gone.
    #[error(transparent)]
    Unmarked(Box<RestoreError>),
}

impl RestoreError {
    /// The failed program's own words; empty when there are none.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Loader { stderr, .. }
            | Self::Unmade { stderr, .. }
            | Self::Survey { stderr, .. } => stderr,
            Self::Tool(error) => error.stderr(),
            Self::Remote(error) => &error.stderr,
            Self::Before(error) | Self::Left(error) | Self::Unmarked(error) => error.stderr(),
            _ => "",
        }
    }
}

impl From<Flaw> for RestoreError {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::Corrupt(what) => Self::Corrupt(what),
            Flaw::Untested(why) => Self::Untested(why),
            Flaw::Gone => Self::Gone,
        }
    }
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing | ReadError::Damaged(_) => Self::Corrupt(error.to_string()),
            ReadError::Remote(error) => Self::Remote(error),
        }
    }
}
