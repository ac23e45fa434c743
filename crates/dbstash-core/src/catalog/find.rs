//! Backups as people name them.

use std::collections::BTreeSet;

use super::{Backup, Catalog};
use crate::job::JobId;

/// Which of several backups of the same kind is meant by name.
pub const LATEST: &str = "latest";

/// Where a backup is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Among<'a> {
    /// Among those of these jobs.
    pub jobs: Option<&'a [JobId]>,
    /// Among those of this database, by its label.
    pub database: Option<&'a str>,
}

impl Catalog {
    /// Every backup that a text may mean: an id, the beginning of one, the path of an object, or [`LATEST`] for the
    /// newest of each job and database. A whole id or path means nothing else.
    pub fn meant<'a>(&'a self, text: &str, among: Among<'_>) -> Vec<&'a Backup> {
        let among = |b: &&Backup| {
            among.jobs.is_none_or(|jobs| jobs.contains(&b.manifest.job))
                && among.database.is_none_or(|database| database == b.manifest.database)
        };
        let all: Vec<&Backup> = self.backups.iter().filter(among).collect();
        if text == LATEST {
            let mut seen = BTreeSet::new();
            let subject = |b: &'a Backup| (&b.manifest.job, &b.manifest.database);
            return all.into_iter().filter(|&b| seen.insert(subject(b))).collect();
        }
        let whole = |b: &&Backup| {
            b.manifest.id == text || b.objects().next().is_some_and(|object| object == text)
        };
        let found: Vec<&Backup> = all.iter().copied().filter(whole).collect();
        if !found.is_empty() || text.is_empty() {
            return found;
        }
        all.into_iter().filter(|b| b.manifest.id.starts_with(text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{name_for, tests::manifest};
    use crate::sidecar::Notes;

    #[test]
    fn a_text_means_one_or_several() {
        let backup = |job: &str, database: &str, age, object: &str| {
            let manifest = Box::new(manifest(job, database, age, object));
            Backup {
                manifest_name: name_for(&format!("f/{object}")),
                manifest,
                notes: Notes::default(),
            }
        };
        let backups = vec![
            backup("j-1", "a", 1, "x"),
            backup("j-1", "b", 2, "y"),
            backup("j-10", "a", 3, "z"),
            backup("j-1", "a", 25, "xx"),
        ];
        let catalog = Catalog { backups, ..Catalog::default() };
        let found = |text, among: Among<'_>| {
            let found = catalog.meant(text, among).into_iter();
            found.map(|b| b.manifest.objects[0].name.as_str()).collect::<Vec<_>>()
        };
        let job: [JobId; 1] = ["j-1".parse().unwrap()];
        let ours = Among { jobs: Some(&job), database: None };
        assert_eq!(found("latest", Among::default()), ["x", "y", "z"]);
        assert_eq!(found("latest", ours), ["x", "y"]);
        assert_eq!(found("latest", Among { database: Some("a"), ..ours }), ["x"]);
        assert_eq!(found("latest", Among { database: Some("c"), ..ours }), [""; 0]);
        assert_eq!(found("2025", Among::default()), ["x", "y", "z", "xx"]);
        assert_eq!(found("20251231", ours), ["x", "y"]);
        assert_eq!(found("20251231T230000Z-x", Among::default()), ["x"]);
        // A whole id, or the path of an object.
        let id = &catalog.backups[0].manifest.id;
        assert_eq!(found(id, Among::default()), ["x"]);
        assert_eq!(found("f/xx", Among::default()), ["xx"]);
        for nothing in ["", "f/", "x", "f/xxx", "9999"] {
            assert_eq!(found(nothing, Among::default()), [""; 0], "{nothing:?}");
        }
    }
}
