//! Exit codes: the only place where a report becomes a number.

use std::process::ExitCode;

use dbstash_core::report::{Outcome, Report};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, also with warnings.
    Done,
    /// 1: failed; also a declined prompt.
    Failed,
    /// 2: settings or usage.
    Usage,
    /// 3: another run holds the lock.
    Skipped,
    /// 4: it could not be found out.
    Untested,
    /// 128 + n: this signal ended a run.
    Signal(u8),
}

impl Exit {
    /// The code of runs that are over; `signal` is the one that was caught, if any.
    pub fn of(reports: &[Report], signal: Option<u8>) -> Self {
        match signal {
            Some(signal) if reports.iter().any(Report::is_interrupted) => Self::Signal(signal),
            _ if reports.iter().any(|r| matches!(r.outcome, Outcome::Failed { .. })) => {
                Self::Failed
            }
            _ if reports.iter().any(|r| matches!(r.outcome, Outcome::Skipped { .. })) => {
                Self::Skipped
            }
            _ => Self::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Skipped => 3,
            Exit::Untested => 4,
            Exit::Signal(n) => 128_u8.saturating_add(n),
        })
    }
}
