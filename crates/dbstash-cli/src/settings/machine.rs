//! What resolving settings may look at, beside the settings.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// The most bytes that a file named by a setting can have.
pub const FILE_LIMIT: u64 = 1024 * 1024;

/// The most bytes that a job file can have.
pub const JOBS_LIMIT: u64 = 32 * 1024 * 1024;

/// A view of this machine.
pub trait Machine {
    /// A file's bytes. More than [`FILE_LIMIT`] of them are an error.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// A job file's bytes. More than [`JOBS_LIMIT`] of them are an error.
    fn read_jobs(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    /// Whether everybody on this machine may read a file.
    fn is_open_to_all(&self, _path: &Path) -> bool {
        false
    }

    /// Whether a file or folder is there.
    fn exists(&self, path: &Path) -> bool;

    /// The path from the root, for one that may start at the working directory.
    fn absolute(&self, path: &Path) -> PathBuf;

    /// The machine's own name.
    fn host_name(&self) -> String;

    /// How many threads can run at once.
    fn cores(&self) -> usize;

    /// User and group of this name, where we are root and can be another. The error says that there is none.
    fn other_user(&self, _name: &str) -> Result<Option<(u32, u32)>, String> {
        Ok(None)
    }
}

/// The machine this process runs on.
#[derive(Debug)]
pub struct Here;

impl Machine for Here {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read(path, FILE_LIMIT, "1 MiB")
    }

    fn read_jobs(&self, path: &Path) -> io::Result<Vec<u8>> {
        read(path, JOBS_LIMIT, "32 MiB")
    }

    fn is_open_to_all(&self, path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o004 != 0)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }

    fn host_name(&self) -> String {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }

    fn other_user(&self, name: &str) -> Result<Option<(u32, u32)>, String> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let known = self.read(Path::new("/etc/passwd")).unwrap_or_default();
        let known = String::from_utf8_lossy(&known);
        let entries = known.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = entries.into_iter().find(|entry| entry.first() == Some(&name));
        let found = found
            .and_then(|entry| Some((entry.get(2)?.parse().ok()?, entry.get(3)?.parse().ok()?)));
        found.map(Some).ok_or_else(|| format!("there is no user {name} on this machine"))
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

fn read(path: &Path, limit: u64, told: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {told}")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        assert_eq!(Here.read(&path).unwrap(), b"x");
        let error = Here.read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert_eq!(error, "larger than 1 MiB");
        assert!(Here.read(dir.path()).is_err());
    }
}
