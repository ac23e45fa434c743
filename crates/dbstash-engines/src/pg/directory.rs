//! pg_dump's directory format (`-Fd`): a table of contents, `toc.dat`, and the files it names.

use std::collections::BTreeMap;

use dbstash_core::engine::{Check, Incomplete, Passed, TreeCheck};

use super::copied::{Copied, Told};
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
    /// What was found in the files of data, by the names that are told.
    data: BTreeMap<String, Copied>,
}

/// What the bytes at hand are of.
#[derive(Default)]
enum Current {
    #[default]
    Nothing,
    Contents,
    List,
    /// A file of data.
    Data(String, Box<Data>),
}

/// What reads a file of data.
struct Data {
    unpack: Option<Unpack>,
    rows: Copied,
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
        let Current::Data(path, data) = std::mem::take(&mut self.current) else { return };
        let Data { unpack, mut rows } = *data;
        if let Some(unpack) = unpack
            && let Err(what) = unpack.finish(&mut |raw| rows.feed(raw))
        {
            self.broken.get_or_insert(format!("its file {path} is not whole: {what}"));
        }
        let name = PACKED.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(&path);
        self.data.insert(name.to_owned(), rows);
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
            let by = Packing::of_name(path).filter(|_| bytes > 0);
            // Large objects are anything, and what lz4 has compressed is not looked into.
            let is_rows = path.starts_with(|first: char| first.is_ascii_digit())
                && path.strip_suffix(PACKED[2]).is_none();
            if self.thorough && (by.is_some() || is_rows) {
                let unpack = by.and_then(Unpack::new);
                let data = Data { unpack, rows: Copied::default() };
                Current::Data(path.to_owned(), Box::new(data))
            } else {
                Current::Nothing
            }
        };
        !matches!(self.current, Current::Nothing)
    }

    fn feed(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Current::Nothing => {}
            Current::Contents => self.toc.iter_mut().for_each(|toc| toc.feed(bytes)),
            Current::List => self.lists.extend_from_slice(bytes),
            Current::Data(path, data) => {
                let Data { unpack, rows } = &mut **data;
                let fed = if let Some(unpack) = unpack {
                    unpack.feed(bytes, &mut |raw| rows.feed(raw))
                } else {
                    rows.feed(bytes);
                    Ok(())
                };
                if let Err(what) = fed {
                    self.broken.get_or_insert(format!("its file {path} is not whole: {what}"));
                    self.current = Current::Nothing;
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
        let tables = files.named.iter().map(|named| (named.file.as_str(), &PACKED[..]));
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
        for named in files.named.iter().filter(|named| named.columns.is_some()) {
            let (name, columns) = (&named.file, named.columns);
            let told = Told { columns, is_utf8: files.is_utf8 };
            if let Some(Err(what)) = self.data.get(name).map(|data| data.judge(told)) {
                return Err(Incomplete(format!("its file {name} is not whole: {what}")));
            }
        }
        Ok(Passed { check: "contents".to_owned(), ..passed })
    }
}

/// `blobs.toc`, since PostgreSQL 17 `blobs_NUMBER.toc`.
fn is_list(path: &str) -> bool {
    path.strip_suffix(".toc").is_some_and(|stem| stem.starts_with("blobs"))
}
