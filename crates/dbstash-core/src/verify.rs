//! Whether what is stored is still what was stored, and still reads as a dump.
//!
//! Three levels: [`Level::Bytes`] reads every object back and compares count and sha256 with the manifest;
//! [`Level::Structure`] reads its bytes as the format they are, too; [`Level::Restore`] is a [drill](crate::drill). Objects are streamed: only what a program has to
//! open as a file is copied to local disk.
//!
//! What is known of a backup after it is a small object beside it, a [`Record`] under the name of a [`Mark`].

mod choice;
mod examine;
mod extract;
mod folder;
pub(crate) mod inspect;
mod mark;
mod record;
mod round;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use self::choice::{Sample, Target, chosen};
pub use self::examine::{Examined, Occasion, Verification, Witness, examine};
pub(crate) use self::folder::sums;
use self::inspect::{Found, Look, pass};
pub use self::mark::{Mark, Outcome};
pub use self::record::{Record, record};
pub(crate) use self::round::round;
pub use self::round::{Round, Rounds};
use crate::artifact::ProduceError;
use crate::catalog::Backup;
use crate::drill::{Drilled, Trial};
use crate::engine::{Engine, Incomplete, Passed, Stdout, Step, Structure};
use crate::launch::Launcher;
use crate::manifest::{self, BadManifest, Manifest, Object};
use crate::process::LaunchError;
use crate::remote::{ReadError, Remote, RemoteError};
use crate::spool::{Spool, SpoolError};
use crate::state::{StateDir, StateError};
use crate::store::{Phase, Progress};

/// How far a verification goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Read back, counted, hashed.
    Bytes,
    /// And read as what it is.
    Structure,
    /// Restored on trial, and counted.
    Restore,
}

impl Level {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Bytes, Self::Structure, Self::Restore];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Structure => "structure",
            Self::Restore => "restore",
        }
    }
}

/// What a verification works with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Where the backup is.
    pub remote: &'a dyn Remote,
    /// Knows its formats.
    pub engine: &'a dyn Engine,
    /// Starts what looks at a copy.
    pub launcher: &'a dyn Launcher,
    /// Private files of programs.
    pub state: &'a StateDir,
    /// How drills are held.
    pub trial: &'a Trial,
    /// Where copies are made.
    pub temp_dir: &'a Path,
    /// Unique for every verification: its start and a random part.
    pub run: &'a str,
    /// Told of every byte that comes.
    pub progress: &'a Progress,
}

/// What is known of a backup after a verification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is as it was stored.
    Good {
        /// How far that could be seen of the dump itself.
        level: Level,
        /// Object by object.
        objects: Vec<Looked>,
    },
    /// It was restored on trial, and is what was counted.
    Restored(Drilled),
    /// Something is not as it was stored, or does not read as a dump: what.
    Corrupt(String),
    /// Nothing new: why.
    Untested(String),
    /// It is no backup any more: somebody deleted it meanwhile.
    Gone,
}

/// An object that is as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// Its name in the manifest.
    pub name: String,
    /// How many bytes were read back.
    pub bytes: u64,
    /// What was looked at in its structure; none where that was not asked for, or nobody knows its format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Why less than usual was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<String>,
}

/// Why an object is not good.
#[derive(Debug)]
pub(crate) enum Flaw {
    Corrupt(String),
    Untested(String),
    Gone,
}

impl From<RemoteError> for Flaw {
    fn from(error: RemoteError) -> Self {
        Self::Untested(error.to_string())
    }
}

impl From<ReadError> for Flaw {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Missing | ReadError::Damaged(_) => Self::Corrupt(error.to_string()),
            ReadError::Remote(error) => error.into(),
        }
    }
}

impl From<SpoolError> for Flaw {
    fn from(error: SpoolError) -> Self {
        Self::Untested(error.to_string())
    }
}

impl From<StateError> for Flaw {
    fn from(error: StateError) -> Self {
        Self::Untested(error.to_string())
    }
}

/// Reads a backup back. Nothing is written but copies on local disk, which are gone when it returns.
pub async fn verify(backup: &Backup, level: Level, cx: Context<'_>) -> Verdict {
    match told(backup, cx).await {
        Ok(_) => {}
        Err(Flaw::Corrupt(what)) => return Verdict::Corrupt(what),
        Err(Flaw::Untested(why)) => return Verdict::Untested(why),
        Err(Flaw::Gone) => return Verdict::Gone,
    }
    // The dump is the backup to people; of others it has to be said which one.
    let dump = backup.manifest.dump();
    let of = |object: &Object, what: String| match dump {
        Some(dump) if dump.name == object.name => what,
        _ => format!("{}: {what}", object.name),
    };
    let (mut looked, mut untested) = (Vec::new(), None);
    for (object, name) in backup.manifest.objects.iter().zip(backup.objects()) {
        let done = match (object.files, level) {
            (Some(_), _) => folder::look(backup, object, &name, level, cx).await,
            (None, Level::Bytes) => plain(object, &name, Look::Bytes, cx).await,
            (None, Level::Structure | Level::Restore) => structure(object, &name, backup, cx).await,
        };
        match done {
            Ok(passed) => looked.push(Looked {
                name: object.name.clone(),
                bytes: object.bytes,
                check: passed.as_ref().map(|passed| passed.check.clone()),
                degraded: passed.and_then(|passed| passed.degraded),
            }),
            Err(Flaw::Corrupt(what)) => {
                return corrupt(backup, of(object, what), cx).await;
            }
            Err(Flaw::Untested(why)) => untested = untested.or(Some(of(object, why))),
            Err(Flaw::Gone) => return Verdict::Gone,
        }
    }
    if let Some(why) = untested {
        return Verdict::Untested(why);
    }
    let is_seen = |dump: &Looked| dump.check.as_ref().is_some_and(|check| check != "exit-status");
    let level = if looked.first().is_some_and(is_seen) { level } else { Level::Bytes };
    Verdict::Good { level, objects: looked }
}

/// Whether the manifest on the remote is the one that is known here: whoever restores elsewhere has no other.
/// That one, with what was counted.
pub(crate) async fn told(backup: &Backup, cx: Context<'_>) -> Result<Manifest, Flaw> {
    let name = &backup.manifest_name;
    let text = match small(cx.remote, name, manifest::MAX_BYTES).await {
        Ok(text) => text,
        Err(ReadError::Missing) => return Err(Flaw::Gone),
        Err(error) => return Err(error.into()),
    };
    // A catalog keeps no counts.
    match Manifest::read(name, &text) {
        Ok(manifest) if manifest.clone().uncounted() == *backup.manifest => Ok(manifest),
        Err(error @ BadManifest::Newer(_)) => Err(Flaw::Untested(error.to_string())),
        Ok(_) => Err(Flaw::Corrupt("its manifest has changed".to_owned())),
        Err(error) => Err(Flaw::Corrupt(format!("its manifest has changed: {error}"))),
    }
}

/// A small object, up to one byte more than it may have.
pub(crate) async fn small(
    remote: &dyn Remote,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, ReadError> {
    let (mut text, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    let mut download = remote.read(name).await?;
    while let n @ 1.. = download.read(&mut buffer).await? {
        text.extend_from_slice(&buffer[..n]);
        if text.len() as u64 > most {
            break;
        }
    }
    Ok(text)
}

/// What retention has taken meanwhile is not corrupt.
async fn corrupt(backup: &Backup, what: String, cx: Context<'_>) -> Verdict {
    match cx.remote.stat(&backup.manifest_name).await {
        Ok(None) => Verdict::Gone,
        _ => Verdict::Corrupt(what),
    }
}

/// One object, as far as its format is known.
async fn structure(
    object: &Object,
    name: &str,
    backup: &Backup,
    cx: Context<'_>,
) -> Result<Option<Passed>, Flaw> {
    let is_tar = backup.manifest.mode == "tar";
    match cx.engine.structure(object) {
        Some(Structure::Stream(check)) => plain(object, name, Look::Stream(check), cx).await,
        // Our own tars have a folder; a tool's have none.
        Some(Structure::Files(check)) => plain(object, name, Look::Tar(check, is_tar), cx).await,
        Some(Structure::Copy { file, step }) => {
            let needed = object.raw_bytes;
            let spool = Spool::make(cx.temp_dir, cx.run, needed)?;
            let look = Look::Copy { path: spool.tree().join(file), most: needed };
            plain(object, name, look, cx).await?;
            program(step, &spool, cx).await.map(Some)
        }
        None => plain(object, name, Look::Unpacked, cx).await,
    }
}

/// One object, read back.
pub(crate) async fn plain(
    object: &Object,
    name: &str,
    look: Look,
    cx: Context<'_>,
) -> Result<Option<Passed>, Flaw> {
    let found = pass(name, &object.encodings, look, cx).await?;
    judge(object, found)
}

/// What was found, compared with what the manifest says.
pub(crate) fn judge(object: &Object, found: Found) -> Result<Option<Passed>, Flaw> {
    let corrupt = |what: String| Err(Flaw::Corrupt(what));
    if found.bytes != object.bytes {
        return corrupt(format!("it has {} bytes and should have {}", found.bytes, object.bytes));
    }
    if found.sha256 != object.sha256 {
        return corrupt(
            "its bytes have changed: its sha256 is not that of the manifest".to_owned(),
        );
    }
    if let Some(why) = found.spool {
        return Err(Flaw::Untested(why));
    }
    let passed = match found.structure {
        None => return Ok(None),
        Some(Ok(passed)) => passed,
        Some(Err(Incomplete(what))) => return corrupt(what),
    };
    match found.raw_bytes {
        Some(raw) if raw != object.raw_bytes => {
            corrupt(format!("it unpacks to {raw} bytes and should to {}", object.raw_bytes))
        }
        _ => Ok(passed),
    }
}

/// Has a program look at the copy in a spool.
async fn program(step: Step, spool: &Spool, cx: Context<'_>) -> Result<Passed, Flaw> {
    let Stdout::Checked(mut check) = step.stdout else {
        return Ok(Passed::degraded("nothing was looked at"));
    };
    let invocation = step.invocation.in_tree(&spool.tree().to_string_lossy());
    let private = cx.state.process_dir()?;
    let untested = |error: ProduceError| {
        let is_known = !error.stderr().is_empty() && !cx.engine.may_pass(error.stderr());
        match cx.engine.explain(error.stderr()) {
            // The bytes are those that were stored: what the program knows as damage was there before.
            Some(what) if is_known => Flaw::Corrupt(what),
            _ => Flaw::Untested(error.to_string()),
        }
    };
    cx.progress.enter(Phase::Ending);
    let launched = cx.launcher.launch(&invocation, &private).await;
    let mut tool = launched.map_err(|error: LaunchError| untested(error.into()))?;
    let mut buffer = vec![0; 16 * 1024];
    while let n @ 1.. = tool.read(&mut buffer).await.map_err(untested)? {
        check.feed(&buffer[..n]);
    }
    tool.finish().await.map_err(untested)?;
    check.finish().map_err(|Incomplete(what)| Flaw::Corrupt(what))
}
