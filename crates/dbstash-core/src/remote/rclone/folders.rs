//! Folders: names that end with a `/`.

use std::time::Duration;

use super::{MISSING, QUICK, Rclone, failure};
use crate::remote::{Remote as _, RemoteError};

/// Whether a name is a folder's.
pub(super) fn is_folder(name: &str) -> bool {
    name.ends_with('/')
}

/// Refuses the name of a folder that could be another one, or the remote itself.
pub(super) fn checked(name: &str) -> Result<(), RemoteError> {
    let parts = name.strip_suffix('/').unwrap_or_default();
    if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(RemoteError::new(format!("{name:?} is not the name of a folder on a remote")));
    }
    Ok(())
}

impl Rclone {
    /// Whether anything is in one of these folders.
    pub(super) async fn any_in(&self, folders: &[&str]) -> Result<bool, RemoteError> {
        for folder in folders {
            checked(folder)?;
            if !self.listed(folder, QUICK).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Deletes a folder with everything in it, and nothing beside it. One that is missing is no error.
    pub(super) async fn purge(&self, folder: &str, deadline: Duration) -> Result<(), RemoteError> {
        checked(folder)?;
        // To a WebDAV server a file's name means the file, with a slash behind it, too, and to rclone's encryption. In a
        // bucket both can be.
        let file = folder.trim_end_matches('/');
        let (buckets, encrypted) = self.probed().await.map(|p| (p.buckets, p.encrypted))?;
        if (!buckets || encrypted) && self.stat(file).await?.is_some() {
            return Err(RemoteError::new(format!("{file} is a file on the remote, and no folder")));
        }
        if buckets {
            // A purge takes every version that a bucket keeps, too: what it is told to keep is not ours to delete, and
            // what it locks would be refused.
            let inside = self.listed(folder, deadline).await?;
            let names: Vec<String> = inside.into_iter().map(|entry| entry.name).collect();
            if !names.iter().any(|name| name.contains(['\n', '\r'])) {
                let done = tokio::time::timeout(deadline, self.delete_objects(&names)).await;
                let late = format!("{folder} was not deleted within {deadline:?}");
                return done.unwrap_or_else(|_| Err(RemoteError::new(late)));
            }
        }
        let answer = self.call(&["purge", &self.path(folder)], b"", deadline).await?;
        if answer.exit.success() || MISSING.contains(&answer.exit.code()) {
            return Ok(());
        }
        let refused = failure(&format!("delete {folder}"), answer.exit, &answer.stderr);
        // Of a folder that is missing, each kind of remote has another word.
        match self.listed(folder, deadline).await {
            Ok(left) if left.is_empty() => Ok(()),
            _ => Err(refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_folder_below_the_remote_is_one() {
        for good in ["a/", "a/b c/", "-x/", "..a/", "a./", " /", "%/"] {
            assert!(is_folder(good) && checked(good).is_ok(), "{good:?}");
        }
        for bad in ["", "/", "//", "./", "../", "a/../", "/a/", "a//", "a//b/", "a/./b/", "a"] {
            assert!(checked(bad).is_err(), "{bad:?}");
        }
    }
}
