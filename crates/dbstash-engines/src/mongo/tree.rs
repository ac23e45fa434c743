//! What `mongodump --out` leaves: for each collection its documents and a description, in a folder for each database.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use dbstash_core::engine::{Incomplete, Passed, TreeCheck};
use flate2::write::GzDecoder;

use super::archive::nothing_of;
use super::bson::Walk;
use super::json::Json;
use crate::ends::Ends;

const DATA: &str = ".bson";
const DESCRIPTION: &str = ".metadata.json";
const PRELUDE: &str = "prelude.json";
/// The data of a time series are in this collection, unless the server is 8.3 or newer.
const BUCKETS: &str = "system.buckets.";
/// Longer names end with a digest, which is not the same for a time series and its buckets.
const DIGEST: &str = "%24";
/// Enough for the last field of a description, and for a whole prelude.
const TAIL: usize = 512;

/// Walks over every file, and compares data with descriptions.
pub(super) struct Files {
    /// The database that has to be in it.
    database: Option<String>,
    /// Looks at every value, too.
    thorough: bool,
    current: Option<(String, Reader)>,
    data: BTreeSet<String>,
    /// Whether there have to be data, too.
    described: BTreeMap<String, bool>,
    server_version: Option<String>,
    tool_version: Option<String>,
    broken: Option<String>,
    /// Whether the tool has compressed its files.
    zipped: bool,
}

/// A file as it is, or as the tool compressed it.
enum Reader {
    Plain(Content),
    Zipped(Box<GzDecoder<Content>>),
}

/// What is in a file.
enum Content {
    Documents(Walk),
    /// Its end, and all of it where that is of interest.
    Text(Box<Ends>, Option<Json>),
}

impl Write for Content {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Documents(walk) => walk.feed(bytes).map_err(io::Error::other)?,
            Self::Text(ends, all) => {
                ends.feed(bytes);
                if let Some(json) = all {
                    json.feed(bytes);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Files {
    /// For a tree of this database, or of all.
    pub(super) fn new(database: Option<&str>) -> Self {
        Self {
            database: database.map(str::to_owned),
            thorough: false,
            current: None,
            data: BTreeSet::new(),
            described: BTreeMap::new(),
            server_version: None,
            tool_version: None,
            broken: None,
            zipped: false,
        }
    }

    /// For a stored tree.
    pub(super) fn thorough() -> Self {
        Self { thorough: true, ..Self::new(None) }
    }

    /// The end of the file begun last.
    fn end(&mut self) {
        let Some((path, reader)) = self.current.take() else { return };
        let content = match reader {
            Reader::Plain(content) => Ok(content),
            Reader::Zipped(decoder) => decoder.finish(),
        };
        let wrong = match content {
            Err(error) => Some(error.to_string()),
            Ok(Content::Documents(walk)) if walk.is_between() => {
                self.data.insert(path.trim_end_matches(DATA).to_owned());
                None
            }
            Ok(Content::Documents(_)) => Some("it ends within a document".to_owned()),
            Ok(Content::Text(_, Some(json))) if !json.is_whole() => {
                Some("it is no JSON".to_owned())
            }
            Ok(Content::Text(ends, _)) => self.text(&path, &String::from_utf8_lossy(ends.tail())),
        };
        if let Some(wrong) = wrong {
            self.broken.get_or_insert(format!("its file {path} is not whole: {wrong}"));
        }
    }

    /// The end of a text file; what is wrong with it.
    fn text(&mut self, path: &str, tail: &str) -> Option<String> {
        if !tail.ends_with('}') {
            return Some("it does not end as JSON does".to_owned());
        }
        let after = |name: &str| {
            let rest = &tail[tail.rfind(&format!("\"{name}\":"))? + name.len() + 3..];
            rest.split('"').nth(1)
        };
        if let Some(name) = path.strip_suffix(DESCRIPTION) {
            let has_own_data = !matches!(after("type"), Some("view" | "timeseries"));
            self.described.insert(name.to_owned(), has_own_data);
        } else {
            self.server_version = after("ServerVersion").map(str::to_owned);
            self.tool_version = after("ToolVersion").map(str::to_owned);
        }
        None
    }

    /// What is missing.
    fn missing(&self) -> Option<String> {
        let no_data =
            self.described.iter().find(|(name, data)| **data && !self.data.contains(*name));
        if let Some((name, _)) = no_data {
            return Some(format!("{name}{DATA}"));
        }
        let lonely = self.data.iter().find(|name| {
            let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
            let series = file.strip_prefix(BUCKETS).map(|series| format!("{folder}/{series}"));
            let is_described = self.described.contains_key(*name)
                || series.is_some_and(|series| self.described.contains_key(&series));
            // The oplog of all, users and roles of a database, and what has no name of its own.
            let needs_none = folder.is_empty() || file.starts_with('$') || file.contains(DIGEST);
            !is_described && !needs_none
        });
        lonely.map(|name| format!("{name}{DESCRIPTION}"))
    }
}

impl TreeCheck for Files {
    fn begin(&mut self, path: &str, _bytes: u64) -> bool {
        self.end();
        let (name, zipped) = match path.strip_suffix(".gz") {
            Some(name) => (name, true),
            None => (path, false),
        };
        self.zipped |= zipped && name.ends_with(DATA);
        let content = if name.ends_with(DATA) {
            Content::Documents(if self.thorough { Walk::thorough() } else { Walk::default() })
        } else if name.ends_with(DESCRIPTION) || name.rsplit('/').next() == Some(PRELUDE) {
            Content::Text(Box::new(Ends::new(0, TAIL)), self.thorough.then(Json::default))
        } else {
            return false;
        };
        let reader = if zipped {
            Reader::Zipped(Box::new(GzDecoder::new(content)))
        } else {
            Reader::Plain(content)
        };
        self.current = Some((name.to_owned(), reader));
        true
    }

    fn feed(&mut self, bytes: &[u8]) {
        let Some((path, reader)) = &mut self.current else { return };
        let fed = match reader {
            Reader::Plain(content) => content.write_all(bytes),
            Reader::Zipped(decoder) => decoder.write_all(bytes),
        };
        if let Err(error) = fed {
            self.broken.get_or_insert(format!("its file {path} is not whole: {error}"));
            self.current = None;
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        self.end();
        if let Some(broken) = self.broken {
            return Err(Incomplete(broken));
        }
        if let Some(missing) = self.missing() {
            return Err(Incomplete(format!("its file {missing} is missing")));
        }
        if let (Some(database), true) = (&self.database, self.described.is_empty()) {
            return Err(Incomplete(nothing_of(database)));
        }
        Ok(Passed {
            server_version: self.server_version,
            tool_version: self.tool_version.map(|version| format!("mongodump version {version}")),
            ..Passed::by(if self.zipped { "gzip, documents" } else { "documents" })
        })
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const DOCUMENTS: &[u8] = &[5, 0, 0, 0, 0, 5, 0, 0, 0, 0];

    /// Files as mongodump writes them.
    fn sample() -> BTreeMap<String, Vec<u8>> {
        let describe = |kind: &str| {
            format!("{{\"indexes\":[],\"collectionName\":\"x\",\"type\":\"{kind}\"}}").into_bytes()
        };
        let prelude = b"{\"ServerVersion\":\"8.0.4\",\"ToolVersion\":\"100.13.0\"}".to_vec();
        [
            ("oplog.bson", DOCUMENTS.to_vec()),
            ("prelude.json", prelude),
            ("shop/$admin.system.users.bson", DOCUMENTS.to_vec()),
            ("shop/a.bson", DOCUMENTS.to_vec()),
            ("shop/a.metadata.json", describe("collection")),
            ("shop/empty.bson", Vec::new()),
            ("shop/empty.metadata.json", describe("")),
            ("shop/system.buckets.t.bson", DOCUMENTS.to_vec()),
            ("shop/t.metadata.json", describe("timeseries")),
            ("shop/v.metadata.json", describe("view")),
        ]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into()
    }

    fn zipped(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
        let zip = |bytes: &Vec<u8>| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        };
        files.iter().map(|(name, bytes)| (format!("{name}.gz"), zip(bytes))).collect()
    }

    fn verdict(files: &BTreeMap<String, Vec<u8>>) -> Result<Passed, Incomplete> {
        let mut check = Box::new(Files::new(Some("shop")));
        for (path, bytes) in files {
            if check.begin(path, bytes.len() as u64) {
                bytes.chunks(3).for_each(|chunk| check.feed(chunk));
            }
        }
        check.finish()
    }

    #[test]
    fn a_whole_tree_passes_and_tells_the_versions() {
        for files in [sample(), zipped(&sample())] {
            let passed = verdict(&files).unwrap();
            assert_eq!(passed.server_version.as_deref(), Some("8.0.4"));
            assert_eq!(passed.tool_version.as_deref(), Some("mongodump version 100.13.0"));
        }
    }

    #[test]
    fn a_file_cut_anywhere_shows() {
        for whole in [sample(), zipped(&sample())] {
            for (name, bytes) in &whole {
                for end in 0..bytes.len() {
                    let mut cut = whole.clone();
                    cut.insert(name.clone(), bytes[..end].to_vec());
                    // Between two documents, a file looks whole.
                    let is_between = name.ends_with(DATA) && end % 5 == 0;
                    assert_eq!(verdict(&cut).is_ok(), is_between, "{name} at {end}");
                }
            }
        }
    }

    #[test]
    fn a_missing_file_shows() {
        for whole in [sample(), zipped(&sample())] {
            for name in whole.keys() {
                let mut less = whole.clone();
                less.remove(name);
                let optional = ["oplog", "prelude", "shop/$", "shop/system.buckets", "shop/v"];
                let is_optional = optional.iter().any(|start| name.starts_with(start));
                assert_eq!(verdict(&less).is_ok(), is_optional, "{name}");
            }
        }
        let error = verdict(&BTreeMap::new()).unwrap_err().to_string();
        assert!(error.contains("no database 'shop'"), "{error}");
    }
}
