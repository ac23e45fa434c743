//! Pins: a backup that retention leaves alone, by a small object beside its manifest.

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::artifact::Artifact;
use crate::catalog::Backup;
use crate::error::RunError;
use crate::remote::{NewObject, Remote, RemoteError};
use crate::sidecar::Note;
use crate::store::{Failure, Guard, store};
use crate::temporary;

/// Whether anything had to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// It is as asked now.
    Done,
    /// It was before.
    Already,
}

/// Pins a backup, as the catalog has it; `host` is this machine. The caller holds the lock of its job and database.
/// Published like a manifest. A backup that is gone by then is an error, and nothing is left of its pin.
pub async fn pin(
    backup: &Backup,
    remote: &dyn Remote,
    host: &str,
    now: DateTime<Utc>,
) -> Result<Pin, RunError> {
    if backup.notes.pinned {
        return Ok(Pin::Already);
    }
    let name = Note::Pin.name(&backup.manifest_name);
    if remote.stat(&name).await?.is_some() {
        let text = format!(
            "{name} is in the way: it was not there when backups were listed, or is one itself"
        );
        return Err(RemoteError::new(text).into());
    }
    let note = serde_json::json!({ "pinned": now, "host": host });
    put(&name, format!("{note}\n").into_bytes(), remote, now).await?;
    if remote.stat(&backup.manifest_name).await?.is_some() {
        return Ok(Pin::Done);
    }
    remote.delete(&[name]).await?;
    let id = &backup.manifest.id;
    Err(RemoteError::new(format!("{id} has been deleted meanwhile: there is nothing to pin"))
        .into())
}

/// Takes the pin of a backup away, under the same lock.
pub async fn unpin(backup: &Backup, remote: &dyn Remote) -> Result<Pin, RemoteError> {
    if !backup.notes.pinned {
        return Ok(Pin::Already);
    }
    remote.delete(&[Note::Pin.name(&backup.manifest_name)]).await?;
    Ok(Pin::Done)
}

async fn put(
    name: &str,
    bytes: Vec<u8>,
    remote: &dyn Remote,
    now: DateTime<Utc>,
) -> Result<(), RunError> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let temporary =
        temporary::name(name, &format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8]));
    let expected = Some(bytes.len() as u64);
    let new = NewObject { name, temporary: &temporary, expected, owned: true };
    let mut upload = remote.begin(&new).await?;
    let cancel = CancellationToken::new();
    let guard = Guard { cancel: &cancel, deadline: None, stall: None, pace: &|_| {} };
    match store(&mut Artifact::of_bytes(bytes), None, upload.as_mut(), &guard).await {
        Ok(_) => Ok(()),
        Err(Failure { cause, .. }) => Err(cause),
    }
}
