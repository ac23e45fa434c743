//! pg_dump's directory format (`-Fd`): a table of contents, `toc.dat`, and the files it names.

use std::collections::BTreeMap;

use dbstash_core::engine::{Check, Incomplete, Passed, TreeCheck};

use super::custom::Custom;

const TOC: &str = "toc.dat";
/// What a compressed file's name has after the one that is told.
const PACKED: [&str; 3] = [".gz", ".zst", ".lz4"];

/// Compares the files with what the tables of contents name.
#[derive(Default)]
pub(super) struct Directory {
    /// Every file and its size.
    found: BTreeMap<String, u64>,
    toc: Option<Custom>,
    /// The lists of large objects, one `number name` a line.
    lists: Vec<u8>,
}

impl TreeCheck for Directory {
    fn begin(&mut self, path: &str, bytes: u64) -> bool {
        self.found.insert(path.to_owned(), bytes);
        if path == TOC {
            self.toc = Some(Custom::default());
        }
        path == TOC || is_list(path)
    }

    fn feed(&mut self, bytes: &[u8]) {
        // The files come in order, and no list of large objects after `toc.dat`.
        match &mut self.toc {
            Some(toc) => toc.feed(bytes),
            None => self.lists.extend_from_slice(bytes),
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let Some(toc) = self.toc else {
            return Err(Incomplete("it has no toc.dat".into()));
        };
        let (passed, files) = toc.into_files()?;
        let Some(files) = files else { return Ok(passed) };
        let lists = String::from_utf8_lossy(&self.lists);
        let large = lists.lines().filter_map(|line| line.split_once(' ')).map(|(_, name)| name);
        let tables = files.iter().map(|name| (name.as_str(), &PACKED[..]));
        // Of an empty large object, only gzip makes more than nothing.
        for (name, never_empty) in tables.chain(large.map(|name| (name, &PACKED[..1]))) {
            let size = |end: &&str| self.found.get(&format!("{name}{end}")).copied();
            if never_empty.iter().any(|end| size(end) == Some(0)) {
                return Err(Incomplete(format!("its file {name} is empty")));
            }
            if PACKED.iter().chain(&[""]).find_map(size).is_none() {
                return Err(Incomplete(format!("its file {name} is missing")));
            }
        }
        Ok(Passed { check: "contents".to_owned(), ..passed })
    }
}

/// `blobs.toc`, since PostgreSQL 17 `blobs_NUMBER.toc`.
fn is_list(path: &str) -> bool {
    path.strip_suffix(".toc").is_some_and(|stem| stem.starts_with("blobs"))
}
