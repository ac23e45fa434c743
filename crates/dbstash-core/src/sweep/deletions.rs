//! Deletions that ended half-way, gone on with.

use std::collections::{BTreeMap, HashSet};

use crate::manifest;
use crate::remote::{Remote, RemoteError};
use crate::state::{Journal, StateDir};

/// How many backups are looked at together: the name of each is an open file meanwhile.
const TOGETHER: usize = 16;

/// The objects whose manifest is gone and which are not.
pub(super) async fn half(
    journal: &Journal,
    remote: &dyn Remote,
) -> Result<Vec<String>, RemoteError> {
    let there: HashSet<String> = remote.list("").await?.into_iter().map(|e| e.name).collect();
    let half = journal
        .going
        .iter()
        .filter(|going| !there.contains(&going.manifest) && there.contains(&going.object));
    Ok(half.map(|going| going.object.clone()).collect())
}

/// Deletes the objects whose manifest is gone, and says how many those were. What a manifest speaks of stays, and what
/// a live run has the name of is its own.
pub(super) async fn finish(
    journal: &Journal,
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<Option<usize>, RemoteError> {
    let there: HashSet<String> = remote.list("").await?.into_iter().map(|e| e.name).collect();
    let mut half: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for going in &journal.going {
        if !there.contains(&going.manifest) && there.contains(&going.object) {
            half.entry(&going.manifest).or_default().push(&going.object);
        }
    }
    let half: Vec<(&str, Vec<&String>)> = half.into_iter().collect();
    let mut count = 0;
    for some in half.chunks(TOGETHER) {
        // A run claims its dump, and no other object.
        let claim = |manifest: &str| {
            let dump = manifest.strip_suffix(manifest::SUFFIX).unwrap_or(manifest);
            state.claim(&journal.remote, dump).ok().flatten()
        };
        let claimed = some.iter().filter_map(|(name, left)| Some((claim(name)?, *name, left)));
        let claimed: Vec<_> = claimed.collect();
        // Looked at once more, now that nobody can have the names: a run may just have made one a backup.
        let manifests: Vec<&str> = claimed.iter().map(|(_, manifest, _)| *manifest).collect();
        let any = remote.any(&manifests).await?;
        let mut names = Vec::new();
        for (_, manifest, left) in &claimed {
            if !any || remote.stat(manifest).await?.is_none() {
                names.extend(left.iter().map(|name| (*name).clone()));
            }
        }
        remote.delete(&names).await?;
        count += names.len();
    }
    Ok(Some(count))
}
