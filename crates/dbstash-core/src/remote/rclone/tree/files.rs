//! The files of a local directory, as they will be named on a remote.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::manifest;
use crate::remote::RemoteError;

/// What is to be stored: names below the folder, and sizes.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, u64>);

impl Files {
    /// Looks through a directory. What could not come back from a remote as it is, is refused: links, pipes, names that
    /// are no UTF-8. Directories without files are nothing.
    pub(super) fn of(dir: &Path) -> Result<Self, RemoteError> {
        let mut files = Self::default();
        files.add(dir, "")?;
        if files.0.is_empty() {
            return Err(RemoteError::new(format!("there is no file in {}", dir.display())));
        }
        Ok(files)
    }

    fn add(&mut self, dir: &Path, prefix: &str) -> Result<(), RemoteError> {
        let unread =
            |e: std::io::Error| RemoteError::new(format!("{} cannot be read: {e}", dir.display()));
        for entry in fs::read_dir(dir).map_err(unread)? {
            let entry = entry.map_err(unread)?;
            let refused =
                |why: &str| Err(RemoteError::new(format!("{} {why}", entry.path().display())));
            let Ok(name) = entry.file_name().into_string() else {
                return refused("has a name that is no UTF-8: no remote keeps it as it is");
            };
            if name.ends_with(manifest::SUFFIX) {
                return refused("has the name of a manifest: its folder would not be believed");
            }
            let (name, meta) = (format!("{prefix}{name}"), entry.metadata().map_err(unread)?);
            if meta.is_dir() {
                self.add(&entry.path(), &format!("{name}/"))?;
            } else if meta.is_file() {
                self.0.insert(name, meta.len());
            } else {
                return refused("is neither a file nor a directory: it cannot be stored");
            }
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.values().sum()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn only_what_a_remote_can_keep() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("empty/empty")).unwrap();
        assert!(Files::of(dir.path()).unwrap_err().what.contains("no file"));
        fs::create_dir_all(at("a/b")).unwrap();
        for name in ["a/b/-x", "a/.y", "z"] {
            fs::write(at(name), "abc").unwrap();
        }
        let files = Files::of(dir.path()).unwrap();
        assert_eq!((files.count(), files.bytes()), (3, 9));
        assert!(files.has("a/b/-x") && files.has("a/.y") && !files.has("a"));
        let refused = || Files::of(dir.path()).unwrap_err().what;
        std::os::unix::fs::symlink("z", at("a/link")).unwrap();
        assert!(refused().contains("neither a file"));
        fs::remove_file(at("a/link")).unwrap();
        fs::write(at("a/x.dbstash.json"), "").unwrap();
        assert!(refused().contains("name of a manifest"));
        fs::remove_file(at("a/x.dbstash.json")).unwrap();
        fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
        assert!(refused().contains("no UTF-8"));
    }
}
