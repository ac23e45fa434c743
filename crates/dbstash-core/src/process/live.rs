//! Who is at work, for the moment in which all have to end at once.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// The groups that were started and are not known to be gone.
#[derive(Debug, Default)]
pub(super) struct Live(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    groups: Vec<Pid>,
    over: bool,
}

impl Live {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(State { groups: Vec::new(), over: false }))
    }

    /// Starts a group; `None` once all have to end. Nobody is started in between and forgotten.
    pub(super) fn start<T>(
        &self,
        start: impl FnOnce() -> io::Result<(T, Option<Pid>)>,
    ) -> Option<io::Result<T>> {
        let mut state = self.state();
        if state.over {
            return None;
        }
        Some(start().map(|(started, group)| {
            state.groups.extend(group);
            started
        }))
    }

    /// A group of which nobody is left.
    pub(super) fn forget(&self, group: Pid) {
        self.state().groups.retain(|&known| known != group);
    }

    /// Kills all of them, and lets nobody start any more. Idempotent.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.over = true;
        for &group in &state.groups {
            // Gone already, which is what was wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
