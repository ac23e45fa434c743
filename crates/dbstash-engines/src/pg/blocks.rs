//! The data blocks of a custom archive: whose they are, and whether what pg_dump compressed unpacks.

use std::collections::BTreeSet;

use dbstash_core::engine::Incomplete;

use super::custom::NO_DATA;
use crate::unpack::{Packing, Unpack};

/// Which fields of an entry these are.
const ID: usize = 0;
const HAS_DATA: usize = 1;
const SECTION: usize = 6;

/// Follows the data.
#[derive(Default)]
pub(super) struct Blocks {
    packing: Option<Packing>,
    /// Compressed in a way that is not known here.
    foreign: bool,
    /// The entry at hand.
    id: i64,
    /// Entries whose data is to come.
    awaited: BTreeSet<i64>,
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
            ID => self.id = value,
            HAS_DATA if !(0..=1).contains(&value) => return Err("an entry makes no sense"),
            SECTION if !(1..=4).contains(&value) => return Err("an entry is of no section"),
            _ => {}
        }
        Ok(())
    }

    /// Where the data of the entry at hand is, if it has any.
    pub(super) fn offset(&mut self, field: &[u8]) -> Result<(), &'static str> {
        match field.first() {
            Some(&NO_DATA) => {}
            Some(1 | 2) if self.awaited.insert(self.id) => {}
            _ => return Err("an entry makes no sense"),
        }
        Ok(())
    }

    /// The data of this entry follow.
    pub(super) fn begin(&mut self, id: i64) -> Result<(), &'static str> {
        if self.awaited.remove(&id) { Ok(()) } else { Err("it has data of no entry") }
    }

    pub(super) fn data(&mut self, bytes: &[u8]) {
        if self.open.is_none() {
            self.open = self.packing.and_then(Unpack::new).map(Box::new);
        }
        if let Some(unpack) = self.open.as_mut().filter(|_| self.broken.is_none()) {
            self.broken = unpack.feed(bytes, &mut |_| {}).err();
        }
    }

    /// The end of the data of an entry or a large object.
    pub(super) fn end(&mut self) {
        if let Some(unpack) = self.open.take().filter(|_| self.broken.is_none()) {
            self.broken = unpack.finish(&mut |_| {}).err();
        }
    }

    /// Why not all could be looked at.
    pub(super) fn finish(self) -> Result<Option<String>, Incomplete> {
        match self.broken {
            Some(what) => Err(Incomplete(format!("its data cannot be unpacked: {what}"))),
            None if self.foreign => {
                Ok(Some("its data are compressed by lz4, which is not looked into".to_owned()))
            }
            None => Ok(None),
        }
    }
}
