//! A listing one can ask: sizes of objects, and what is in folders, which remotes do not list.

use crate::manifest::{self, Object, digest_of_names};
use crate::remote::{Entry, ObjectSize};
use crate::temporary;

/// The entries of a listing, in the order of their names.
pub(super) struct Listing<'a>(Vec<&'a Entry>);

impl<'a> Listing<'a> {
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        let mut sorted: Vec<&Entry> = entries.iter().collect();
        sorted.sort_by_key(|e| &e.name);
        Self(sorted)
    }

    /// The size of an object; of several of one name, that of the one listed last.
    pub(super) fn size(&self, name: &str) -> Option<ObjectSize> {
        let end = self.0.partition_point(|e| *e.name <= *name);
        self.0[..end].last().filter(|e| e.name == name).map(|e| e.size)
    }

    /// Everything in a folder, at any depth.
    fn below(&self, folder: &str) -> &[&'a Entry] {
        let start = self.0.partition_point(|e| *e.name < *folder);
        let inside = self.0[start..].partition_point(|e| e.name.starts_with(folder));
        &self.0[start..start + inside]
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
        let listing = Listing::of(&entries);
        let size = |name| listing.size(name);
        assert_eq!(size("b"), Some(ObjectSize::Known(6)));
        assert_eq!((size("a/y"), size("c"), size("")), (None, None, None));
        let below: Vec<_> = listing.below("a/").iter().map(|e| &*e.name).collect();
        assert_eq!(below, ["a/x", "a/y/z"]);
        assert!(listing.below("b/").is_empty() && listing.below("c/").is_empty());
        assert_eq!(folders_above("a/y/z").collect::<Vec<_>>(), ["a/", "a/y/"]);
        assert_eq!(folders_above("a").count(), 0);
    }
}
