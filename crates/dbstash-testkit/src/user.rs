//! Whom a server runs as: most refuse to run as root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;

use crate::Scratch;

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// For root, the user and group that Debian's package makes under this name.
pub(crate) fn system_user(name: &str) -> Option<(u32, u32)> {
    if !is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = fields.into_iter().find(|fields| fields[0] == name);
    let entry =
        entry.unwrap_or_else(|| panic!("a server cannot run as root, and there is no user {name}"));
    Some((entry[2].parse().unwrap(), entry[3].parse().unwrap()))
}

/// A directory that a server can write to, inside of `root` where it has a root directory.
pub(crate) fn scratch(root: Option<&Path>, user: Option<(u32, u32)>, label: &str) -> Scratch {
    let scratch = match root {
        Some(root) => Scratch::within(&root.join("srv"), label),
        None => Scratch::new(label),
    };
    if let Some((user, group)) = user {
        chown(scratch.path(), Some(user), Some(group)).unwrap();
    }
    scratch
}
