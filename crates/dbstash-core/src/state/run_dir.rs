//! What belongs to one run: its private files, and the journal of what it has under way.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{StateError, write_private};

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
    /// The objects, ours to delete as long as no manifest vouches for them; folders end with a `/`.
    pub objects: Vec<String>,
    /// Their manifest.
    pub manifest: String,
    /// What is being put into folders: nothing else in them is ours.
    #[serde(default)]
    pub files: Vec<String>,
    /// What is being deleted: each object, and the manifest that goes before it and without which it is nobody's.
    #[serde(default)]
    pub going: Vec<Going>,
}

/// An object that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Going {
    /// Its manifest.
    pub manifest: String,
    /// Itself.
    pub object: String,
}

impl RunDir {
    pub(super) fn new(path: PathBuf, alive: File) -> Self {
        Self { path, alive: Some(alive), files: AtomicU32::new(0), keep: false }
    }

    /// Puts a secret into a private file and returns its path.
    pub fn private_file(&self, content: &str) -> Result<PathBuf, StateError> {
        let n = self.files.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("file-{n}"));
        write_private(&path, content.as_bytes())?;
        Ok(path)
    }

    /// Records what is under way, before it is; in the place of what was recorded before.
    pub fn write_journal(&self, journal: &Journal) -> Result<(), StateError> {
        let bytes = serde_json::to_vec(journal).unwrap_or_default();
        let (new, path) = (self.path.join("journal.new"), self.path.join("journal.json"));
        write_private(&new, &bytes)?;
        let fail = |reason| StateError { path: new.clone(), what: "cannot be renamed", reason };
        fs::rename(&new, path).map_err(fail)
    }

    /// Records what is about to be put into folders.
    pub fn add_files(&self, files: Vec<String>) -> Result<(), StateError> {
        match self.journal() {
            Some(journal) => self.write_journal(&Journal { files, ..journal }),
            None => Ok(()),
        }
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
