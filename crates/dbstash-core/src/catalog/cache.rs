//! Manifests, as they were listed, on local disk: none is fetched twice.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::is_manifest;
use crate::manifest;
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::state;

/// The manifests' texts, from the cache where it has one of the listed size.
pub(super) async fn bodies(
    remote: &dyn Remote,
    cache: &Path,
    entries: &[Entry],
) -> Result<HashMap<String, Vec<u8>>, RemoteError> {
    let listed: Vec<&Entry> = entries
        .iter()
        .filter(|e| is_manifest(&e.name) && is_safe_path(&e.name))
        .filter(|e| !matches!(e.size, ObjectSize::Known(size) if size > manifest::MAX_BYTES))
        .collect();
    forget_unlisted(cache, cache, &listed.iter().map(|e| e.name.as_str()).collect());
    let cached = |entry: &Entry| {
        let found = fs::metadata(cache.join(&entry.name)).ok()?.len();
        (entry.size == ObjectSize::Known(found)).then_some(())
    };
    let cold: Vec<String> =
        listed.iter().filter(|e| cached(e).is_none()).map(|e| e.name.clone()).collect();
    if !cold.is_empty() {
        let made = state::private_dir(cache);
        made.map_err(|e| {
            RemoteError::new(format!("the cache {} cannot be made: {e}", cache.display()))
        })?;
        remote.fetch(&cold, cache).await?;
    }
    let read = |entry: &&Entry| Some((entry.name.clone(), cached_body(cache, &entry.name)?));
    Ok(listed.iter().filter_map(read).collect())
}

/// Puts a manifest that we have just stored into the cache. A best effort: what is not there is fetched.
pub fn remember(cache: &Path, name: &str, manifest: &[u8]) {
    let path = cache.join(name);
    if path.parent().is_some_and(|folder| state::private_dir(folder).is_ok()) {
        let _ = fs::write(path, manifest);
    }
}

/// A manifest from the cache; a little more than the most it may have is enough to refuse it.
fn cached_body(cache: &Path, name: &str) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let file = fs::File::open(cache.join(name)).ok()?;
    file.take(manifest::MAX_BYTES + 1).read_to_end(&mut body).ok()?;
    Some(body)
}

/// A name from a listing that stays inside the cache when it is used as a path.
pub(super) fn is_safe_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.chars().any(char::is_control)
}

/// Drops cached manifests that are gone from the remote.
fn forget_unlisted(cache: &Path, folder: &Path, listed: &BTreeSet<&str>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            forget_unlisted(cache, &path, listed);
        } else if !path
            .strip_prefix(cache)
            .is_ok_and(|p| p.to_str().is_some_and(|p| listed.contains(p)))
        {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_safe_path;

    #[test]
    fn listed_names_cannot_leave_the_cache() {
        for bad in ["../x", "a/../../x", "/etc/x", "a//b", "a\nb", ""] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
        assert!(is_safe_path("a/b c/-d.sql"));
    }
}
