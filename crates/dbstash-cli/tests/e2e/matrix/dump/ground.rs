//! Where a failure happens: a remote with an older good backup, and everything that must be as before.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use dbstash_testkit::{Dbstash, Finished, RemoteKind, Scratch, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, shop_file, summary};

/// A remote with one older good backup. All runs share a state directory.
pub struct Ground {
    pub remote: TestRemote,
    run: Dbstash,
    places: Scratch,
    before: BTreeMap<String, Vec<u8>>,
    listed: Vec<String>,
}

impl Ground {
    /// `None`, said loudly, when a tool is missing.
    pub fn on(kind: RemoteKind) -> Option<Self> {
        let (remote, file) = (TestRemote::start(kind)?, shop_file(20)?);
        let places = Scratch::new("places");
        let run = dbstash(&remote)
            .env("HOME", places.dir("home"))
            .env("TMPDIR", places.dir("tmp"))
            .env("BACKUP_TEMP_DIR", places.dir("work"));
        run.clone().env("DB_URI", file.uri()).run(PATIENCE).expect_code(0);
        let (before, listed) = (remote.stored(), backups(&run));
        // The dump, its manifest, and how to restore it.
        assert_eq!((before.len(), listed.len()), (3, 1), "{listed:?}");
        Some(Self { remote, run, places, before, listed })
    }

    /// One on every kind of remote.
    pub fn all() -> Vec<Self> {
        RemoteKind::MATRIX.into_iter().filter_map(Self::on).collect()
    }

    /// A run on this remote.
    pub fn run(&self) -> Dbstash {
        self.run.clone()
    }

    /// The run failed in this phase and with this `cause | stderr`, and left nothing anywhere.
    #[track_caller]
    pub fn failed(&self, case: &str, done: &Finished, phase: &str, told: &str) {
        done.expect_code(1).expect_no_leftovers();
        let event = summary(done);
        let (told, stderr) = told.split_once('|').unwrap_or((told, ""));
        let (told, stderr) = (told.trim(), stderr.trim());
        let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let (error, tail) = (text("error"), text("stderr"));
        assert!(error.contains(told), "{case}: not {told:?} but {error:?}: {done}");
        assert!(tail.contains(stderr), "{case}: not {stderr:?} but {tail:?}: {done}");
        assert_eq!(text("phase"), phase, "{case}: {done}");
        assert_eq!(event["status"], "failure");
        self.nothing_left(case, done);
        assert!(self.remote.stored() == self.before, "{case}: the remote has changed: {done}");
    }

    /// No private file, no lock, no temporary file.
    #[track_caller]
    pub fn nothing_left(&self, case: &str, done: &Finished) {
        let state = self.run.state_dir();
        for place in [state.join("runs"), state.join("locks/names"), self.places.path().to_owned()]
        {
            let files = files_below(&place);
            assert!(files.is_empty(), "{case}: left {files:?}: {done}");
        }
        for lock in files_below(&state.join("locks")) {
            let free = File::open(&lock).unwrap().try_lock();
            assert!(free.is_ok(), "{case}: {} is held: {done}", lock.display());
        }
    }

    /// Nothing but the older backup is listed, and no upload was begun and forgotten.
    #[track_caller]
    pub fn over(&self) {
        assert_eq!(backups(&self.run), self.listed);
        assert_eq!(self.remote.pending_uploads(), 0, "on {}", self.remote.kind());
    }
}

/// Every file below a folder; a folder of a run counts as well.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found
}
