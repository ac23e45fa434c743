//! What is known of each database's backups, and what of it is news. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::job::EngineKey;
use dbstash_core::past::Past;
use dbstash_core::report::{Outcome, Report, RunId};
use dbstash_core::verify::{Occasion, Verdict, Verification};

use super::notice::Kind;

/// A silence that goes on is told again after this long, or after as long as made it one.
const AGAIN: TimeDelta = TimeDelta::days(1);

/// The label of all databases together.
const ALL: &str = "*";

/// What was told, and what there was to tell it of, by job and database.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    silence_after: Option<TimeDelta>,
    known: BTreeMap<(String, String), State>,
}

#[derive(Debug)]
struct State {
    engine: Option<EngineKey>,
    /// Whether something went wrong since the last good backup, and was told.
    trouble: bool,
    /// Runs in a row that found another one at work.
    skipped: u32,
    /// Rounds of verifications in a row that left something untested, and why this one does.
    untested: (u32, Option<String>),
    /// When the newest backup was begun, if it was found corrupt, and was told so.
    corrupt: Option<DateTime<Utc>>,
    /// When the last good backup ended.
    last: Option<DateTime<Utc>>,
    /// Since when a first one is waited for.
    since: DateTime<Utc>,
    /// When the silence was told of last.
    told: Option<DateTime<Utc>>,
}

/// A database without a good backup for too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Silence {
    pub(super) job: String,
    pub(super) database: String,
    pub(super) engine: Option<EngineKey>,
    /// When the last one ended, if there ever was one that is known of.
    pub(super) last: Option<DateTime<Utc>>,
    /// Since when none has come.
    pub(super) since: DateTime<Utc>,
}

impl Ledger {
    /// Nothing is known yet.
    pub(super) fn new(silence_after: Option<Duration>) -> Self {
        let silence_after = silence_after.and_then(|limit| TimeDelta::from_std(limit).ok());
        Self { silence_after, known: BTreeMap::new() }
    }

    fn state(&mut self, job: &str, database: &str, now: DateTime<Utc>) -> &mut State {
        let new = || State {
            engine: None,
            trouble: false,
            skipped: 0,
            untested: (0, None),
            corrupt: None,
            last: None,
            since: now,
            told: None,
        };
        self.known.entry((job.to_owned(), database.to_owned())).or_insert_with(new)
    }

    /// There is such a database, and from `now` on backups of it are waited for.
    pub(super) fn expected(&mut self, job: &str, database: &str, now: DateTime<Utc>) {
        self.state(job, database, now);
    }

    /// A good backup of it ended then.
    pub(super) fn known(&mut self, job: &str, database: &str, last: DateTime<Utc>) {
        let state = self.state(job, database, last);
        state.last = state.last.max(Some(last));
    }

    /// The newest of it, begun and ended then, was found corrupt before. One that was made since is not it.
    pub(super) fn spoiled(&mut self, job: &str, database: &str, backup: &Past) {
        let state = self.state(job, database, backup.ended);
        if state.last < Some(backup.ended) {
            state.corrupt = Some(backup.started);
        }
    }

    /// Takes over what another one knows.
    pub(super) fn inherit(&mut self, other: &mut Self) {
        self.known.append(&mut other.known);
    }

    /// Of this job there are only these databases: nobody waits for the others any more.
    pub(super) fn only(&mut self, job: &str, wanted: impl Fn(&str) -> bool) {
        self.known.retain(|(of, database), _| of != job || wanted(database));
    }

    /// What of a run's end is worth telling; `None` for a first skipped run.
    pub(super) fn finished(&mut self, report: &Report, now: DateTime<Utc>) -> Option<Kind> {
        let run = &report.run;
        let state = self.state(run.job.as_str(), &run.database, now);
        state.engine = Some(run.engine);
        match &report.outcome {
            Outcome::Stored { .. } => {
                let mut trouble = std::mem::take(&mut state.trouble);
                trouble |= state.corrupt.take().is_some();
                (state.skipped, state.last, state.told) = (0, Some(now), None);
                // The databases of a server that could not say which it has are all of them.
                let all = (run.job.as_str().to_owned(), ALL.to_owned());
                if let Some(all) = self.known.get_mut(&all) {
                    trouble |= std::mem::take(&mut all.trouble);
                }
                Some(if trouble { Kind::Recovered } else { Kind::Stored })
            }
            Outcome::Failed { .. } => {
                (state.skipped, state.trouble) = (0, true);
                Some(Kind::Failed)
            }
            Outcome::Skipped { .. } => {
                state.skipped = state.skipped.saturating_add(1);
                let again = state.skipped > 1;
                state.trouble |= again;
                again.then_some(Kind::Skipped(state.skipped))
            }
        }
    }

    /// What of a verification is worth telling. What its run tells is not told twice.
    pub(super) fn verified(&mut self, run: &RunId, told: &Verification) -> Option<Kind> {
        if told.occasion == Occasion::Stored {
            return None;
        }
        let state = self.state(run.job.as_str(), &run.database, told.at);
        state.engine = Some(run.engine);
        let begun = told.backup.as_ref().map(|past| past.started);
        match &told.verdict {
            Verdict::Good { .. } | Verdict::Restored(_) => {
                let settled = state.corrupt.is_some_and(|bad| begun >= Some(bad));
                state.corrupt = state.corrupt.filter(|_| !settled);
                settled.then_some(Kind::GoodAgain)
            }
            Verdict::Corrupt(_) => {
                if told.newest {
                    state.corrupt = begun;
                }
                Some(Kind::Corrupt)
            }
            Verdict::Untested(why) => {
                state.untested.1.get_or_insert_with(|| why.clone());
                None
            }
            Verdict::Gone => None,
        }
    }

    /// A round is over: of which databases something could not be tested, and so it went before, too; how many times in
    /// a row, and why.
    pub(super) fn round(&mut self, job: &str) -> Vec<(String, Option<EngineKey>, u32, String)> {
        let mut news = Vec::new();
        for ((_, database), state) in self.known.iter_mut().filter(|((of, _), _)| of == job) {
            let Some(why) = state.untested.1.take() else {
                state.untested.0 = 0;
                continue;
            };
            state.untested.0 = state.untested.0.saturating_add(1);
            if state.untested.0 > 1 {
                news.push((database.clone(), state.engine, state.untested.0, why));
            }
        }
        news
    }

    /// The silences that are to be told now; they count as told.
    pub(super) fn silences(&mut self, now: DateTime<Utc>) -> Vec<Silence> {
        let Some(limit) = self.silence_after else { return Vec::new() };
        let mut silences = Vec::new();
        for ((job, database), state) in &mut self.known {
            if now < state.due(limit) {
                continue;
            }
            (state.told, state.trouble) = (Some(now), true);
            silences.push(Silence {
                job: job.clone(),
                database: database.clone(),
                engine: state.engine,
                last: state.last,
                since: state.last.unwrap_or(state.since),
            });
        }
        silences
    }

    /// When the next silence is to be told, if no backup comes.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        let limit = self.silence_after?;
        self.known.values().map(|state| state.due(limit)).min()
    }
}

impl State {
    fn due(&self, limit: TimeDelta) -> DateTime<Utc> {
        let (from, wait) = match self.told {
            Some(told) => (told, limit.max(AGAIN)),
            None => (self.last.unwrap_or(self.since), limit),
        };
        from.checked_add_signed(wait).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

#[cfg(test)]
mod tests;
