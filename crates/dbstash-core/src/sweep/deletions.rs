//! Deletions that ended half-way, gone on with.

use std::collections::HashSet;

use crate::remote::{Remote, RemoteError};
use crate::state::{Journal, StateDir};

/// How many backups are looked at together: the name of each is an open file meanwhile.
const TOGETHER: usize = 8;

/// Deletes the objects whose manifest is gone, and says how many those were. What still has its manifest is a backup
/// that stays, and a name that a live run has by now is its own.
pub(super) async fn finish(
    journal: &Journal,
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<usize, RemoteError> {
    let there: HashSet<String> = remote.list("").await?.into_iter().map(|e| e.name).collect();
    let half: Vec<(&String, Vec<&String>)> = journal
        .deletions
        .iter()
        .filter(|(manifest, _)| !there.contains(*manifest))
        .map(|(manifest, objects)| {
            (manifest, objects.iter().filter(|name| there.contains(*name)).collect())
        })
        .filter(|(_, left): &(_, Vec<_>)| !left.is_empty())
        .collect();
    let mut count = 0;
    for some in half.chunks(TOGETHER) {
        let claimed = some.iter().filter_map(|(manifest, left)| {
            let dump = &journal.deletions[*manifest][0];
            Some((state.claim(&journal.remote, dump).ok()??, manifest, left))
        });
        let claimed: Vec<_> = claimed.collect();
        // Looked at once more, now that nobody can have the names: a run may just have made one a backup.
        let manifests: Vec<&str> =
            claimed.iter().map(|(_, manifest, _)| manifest.as_str()).collect();
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
    Ok(count)
}
