//! Files of the target: what is half made of them goes, and what is whole gets its name.

use std::fs;
use std::path::{Path, PathBuf};

use super::RestoreError;

/// Removes what is half made.
pub(super) fn discard(scraps: &[PathBuf]) {
    for path in scraps {
        let _ = fs::remove_file(path);
    }
}

/// The file is on the disk before its name is, and so is the name when this returns.
pub(super) fn renamed(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let fail = |reason| RestoreError::File { path: to.to_owned(), reason };
    fs::File::open(from).and_then(|file| file.sync_all()).map_err(fail)?;
    fs::rename(from, to).map_err(fail)?;
    match to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder).and_then(|dir| dir.sync_all()).map_err(fail),
        None => Ok(()),
    }
}
