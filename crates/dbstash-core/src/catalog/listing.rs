//! A listing one can ask: sizes of objects, and what is in folders, which remotes do not list.

use std::ops::Range;

use super::is_manifest;
use crate::manifest::{self, Object, digest_of_names};
use crate::remote::{Entry, ObjectSize};
use crate::temporary;

/// The entries of a listing, in the order of their names. Where one is in it is its place.
pub(super) struct Listing(Vec<Entry>);

impl Listing {
    pub(super) fn of(mut entries: Vec<Entry>) -> Self {
        // Stable: of several of one name, the one listed last stays the last.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Self(entries)
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The place of each manifest, and its entries: some storage has several objects of one name, and that is one
    /// manifest all the same.
    pub(super) fn manifests(&self) -> impl Iterator<Item = (usize, &[Entry])> {
        let mut end = 0;
        let groups = self.0.chunk_by(|a, b| a.name == b.name).map(move |group| {
            end += group.len();
            (end - group.len(), group)
        });
        groups.filter(|(_, group)| is_manifest(&group[0].name))
    }

    /// The size of an object; of several of one name, that of the one listed last.
    pub(super) fn size(&self, name: &str) -> Option<ObjectSize> {
        self.0[self.places(name, 0)].last().map(|e| e.size)
    }

    /// The places of an object, or of everything in a folder, at any depth. An object is looked for just before `near`
    /// first, the place of something else: of its manifest, that is where it is mostly.
    pub(super) fn places(&self, name: &str, near: usize) -> Range<usize> {
        let is_folder = name.ends_with('/');
        let is_meant = |e: &&Entry| e.name == name || is_folder && e.name.starts_with(name);
        let before = self.0[..near].iter().rev().take_while(is_meant).count();
        if before > 0 && !is_folder {
            return near - before..near;
        }
        let start = self.0.partition_point(|e| *e.name < *name);
        start..start + self.0[start..].iter().take_while(is_meant).count()
    }

    /// Everything in a folder, at any depth.
    fn below(&self, folder: &str) -> &[Entry] {
        &self.0[self.places(folder, 0)]
    }

    /// Whether other backups are in a folder, whether we can read their manifests or not.
    pub(super) fn has_manifests_in(&self, folder: &str) -> bool {
        folder.ends_with('/')
            && self.below(folder).iter().any(|e| e.name.ends_with(manifest::SUFFIX))
    }

    /// What keeps a folder from being the backup it is said to be.
    pub(super) fn folder_flaw(&self, name: &str, folder: &Object) -> Option<String> {
        let (found, bytes) = (self.below(name), folder.bytes);
        let files = folder.files.unwrap_or_default();
        if name == temporary::FOLDER {
            return Some(format!("its object {name} is where unfinished objects are"));
        }
        if found.is_empty() {
            return Some(format!("its folder {name} is missing"));
        }
        if self.has_manifests_in(name) {
            return Some(format!("its folder {name} has backups of others in it"));
        }
        if found.len() as u64 != files {
            let found = found.len();
            return Some(format!("its folder {name} has {found} files and should have {files}"));
        }
        let paths = || found.iter().map(|e| &e.name[name.len()..]);
        if folder.names.as_ref().is_some_and(|names| *names != digest_of_names(paths())) {
            return Some(format!("its folder {name} has files of other names than it should have"));
        }
        let sum = found.iter().try_fold(0_u64, |sum, e| match e.size {
            ObjectSize::Known(size) => Some(sum.saturating_add(size)),
            ObjectSize::Unknown => None,
        });
        let wrong = sum.filter(|sum| *sum != bytes);
        wrong.map(|sum| format!("its folder {name} has {sum} bytes and should have {bytes}"))
    }
}

/// The folders a name is in, from the outermost on; a folder is in itself.
pub(crate) fn folders_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..=at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_searched_by_name() {
        let names = ["a/x", "a-b/x", "a", "a/y/z", "a.sql", "b", "b"];
        let entries: Vec<Entry> = names
            .iter()
            .zip(0..)
            .map(|(name, n)| Entry { name: (*name).to_owned(), size: ObjectSize::Known(n) })
            .collect();
        let listing = Listing::of(entries);
        let size = |name| listing.size(name);
        assert_eq!(size("b"), Some(ObjectSize::Known(6)));
        assert_eq!((size("a/y"), size("c"), size("")), (None, None, None));
        let below: Vec<_> = listing.below("a/").iter().map(|e| &*e.name).collect();
        assert_eq!(below, ["a/x", "a/y/z"]);
        assert!(listing.below("b/").is_empty() && listing.below("c/").is_empty());
        // The same from wherever one begins to look.
        for near in 0..=names.len() {
            for name in ["a", "a-b/x", "a/", "a/y", "b", "b/", "c", ""] {
                if near == names.len() || listing.0[near].name != name {
                    assert_eq!(
                        listing.places(name, near),
                        listing.places(name, 0),
                        "{name} {near}"
                    );
                }
            }
        }
        assert_eq!(folders_above("a/y/z").collect::<Vec<_>>(), ["a/", "a/y/"]);
        assert_eq!(folders_above("a").count(), 0);
    }
}
