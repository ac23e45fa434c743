//! An object on local disk, proven to be what was stored.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{RestoreError, Scene};
use crate::manifest::Object;
use crate::spool::SpoolError;
use crate::verify::inspect::Look;
use crate::verify::{plain, sums};

/// Copies it below `tree`; where its files are.
pub(super) async fn copied(
    number: usize,
    file: &str,
    tree: &Path,
    scene: &Scene<'_>,
) -> Result<PathBuf, RestoreError> {
    let (object, name) = scene.object(number)?;
    if object.files.is_some() {
        return folder(object, &name, tree, scene).await;
    }
    if number == 0 && scene.backup.manifest.mode == "tar" {
        let look = Look::Extract { into: tree.to_owned(), below: true };
        plain(object, &name, look, scene.cx).await?;
    } else {
        let look = Look::Copy { path: tree.join(file), most: object.raw_bytes };
        plain(object, &name, look, scene.cx).await?;
    }
    (scene.moved)(object.bytes);
    Ok(tree.to_owned())
}

/// A folder: rclone copies its files, and each has to have the sum of the list beside it.
async fn folder(
    object: &Object,
    name: &str,
    tree: &Path,
    scene: &Scene<'_>,
) -> Result<PathBuf, RestoreError> {
    let sums = sums(scene.backup, object, scene.cx.remote).await?;
    let names: Vec<String> = sums.keys().map(|path| format!("{name}{path}")).collect();
    scene.cx.remote.fetch(&names, tree).await.map_err(RestoreError::Remote)?;
    let root = tree.join(name.trim_end_matches('/'));
    let at = root.clone();
    let look = move || {
        sums.iter().try_for_each(|(path, sum)| match hash(&at.join(path)) {
            Ok(found) if found == *sum => Ok(()),
            Ok(_) => Err(RestoreError::Corrupt(format!(
                "its file {path} has changed: its sha256 is not that of the list"
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(RestoreError::Corrupt(format!("its file {path} is missing")))
            }
            Err(error) => Err(RestoreError::Spool(SpoolError::of(&at, error))),
        })
    };
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| RestoreError::Untested(error.to_string()))??;
    (scene.moved)(object.bytes);
    Ok(root)
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 256 * 1024]);
    let mut file = File::open(path)?;
    while let n @ 1.. = file.read(&mut buffer)? {
        hash.update(&buffer[..n]);
    }
    Ok(base16ct::lower::encode_string(&hash.finalize()))
}
