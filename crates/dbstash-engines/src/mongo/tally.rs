//! How many documents a dump has, by collection; with the database before it where there are several.

use dbstash_core::tally::{Counts, Sums, Tally, TreeTally};
use percent_encoding::percent_decode_str;

use super::archive::Archive;
use super::bson::Walk;

/// Why nothing is counted.
const LOST: &str = "its documents could not be followed";

/// Those of an archive.
pub(super) struct Documents {
    archive: Archive,
    database: Option<String>,
    is_lost: bool,
}

impl Documents {
    /// Of an archive of this database, or of all.
    pub(super) fn new(database: Option<&str>) -> Self {
        let database = database.map(str::to_owned);
        Self { archive: Archive::to_count(), database, is_lost: false }
    }
}

impl Tally for Documents {
    fn feed(&mut self, bytes: &[u8]) {
        if !self.is_lost {
            self.is_lost = self.archive.follow(bytes).is_err();
        }
    }

    fn finish(self: Box<Self>) -> Counts {
        match self.archive.counted() {
            Some(counted) if !self.is_lost => {
                let mut sums = Sums::default();
                for (namespace, count) in counted {
                    sums.add(of(self.database.as_deref(), &namespace, '.'), count);
                }
                sums.counts()
            }
            _ => Counts::without(LOST),
        }
    }
}

/// A name without the database, where there is one alone.
fn of<'a>(database: Option<&str>, namespace: &'a str, between: char) -> &'a str {
    let rest = database.and_then(|database| namespace.strip_prefix(database));
    rest.and_then(|rest| rest.strip_prefix(between)).unwrap_or(namespace)
}

/// Those of the files of `--out`.
pub(super) struct Files {
    database: Option<String>,
    current: Option<(String, Walk)>,
    sums: Sums,
    is_lost: bool,
}

impl Files {
    /// Of a tree of this database, or of all.
    pub(super) fn new(database: Option<&str>) -> Self {
        let database = database.map(str::to_owned);
        Self { database, current: None, sums: Sums::default(), is_lost: false }
    }

    fn end(&mut self) {
        let Some((path, walk)) = self.current.take() else { return };
        self.is_lost |= !walk.is_between();
        // A folder is as it is called, a file as its collection would be in a query of a URL.
        let name = of(self.database.as_deref(), &path, '/');
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let file = file.replace('+', " ");
        let file = percent_decode_str(&file).decode_utf8_lossy();
        let dot = if folder.is_empty() { "" } else { "." };
        self.sums.add(&format!("{folder}{dot}{file}"), walk.documents);
    }
}

impl TreeTally for Files {
    fn begin(&mut self, path: &str) -> bool {
        self.end();
        let name = path.strip_suffix(".bson").map(str::to_owned);
        self.current = name.map(|name| (name, Walk::default()));
        self.current.is_some()
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some((_, walk)) = &mut self.current {
            self.is_lost |= walk.feed(bytes).is_err();
        }
    }

    fn finish(mut self: Box<Self>) -> Counts {
        self.end();
        if self.is_lost { Counts::without(LOST) } else { self.sums.counts() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// A document of so many bytes.
    fn document(bytes: u8) -> Vec<u8> {
        let mut document = vec![0; usize::from(bytes)];
        document[0] = bytes;
        document
    }

    #[test]
    fn files_are_collections() {
        let counted = |database: Option<&str>, size: usize| {
            let mut files = Box::new(Files::new(database));
            let two = [document(5), document(77)].concat();
            let all = [
                ("shop/a%2Fb+c.bson", &two[..]),
                ("shop/a.metadata.json", b"{}"),
                ("shop/none.bson", b""),
                ("oplog.bson", &two[..5]),
            ];
            for (path, bytes) in all {
                if files.begin(path) {
                    bytes.chunks(size).for_each(|chunk| files.feed(chunk));
                }
            }
            files.finish()
        };
        let of = |counts: [(&str, u64); 3]| {
            Counts::Of(BTreeMap::from(counts.map(|(name, count)| (name.to_owned(), count))))
        };
        for size in [1, 3, 1000] {
            let one = of([("a/b c", 2), ("none", 0), ("oplog", 1)]);
            assert_eq!(counted(Some("shop"), size), one);
            let all = of([("shop.a/b c", 2), ("shop.none", 0), ("oplog", 1)]);
            assert_eq!(counted(None, size), all);
        }
        let mut short = Box::new(Files::new(None));
        assert!(short.begin("x/y.bson"));
        short.feed(&document(9)[..8]);
        assert_eq!(short.finish(), Counts::without(LOST));
    }
}
