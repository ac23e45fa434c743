//! What is on disk afterwards, and why it may be.

use std::collections::BTreeSet;
use std::fs;

use dbstash_core::catalog::Catalog;
use dbstash_core::job::EngineKey;
use dbstash_core::recipe;
use dbstash_core::state::Journal;
use dbstash_core::temporary;

use crate::leaks::{self, files};
use crate::members::KEPT;
use crate::service::Soak;
use crate::trouble;

/// Right after the end of the service: only what a refused deletion explains is left, and known to the next run.
pub(crate) fn assert_explained(soak: &Soak) {
    let refused = soak.folder.refused();
    for path in files(&soak.state_path.join("runs")) {
        if !path.ends_with("/journal.json") {
            assert!(path.ends_with("/alive"), "{path} is left by a run that is over");
            continue;
        }
        let text = fs::read(soak.state_path.join("runs").join(&path)).unwrap();
        let journal: Journal = serde_json::from_slice(&text).unwrap();
        let names = journal.temporaries.iter().chain(&journal.objects).chain([&journal.manifest]);
        let mut names = names.chain(journal.going.iter().flat_map(|g| [&g.manifest, &g.object]));
        let refused = names.any(|name| refused.contains(name));
        // Or retention was ended before it deleted anything.
        let mut going = journal.going.iter();
        let untouched = going.len() > 0 && going.all(|g| soak.folder.path(&g.manifest).exists());
        assert!(refused || untouched, "nothing was refused of {journal:?}");
    }
    let left = files(&soak.folder.path(temporary::FOLDER));
    let full = |name: &String| format!("{}{name}", temporary::FOLDER);
    let odd: Vec<_> = left.iter().map(full).filter(|name| !refused.contains(name)).collect();
    assert_eq!(odd, [""; 0], "temporaries");
    assert_eq!(files(&soak.spool), BTreeSet::new(), "spooled files");
    for subject in &soak.subjects {
        let lock = trouble::lock(&soak.state, &subject.job.id, soak.now());
        assert!(lock.is_ok(), "{}: {lock:?}", subject.name);
    }
    assert_eq!(files(&soak.state_path.join("locks/names")), BTreeSet::new(), "claims");
}

/// After one more run of each job: whole backups, as many as are kept, and nothing else.
pub(crate) async fn assert_clean(soak: &Soak) {
    let cache = soak.state.cache("folder");
    let catalog = Catalog::load(&soak.folder, &cache, soak.now()).await.unwrap();
    assert!(catalog.broken.is_empty(), "{:?}", catalog.broken);
    let mut listed = BTreeSet::new();
    for subject in &soak.subjects {
        let ours = catalog.backups.iter().filter(|b| b.manifest.job == subject.job.id);
        let ours: Vec<_> = ours.collect();
        assert!((1..=KEPT).contains(&ours.len()), "{}: {ours:#?}", subject.name);
        listed.insert(format!("{}{}", subject.job.id, recipe::SUFFIX));
        for backup in ours {
            assert_eq!(backup.manifest.engine, EngineKey::Pg);
            listed.insert(backup.manifest_name.clone());
            for (name, object) in backup.objects().zip(&backup.manifest.objects) {
                let flaw = leaks::flaw(&soak.folder.path(&name), object);
                assert_eq!(flaw, None, "{name}");
                listed.insert(name);
            }
        }
    }
    let there = files(&soak.folder.path(""));
    eprintln!(
        "--- {} files, {} of them once refused to go",
        there.len(),
        soak.folder.refused().len()
    );
    assert_eq!(there, listed, "what is there, and what is listed");

    let mut state = files(&soak.state_path);
    let cached = format!("{}/", cache.strip_prefix(&soak.state_path).unwrap().display());
    state.retain(|name| {
        let cached = name.strip_prefix(&cached);
        let lock = name.strip_prefix("locks/").is_some_and(|lock| !lock.contains('/'));
        let cached = cached.is_some_and(|name| ["manifests", "lock"].contains(&name));
        !(cached || lock || name.starts_with("sizes/"))
    });
    assert_eq!(state, BTreeSet::new(), "in the state directory");
    assert_eq!(fs::read_dir(&soak.spool).unwrap().count(), 0);
    // A lock and a size for each job, and no more with the years.
    for folder in ["locks", "sizes"] {
        let files = files(&soak.state_path.join(folder));
        assert_eq!(files.len(), soak.subjects.len(), "{folder}: {files:?}");
    }
}
