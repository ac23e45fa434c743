//! How big the last backup was, and which one it is: what an upload is dimensioned by, and the next backup compared
//! with, without a look at the whole remote.

use std::fs;
use std::path::PathBuf;

use super::{StateDir, digest, private_dir, write_private};
use crate::job::JobId;

impl StateDir {
    /// Remembers the bytes of a backup on a remote, and its manifest's name. A best effort: the remote knows it, too.
    pub fn remember(&self, remote: &str, job: &JobId, database: &str, bytes: u64, manifest: &str) {
        let path = self.size_file(remote, job, database);
        if private_dir(&self.root.join("sizes")).is_ok() {
            let _ = write_private(&path, format!("{bytes}\n{manifest}").as_bytes());
        }
    }

    /// The bytes that were remembered last.
    pub fn remembered_size(&self, remote: &str, job: &JobId, database: &str) -> Option<u64> {
        let text = fs::read_to_string(self.size_file(remote, job, database)).ok()?;
        text.lines().next()?.parse().ok()
    }

    /// The manifest that was remembered last.
    pub fn remembered_manifest(&self, remote: &str, job: &JobId, database: &str) -> Option<String> {
        let text = fs::read_to_string(self.size_file(remote, job, database)).ok()?;
        text.split_once('\n').map(|(_, name)| name.to_owned())
    }

    fn size_file(&self, remote: &str, job: &JobId, database: &str) -> PathBuf {
        let whose = digest(&format!("{remote}\n{job}\n{database}"));
        self.root.join("sizes").join(whose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_of_one_remote_job_and_database() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let job: JobId = "j".parse().unwrap();
        assert_eq!(state.remembered_size("s3:b", &job, "db"), None);
        state.remember("s3:b", &job, "db", 7, "x");
        state.remember("s3:b", &job, "db", 8, "a/b.dbstash.json");
        let manifest = state.remembered_manifest("s3:b", &job, "db");
        assert_eq!(manifest.as_deref(), Some("a/b.dbstash.json"));
        assert_eq!(state.remembered_size("s3:b", &job, "db"), Some(8));
        assert_eq!(state.remembered_size("s3:b", &job, "other"), None);
        assert_eq!(state.remembered_size("s3:c", &job, "db"), None);
    }
}
