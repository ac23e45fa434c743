//! A remote that is a directory, looked at without rclone: what lies there is seen as anybody else would see it, and
//! thousands of starts of rclone are saved.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file below a directory with its size, by its path from there; none where there is no directory.
pub(super) fn sizes(root: &Path) -> BTreeMap<String, u64> {
    let size = |path: &Path| fs::metadata(path).ok().map(|meta| meta.len());
    files(root, &size)
}

/// The same with its bytes.
pub(super) fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    files(root, &|path| Some(fs::read(path).unwrap()))
}

/// Every file for which there is something to tell: one may go while we look.
fn files<T>(root: &Path, tell: &dyn Fn(&Path) -> Option<T>) -> BTreeMap<String, T> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if let Some(told) = tell(&path) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, told);
            }
        }
    }
    files
}

/// Writes a file, whole at once, by way of a directory on the same disk.
pub(super) fn write(path: &Path, bytes: &[u8], aside: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let half = aside.join("half");
    fs::write(&half, bytes).unwrap();
    fs::rename(&half, path).unwrap();
}
