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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dbstash_testkit::{RemoteKind, TestRemote, tools};

    use super::*;
    use crate::remote::rclone::{Patience, Rclone, Settings};

    #[tokio::test]
    async fn what_is_half_deleted_goes_and_nothing_else() {
        for kind in [RemoteKind::Local, RemoteKind::S3] {
            let Some(fixture) = TestRemote::start(kind) else { return };
            let mut env = fixture.env();
            env.push(("PATH".to_owned(), tools::path().into_string().unwrap()));
            let remote = Rclone::new(Settings {
                root: fixture.root().to_owned(),
                config: Some("/dev/null".into()),
                extra_args: Vec::new(),
                env,
                upload_check: false,
                allow_spool: false,
                patience: Patience::default(),
            });
            let half: Vec<String> = (0..TOGETHER + 3).map(|n| format!("a/{n} [x]*.sql")).collect();
            let stays = ["a/whole.sql", "a/whole.sql.dbstash.json", "a/taken.sql", "a/x.sql"];
            for name in half.iter().map(String::as_str).chain(stays) {
                fixture.write(name, b"left");
            }
            let ours =
                half.iter().map(String::as_str).chain(["a/whole.sql", "a/taken.sql", "a/gone.sql"]);
            let both = |object: &str| vec![object.to_owned(), format!("{object}.pin")];
            let deletions: BTreeMap<_, _> =
                ours.map(|object| (format!("{object}.dbstash.json"), both(object))).collect();
            let journal = Journal {
                remote: remote.label(),
                started: chrono::Utc::now(),
                temporaries: Vec::new(),
                objects: Vec::new(),
                manifest: String::new(),
                files: Vec::new(),
                deletions,
            };
            let dir = tempfile::tempdir().unwrap();
            let state = StateDir::open(&dir.path().join("state")).unwrap();
            // A live run is making it again.
            let _live = state.claim(&journal.remote, "a/taken.sql").unwrap().unwrap();
            assert_eq!(finish(&journal, &remote, &state).await.unwrap(), half.len(), "{kind}");
            let mut left = stays.to_vec();
            left.sort_unstable();
            assert_eq!(fixture.names(), left, "{kind}");
            assert_eq!(finish(&journal, &remote, &state).await.unwrap(), 0);
        }
    }
}
