//! The files of a tar, on local disk.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::engine::{Incomplete, Passed, TreeCheck};
use crate::spool::SpoolError;

/// Writes what it is shown below a directory, and nowhere else.
pub(super) struct Extract {
    into: PathBuf,
    file: Option<File>,
    trouble: Arc<OnceLock<SpoolError>>,
    outside: Option<String>,
}

impl Extract {
    /// And where the disk's trouble will be told: it says nothing about the tar.
    pub(super) fn new(into: PathBuf) -> (Self, Arc<OnceLock<SpoolError>>) {
        let trouble = Arc::default();
        (Self { into, file: None, trouble: Arc::clone(&trouble), outside: None }, trouble)
    }

    fn tried<T>(&mut self, done: io::Result<T>) -> Option<T> {
        let path = &self.into;
        done.map_err(|e| self.trouble.set(SpoolError::of(path, e))).ok()
    }
}

fn made(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::create_new(path)
}

impl TreeCheck for Extract {
    fn begin(&mut self, path: &str, _bytes: u64) -> bool {
        self.file = None;
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            self.outside.get_or_insert_with(|| path.to_owned());
        } else if self.trouble.get().is_none() {
            let file = made(&self.into.join(path));
            self.file = self.tried(file);
        }
        self.file.is_some()
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some(mut file) = self.file.take() {
            let written = file.write_all(bytes);
            self.file = self.tried(written).map(|()| file);
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        match self.outside {
            Some(path) => Err(Incomplete(format!("its tar has a member {path:?} outside of it"))),
            None => Ok(Passed::by("files")),
        }
    }
}
