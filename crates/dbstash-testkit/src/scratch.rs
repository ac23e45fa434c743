//! Directories that go away, and ports that are free.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, PoisonError};

use crate::failures;

const PREFIX: &str = "dbstash-testkit-";
/// Far fewer than there are, so that one is always found soon.
const MOST_PORTS: usize = 4096;

/// A directory of its own, removed with all in it when dropped.
///
/// Its name holds the pid of its test, so that a later test sweeps it up when this one was killed.
/// The path is short, for a socket's path may have 107 bytes. Any user may enter it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new directory below the system's temporary one.
    pub fn new(label: &str) -> Self {
        Self::within(&std::env::temp_dir(), label)
    }

    /// A new directory in another place.
    pub fn within(parent: &Path, label: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(|| sweep(&std::env::temp_dir()));
        failures::tell_at_once();
        if parent != std::env::temp_dir() {
            sweep(parent);
        }
        let pid = std::process::id();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("{PREFIX}{pid}-{count}-{label}"));
        fs::create_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        Self(dir)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A subdirectory, made if need be.
    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.0.join(name);
        fs::create_dir_all(&dir).unwrap();
        dir
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what tests left behind that are no longer alive.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if is_of_the_dead(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whether this is the directory of a test that is no longer alive.
pub(crate) fn is_of_the_dead(dir: &Path) -> bool {
    let name = dir.file_name().and_then(|name| name.to_str());
    let pid =
        name.and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
    pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists())
}

/// A loopback port that was free a moment ago, and another one every time. Another process can take it before it is
/// used: whoever starts a server on it tries again, and makes sure that it is not that process which answers.
pub fn free_port() -> u16 {
    static TOLD: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() > MOST_PORTS {
            told.clear();
        }
        if told.insert(port) {
            return port;
        }
    }
}
