//! What to keep: a pure choice over what is there.

mod choice;
mod hold;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

use chrono::TimeDelta;

pub use self::choice::select;
pub use self::hold::Hold;
use crate::zone::Zone;

/// The limits of one job. The default keeps everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// At most this many backups; `None` is no limit.
    pub max_files: Option<usize>,
    /// None older than this; `None` is no limit.
    pub max_age: Option<TimeDelta>,
    /// The newest ones that are never deleted, however old; at least 1.
    pub min_files: usize,
    /// What stays although it is over a limit; without any limit, nothing else does.
    pub keep: Keep,
    /// Delete nothing while the newest is smaller than this share, in percent, of the median of the 7 before it; 0 is
    /// never.
    pub hold_below: u8,
    /// Whose hours, days, weeks, months and years the keep rules count.
    pub zone: Zone,
}

/// The keep rules: what any of them keeps stays. 0 and `None` are no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keep {
    /// The newest so many.
    pub last: usize,
    /// All that are not older.
    pub duration: Option<TimeDelta>,
    /// The newest of each of so many hours, days, ISO weeks, months and years: the latest ones that have a backup.
    pub hourly: usize,
    /// See [`Keep::hourly`].
    pub daily: usize,
    /// See [`Keep::hourly`].
    pub weekly: usize,
    /// See [`Keep::hourly`].
    pub monthly: usize,
    /// See [`Keep::hourly`].
    pub yearly: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_files: None,
            max_age: None,
            min_files: 1,
            keep: Keep::default(),
            hold_below: 50,
            zone: Zone::UTC,
        }
    }
}

impl Policy {
    /// Whether this policy can ever delete anything.
    pub fn keeps_everything(&self) -> bool {
        !self.is_limited() && self.keep == Keep::default()
    }

    /// Whether anything can be over a limit.
    fn is_limited(&self) -> bool {
        self.max_files.is_some() || self.max_age.is_some()
    }
}

/// What becomes of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep(Reason),
    /// It goes.
    Delete(Limit),
}

/// Why a backup stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Another job's or database's: not ours to judge.
    Foreign,
    /// Somebody pinned it.
    Pinned,
    /// One of the newest, which always stay.
    Newest,
    /// Begun later than now: a clock is or was wrong, and its true age is unknown.
    Future,
    /// It is corrupt, and no good one is newer.
    Corrupt,
    /// Keep rules want it: which, and as what.
    Rule(String),
    /// It would go, but for a doubt about all of them.
    Held(Hold),
    /// Within the limits.
    WithinLimits,
}

/// Which limit a backup is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// There are enough newer ones.
    Count(usize),
    /// It is too old.
    Age(TimeDelta),
    /// There are keep rules alone, and none keeps it.
    Rules,
}

impl Verdict {
    /// Whether it goes.
    pub fn is_delete(&self) -> bool {
        matches!(self, Self::Delete(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep(reason) => write!(f, "keep: {reason}"),
            Self::Delete(limit) => write!(f, "delete: {limit}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "belongs to another job or database",
            Self::Pinned => "pinned",
            Self::Newest => "among the newest RETENTION_MIN_FILES",
            Self::Future => "dated in the future, not counted before that date",
            Self::Corrupt => "corrupt, and no good one is newer",
            Self::Rule(rules) => rules,
            Self::Held(Hold::Small) => "the newest is suspiciously small (RETENTION_HOLD_BELOW)",
            Self::Held(Hold::Writers(_)) => "two machines write under this name (set DBSTASH_JOB)",
            Self::WithinLimits => "within the limits",
        })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(max) => {
                write!(f, "more than RETENTION_MAX_FILES ({max}) are newer or as new")
            }
            Self::Age(max) => {
                let days = max.as_seconds_f64() / 86_400.0;
                write!(f, "older than RETENTION_MAX_DAYS ({days})")
            }
            Self::Rules => f.write_str("no RETENTION_KEEP rule keeps it"),
        }
    }
}
