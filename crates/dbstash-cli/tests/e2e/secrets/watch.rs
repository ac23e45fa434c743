//! Runs that are looked at from all sides while they last.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use base64::Engine as _;
use dbstash_testkit::{Dbstash, Finished, Running, Scratch, TestRemote};

use crate::scene::PATIENCE;

/// In the middle of every secret of a database.
pub const OF_DATABASE: &str = "kanarie27182818";
/// In the middle of every secret of a remote.
pub const OF_REMOTE: &str = "kanarie31415926";

/// A secret with everything in it that some format escapes, around its canary.
pub fn odd(canary: &str) -> String {
    format!("p%41+ \"it's\" \\ #é😀&-{canary}-&😀é# /@:?$(x)`")
}

/// Whether a program may hold a canary in its environment. What a tool starts itself inherits from it: Debian's pg_dump
/// is a perl script around the real one, pg_dumpall asks for a version by a shell, rclone for that of the system.
fn may_hold(program: &str, canary: &str) -> bool {
    match program {
        "rclone" => canary == OF_REMOTE,
        "perl" | "psql" => canary == OF_DATABASE,
        other => !other.starts_with("pg_") || canary == OF_DATABASE,
    }
}

/// The canary, and what base64 makes of it at each of its three alignments.
fn spellings(canary: &str) -> Vec<String> {
    let encoded = (0..3).map(|shift| {
        let text = format!("{}{canary}", &"xxx"[..shift]);
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(text);
        // Without the characters that neighbours have a part in.
        encoded[shift + usize::from(shift > 0)..encoded.len() - 2].to_owned()
    });
    std::iter::once(canary.to_owned()).chain(encoded).collect()
}

/// Panics when a canary sings in `text`.
#[track_caller]
pub fn silent(text: &str, whence: &str) {
    for canary in [OF_DATABASE, OF_REMOTE] {
        for spelling in spellings(canary) {
            assert!(!text.contains(&spelling), "{spelling} in {whence}:\n{text}");
        }
    }
}

/// A run under watch: its processes, its state directory, its home and its temporary directory.
pub struct Watched {
    running: Running,
    files: Files,
    temp: Scratch,
    state: PathBuf,
}

impl Watched {
    pub fn start(run: &Dbstash) -> Self {
        let temp = Scratch::new("tmp");
        let state = run.state_dir();
        let running = run.clone().env("TMPDIR", temp.path()).sampled().spawn();
        let files = Files::watch(vec![state.clone(), temp.path().to_owned()]);
        Self { running, files, temp, state }
    }

    pub fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// Its end, after which nothing may hold a canary that must not.
    #[track_caller]
    pub fn end(self, case: &str) -> Finished {
        let done = self.running.wait(PATIENCE);
        let open = self.files.end();
        assert_eq!(open, BTreeSet::new(), "{case}: files that others can read");
        silent(&done.to_string(), case);
        let samples = done.samples.as_ref().unwrap();
        for canary in [OF_DATABASE, OF_REMOTE] {
            for spelling in spellings(canary) {
                assert_eq!(samples.args_with(&spelling), [""; 0], "{case}");
                for holder in samples.environment_with(&spelling) {
                    let program = holder.split(": ").next().unwrap();
                    assert!(may_hold(program, canary), "{case}: {holder}");
                }
            }
        }
        nothing_below(&self.state, case);
        nothing_below(self.temp.path(), case);
        nothing_below(&self.state.with_file_name("home"), case);
        done
    }
}

/// Runs it to its end under watch.
#[track_caller]
pub fn watched(run: &Dbstash, case: &str) -> Finished {
    Watched::start(run).end(case)
}

/// No object of ours that is not a dump holds a canary.
#[track_caller]
pub fn nothing_on(remote: &TestRemote) {
    for name in remote.names() {
        silent(&name, "a name");
        if !name.ends_with(".sql") {
            silent(&String::from_utf8_lossy(&remote.read(&name)), &name);
        }
    }
}

/// No file below holds a canary, and nobody else may enter.
#[track_caller]
fn nothing_below(folder: &Path, case: &str) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_below(&path, case);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            silent(&text, &format!("{case}: {}", path.display()));
        }
    }
}

/// A look, every millisecond, at all files of a run.
struct Files {
    done: Arc<AtomicBool>,
    thread: JoinHandle<BTreeSet<String>>,
}

impl Files {
    fn watch(folders: Vec<PathBuf>) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut open = BTreeSet::new();
            while !stop.load(Ordering::Relaxed) {
                for folder in &folders {
                    too_open(folder, &mut open);
                }
                thread::sleep(Duration::from_millis(1));
            }
            open
        });
        Self { done, thread }
    }

    fn end(self) -> BTreeSet<String> {
        self.done.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Files and folders that somebody else could read or enter. What is below a closed folder is reached by nobody, but
/// what holds a secret is closed on its own, too.
fn too_open(folder: &Path, open: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(meta)) = (entry.path(), entry.metadata()) else { continue };
        let mode = meta.permissions().mode() & 0o777;
        let private = mode == mode & 0o700;
        if meta.is_dir() {
            if !private {
                open.insert(format!("{} {:o}", path.display(), mode));
            }
            too_open(&path, open);
        } else if !private {
            // Cached manifests are rclone's copies: nothing secret, in a closed folder.
            let text = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let sings = [OF_DATABASE, OF_REMOTE].iter().any(|canary| text.contains(canary));
            if sings || !path.components().any(|part| part.as_os_str() == "cache") {
                open.insert(format!("{} {:o}", path.display(), mode));
            }
        }
    }
}
