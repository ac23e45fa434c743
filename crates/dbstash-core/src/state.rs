//! The state directory: locks, private files, journals, a cache. It may be a tmpfs; dump bytes never go there.
//!
//! ```text
//! locks/<job>.<database>    flock, held for as long as a backup of it lives; names its holder
//! locks/names/<digest>      flock, held for as long as an object of this name is being made
//! runs/<job>/<run>/         one run's private files and journal; its `alive` file is flocked by that run
//! runs/processes/           the same for a process: its copy of a configuration
//! cache/<remote>/           manifests of the remote, as they were listed
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::job::JobId;

/// The folder, among those of the jobs, for what belongs to a process and not to a run.
const PROCESSES: &str = "processes";
/// No run takes longer to lock its directory; what is older was left by one that died.
const UNBORN: Duration = Duration::from_secs(3600);

/// A state directory, ours alone (0700).
#[derive(Debug, Clone)]
pub struct StateDir {
    root: PathBuf,
}

/// The state directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "state directory {path}: {what}: {reason} (set DBSTASH_STATE_DIR to a private, writable directory)"
)]
pub struct StateError {
    path: PathBuf,
    what: &'static str,
    reason: io::Error,
}

/// A lock that could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run has it.
    #[error("another run of this job and database is at work: {0}")]
    Held(String),
    /// The state directory fails.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The lock of a job's database; released when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

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

#[derive(Serialize, Deserialize)]
struct Holder {
    pid: u32,
    host: String,
    since: DateTime<Utc>,
}

impl StateDir {
    /// Opens it, making it when it is missing. One that others could write to is refused.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let fail = |what, reason| StateError { path: path.to_owned(), what, reason };
        private_dir(path).map_err(|e| fail("cannot be made", e))?;
        let meta = fs::metadata(path).map_err(|e| fail("cannot be read", e))?;
        let ours = rustix::process::geteuid().as_raw();
        // The link itself, if it is one: in /tmp anybody can lay one to a directory of ours.
        let link = fs::symlink_metadata(path).map_err(|e| fail("cannot be read", e))?;
        if [meta.uid(), link.uid()].iter().any(|owner| ![ours, 0].contains(owner)) {
            return Err(fail("belongs to another user", io::ErrorKind::PermissionDenied.into()));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                .map_err(|e| fail("cannot be made private", e))?;
        }
        Ok(Self { root: path.to_owned() })
    }

    /// Takes the lock of a job's database, or says who holds it. Never waits.
    pub fn lock(
        &self,
        job: &JobId,
        database: &str,
        host: &str,
        now: DateTime<Utc>,
    ) -> Result<Lock, LockError> {
        let path = self.root.join("locks").join(format!("{job}.{}", digest(database)));
        let fail = |what, reason| StateError { path: path.clone(), what, reason };
        private_dir(&self.root.join("locks")).map_err(|e| fail("cannot be made", e))?;
        let mut file = private_file(&path).map_err(|e| fail("cannot be opened", e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = file.take(1024).read_to_string(&mut text);
                return Err(LockError::Held(match serde_json::from_str::<Holder>(&text) {
                    Ok(h) => format!(
                        "process {} on {}, since {}",
                        h.pid,
                        h.host,
                        h.since.format("%FT%TZ")
                    ),
                    Err(_) => "a process that did not say who it is".to_owned(),
                }));
            }
            Err(TryLockError::Error(e)) => return Err(fail("cannot be locked", e).into()),
        }
        let holder = Holder { pid: std::process::id(), host: host.to_owned(), since: now };
        let text = serde_json::to_vec(&holder).unwrap_or_default();
        let written =
            file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&text));
        written.map_err(|e| fail("cannot be written", e))?;
        Ok(Lock(file))
    }

    /// Claims an object's name among the runs that share this directory, before it can be seen on the remote; `None`
    /// when a live run has it. Free again when the value is dropped.
    pub fn claim(&self, remote: &str, object: &str) -> Result<Option<Claim>, StateError> {
        let folder = self.root.join("locks").join("names");
        private_dir(&folder).map_err(|reason| StateError {
            path: folder.clone(),
            what: "cannot be made",
            reason,
        })?;
        let path = folder.join(digest(&format!("{remote}\0{object}")));
        let fail = |what, reason| StateError { path: path.clone(), what, reason };
        loop {
            let file = private_file(&path).map_err(|e| fail("cannot be opened", e))?;
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

    /// A directory for one run of a job, alive for as long as the value lives and removed with it.
    pub fn run_dir(&self, job: &JobId, run: &str) -> Result<RunDir, StateError> {
        let folder = self.root.join("runs").join(job.as_str());
        let (unborn, path) = (folder.join(format!(".{run}")), folder.join(run));
        let fail = |what, reason| StateError { path: path.clone(), what, reason };
        private_dir(&unborn).map_err(|e| fail("cannot be made", e))?;
        let alive = private_file(&unborn.join("alive")).map_err(|e| fail("cannot be opened", e))?;
        alive.try_lock().map_err(|e| fail("cannot be locked", e.into()))?;
        // Only now can a sweep see it.
        fs::rename(&unborn, &path).map_err(|e| fail("cannot be made", e))?;
        Ok(RunDir { path, alive: Some(alive), files: AtomicU32::new(0), keep: false })
    }

    /// The directories of runs of a job whose process is dead, each locked by us now.
    pub fn dead_runs(&self, job: &JobId) -> Vec<RunDir> {
        let Ok(entries) = fs::read_dir(self.root.join("runs").join(job.as_str())) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter(|entry| !is_unborn(entry))
            .filter_map(|entry| {
                let path = entry.path();
                let alive = private_file(&path.join("alive")).ok()?;
                alive.try_lock().ok()?;
                Some(RunDir { path, alive: Some(alive), files: AtomicU32::new(0), keep: false })
            })
            .collect()
    }

    /// Where the manifests of a remote are cached; it may not exist yet.
    pub fn cache(&self, remote: &str) -> PathBuf {
        self.root.join("cache").join(digest(remote))
    }

    /// Removes the private files of processes that were killed.
    pub fn forget_dead_processes(&self) {
        drop(self.dead_runs(&JobId::from_words(PROCESSES)));
    }

    /// A directory for private files of this process, removed with the value.
    pub fn process_dir(&self) -> Result<RunDir, StateError> {
        let all = JobId::from_words(PROCESSES);
        self.run_dir(&all, &format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()))
    }
}

/// One run's own directory.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    alive: Option<File>,
    files: AtomicU32,
    keep: bool,
}

/// What a run has under way on the remote; what is here and has no manifest is swept by the next run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The remote, as [`Remote::label`](crate::remote::Remote::label) tells it.
    pub remote: String,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// Half-written objects: ours to delete.
    pub temporaries: Vec<String>,
    /// The objects, ours to delete as long as no manifest vouches for them.
    pub objects: Vec<String>,
    /// Their manifest.
    pub manifest: String,
}

impl RunDir {
    /// Puts a secret into a private file and returns its path.
    pub fn private_file(&self, content: &str) -> Result<PathBuf, StateError> {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("file-{n}"));
        write_private(&path, content.as_bytes())?;
        Ok(path)
    }

    /// Records what is under way, before it is.
    pub fn write_journal(&self, journal: &Journal) -> Result<(), StateError> {
        let bytes = serde_json::to_vec(journal).unwrap_or_default();
        write_private(&self.path.join("journal.json"), &bytes)
    }

    /// What the run had under way, if it got that far.
    pub fn journal(&self) -> Option<Journal> {
        let text = fs::read(self.path.join("journal.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Leaves the journal to a later run: something of it could not be cleaned up.
    pub fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.keep {
            for n in 0..*self.files.get_mut() {
                let _ = fs::remove_file(self.path.join(format!("file-{n}")));
            }
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
        self.alive = None;
    }
}

/// Whether a run is just about to lock this directory of its.
fn is_unborn(entry: &fs::DirEntry) -> bool {
    let age = entry.metadata().and_then(|meta| meta.modified()).map(|made| made.elapsed());
    let young = !matches!(age, Ok(Ok(age)) if age > UNBORN);
    entry.file_name().as_encoded_bytes().starts_with(b".") && young
}

/// A file name for any text.
fn digest(text: &str) -> String {
    let mut name = base16ct::lower::encode_string(&Sha256::digest(text.as_bytes()));
    name.truncate(32);
    name
}

fn write_private(path: &Path, content: &[u8]) -> Result<(), StateError> {
    let fail = |reason| StateError { path: path.to_owned(), what: "cannot be written", reason };
    let mut file = private_file(path).map_err(fail)?;
    file.set_len(0).and_then(|()| file.write_all(content)).map_err(fail)
}

/// Makes a directory and its parents, 0700.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir, JobId) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        (dir, state, "pg-h-5432".parse().unwrap())
    }

    #[test]
    fn a_lock_excludes_and_names_its_holder() {
        let (_dir, state, job) = state();
        let held = state.lock(&job, "shop", "box", Utc::now()).unwrap();
        let error = state.lock(&job, "shop", "box", Utc::now()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {} on box", std::process::id())), "{error}");
        state.lock(&job, "other", "box", Utc::now()).unwrap();
        let other: JobId = "pg-h-5433".parse().unwrap();
        state.lock(&other, "shop", "box", Utc::now()).unwrap();
        drop(held);
        state.lock(&job, "shop", "box", Utc::now()).unwrap();
    }

    #[test]
    fn a_name_is_claimed_once_and_free_again_afterwards() {
        let (dir, state, _) = state();
        let claim = state.claim("r", "a.sql").unwrap();
        assert!(claim.is_some() && state.claim("r", "a.sql").unwrap().is_none());
        assert!(
            state.claim("r", "b.sql").unwrap().is_some()
                && state.claim("q", "a.sql").unwrap().is_some()
        );
        drop(claim);
        assert!(state.claim("r", "a.sql").unwrap().is_some());
        assert_eq!(fs::read_dir(dir.path().join("state/locks/names")).unwrap().count(), 0);
    }

    #[test]
    fn private_means_private_and_gone_afterwards() {
        let (_dir, state, job) = state();
        let run = state.run_dir(&job, "r1").unwrap();
        let path = run.private_file("hunter22").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for dir in path.ancestors().skip(1).take(4) {
            assert_eq!(fs::metadata(dir).unwrap().permissions().mode() & 0o777, 0o700, "{dir:?}");
        }
        drop(run);
        assert!(!path.exists());
    }

    #[test]
    fn only_dead_runs_are_found() {
        let (_dir, state, job) = state();
        let live = state.run_dir(&job, "live").unwrap();
        let dead = state.run_dir(&job, "dead").unwrap();
        let journal = Journal {
            remote: "r".into(),
            started: Utc::now(),
            temporaries: vec!["t".into()],
            objects: vec!["a".into()],
            manifest: "a.dbstash.json".into(),
        };
        dead.write_journal(&journal).unwrap();
        dead.keep();
        let found = state.dead_runs(&job);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].journal(), Some(journal));
        drop((found, live));
        assert!(state.dead_runs(&job).is_empty());
    }

    #[test]
    fn a_directory_open_to_others_is_made_private() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
