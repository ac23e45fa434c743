//! The state directory: locks, private files, journals, a cache. It may be a tmpfs; dump bytes never go there.
//!
//! ```text
//! locks/<job>.<database>    flock, held for as long as a backup of it lives; names its holder
//! locks/names/<digest>      flock, held for as long as an object of this name is being made, by a child too
//! runs/<job>/<run>/         one run's private files and journal; its `alive` file is flocked by that run
//!                           and by every child it started: what is not locked can publish nothing more
//! runs/+processes/          the same for a process: its copy of a configuration
//! schedulers/<pid>          a socket: whoever connects is told how it is with a scheduler's jobs
//! cache/<remote>/           manifests of the remote, as they were listed, in one file
//! ```
//!
//! Whoever makes one of these files holds its folder's flock, shared, until the file's own is taken: under the
//! exclusive one, what is not locked belongs to nobody.

pub(crate) mod live;
mod names;
mod run_dir;
mod sizes;

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::names::Claim;
pub use self::run_dir::{Going, Journal, RunDir};
use crate::job::JobId;

/// The folder, among those of the jobs, for what belongs to a process and not to a run. No job has such a name.
const PROCESSES: &str = "+processes";
/// The scratch databases of drills, among the jobs.
const DRILLS: &str = "+drills";

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

    /// A directory for one run of a job, alive for as long as the value lives and removed with it.
    pub fn run_dir(&self, job: &JobId, run: &str) -> Result<RunDir, StateError> {
        self.live_dir(job.as_str(), run)
    }

    fn live_dir(&self, group: &str, run: &str) -> Result<RunDir, StateError> {
        let folder = self.root.join("runs").join(group);
        let path = folder.join(run);
        let fail = |reason| StateError { path: path.clone(), what: "cannot be made", reason };
        let alive = private_dir(&folder).and_then(|()| live::born(&folder, run)).map_err(fail)?;
        Ok(RunDir::new(path, alive))
    }

    /// The directories of runs of a job whose process is dead, each locked by us now.
    pub fn dead_runs(&self, job: &JobId) -> Vec<RunDir> {
        self.dead_dirs(job.as_str())
    }

    /// The same of all jobs.
    pub fn all_dead_runs(&self) -> Vec<RunDir> {
        let groups = fs::read_dir(self.root.join("runs")).into_iter().flatten().flatten();
        let names = groups.filter_map(|group| group.file_name().into_string().ok());
        let jobs = names.filter(|name| ![PROCESSES, DRILLS].contains(&name.as_str()));
        jobs.flat_map(|job| self.dead_dirs(&job)).collect()
    }

    fn dead_dirs(&self, group: &str) -> Vec<RunDir> {
        let folder = self.root.join("runs").join(group);
        live::dead(&folder, |_| true)
            .into_iter()
            .map(|(path, alive)| RunDir::new(path, alive))
            .collect()
    }

    /// Notes that there is about to be a scratch database of this name on a server: as long as the value lives, and
    /// longer where it is kept.
    pub fn scratch(&self, server: &str, name: &str) -> Result<RunDir, StateError> {
        self.live_dir(DRILLS, &format!("{name}.{}", digest(server)))
    }

    /// The scratch databases on a server whose process is dead, each locked by us now.
    pub fn dead_scratches(&self, server: &str) -> Vec<(String, RunDir)> {
        let (folder, server) = (self.root.join("runs").join(DRILLS), digest(server));
        let name = |file: &str| {
            file.rsplit_once('.').filter(|(_, of)| *of == server).map(|(name, _)| name.to_owned())
        };
        let dead = live::dead(&folder, |file| name(file).is_some()).into_iter();
        dead.filter_map(|(path, alive)| {
            let name = name(path.file_name()?.to_str()?)?;
            Some((name, RunDir::new(path, alive)))
        })
        .collect()
    }

    /// Where the manifests of a remote are cached; it may not exist yet.
    pub fn cache(&self, remote: &str) -> PathBuf {
        self.root.join("cache").join(digest(remote))
    }

    /// The folder of the schedulers' sockets.
    pub fn schedulers(&self) -> io::Result<PathBuf> {
        let folder = self.root.join("schedulers");
        private_dir(&folder)?;
        Ok(folder)
    }

    /// Removes the private files of processes that were killed, and the names they had claimed.
    pub fn forget_dead_processes(&self) {
        drop(self.dead_dirs(PROCESSES));
        self.forget_dead_claims();
    }

    /// A directory for private files of this process, removed with the value.
    pub fn process_dir(&self) -> Result<RunDir, StateError> {
        self.live_dir(
            PROCESSES,
            &format!("{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()),
        )
    }
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

pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::live::enter;
    use super::*;

    fn state() -> (tempfile::TempDir, StateDir, JobId) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        (dir, state, "pg-h-5432".parse().unwrap())
    }

    /// Children of other tests may hold a lock of ours for a while.
    fn found_dead(state: &StateDir, job: &JobId) -> Vec<RunDir> {
        for _ in 0..6000 {
            let found = state.dead_runs(job);
            if !found.is_empty() {
                return found;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Vec::new()
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
            files: vec!["f/x".into()],
            going: vec![Going { manifest: "b.dbstash.json".into(), object: "b".into() }],
        };
        dead.write_journal(&journal).unwrap();
        dead.keep();
        let found = found_dead(&state, &job);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].journal(), Some(journal));
        drop((found, live));
        assert!(state.dead_runs(&job).is_empty());
    }

    #[test]
    fn a_run_that_died_before_its_birth_is_found() {
        let (dir, state, job) = state();
        let folder = dir.path().join("state/runs/pg-h-5432");
        private_dir(&folder.join(".dead")).unwrap();
        let birth = enter(&folder).unwrap();
        assert!(state.dead_runs(&job).is_empty());
        drop(birth);
        assert_eq!(state.dead_runs(&job).len(), 1);
        assert!(!folder.join(".dead").exists());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a child is what this is about")]
    fn a_run_is_alive_for_as_long_as_a_child_of_it() {
        let (_dir, state, job) = state();
        let dead = state.run_dir(&job, "dead").unwrap();
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        dead.keep();
        assert!(state.dead_runs(&job).is_empty());
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(found_dead(&state, &job).len(), 1);
    }

    #[test]
    fn a_directory_open_to_others_is_made_private() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(dir.path()).unwrap();
        assert_eq!(fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
