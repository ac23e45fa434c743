//! What was found out about a backup, in words, beside it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Context, Level, Looked, Mark, Outcome, Verdict};
use crate::artifact::Artifact;
use crate::catalog::Backup;
use crate::drill::Drilled;
use crate::error::RunError;
use crate::manifest;
use crate::remote::NewObject;
use crate::store::{Failure, Guard, store};
use crate::temporary;

/// The format this version writes.
const FORMAT: u32 = 1;
/// A result that is further ahead is of a clock that was wrong.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// The text of a result. Never holds a credential; never rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The format's number.
    pub format: u32,
    /// The backup's.
    pub id: String,
    /// How far it was to go.
    pub asked: Level,
    /// How far everything was found good; none where something was not.
    pub good: Option<Level>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrupt: Option<String>,
    /// What was looked at.
    pub objects: Vec<Looked>,
    /// What a drill has shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<Drilled>,
    /// When.
    pub at: DateTime<Utc>,
    /// The machine that looked.
    pub host: String,
    /// The version of dbstash that looked.
    pub dbstash: String,
}

/// Stores a verdict beside its backup, and deletes older ones that say no more. What could not be tested leaves no
/// trace, so that it does not stand in the place of what is known. Returns the mark, and why older ones are left.
pub async fn record(
    backup: &Backup,
    asked: Level,
    verdict: &Verdict,
    (at, host): (DateTime<Utc>, &str),
    cx: Context<'_>,
    guard: &Guard<'_>,
) -> Result<Option<(Mark, Option<String>)>, RunError> {
    let (outcome, good, corrupt, objects) = match verdict {
        Verdict::Good { level, objects } => {
            let is_read = *level > Level::Bytes;
            let outcome = if is_read { Outcome::Structure } else { Outcome::Bytes };
            (outcome, Some(*level), None, objects.clone())
        }
        Verdict::Restored(_) => (Outcome::Restored, Some(Level::Restore), None, Vec::new()),
        Verdict::Corrupt(what) => (Outcome::Corrupt, None, Some(what.clone()), Vec::new()),
        Verdict::Untested(_) | Verdict::Gone => return Ok(None),
    };
    let drill = match verdict {
        Verdict::Restored(drilled) => Some(drilled.clone()),
        _ => None,
    };
    // What was found out last is what stands, whatever the clocks of others say.
    let before = backup.notes.verified.iter().map(|old| old.at).filter(|old| *old <= at + AHEAD);
    let at = before.max().map_or(at, |before| at.max(before + TimeDelta::milliseconds(1)));
    let mark = Mark::new(at, outcome);
    let (id, host) = (backup.manifest.id.clone(), host.to_owned());
    let dbstash = env!("CARGO_PKG_VERSION").to_owned();
    let format = FORMAT;
    let record = Record { format, id, asked, good, corrupt, objects, drill, at, host, dbstash };
    let mut text = serde_json::to_vec_pretty(&record).unwrap_or_default();
    text.push(b'\n');

    let object = backup.manifest_name.strip_suffix(manifest::SUFFIX).unwrap_or_default();
    let name = mark.name_for(object);
    let temporary = temporary::name(&name, cx.run);
    let expected = Some(text.len() as u64);
    let new = NewObject { name: &name, temporary: &temporary, expected, owned: true };
    let mut upload = cx.remote.begin(&new).await?;
    let mut artifact = Artifact::of_bytes(text);
    let stored = store(&mut artifact, None, upload.as_mut(), guard).await;
    stored.map_err(|Failure { cause, .. }| cause)?;

    let is_older = |old: &Mark| old.outcome <= outcome && old.at <= mark.at;
    let older = |old: &&Mark| **old != mark && (is_older(old) || old.at > at + AHEAD);
    let older: Vec<_> =
        backup.notes.verified.iter().filter(older).map(|old| old.name_for(object)).collect();
    let left = cx.remote.delete(&older).await.err();
    Ok(Some((mark, left.map(|error| format!("older results are left: {error}")))))
}
