//! The data blocks of a custom archive: whose they are, and whether what pg_dump compressed unpacks.

use std::collections::BTreeMap;

use dbstash_core::engine::Incomplete;

use super::copied::{Copied, Told, columns};
use super::custom::NO_DATA;
use crate::tally;
use crate::unpack::{Packing, Unpack};
use crate::utf8::Utf8;

/// Which fields of an entry these are.
const ID: usize = 0;
const HAS_DATA: usize = 1;
const SECTION: usize = 6;
const DEFINITION: usize = 7;
const COPY: usize = 9;
/// What the definition of the first entry is, where all text is UTF-8.
const UTF8: &[u8] = b"SET client_encoding = 'UTF8'";
/// No `COPY` is longer.
const LONGEST: usize = 256 * 1024;

/// Follows the data.
#[derive(Default)]
pub(super) struct Blocks {
    packing: Option<Packing>,
    /// Compressed in a way that is not known here.
    foreign: bool,
    /// The entry at hand.
    id: i64,
    /// Which of its texts is at hand, and what has come of it.
    field: usize,
    kept: Vec<u8>,
    names: Utf8,
    is_utf8: bool,
    /// Entries whose data is to come, and how many columns it has.
    awaited: BTreeMap<i64, Option<u64>>,
    /// Of the data at hand.
    columns: Option<u64>,
    copied: Copied,
    open: Option<Box<Unpack>>,
    broken: Option<String>,
}

impl Blocks {
    /// A byte for the method since version 1.15, before that a number for the level.
    pub(super) fn compression(&mut self, field: &[u8]) -> Result<(), &'static str> {
        match field {
            [0] => {}
            [1] => self.packing = Some(Packing::Zlib),
            [3] => self.packing = Some(Packing::Zstd),
            [2] => self.foreign = true,
            [_] => return Err("its compression is not known"),
            [_, level @ ..] if level.iter().all(|byte| *byte == 0) => {}
            _ => self.packing = Some(Packing::Zlib),
        }
        Ok(())
    }

    /// A number of an entry of the table of contents.
    pub(super) fn number(&mut self, field: usize, value: i64) -> Result<(), &'static str> {
        match field {
            ID if value < 1 => return Err("an entry has no number"),
            ID => {
                self.id = value;
                self.kept.clear();
            }
            HAS_DATA if !(0..=1).contains(&value) => return Err("an entry makes no sense"),
            SECTION if !(1..=4).contains(&value) => return Err("an entry is of no section"),
            _ => {}
        }
        Ok(())
    }

    /// A text of an entry follows.
    pub(super) fn begin_text(&mut self, field: usize) {
        self.field = field;
        if matches!(field, DEFINITION | COPY) {
            self.kept.clear();
        }
    }

    /// Bytes of a text.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        if self.field > 0 {
            self.names.feed(bytes);
        }
        let most = match self.field {
            DEFINITION if !self.is_utf8 => UTF8.len(),
            COPY => LONGEST,
            _ => 0,
        };
        let room = most.saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_utf8 |= self.field == DEFINITION && self.kept == UTF8;
    }

    /// How many columns the entry at hand copies.
    pub(super) fn columns(&mut self) -> Option<u64> {
        columns(&self.kept).filter(|_| self.kept.len() < LONGEST)
    }

    /// The table that the entry at hand copies.
    pub(super) fn table(&self) -> Option<String> {
        let rest = self.kept.strip_prefix(b"COPY ")?;
        Some(tally::shown(&tally::table(rest)?))
    }

    /// Whether all text is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        self.is_utf8
    }

    /// Where the data of the entry at hand is, if it has any.
    pub(super) fn offset(&mut self, field: &[u8]) -> Result<(), &'static str> {
        match field.first() {
            Some(&NO_DATA) => {}
            Some(1 | 2) if !self.awaited.contains_key(&self.id) => {
                let columns = self.columns();
                self.awaited.insert(self.id, columns);
            }
            _ => return Err("an entry makes no sense"),
        }
        Ok(())
    }

    /// The data of this entry follow.
    pub(super) fn begin(&mut self, id: i64) -> Result<(), &'static str> {
        self.columns = self.awaited.remove(&id).ok_or("it has data of no entry")?;
        self.copied = Copied::default();
        Ok(())
    }

    pub(super) fn data(&mut self, bytes: &[u8]) {
        if self.open.is_none() {
            self.open = self.packing.and_then(Unpack::new).map(Box::new);
        }
        if self.broken.is_some() || self.foreign {
            return;
        }
        let (copied, has_rows) = (&mut self.copied, self.columns.is_some());
        let mut raw = |bytes: &[u8]| {
            if has_rows {
                copied.feed(bytes);
            }
        };
        match &mut self.open {
            Some(unpack) => {
                self.broken = unpack.feed(bytes, &mut raw).err().map(|what| unpackable(&what));
            }
            None => raw(bytes),
        }
    }

    /// The end of the data of an entry or a large object.
    pub(super) fn end(&mut self) {
        let (copied, has_rows) = (&mut self.copied, self.columns.is_some());
        if let Some(unpack) = self.open.take().filter(|_| self.broken.is_none()) {
            let mut raw = |bytes: &[u8]| {
                if has_rows {
                    copied.feed(bytes);
                }
            };
            self.broken = unpack.finish(&mut raw).err().map(|what| unpackable(&what));
        }
        if has_rows && !self.foreign && self.broken.is_none() {
            let told = Told { columns: self.columns, is_utf8: self.is_utf8 };
            self.broken = self.copied.judge(told).err();
        }
    }

    /// Why not all could be looked at.
    pub(super) fn finish(self) -> Result<Option<String>, Incomplete> {
        match self.broken {
            Some(what) => Err(Incomplete(what)),
            None if self.is_utf8 && (!self.names.is_good() || self.names.is_within()) => {
                Err(Incomplete("its table of contents is no UTF-8".to_owned()))
            }
            None if self.foreign => {
                Ok(Some("its data are compressed by lz4, which is not looked into".to_owned()))
            }
            None => Ok(None),
        }
    }
}

fn unpackable(what: &str) -> String {
    format!("its data cannot be unpacked: {what}")
}

/// A sign, and the magnitude with its least byte first.
pub(super) fn number(field: &[u8]) -> Result<i64, &'static str> {
    let [sign, magnitude @ ..] = field else {
        return Err("a number is missing");
    };
    let value = magnitude.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let value = i64::try_from(value).map_err(|_| "a number is too big")?;
    Ok(if *sign == 0 { value } else { -value })
}
