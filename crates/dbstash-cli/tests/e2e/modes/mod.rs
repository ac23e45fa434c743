//! Dumps that are files first: as a folder, as a tar, or as the one file they are.

mod broken;
mod ended;
mod mongo;
mod pg;
mod retention;
mod sqlite;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dbstash_testkit::{Dbstash, RemoteKind, Scratch, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash};

/// A seeded database of one engine that can be dumped as files.
pub trait Subject: Sync {
    /// The settings of a job for it.
    fn settings(&self) -> Vec<(&'static str, String)>;
    /// One committed change, of a table that the digest leaves out.
    fn write_something(&self);
    /// Schema and content, as a text that is equal exactly when they are.
    fn digest(&self) -> String;
    /// The digest of a fresh database after a restore of these files with the engine's own tools.
    fn restored(&self, files: &Path) -> String;
}

/// Holds for every engine that has files, in each way to store them. That the remotes keep any tree is the business of
/// dbstash-core's tests, on all of them.
pub fn conformance(subject: &dyn Subject, more: &[(&str, &str)]) {
    conformance_on(&RemoteKind::TREES, subject, more);
}

/// The same, on some of them.
pub fn conformance_on(kinds: &[RemoteKind], subject: &dyn Subject, more: &[(&str, &str)]) {
    let digest = subject.digest();
    for kind in kinds.iter().copied() {
        let Some(remote) = TestRemote::start(kind) else { continue };
        for (mode, compression) in [("directory", "none"), ("tar", "none"), ("tar", "zstd")] {
            // The bytes are the same everywhere; how they are stored is not.
            if compression != "none" && kind != RemoteKind::Local {
                continue;
            }
            eprintln!("--- {mode} {compression} on {kind}");
            let run = dbstash(&remote)
                .envs(subject.settings())
                .envs(more.iter().copied())
                .env("BACKUP_MODE", mode)
                .env("BACKUP_COMPRESSION", compression);
            let work = Work::under(run);
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        subject.write_something();
                    }
                });
                let finished = work.run.run(PATIENCE);
                done.store(true, Ordering::Relaxed);
                finished.expect_code(0).expect_no_leftovers();
            });
            work.is_empty();
            let object = backups(&work.run).into_iter().next().unwrap();
            let scratch = Scratch::new("fetched");
            let files = fetched(&remote, &object, &scratch);
            assert_eq!(subject.restored(&files), digest, "{mode} {kind}");
            verified(&work.run);
            work.is_empty();
        }
    }
}

/// What restores is found good, in its structure.
#[track_caller]
pub fn verified(run: &Dbstash) {
    let seen = run.clone().args(["verify"]).run(PATIENCE);
    eprint!("{}", seen.stdout);
    assert!(seen.expect_code(0).stdout.starts_with("good (structure)"), "{seen}");
}

/// The files of a stored backup, got with rclone and unpacked with stock tools.
pub fn fetched(remote: &TestRemote, object: &str, scratch: &Scratch) -> PathBuf {
    let from = |name: &str| format!("{}/{name}", remote.root().trim_end_matches('/'));
    let to = scratch.path().to_str().unwrap();
    let run = |command: &mut Command| {
        let out = command.output().unwrap();
        assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    };
    if let Some(name) = object.strip_suffix('/') {
        run(&mut remote.rclone(&["copy", &from(name), &format!("{to}/{name}")]));
        run(&mut remote.rclone(&["copy", &from(&format!("{name}.sha256")), to]));
        let sums = format!("{name}.sha256");
        run(Command::new("sha256sum").args(["--strict", "--check", &sums]).current_dir(to));
        let listed = fs::read_to_string(scratch.path().join(sums)).unwrap().lines().count();
        let folder = scratch.path().join(name);
        assert_eq!(listed, count(&folder));
        return folder;
    }
    run(&mut remote.rclone(&["copy", &from(object), to]));
    let tar = scratch.path().join(object);
    run(Command::new("tar").arg("--auto-compress").arg("-xf").arg(&tar).args(["-C", to]));
    fs::remove_file(&tar).unwrap();
    // A restore may be somebody else's.
    run(Command::new("chmod").args(["-R", "a+rX", to]));
    let mut folders: Vec<_> = fs::read_dir(to).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    let folder = folders.remove(0);
    let stem = object.split(".tar").next().unwrap();
    assert_eq!(folder.file_name().unwrap().to_str().unwrap(), stem);
    folder
}

fn count(folder: &Path) -> usize {
    let of = |path: PathBuf| if path.is_dir() { count(&path) } else { 1 };
    fs::read_dir(folder).unwrap().map(|entry| of(entry.unwrap().path())).sum()
}

/// A run with a directory for temporary files of its own.
pub struct Work {
    pub run: Dbstash,
    pub dir: Scratch,
}

impl Work {
    pub fn under(run: Dbstash) -> Self {
        let dir = Scratch::new("work");
        Self { run: run.env("BACKUP_TEMP_DIR", dir.path()), dir }
    }

    #[track_caller]
    pub fn is_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.dir.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
