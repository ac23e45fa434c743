//! What to keep: a pure choice over what is there.

use chrono::{DateTime, TimeDelta, Utc};

/// The limits of one job. The default keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// At most this many backups; `None` is no limit.
    pub max_files: Option<usize>,
    /// None older than this; `None` is no limit.
    pub max_age: Option<TimeDelta>,
    /// The newest ones that are never deleted, however old; at least 1.
    pub min_files: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_files: None,
            max_age: None,
            min_files: 1,
        }
    }
}

impl Policy {
    /// Whether this policy can ever delete anything.
    pub fn keeps_everything(&self) -> bool {
        self.max_files.is_none() && self.max_age.is_none()
    }
}
