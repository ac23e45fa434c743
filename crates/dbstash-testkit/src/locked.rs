//! Files that cannot be deleted, whoever one is.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file or folder that is mounted over itself, read-only: nothing in the folder can be deleted, nor the file itself.
/// As it was once dropped.
#[derive(Debug)]
pub struct Locked(PathBuf);

impl Locked {
    /// Locks it. `None`, said loudly, where that is not allowed: it takes root.
    pub fn new(path: &Path) -> Option<Self> {
        let mount = |args: &[&str]| {
            let status = Command::new("mount").args(args).arg(path).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        if mount(&["--bind", path.to_str().unwrap()]) {
            let locked = Self(path.to_owned());
            assert!(mount(&["-o", "remount,bind,ro"]), "{} stays writable", path.display());
            return Some(locked);
        }
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Past the test harness's capture, and no panic even in CI, which need not be root.
        let _ = writeln!(std::io::stderr(), "SKIP {test}: nothing can be mounted here");
        None
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
