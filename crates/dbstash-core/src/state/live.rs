//! Directories that are somebody's for as long as a process lives: each holds a file `alive` that is flocked by it, and
//! by every child it starts.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{private_dir, private_file};

/// What a name has until the lock of its directory is taken.
const UNBORN: &str = ".";

/// Makes the directory `name` in `folder`, locked from the first moment in which [`dead`] can see it.
pub(crate) fn born(folder: &Path, name: &str) -> io::Result<File> {
    let unborn = folder.join(format!("{UNBORN}{name}"));
    let _gate = enter(folder)?;
    let alive = private_dir(&unborn).and_then(|()| {
        let alive = lasting_file(&unborn.join("alive"))?;
        alive.try_lock()?;
        fs::rename(&unborn, folder.join(name)).map(|()| alive)
    });
    if alive.is_err() {
        let _ = fs::remove_dir_all(&unborn);
    }
    alive
}

/// The directories in `folder` whose process is dead and whose name is `ours`, each locked by us now.
pub(crate) fn dead(folder: &Path, ours: impl Fn(&str) -> bool) -> Vec<(PathBuf, File)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let alone = shut(folder);
    let locked = |entry: fs::DirEntry| {
        let name = entry.file_name();
        let name = name.to_str()?;
        let unborn = name.strip_prefix(UNBORN);
        if !ours(unborn.unwrap_or(name)) || !entry.file_type().ok()?.is_dir() {
            return None;
        }
        let path = entry.path().join("alive");
        let alive = match unborn {
            // One that is not born yet may be about to be, unless the folder is ours alone.
            Some(_) => private_file(alone.as_ref().map(|_| path)?.as_path()),
            None => File::options().read(true).write(true).open(path),
        };
        let alive = alive.ok()?;
        alive.try_lock().ok()?;
        Some((entry.path(), alive))
    };
    entries.flatten().filter_map(locked).collect()
}

/// Holds a folder open to births.
pub(super) fn enter(folder: &Path) -> io::Result<File> {
    let gate = File::open(folder)?;
    gate.lock_shared()?;
    Ok(gate)
}

/// Holds a folder shut to births; `None` when one is under way.
pub(super) fn shut(folder: &Path) -> Option<File> {
    File::open(folder).ok().filter(|gate| gate.try_lock().is_ok())
}

/// A file whose lock our children hold with us: they inherit it.
pub(super) fn lasting_file(path: &Path) -> io::Result<File> {
    let file = private_file(path)?;
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
    Ok(file)
}
