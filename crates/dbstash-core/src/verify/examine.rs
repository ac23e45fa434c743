//! A backup read back, and what was found noted beside it and told.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Context, Level, Mark, Outcome, Record, Verdict, record, small, verify};
use crate::catalog::Backup;
use crate::clock::Clock;
use crate::drill;
use crate::error::RunError;
use crate::manifest;
use crate::past::Past;
use crate::store::{Guard, Pace};

/// For noting what was found, however long it took to find.
const NOTING: Duration = Duration::from_secs(300);

/// Who looks, and for how long.
#[derive(Clone, Copy)]
pub struct Witness<'a> {
    /// When.
    pub clock: &'a dyn Clock,
    /// On which machine.
    pub host: &'a str,
    /// Cancelled by the first signal.
    pub cancel: &'a CancellationToken,
    /// How long a look may take, and how long no byte may come; `None` is for ever.
    pub limits: [Option<Duration>; 2],
    /// Told when a look stands still where that may be right.
    pub pace: &'a (dyn Fn(Pace) + Sync),
}

/// What came of a look.
#[derive(Debug)]
pub struct Examined {
    /// What the backup is.
    pub verdict: Verdict,
    /// What was noted beside it.
    pub mark: Option<Mark>,
    /// What was not noted as it should.
    pub warning: Option<String>,
}

/// A verification, as observers see it.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Why there was one.
    pub occasion: Occasion,
    /// What was looked at; `None` where it could not even be found out what there is.
    pub backup: Option<Past>,
    /// Whether that is the newest of its database.
    pub newest: bool,
    /// The newest of the database that is not known to be corrupt, where others were looked at, too.
    pub good: Option<Past>,
    /// How far it was to go.
    pub asked: Level,
    /// What came out.
    pub verdict: Verdict,
    /// When it was over, as noted beside the backup.
    pub at: DateTime<Utc>,
    /// How long it took.
    pub duration: Duration,
}

/// Why a backup is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It was just stored: what is wrong with it is its run's failure.
    Stored,
    /// It was time for it.
    Scheduled,
}

/// Verifies a backup, and stores the result. Nobody here deletes it meanwhile. A signal ends it without a result.
pub async fn examine(
    backup: &Backup,
    level: Level,
    cx: Context<'_>,
    by: Witness<'_>,
) -> Result<Examined, RunError> {
    let [limit, stall] = by.limits;
    let deadline = limit.map(|limit| (Instant::now() + limit, limit));
    let guard = Guard { cancel: by.cancel, deadline, stall, pace: by.pace };
    let object = backup.objects().next().unwrap_or_default();
    // Without one it is looked at all the same: what is deleted meanwhile is not corrupt.
    let reading = cx.state.claim(&cx.remote.label(), &object);
    let known = known(backup, level, cx).await;
    let looking = async {
        match level {
            // It ends what it has started, whatever ends it.
            Level::Restore => Box::pin(drill::hold(backup, cx.trial, cx, by)).await,
            Level::Bytes | Level::Structure => {
                let looking = async { Ok(Box::pin(verify(backup, level, cx)).await) };
                guard.watch(cx.progress, looking).await
            }
        }
    };
    let verdict = match looking.await {
        Ok(verdict) => verdict,
        Err(RunError::Interrupted) => return Err(RunError::Interrupted),
        Err(RunError::Stalled { limit, .. }) => Verdict::Untested(format!(
            "the remote sent no byte for {limit:?} (BACKUP_STALL_TIMEOUT)"
        )),
        Err(error) => Verdict::Untested(error.to_string()),
    };
    let verdict = match (verdict, &known) {
        (Verdict::Good { .. }, Some(known)) => Verdict::Untested(known.to_string()),
        (verdict, _) => verdict,
    };
    let level = known.map_or(level, |known| known.level);
    let deadline = Some((Instant::now() + NOTING, NOTING));
    let guard = Guard { cancel: by.cancel, deadline, stall: None, pace: &|_| {} };
    let now = (by.clock.now(), by.host);
    let noted = record(backup, level, &verdict, now, cx, &guard).await;
    drop(reading);
    let (mark, warning) = match noted {
        Ok(Some((mark, left))) => (Some(mark), left),
        Ok(None) => (None, None),
        Err(error) => (None, Some(format!("what was found is not stored beside it: {error}"))),
    };
    Ok(Examined { verdict, mark, warning })
}

/// What another look has found that went further: one that finds nothing cannot take it back.
struct Known {
    level: Level,
    what: String,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, what } = self;
        let level = level.as_str();
        write!(f, "it is known to be corrupt, and only --level {level} can find otherwise: {what}")
    }
}

async fn known(backup: &Backup, level: Level, cx: Context<'_>) -> Option<Known> {
    let mark = backup.verified().filter(|mark| mark.outcome == Outcome::Corrupt)?;
    let object = backup.manifest_name.strip_suffix(manifest::SUFFIX)?;
    let text = small(cx.remote, &mark.name_for(object), manifest::MAX_BYTES).await.ok()?;
    let Record { asked, corrupt, .. } = serde_json::from_slice(&text).ok()?;
    (asked > level).then(|| Known { level: asked, what: corrupt.unwrap_or_default() })
}
