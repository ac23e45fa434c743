//! Files of the target: what is half made of them goes, and what is whole gets its name.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use super::inflow::inflow;
use super::{RestoreError, Scene};

/// Removes what is half made.
pub(super) fn discard(scraps: &[PathBuf]) {
    for path in scraps {
        let _ = fs::remove_file(path);
    }
}

/// Writes an object to a new file. Returns only with the proof.
pub(super) async fn written(
    object: usize,
    to: &Path,
    scene: &Scene<'_>,
) -> Result<(), RestoreError> {
    let fail = |reason: io::Error| RestoreError::File { path: to.to_owned(), reason };
    let (object, name) = scene.object(object)?;
    let mut file = fs::File::create_new(to).map_err(fail)?;
    let (intake, mut inflow) = inflow(object);
    let drain = async {
        let mut bytes = 0;
        while let Some(chunk) = inflow.take().await {
            bytes += chunk.bytes().len() as u64;
            // What unpacks to more than was stored is none of ours.
            if bytes > object.raw_bytes {
                break;
            }
            file.write_all(chunk.bytes()).map_err(fail)?;
            inflow.give_back(chunk);
        }
        inflow.proven(object).await
    };
    tokio::try_join!(intake.run(&name, scene), drain).map(drop)
}

/// The file is on the disk before its name is, and so is the name when this returns.
pub(super) fn renamed(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let fail = |reason| RestoreError::File { path: to.to_owned(), reason };
    // Who could read and write the one before can do so still.
    if let Ok(before) = fs::metadata(to) {
        chown(from, Some(before.uid()), Some(before.gid())).map_err(fail)?;
        fs::set_permissions(from, before.permissions()).map_err(fail)?;
    }
    fs::File::open(from).and_then(|file| file.sync_all()).map_err(fail)?;
    fs::rename(from, to).map_err(fail)?;
    match to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder).and_then(|dir| dir.sync_all()).map_err(fail),
        None => Ok(()),
    }
}
