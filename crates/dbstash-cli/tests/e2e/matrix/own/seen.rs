//! What may be seen from outside after a run, however it ended.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dbstash_testkit::{Dbstash, TestRemote, sqlite};
use serde_json::Value;

use crate::scene::{File, PATIENCE, backups, dbstash, listed};

/// A database on a remote, and the bytes that every whole dump of it has.
pub(super) struct Shop {
    pub(super) remote: TestRemote,
    pub(super) run: Dbstash,
    file: File,
    dump: Vec<u8>,
    known: BTreeSet<String>,
}

impl Shop {
    /// Makes the first backup, and restores it: the measure of all later ones.
    pub(super) fn open(file: File, remote: TestRemote) -> Self {
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}");
        run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        let [object] = &backups(&run)[..] else { panic!("not one backup") };
        let dump = remote.read(object);
        let copy = file.scratch.path().join("restored.db");
        sqlite::restore(&copy, &dump).unwrap();
        assert_eq!(sqlite::digest(&copy), sqlite::digest(&file.path));
        Self { remote, run, file, dump, known: BTreeSet::new() }
    }

    /// How big a dump is.
    pub(super) fn bytes(&self) -> usize {
        self.dump.len()
    }

    /// The database's URI.
    pub(super) fn uri(&self) -> String {
        self.file.uri()
    }

    /// The database file.
    pub(super) fn file(&self) -> &Path {
        &self.file.path
    }

    /// Everything that is listed restores: it has the bytes of a whole dump. Returns how many there are.
    #[track_caller]
    pub(super) fn all_listed_restore(&mut self) -> usize {
        let listed = listed(&self.run);
        let all = listed["backups"].as_array().unwrap();
        for backup in all {
            let name = backup["paths"][0].as_str().unwrap();
            if self.known.insert(name.to_owned()) {
                let bytes = self.remote.read(name);
                assert!(bytes == self.dump, "{name} is listed and is not the dump");
                assert_eq!(backup["objects"][0]["bytes"], self.dump.len(), "{name}");
            }
        }
        assert_eq!(listed["broken"], Value::Array(Vec::new()), "{listed}");
        all.len()
    }

    /// Nothing is on the remote but what is listed, each with its manifest.
    #[track_caller]
    pub(super) fn nothing_else_on_the_remote(&self, after: &str) {
        let mut expected: Vec<String> = backups(&self.run)
            .into_iter()
            .flat_map(|name| [format!("{name}.dbstash.json"), name])
            .collect();
        expected.sort();
        assert_eq!(self.remote.names(), expected, "{after}");
        assert_eq!(self.remote.pending_uploads(), 0, "{after}");
    }

    /// No run is in the state directory, no claimed name, and no file with a secret.
    #[track_caller]
    pub(super) fn nothing_in_the_state_dir(&self, after: &str) {
        assert_eq!(remains(&self.run.state_dir()), [""; 0], "{after}");
    }
}

/// What runs have left in a state directory: all but its lock files and its cache of manifests.
pub(super) fn remains(state: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let below = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    for job in below(state.join("runs")) {
        found.extend(below(job.path()).map(|run| run.path().display().to_string()));
    }
    found.extend(below(state.join("locks/names")).map(|claim| claim.path().display().to_string()));
    found
}
