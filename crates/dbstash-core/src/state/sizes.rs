//! How big the last backup was: what an upload is dimensioned by, without a look at the whole remote.

use std::fs;
use std::path::PathBuf;

use super::{StateDir, digest, private_dir, write_private};
use crate::job::JobId;

impl StateDir {
    /// Remembers the bytes of a backup on a remote. A best effort: the remote knows it, too.
    pub fn remember_size(&self, remote: &str, job: &JobId, database: &str, bytes: u64) {
        let path = self.size_file(remote, job, database);
        if private_dir(&self.root.join("sizes")).is_ok() {
            let _ = write_private(&path, bytes.to_string().as_bytes());
        }
    }

    /// What was remembered last.
    pub fn remembered_size(&self, remote: &str, job: &JobId, database: &str) -> Option<u64> {
        fs::read_to_string(self.size_file(remote, job, database)).ok()?.parse().ok()
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
        state.remember_size("s3:b", &job, "db", 7);
        state.remember_size("s3:b", &job, "db", 8);
        assert_eq!(state.remembered_size("s3:b", &job, "db"), Some(8));
        assert_eq!(state.remembered_size("s3:b", &job, "other"), None);
        assert_eq!(state.remembered_size("s3:c", &job, "db"), None);
    }
}
