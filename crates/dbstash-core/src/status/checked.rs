//! What verifications have told of a database's backups.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::snapshot::{DatabaseStatus, Problem, State};
use crate::past::{Past, Stock};
use crate::verify::{Verdict, Verification};

/// A backup that was verified.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checked {
    /// When that was over.
    pub at: DateTime<Utc>,
    /// Its id; none where it could not even be found out what there is.
    pub id: Option<String>,
    /// The dump's name.
    pub object: Option<String>,
    /// `good`, `corrupt` or `untested`.
    pub result: String,
    /// What is wrong, or why nobody knows.
    pub error: Option<String>,
}

/// A newest backup that is corrupt.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spoiled {
    /// Which.
    pub backup: Past,
    /// What is wrong with it; none where an earlier process knew it.
    pub what: Option<String>,
}

/// How many came out how, since the process began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// As they were stored.
    pub good: u64,
    /// Not so.
    pub corrupt: u64,
    /// Nobody knows.
    pub untested: u64,
}

impl Verdicts {
    /// Each with its word.
    pub fn each(&self) -> [(&'static str, u64); 3] {
        [("good", self.good), ("corrupt", self.corrupt), ("untested", self.untested)]
    }
}

impl DatabaseStatus {
    /// What an earlier process has left. A run since then knows better.
    pub(super) fn known(&mut self, stock: &Stock) {
        let newest = |past: &Option<Past>| past.as_ref().map(|past| past.ended);
        if newest(&stock.good) > newest(&self.last_success) {
            self.last_success.clone_from(&stock.good);
        }
        if let Some(past) = &stock.corrupt
            && self.corrupt.is_none()
            && Some(past.ended) > newest(&self.last_success)
        {
            self.corrupt = Some(Box::new(Spoiled { backup: past.clone(), what: None }));
        }
        self.tested = self.tested.max(stock.verified);
        self.proven = self.proven.max(stock.proven);
    }

    pub(super) fn verified(&mut self, told: &Verification) {
        let tally = self.tally.verifications.entry(told.asked.as_str().to_owned()).or_default();
        let (count, word, error) = match &told.verdict {
            Verdict::Good { .. } | Verdict::Restored(_) => (&mut tally.good, "good", None),
            Verdict::Corrupt(what) => (&mut tally.corrupt, "corrupt", Some(what)),
            Verdict::Untested(why) => (&mut tally.untested, "untested", Some(why)),
            Verdict::Gone => return,
        };
        *count += 1;
        self.last_verification = Some(Box::new(Checked {
            at: told.at,
            id: told.backup.as_ref().map(|past| past.id.clone()),
            object: told.backup.as_ref().map(|past| past.object.clone()),
            result: word.to_owned(),
            error: error.cloned(),
        }));
        if let Verdict::Restored(drilled) = &told.verdict {
            self.restored_in_ms = Some(drilled.restored_in_ms);
        }
        let Some(past) = &told.backup else { return };
        match &told.verdict {
            Verdict::Good { .. } | Verdict::Restored(_) => {
                self.tested = Some(told.at);
                self.proven = self.proven.max(Some(past.ended));
                // What is as new, or newer, and good is what was missing.
                if self.corrupt.as_ref().is_some_and(|bad| bad.backup.started <= past.started) {
                    self.corrupt = None;
                }
                let newest = self.last_success.as_ref().map(|newest| newest.ended);
                if told.newest && Some(past.ended) > newest {
                    self.last_success = Some(past.clone());
                }
            }
            Verdict::Corrupt(what) => {
                self.tested = Some(told.at);
                let is_it = |known: &Past| known.id == past.id;
                if self.last_success.as_ref().is_some_and(is_it) {
                    self.last_success.clone_from(&told.good);
                }
                let newer =
                    self.last_success.as_ref().is_some_and(|one| one.started > past.started);
                if told.newest && !newer {
                    self.corrupt =
                        Some(Box::new(Spoiled { backup: past.clone(), what: Some(what.clone()) }));
                }
            }
            Verdict::Untested(_) | Verdict::Gone => {}
        }
    }

    /// What is wrong with the newest backup.
    pub(super) fn flaw(&self) -> Option<Problem> {
        let Spoiled { backup, what } = self.corrupt.as_deref()?;
        let why = what.as_ref().map_or_else(String::new, |what| format!(": {what}"));
        let text = format!(
            "the newest backup, {} of {}, is corrupt{why}",
            backup.object,
            super::clock(backup.started)
        );
        Some(Problem { kind: State::Corrupt, database: self.database.clone(), text })
    }
}
