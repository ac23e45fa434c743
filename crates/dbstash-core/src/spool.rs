//! Local disk for dumps that have to be files first: a private directory per run, gone with it.
//!
//! ```text
//! <BACKUP_TEMP_DIR>/dbstash-<run>/alive   flocked by the run and its children
//! <BACKUP_TEMP_DIR>/dbstash-<run>/tree/   the files
//! ```

mod bytes;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use chrono::NaiveDateTime;

pub use self::bytes::{Contents, of_file, of_tar};
use crate::state::{live, private_dir};

const PREFIX: &str = "dbstash-";

/// A run's own directory below `BACKUP_TEMP_DIR`.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    alive: Option<File>,
}

/// Local disk that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The directory fails.
    #[error(
        "temporary directory {path}: {reason} (set BACKUP_TEMP_DIR to a writable directory with room for the dump)"
    )]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// It got full.
    #[error(
        "the temporary directory {path} is full: make room, or set BACKUP_TEMP_DIR to a bigger disk"
    )]
    NoRoom {
        /// Which one.
        path: PathBuf,
    },
    /// There is less room than the dump needs.
    #[error(
        "temporary directory {path} has {free} bytes free, and the last backup needed {needed}: make room, or set \
         BACKUP_TEMP_DIR to a bigger disk"
    )]
    Full {
        /// Which one.
        path: PathBuf,
        /// What is free, in bytes.
        free: u64,
        /// What the last backup had, in bytes.
        needed: u64,
    },
    /// A tool left something that cannot be stored.
    #[error(
        "the dump tool has left {0:?}, which is neither a file nor a directory with a readable name"
    )]
    Odd(PathBuf),
    /// A dump was cut into two files of one name.
    #[error("the dump has two parts called {0:?}")]
    Twice(String),
}

impl SpoolError {
    /// What the system's reason means for a file below `path`.
    pub(crate) fn of(path: &Path, reason: io::Error) -> Self {
        let path = path.to_owned();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoRoom { path },
            _ => Self::Unusable { path, reason },
        }
    }
}

impl Spool {
    /// Makes the directory of the run `run` below `under`, which is made when it is missing. `needed` bytes have to be
    /// free there.
    pub fn make(under: &Path, run: &str, needed: u64) -> Result<Self, SpoolError> {
        let fail = |reason| SpoolError::Unusable { path: under.to_owned(), reason };
        private_dir(under).map_err(fail)?;
        let owner = fs::metadata(under).map_err(fail)?.uid();
        // Whoever owns a directory can put other files in the place of ours.
        if ![rustix::process::geteuid().as_raw(), 0].contains(&owner) {
            let foreign =
                io::Error::new(io::ErrorKind::PermissionDenied, "belongs to another user");
            return Err(fail(foreign));
        }
        let disk = rustix::fs::statvfs(under).map_err(|e| fail(e.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < needed {
            return Err(SpoolError::Full { path: under.to_owned(), free, needed });
        }
        let name = format!("{PREFIX}{run}");
        let alive = live::born(under, &name).map_err(fail)?;
        let spool = Self { path: under.join(name), alive: Some(alive) };
        private_dir(&spool.tree()).map_err(fail)?;
        Ok(spool)
    }

    /// Where the files are made; empty at first.
    pub fn tree(&self) -> PathBuf {
        self.path.join("tree")
    }

    /// Lets another user have the files. To others the directory above stays closed but for those who know their way.
    pub fn give(&self, (user, group): (u32, u32)) -> Result<(), SpoolError> {
        let tree = self.tree();
        let fail = |path: &Path| {
            let path = path.to_owned();
            move |reason| SpoolError::Unusable { path, reason }
        };
        chown(&tree, Some(user), Some(group)).map_err(fail(&tree))?;
        for folder in self.path.parent().into_iter().chain([self.path.as_path()]) {
            let mut mode = fs::metadata(folder).map_err(fail(folder))?.permissions();
            mode.set_mode(mode.mode() | 0o011);
            fs::set_permissions(folder, mode).map_err(fail(folder))?;
        }
        Ok(())
    }

    /// Removes what dead runs have left below `under`; never anything of a live one.
    pub fn sweep(under: &Path) {
        for (path, alive) in live::dead(under, is_of_a_run) {
            drop(Self { path, alive: Some(alive) });
        }
    }
}

/// Whether a directory is called as we call ours: other people's may begin like them.
fn is_of_a_run(name: &str) -> bool {
    let parts = name.strip_prefix(PREFIX).and_then(|run| run.split_once('-'));
    parts.is_some_and(|(stamp, random)| {
        NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%SZ").is_ok()
            && random.len() == 8
            && random.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
        self.alive = None;
    }
}

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Relative to the tree, parts divided by `/`.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The files of a tree, in the order of their paths.
pub fn files(tree: &Path) -> Result<Vec<TreeFile>, SpoolError> {
    let mut found = Vec::new();
    collect(tree, "", &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<TreeFile>) -> Result<(), SpoolError> {
    let fail = |reason| SpoolError::Unusable { path: folder.to_owned(), reason };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let (name, meta) = (entry.file_name(), entry.metadata().map_err(fail)?);
        let Some(name) = name.to_str().filter(|name| !name.contains(['\n', '\r'])) else {
            return Err(SpoolError::Odd(entry.path()));
        };
        let path = format!("{prefix}{name}");
        if meta.is_dir() {
            collect(&entry.path(), &format!("{path}/"), found)?;
        } else if meta.is_file() {
            found.push(TreeFile { path, bytes: meta.len() });
        } else {
            return Err(SpoolError::Odd(entry.path()));
        }
    }
    Ok(())
}

/// The bytes in a tree, as far as they can be counted while it grows.
pub fn size(tree: &Path) -> u64 {
    let of_entry = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    fs::read_dir(tree).into_iter().flatten().flatten().map(of_entry).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_private_and_goes_with_its_run() {
        let dir = tempfile::tempdir().unwrap();
        let under = dir.path().join("work");
        let spool = Spool::make(&under, "r1", 0).unwrap();
        fs::write(spool.tree().join("a"), "x").unwrap();
        assert_eq!(fs::metadata(&spool.path).unwrap().mode() & 0o777, 0o700);
        Spool::sweep(&under);
        assert!(spool.tree().join("a").exists(), "a live one is swept");
        drop(spool);
        assert_eq!(fs::read_dir(&under).unwrap().count(), 0);
    }

    #[test]
    fn only_dead_spools_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let dead = dir.path().join("dbstash-20260101T000000Z-a1b2c3d4");
        let unborn = dir.path().join(".dbstash-20260101T000000Z-a1b2c3d5");
        fs::create_dir_all(dead.join("tree/deep")).unwrap();
        fs::write(dead.join("alive"), "").unwrap();
        fs::create_dir_all(&unborn).unwrap();
        // What others may have there.
        let foreign = ["dbstash-work", "dbstash-0", "dbstash-20260101T000000Z-a1b2c3d6", "x"];
        for name in foreign {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let live = Spool::make(dir.path(), "20260101T000000Z-a1b2c3d7", 0).unwrap();
        // Children of other tests may hold the folder's lock for a moment.
        for _ in 0..6000 {
            Spool::sweep(dir.path());
            if !unborn.exists() && !dead.exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        let mut there: Vec<_> = foreign.iter().map(|name| (*name).into()).collect();
        there.push(live.path.file_name().unwrap().to_owned());
        there.sort();
        assert_eq!(left, there);
        drop(live);
    }

    #[test]
    fn too_little_room_is_told_before() {
        let dir = tempfile::tempdir().unwrap();
        let error = Spool::make(dir.path(), "r", u64::MAX).unwrap_err().to_string();
        assert!(error.contains("BACKUP_TEMP_DIR to a bigger disk"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_files_are_taken() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("b/c")).unwrap();
        fs::write(dir.path().join("b/c/2"), "22").unwrap();
        fs::write(dir.path().join("a"), "").unwrap();
        let found: Vec<_> =
            files(dir.path()).unwrap().into_iter().map(|f| (f.path, f.bytes)).collect();
        assert_eq!(found, [("a".to_owned(), 0), ("b/c/2".to_owned(), 2)]);
        assert_eq!(size(dir.path()), 2);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
        assert!(matches!(files(dir.path()), Err(SpoolError::Odd(_))));
    }
}
