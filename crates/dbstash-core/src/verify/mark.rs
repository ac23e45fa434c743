//! The names of results: `<object>.<when>.<result>.verified.json`.
//!
//! Each result is a new object, and only then do older ones go. So there is no moment without one, two that verify
//! at once do not meet, and a remote on which nothing is overwritten or deleted takes them as well. When and
//! what are in the name: a listing alone tells how it is with every backup.

use chrono::{DateTime, NaiveDateTime, SubsecRound as _, Utc};

const SUFFIX: &str = ".verified.json";
const STAMP: &str = "%Y%m%dT%H%M%S%3fZ";

/// When something was found out about a backup, and what; the later one is the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// To the millisecond.
    pub at: DateTime<Utc>,
    /// What.
    pub outcome: Outcome,
}

/// What was found out, the weightier the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Its bytes are those that were stored.
    Bytes,
    /// And they read as a dump.
    Structure,
    /// It was restored.
    Restored,
    /// It is not what was stored, or no dump.
    Corrupt,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Bytes, Self::Structure, Self::Restored, Self::Corrupt];

    /// Its word in a name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Structure => "structure",
            Self::Restored => "restored",
            Self::Corrupt => "corrupt",
        }
    }
}

impl Mark {
    /// Found out at this moment.
    pub fn new(at: DateTime<Utc>, outcome: Outcome) -> Self {
        Self { at: at.trunc_subsecs(3), outcome }
    }

    /// The name for the backup whose first object this is; a folder without a `/` at its end.
    pub fn name_for(self, object: &str) -> String {
        format!("{object}.{}.{}{SUFFIX}", self.at.format(STAMP), self.outcome.as_str())
    }

    /// The object and the result that a name is of.
    pub fn parse(name: &str) -> Option<(&str, Self)> {
        let (rest, word) = name.strip_suffix(SUFFIX)?.rsplit_once('.')?;
        let (object, stamp) = rest.rsplit_once('.')?;
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)?;
        let at = NaiveDateTime::parse_from_str(stamp, STAMP).ok()?.and_utc();
        let mark = Self { at, outcome };
        // Exactly as we write it: what is named otherwise is somebody else's.
        (!object.is_empty() && mark.name_for(object) == name).then_some((object, mark))
    }
}
