//! Which backups are verified.

use std::collections::BTreeMap;

use crate::catalog::{Backup, Broken, Catalog};
use crate::manifest::Manifest;

/// So many of those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// The newest of each database of each job.
    Latest,
    /// All of them.
    All,
    /// So many of a hundred, at least one: those first that were never verified, or longest ago.
    Share(u8),
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A backup.
    Backup(&'a Backup),
    /// What is known without a look: it is none any more.
    Broken(&'a Broken),
}

/// What is meant of these, the newest first; what is broken costs nothing, and is never left out for being so. `ours`
/// is asked about what has no manifest that can be read, too.
pub fn chosen<'a>(
    catalog: &'a Catalog,
    sample: Sample,
    ours: impl Fn(Option<&Manifest>) -> bool,
) -> Vec<Target<'a>> {
    let mut backups: Vec<&Backup> =
        catalog.backups.iter().filter(|b| ours(Some(&b.manifest))).collect();
    let broken: Vec<&Broken> =
        catalog.broken.iter().filter(|b| ours(b.manifest.as_deref())).collect();
    match sample {
        Sample::All => {
            let all = broken.into_iter().map(Target::Broken);
            all.chain(backups.into_iter().map(Target::Backup)).collect()
        }
        Sample::Latest => {
            let mut latest: BTreeMap<_, (_, Target<'a>)> = BTreeMap::new();
            let backups = backups.into_iter().map(|b| (&*b.manifest, Target::Backup(b)));
            let known = broken.iter().copied();
            let known = known.filter_map(|b| Some((b.manifest.as_deref()?, Target::Broken(b))));
            for (manifest, target) in backups.chain(known) {
                let key = (manifest.job.as_str(), &*manifest.database);
                if latest.get(&key).is_none_or(|(started, _)| *started < manifest.started) {
                    latest.insert(key, (manifest.started, target));
                }
            }
            // Nobody can tell whether one of these was the newest.
            let unread = unread(&broken).map(Target::Broken);
            unread.chain(latest.into_values().map(|(_, target)| target)).collect()
        }
        Sample::Share(percent) => {
            let count = (backups.len() * usize::from(percent)).div_ceil(100);
            backups.sort_by_key(|b| b.verified().map(|mark| mark.at));
            let broken = broken.into_iter().map(Target::Broken);
            broken.chain(backups.into_iter().take(count).map(Target::Backup)).collect()
        }
    }
}

/// What has no manifest that can be read.
fn unread<'a>(broken: &[&'a Broken]) -> impl Iterator<Item = &'a Broken> {
    broken.iter().copied().filter(|broken| broken.manifest.is_none())
}
