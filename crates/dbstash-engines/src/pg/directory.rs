//! pg_dump's directory format (`-Fd`): a table of contents, `toc.dat`, and the files it names.

use std::collections::BTreeMap;

use dbstash_core::engine::{Check, Incomplete, Passed, TreeCheck};

use super::custom::Custom;
use crate::unpack::{Packing, Unpack};

const TOC: &str = "toc.dat";
/// What a compressed file's name has after the one that is told.
const PACKED: [&str; 3] = [".gz", ".zst", ".lz4"];

/// Compares the files with what the tables of contents name.
#[derive(Default)]
pub(super) struct Directory {
    /// Reads the data, too.
    thorough: bool,
    /// A tar names a file for large objects and does not have it: they are in files of their own.
    spare: Option<usize>,
    current: Current,
    broken: Option<String>,
    /// Every file and its size.
    found: BTreeMap<String, u64>,
    toc: Option<Custom>,
    /// The lists of large objects, one `number name` a line.
    lists: Vec<u8>,
}

/// What the bytes at hand are of.
#[derive(Default)]
enum Current {
    #[default]
    Nothing,
    Contents,
    List,
    /// A file of data, and what unpacks it.
    Data(String, Option<Box<Unpack>>),
}

impl Directory {
    /// One that reads the data, too.
    pub(super) fn thorough() -> Self {
        Self { thorough: true, ..Self::default() }
    }

    /// The same for the files of a tar of pg_dump's own.
    pub(super) fn of_tar() -> Self {
        Self { spare: Some(0), ..Self::thorough() }
    }

    fn end(&mut self) {
        if let Current::Data(path, Some(unpack)) = std::mem::take(&mut self.current)
            && let Err(what) = unpack.finish(&mut |_| {})
        {
            self.broken.get_or_insert(format!("its file {path} is not whole: {what}"));
        }
    }
}

impl TreeCheck for Directory {
    fn begin(&mut self, path: &str, bytes: u64) -> bool {
        self.end();
        self.found.insert(path.to_owned(), bytes);
        self.current = if path == TOC {
            self.toc = Some(if self.thorough { Custom::thorough() } else { Custom::default() });
            Current::Contents
        } else if is_list(path) {
            self.spare = self.spare.map(|spare| spare + 1);
            Current::List
        } else {
            // Some of newer tools are empty: an empty large object is no frame.
            let by = Packing::of_name(path).filter(|_| self.thorough && bytes > 0);
            by.and_then(Unpack::new).map_or(Current::Nothing, |unpack| {
                Current::Data(path.to_owned(), Some(Box::new(unpack)))
            })
        };
        !matches!(self.current, Current::Nothing)
    }

    fn feed(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Current::Nothing | Current::Data(_, None) => {}
            Current::Contents => self.toc.iter_mut().for_each(|toc| toc.feed(bytes)),
            Current::List => self.lists.extend_from_slice(bytes),
            Current::Data(path, open @ Some(_)) => {
                let fed = open.as_mut().map_or(Ok(()), |unpack| unpack.feed(bytes, &mut |_| {}));
                if let Err(what) = fed {
                    self.broken.get_or_insert(format!("its file {path} is not whole: {what}"));
                    *open = None;
                }
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        self.end();
        if let Some(broken) = self.broken {
            return Err(Incomplete(broken));
        }
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
                if let Some(spare @ 1..) = &mut self.spare {
                    *spare -= 1;
                    continue;
                }
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
