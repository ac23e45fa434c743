//! Looks at everything a backup needs, without making one.
//!
//! Each look is a line or more ([`Finding`]), whatever the others found. Nothing is left behind: private files go with
//! the look, and what is written to a remote to try it is deleted on every path.

mod address;
mod clocks;
mod disk;
mod keeping;
mod probe;
mod source;
mod tools;
mod trial;

use crate::clock::Clock;
use crate::engine::Engine;
use crate::launch::Launcher;
use crate::state::{StateDir, StateError};

pub use self::address::resolve;
pub use self::disk::{disk, state};
pub use self::keeping::{appointment, retention};
pub use self::probe::{Storage, storage};
pub use self::trial::drill;

pub use crate::checkup::{Finding, Verdict};

/// What looking at a job's database takes.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Knows what is to be looked at.
    pub engine: &'a dyn Engine,
    /// Starts the programs, and talks to servers.
    pub launcher: &'a dyn Launcher,
    /// For private files.
    pub state: &'a StateDir,
    /// Wall time.
    pub clock: &'a dyn Clock,
}

/// Whether the state directory can do what runs need: private files, and locks.
fn works(state: &StateDir) -> Result<(), StateError> {
    state.process_dir()?.private_file("doctor").map(drop)
}

/// The id of a look, as runs have them: what one leaves that is killed is known for what it is.
fn run(clock: &dyn Clock) -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{}-{}", clock.now().format("%Y%m%dT%H%M%SZ"), &random[..8])
}
