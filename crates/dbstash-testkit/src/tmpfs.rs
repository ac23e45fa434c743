//! Small file systems that get full.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Scratch;

/// A file system in memory, unmounted when dropped; by a later test when this one was killed.
#[derive(Debug)]
pub struct Tmpfs(Scratch);

impl Tmpfs {
    /// Mounts one of this size (`8m`). `None`, said loudly, where that is not allowed: it takes root.
    pub fn mount(size: &str) -> Option<Self> {
        Self::over(Scratch::new("tmpfs"), size)
    }

    /// The same inside of this directory, for a server that sees no other. It has to go before that one does.
    pub fn mount_within(parent: &Path, size: &str) -> Option<Self> {
        Self::over(Scratch::within(parent, "tmpfs"), size)
    }

    fn over(scratch: Scratch, size: &str) -> Option<Self> {
        unmount_those_of_the_dead();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0777"), "tmpfs"]);
        let mounted = mount.arg(scratch.path()).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(scratch));
        }
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test");
        // Past the test harness's capture, and no panic even in CI, which need not be root.
        let _ = writeln!(std::io::stderr(), "SKIP {test}: a tmpfs cannot be mounted here");
        None
    }

    /// Gives it another size; what is in it stays.
    pub fn resize(&self, size: &str) {
        let mut mount = Command::new("mount");
        mount.args(["-o", &format!("remount,size={size}")]).arg(self.0.path());
        assert!(mount.status().unwrap().success());
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(self.0.path());
    }
}

fn unmount(path: &Path) {
    // Lazily: what still has a file open there must not keep it for ever.
    let _ = Command::new("umount").arg("-l").arg(path).status();
}

fn unmount_those_of_the_dead() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    for path in mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new) {
        if crate::scratch::is_of_the_dead(path) {
            unmount(path);
        }
    }
}
