//! Claimed object names: runs that share a state directory never make the same object.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::live::{enter, lasting_file, shut};
use super::{StateDir, StateError, digest, private_dir};

/// A claimed object name; see [`StateDir::claim`].
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    _locked: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl StateDir {
    /// Claims an object's name among the runs that share this directory, before it can be seen on the remote, or while
    /// it is read and shall stay; `None` when a live run has it. Free again when the value is dropped.
    pub fn claim(&self, remote: &str, object: &str) -> Result<Option<Claim>, StateError> {
        let folder = self.names();
        let path = folder.join(digest(&format!("{remote}\0{object}")));
        let fail = |what, reason| StateError { path: path.clone(), what, reason };
        private_dir(&folder).map_err(|e| fail("cannot be made", e))?;
        let _gate = enter(&folder).map_err(|e| fail("cannot be locked", e))?;
        loop {
            let file = lasting_file(&path).map_err(|e| fail("cannot be opened", e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(fail("cannot be locked", e)),
            }
            // Its last holder may have removed it between our opening and our locking.
            let ours = file.metadata().map_err(|e| fail("cannot be read", e))?.ino();
            if fs::metadata(&path).is_ok_and(|there| there.ino() == ours) {
                return Ok(Some(Claim { path, _locked: file }));
            }
        }
    }

    /// Whether somebody who shares this directory makes or reads an object of this name.
    pub fn is_claimed(&self, remote: &str, object: &str) -> bool {
        let path = self.names().join(digest(&format!("{remote}\0{object}")));
        File::open(path)
            .is_ok_and(|claim| matches!(claim.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Removes what killed runs had claimed.
    pub(super) fn forget_dead_claims(&self) {
        let folder = self.names();
        let Some(_alone) = shut(&folder) else { return };
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if File::open(&path).is_ok_and(|claim| claim.try_lock().is_ok()) {
                let _ = fs::remove_file(path);
            }
        }
    }

    fn names(&self) -> PathBuf {
        self.root.join("locks").join("names")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_claimed_once_and_free_again_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let claim = state.claim("r", "a.sql").unwrap();
        assert!(claim.is_some() && state.claim("r", "a.sql").unwrap().is_none());
        assert!(
            state.claim("r", "b.sql").unwrap().is_some()
                && state.claim("q", "a.sql").unwrap().is_some()
        );
        assert!(state.is_claimed("r", "a.sql") && !state.is_claimed("r", "b.sql"));
        drop(claim);
        assert!(!state.is_claimed("r", "a.sql"));
        assert!(state.claim("r", "a.sql").unwrap().is_some());
        assert_eq!(fs::read_dir(dir.path().join("state/locks/names")).unwrap().count(), 0);
    }

    #[test]
    fn a_dead_claim_is_forgotten_and_a_live_one_kept() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let live = state.claim("r", "a.sql").unwrap().unwrap();
        let dead = state.claim("r", "b.sql").unwrap().unwrap();
        // What a KILL leaves: the file, and nobody who locks it.
        let left = dead.path.clone();
        drop(dead);
        fs::write(&left, "").unwrap();
        state.forget_dead_processes();
        assert!(live.path.exists() && !left.exists());
    }
}
