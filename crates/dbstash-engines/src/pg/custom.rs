//! pg_dump's custom format (`-Fc`), read as it passes: header, table of contents, data blocks.
//!
//! As of archive versions 1.12 (PostgreSQL 9.0) to 1.16 (PostgreSQL 17 and 18): a header; as many entries as it says;
//! then one block for each entry that promises data: a type, the entry's number, and chunks, each after its length, up
//! to one of length 0. A block of large objects holds such a run of chunks for every object, each after the object's
//! number, up to number 0. The stream ends where a block ends.
//!
//! The table of contents of a directory archive (`-Fd`) is the same without blocks: in the place of an offset, an entry
//! has the name of its file.

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::blocks::{Blocks, number};
use super::copied::{Files, Named};

/// What is longer is no version.
const LONGEST_TEXT: usize = 200;
const VERSIONS: std::ops::RangeInclusive<u8> = 12..=16;
/// Magic, version, sizes of numbers and offsets, format.
const HEADER: usize = 11;
/// The format bytes of the archives; a tar has the directory's.
const CUSTOM: u8 = 1;
const DIRECTORY: u8 = 3;
const DATA: u8 = 1;
const LARGE_OBJECTS: u8 = 3;
/// The mark of an entry without data, in the place of its offset.
pub(super) const NO_DATA: u8 = 3;

/// Follows the stream. Table data is skipped, not looked at.
#[derive(Default)]
pub(super) struct Custom {
    state: State,
    /// The part of the next field that has come.
    field: Vec<u8>,
    /// Bytes to pass over before it.
    skip: u64,
    int_size: usize,
    offset_size: usize,
    minor: u8,
    entries: i64,
    promised: u64,
    blocks: u64,
    /// Of a directory archive, the files in which the entries have their data.
    files: Option<Vec<Named>>,
    server_version: Option<String>,
    tool_version: Option<String>,
    broken: Option<String>,
    /// The archive's version, when it is too new to be followed.
    newer: Option<u8>,
    /// Looks at the data, too.
    within: Option<Blocks>,
}

/// Which field is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Header,
    Compression,
    /// This many numbers of the date are left.
    Date(u8),
    DatabaseName,
    ServerVersion,
    ToolVersion,
    /// The text of the version whose length came before.
    Text {
        length: usize,
        of_server: bool,
    },
    /// Of a directory archive: the length of an entry's file name, and the name.
    FileName,
    FileNameText {
        length: usize,
    },
    /// Nothing more.
    End,
    EntryCount,
    /// This field of an entry.
    Entry(usize),
    /// Texts up to a missing one.
    Dependency,
    Offset,
    BlockType,
    BlockId {
        large_objects: bool,
    },
    Chunk {
        large_object: bool,
    },
    LargeObject,
}

/// The fields of an entry before its dependencies: a number or a text, and the version that brought it.
const ENTRY: [(Kind, u8); 16] = {
    use Kind::{Number, Text};
    [
        (Number, 0),  // number
        (Number, 0),  // has data
        (Text, 0),    // catalog
        (Text, 0),    // oid
        (Text, 0),    // name
        (Text, 0),    // kind
        (Number, 11), // section
        (Text, 0),    // definition
        (Text, 0),    // drop statement
        (Text, 0),    // copy statement
        (Text, 0),    // schema
        (Text, 0),    // tablespace
        (Text, 14),   // access method
        (Number, 16), // kind of relation
        (Text, 0),    // owner
        (Text, 0),    // with oids
    ]
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
}

impl Check for Custom {
    fn feed(&mut self, mut bytes: &[u8]) {
        while self.broken.is_none() && self.newer.is_none() {
            let passed = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
            self.skip -= passed as u64;
            let (data, rest) = bytes.split_at(passed);
            match (self.state, &mut self.within) {
                (State::Chunk { .. }, Some(blocks)) => blocks.data(data),
                (_, Some(blocks)) => blocks.text(data),
                _ => {}
            }
            bytes = rest;
            let missing = self.size() - self.field.len();
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            if self.skip > 0 || part.len() < missing {
                self.field.extend_from_slice(part);
                return;
            }
            bytes = rest;
            self.field.extend_from_slice(part);
            let field = std::mem::take(&mut self.field);
            match self.step(&field) {
                Ok(next) => self.state = next,
                Err(what) => self.broken = Some(what.to_owned()),
            }
            self.field = field;
            self.field.clear();
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let at_end = self.state == State::BlockType;
        (*self).judge(at_end)
    }
}

impl Custom {
    /// One that looks at the data, too.
    pub(super) fn thorough() -> Self {
        Self { within: Some(Blocks::default()), ..Self::default() }
    }

    fn judge(mut self, at_end: bool) -> Result<Passed, Incomplete> {
        if let Some(what) = self.broken {
            return Err(Incomplete(format!("it is no pg_dump archive: {what}")));
        }
        let degraded = self.within.take().map(Blocks::finish).transpose()?.flatten();
        if let Some(minor) = self.newer {
            // The good dump of a newer tool is better than none.
            return Ok(Passed::degraded(&format!(
                "archive version 1.{minor} of this pg_dump is newer than this dbstash can follow"
            )));
        }
        if !at_end || self.skip > 0 || !self.field.is_empty() {
            return Err(Incomplete("the archive ends in the middle".into()));
        }
        if self.blocks != self.promised {
            let (blocks, promised) = (self.blocks, self.promised);
            return Err(Incomplete(format!(
                "the archive promises the data of {promised} entries and has that of {blocks}"
            )));
        }
        Ok(Passed {
            server_version: self.server_version,
            tool_version: self.tool_version.map(|version| format!("pg_dump version {version}")),
            degraded,
            ..Passed::by("blocks")
        })
    }

    /// The size of the next field.
    fn size(&self) -> usize {
        match self.state {
            State::Header => HEADER,
            State::Compression if self.minor >= 15 => 1,
            State::Text { length, .. } | State::FileNameText { length } => length,
            State::Offset => 1 + self.offset_size,
            State::BlockType | State::End => 1,
            _ => 1 + self.int_size,
        }
    }

    /// Takes a whole field, and says which one follows.
    fn step(&mut self, field: &[u8]) -> Result<State, &'static str> {
        Ok(match self.state {
            State::Header => self.header(field)?,
            State::Compression => {
                if let Some(blocks) = &mut self.within {
                    blocks.compression(field)?;
                }
                State::Date(7)
            }
            State::Date(1) => State::DatabaseName,
            State::Date(left) => State::Date(left - 1),
            State::DatabaseName => {
                self.pass_over(field)?;
                State::ServerVersion
            }
            State::ServerVersion => self.text(field, true)?,
            State::ToolVersion => self.text(field, false)?,
            State::Text { of_server, .. } => {
                let text = Some(String::from_utf8_lossy(field).into_owned());
                if of_server {
                    self.server_version = text;
                    State::ToolVersion
                } else {
                    self.tool_version = text;
                    State::EntryCount
                }
            }
            State::EntryCount => {
                self.entries = number(field)?;
                if self.entries < 0 {
                    return Err("it has a negative number of entries");
                }
                self.next_entry()
            }
            State::Entry(n) => {
                if ENTRY[n].0 == Kind::Text {
                    if let Some(blocks) = &mut self.within {
                        blocks.begin_text(n);
                    }
                    self.pass_over(field)?;
                } else if let Some(blocks) = &mut self.within {
                    blocks.number(n, number(field)?)?;
                }
                self.entry_from(n + 1)
            }
            State::Dependency => {
                if self.pass_over(field)? {
                    State::Dependency
                } else if self.files.is_some() {
                    State::FileName
                } else {
                    State::Offset
                }
            }
            State::FileName => match usize::try_from(number(field)?) {
                Ok(length @ 1..=LONGEST_TEXT) => State::FileNameText { length },
                Ok(0) => self.entry_ends(),
                _ => return Err("it names no file"),
            },
            State::FileNameText { .. } => {
                let file = String::from_utf8_lossy(field).into_owned();
                let columns = self.within.as_mut().and_then(Blocks::columns);
                let table = self.within.as_ref().and_then(Blocks::table);
                self.files.get_or_insert_default().push(Named { file, columns, table });
                self.entry_ends()
            }
            State::End => return Err("it goes on after its end"),
            State::Offset => {
                if field[0] != NO_DATA {
                    self.promised += 1;
                }
                if let Some(blocks) = &mut self.within {
                    blocks.offset(field)?;
                }
                self.entry_ends()
            }
            State::BlockType => match field[0] {
                DATA => State::BlockId { large_objects: false },
                LARGE_OBJECTS => State::BlockId { large_objects: true },
                _ => return Err("it has a block of an unknown type"),
            },
            State::BlockId { large_objects } => {
                if let Some(blocks) = &mut self.within {
                    blocks.begin(number(field)?)?;
                }
                if large_objects {
                    State::LargeObject
                } else {
                    State::Chunk { large_object: false }
                }
            }
            State::LargeObject if number(field)? == 0 => self.block_ends(),
            State::LargeObject => State::Chunk { large_object: true },
            State::Chunk { large_object } => match u64::try_from(number(field)?) {
                Ok(0) => {
                    if let Some(blocks) = &mut self.within {
                        blocks.end();
                    }
                    if large_object { State::LargeObject } else { self.block_ends() }
                }
                Ok(length) => {
                    self.skip = length;
                    State::Chunk { large_object }
                }
                Err(_) => return Err("it has a chunk of negative length"),
            },
        })
    }

    fn header(&mut self, field: &[u8]) -> Result<State, &'static str> {
        let [b'P', b'G', b'D', b'M', b'P', major, minor, _, int_size, offset_size, format] = *field
        else {
            return Err("it does not begin with PGDMP");
        };
        if major != 1 || minor < *VERSIONS.start() {
            return Err("its archive version is not known");
        }
        if minor > *VERSIONS.end() {
            self.newer = Some(minor);
            return Ok(State::Header);
        }
        if format == DIRECTORY {
            self.files = Some(Vec::new());
        }
        if ![CUSTOM, DIRECTORY].contains(&format)
            || !(4..=8).contains(&int_size)
            || !(4..=8).contains(&offset_size)
        {
            return Err("its header makes no sense");
        }
        self.minor = minor;
        (self.int_size, self.offset_size) = (int_size.into(), offset_size.into());
        Ok(State::Compression)
    }

    /// A text of which only the length has come; whether there is one.
    fn pass_over(&mut self, length: &[u8]) -> Result<bool, &'static str> {
        match u64::try_from(number(length)?) {
            Ok(length) => {
                self.skip = length;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    /// A version, kept unless it is absurdly long.
    fn text(&mut self, length: &[u8], of_server: bool) -> Result<State, &'static str> {
        let next = if of_server { State::ToolVersion } else { State::EntryCount };
        if let Ok(length @ 1..=LONGEST_TEXT) = usize::try_from(number(length)?) {
            return Ok(State::Text { length, of_server });
        }
        self.pass_over(length)?;
        Ok(next)
    }

    fn next_entry(&self) -> State {
        match (self.entries, &self.files) {
            (0, None) => State::BlockType,
            (0, Some(_)) => State::End,
            _ => State::Entry(0),
        }
    }

    fn entry_ends(&mut self) -> State {
        self.entries -= 1;
        self.next_entry()
    }

    /// Of the table of contents of a directory archive, the files in which its data is; `None` when it is too new to be
    /// followed.
    pub(super) fn into_files(mut self) -> Result<(Passed, Option<Files>), Incomplete> {
        let (files, at_end) = (self.files.take(), self.state == State::End);
        let is_utf8 = self.within.as_ref().is_some_and(Blocks::is_utf8);
        let passed = self.judge(at_end)?;
        match files {
            _ if passed.degraded.is_some() => Ok((passed, None)),
            Some(named) => Ok((passed, Some(Files { named, is_utf8 }))),
            None => Err(Incomplete("toc.dat is not that of a directory".into())),
        }
    }

    fn entry_from(&self, n: usize) -> State {
        let known = |n: &usize| ENTRY[*n].1 <= self.minor;
        (n..ENTRY.len()).find(known).map_or(State::Dependency, State::Entry)
    }

    fn block_ends(&mut self) -> State {
        self.blocks += 1;
        State::BlockType
    }
}

#[cfg(test)]
mod tests;
