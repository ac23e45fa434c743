//! An RDB read from its first opcode to its last: what each record has to be follows from the one before.
//!
//! As of RDB versions 1 to 12 of Redis and of Valkey. Values are walked over by the lengths in them; what is packed
//! into strings (listpacks, ziplists) is not looked into. A record of a type that is not known here ends the walk, and
//! the checksum has to do.

use std::collections::BTreeMap;

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::marked::Search;
use super::rdb::Rdb;

/// The checksum and the walk together.
pub(super) struct Thorough {
    sum: Box<Rdb>,
    walk: Walk,
}

impl Default for Thorough {
    fn default() -> Self {
        Self { sum: Box::new(Rdb::new()), walk: Walk::default() }
    }
}

impl Check for Thorough {
    fn feed(&mut self, bytes: &[u8]) {
        self.sum.feed(bytes);
        self.walk.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let passed = self.sum.finish()?;
        let Walk { state, field, skip, todo, .. } = self.walk;
        match state {
            State::Broken(what) => {
                Err(Incomplete(format!("its records cannot be followed: {what}")))
            }
            State::Foreign(_) if passed.degraded.is_some() => Ok(passed),
            State::Foreign(kind) => Ok(Passed {
                degraded: Some(format!(
                    "a record of type {kind} is not known here: only the checksum vouches for it"
                )),
                ..passed
            }),
            State::Over if field.is_empty() && skip == 0 && todo.is_empty() => {
                Ok(Passed { check: format!("records, {}", passed.check), ..passed })
            }
            _ => Err(Incomplete("it ends within a record".into())),
        }
    }
}

/// What is to be read next, of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Text,
    /// A number as lengths are.
    Length,
    /// A compressed text: its length here, its own length, and the bytes.
    Packed,
    /// So many bytes of their own.
    Bytes(u64),
    /// A length, and as many of these.
    Many(&'static [Item]),
    /// As many of these as are left.
    Rest(&'static [Item], u64),
    /// A double as text, with three short forms.
    Double,
    /// A module's values, each after its kind, up to the end mark.
    Module,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum State {
    #[default]
    Magic,
    /// An opcode, or the type of a value.
    Record,
    /// The items of `todo`.
    Items,
    /// The checksum follows, which is not of the walk.
    Over,
    Foreign(u8),
    Broken(&'static str),
}

/// Follows a dump, record by record.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) state: State,
    /// What has come of the next field.
    field: Vec<u8>,
    /// Bytes to pass over.
    skip: u64,
    /// The last one is next.
    todo: Vec<Item>,
    is_valkey: bool,
    /// Bytes after the last record.
    after: usize,
    /// The record at hand tells the database of those that follow.
    selects: bool,
    pub(super) mark: Search,
    database: u64,
    /// How many keys each database has.
    pub(super) keys: BTreeMap<u64, u64>,
}

use Item::{Bytes, Double, Length, Many, Module, Text};

/// The opcode before the number of a database.
const SELECT: u8 = 0xfe;
/// No server has as many databases.
const MOST: u64 = 0xffff;

const PAIR: &[Item] = &[Text, Text];
const CONSUMER: &[Item] = &[Text, Bytes(8), Many(&[Bytes(16)])];
const NEW_CONSUMER: &[Item] = &[Text, Bytes(8), Bytes(8), Many(&[Bytes(16)])];
const PENDING: &[Item] = &[Bytes(16), Bytes(8), Length];
const GROUP: &[Item] = &[Text, Length, Length, Many(PENDING), Many(CONSUMER)];
const GROUP_2: &[Item] = &[Text, Length, Length, Length, Many(PENDING), Many(CONSUMER)];
const GROUP_3: &[Item] = &[Text, Length, Length, Length, Many(PENDING), Many(NEW_CONSUMER)];

/// What the value of a type consists of, in order.
fn value(kind: u8, is_valkey: bool) -> Option<&'static [Item]> {
    Some(match kind {
        // A hash whose fields expire.
        22 if is_valkey => &[Many(&[Text, Text, Bytes(8)])],
        24 => &[Bytes(8), Many(&[Length, Text, Text])],
        25 => &[Bytes(8), Text],
        0 | 9..=13 | 16 | 17 | 20 => &[Text],
        1 | 2 | 14 => &[Many(&[Text])],
        3 => &[Many(&[Text, Double])],
        4 => &[Many(PAIR)],
        5 => &[Many(&[Text, Bytes(8)])],
        7 => &[Length, Module],
        15 => &[Many(PAIR), Length, Length, Length, Many(GROUP)],
        18 => &[Many(&[Length, Text])],
        19 => &[
            Many(PAIR),
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Many(GROUP_2),
        ],
        21 => &[
            Many(PAIR),
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Length,
            Many(GROUP_3),
        ],
        _ => return None,
    })
}

/// What follows an opcode.
fn opcode(code: u8) -> Option<&'static [Item]> {
    Some(match code {
        0xfa => PAIR,
        SELECT | 0xf8 => &[Length],
        0xfb => &[Length, Length],
        0xfc => &[Bytes(8)],
        0xfd => &[Bytes(4)],
        0xf9 => &[Bytes(1)],
        0xf7 => &[Length, Module],
        0xf5 => &[Text],
        0xf4 => &[Length, Length, Length],
        _ => return None,
    })
}

impl Walk {
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n = self.step(bytes);
            bytes = &bytes[n..];
        }
    }

    /// Takes the next bytes, never any of more than one record; how many, at least one.
    pub(super) fn step(&mut self, bytes: &[u8]) -> usize {
        let mut taken = usize::try_from(self.skip).unwrap_or(usize::MAX).min(bytes.len());
        self.skip -= taken as u64;
        self.mark.bytes(&bytes[..taken]);
        if let (0, Some(&byte)) = (taken, bytes.first()) {
            taken = 1;
            match self.state {
                State::Foreign(_) | State::Broken(_) => return bytes.len(),
                State::Over => {
                    self.after += 1;
                    if self.after > 8 {
                        self.state = State::Broken("it goes on after its end");
                    }
                }
                State::Magic => self.magic(byte),
                State::Record => self.record(byte),
                State::Items => self.item(byte),
            }
        }
        // Items that need no byte of their own.
        while self.skip == 0 && self.open() {}
        taken
    }

    fn magic(&mut self, byte: u8) {
        self.field.push(byte);
        if self.field.len() < 9 {
            return;
        }
        let digits = self.field.iter().skip_while(|byte| byte.is_ascii_uppercase());
        let digits: String = digits.map(|byte| char::from(*byte)).collect();
        self.is_valkey = self.field.starts_with(b"V");
        self.field.clear();
        self.state = match digits.parse::<u32>() {
            Ok(_) => State::Record,
            Err(_) => State::Broken("it has no version"),
        };
    }

    fn record(&mut self, byte: u8) {
        let items = match byte {
            0xff => {
                self.state = State::Over;
                return;
            }
            _ => opcode(byte)
                .map(|items| (false, items))
                .or_else(|| value(byte, self.is_valkey).map(|items| (true, items))),
        };
        let Some((has_key, items)) = items else {
            self.state = State::Foreign(byte);
            return;
        };
        self.todo.extend(items.iter().rev());
        self.selects = byte == SELECT;
        if has_key {
            self.todo.push(Text);
            self.mark.key();
            *self.keys.entry(self.database).or_default() += 1;
        }
        self.state = State::Items;
    }

    /// Deals with the next item, if it needs no byte; whether it did.
    fn open(&mut self) -> bool {
        if !matches!(self.state, State::Items) || !self.field.is_empty() {
            return false;
        }
        match self.todo.last().copied() {
            None => {
                self.state = State::Record;
                false
            }
            Some(Bytes(n)) => {
                self.todo.pop();
                self.skip = n;
                true
            }
            Some(Item::Rest(items, left)) => {
                self.todo.pop();
                if left > 0 {
                    self.todo.push(Item::Rest(items, left - 1));
                    self.todo.extend(items.iter().rev());
                }
                true
            }
            Some(_) => false,
        }
    }

    /// A byte of an item.
    fn item(&mut self, byte: u8) {
        self.field.push(byte);
        let Some(item) = self.todo.last().copied() else { return };
        if item == Double {
            self.field.clear();
            self.todo.pop();
            // 253 to 255 stand for what is no number.
            self.skip = if byte >= 253 { 0 } else { u64::from(byte) };
            return;
        }
        let Some(number) = length(&self.field) else { return };
        self.field.clear();
        self.todo.pop();
        let done = match (item, number) {
            (Text, Number::Is(n)) => {
                self.skip = n;
                self.mark.text(Some(n));
                Ok(())
            }
            (Text, Number::Coded(kind @ 0..=2)) => {
                self.mark.text(None);
                self.skip = 1 << kind;
                Ok(())
            }
            (Text, Number::Coded(3)) => {
                self.mark.text(None);
                self.todo.push(Item::Packed);
                Ok(())
            }
            (Item::Packed, Number::Is(n)) => {
                self.todo.extend([Bytes(n), Length]);
                Ok(())
            }
            (Length, Number::Is(n)) => {
                if std::mem::take(&mut self.selects) {
                    self.select(n);
                }
                Ok(())
            }
            (Many(items), Number::Is(n)) => {
                self.todo.push(Item::Rest(items, n));
                Ok(())
            }
            (Module, Number::Is(kind)) => self.module(kind),
            _ => Err("a length makes no sense"),
        };
        if let Err(what) = done {
            self.state = State::Broken(what);
        }
    }

    /// Databases beyond any that a server has are counted as the last of them.
    fn select(&mut self, database: u64) {
        self.database = database.min(MOST);
        self.keys.entry(self.database).or_default();
    }

    /// A value of a module, by its kind.
    fn module(&mut self, kind: u64) -> Result<(), &'static str> {
        let item = match kind {
            0 => return Ok(()),
            1 | 2 => Length,
            3 => Bytes(4),
            4 => Bytes(8),
            5 => Text,
            _ => return Err("a module's value is of no kind"),
        };
        self.todo.push(Module);
        self.todo.push(item);
        Ok(())
    }
}

pub(super) enum Number {
    Is(u64),
    /// A string of a form of its own.
    Coded(u8),
    Odd,
}

/// A length, when all of it is there.
pub(super) fn length(field: &[u8]) -> Option<Number> {
    let (&first, rest) = field.split_first()?;
    Some(match (first >> 6, first) {
        (0, first) => Number::Is(first.into()),
        (1, first) => Number::Is(u64::from(first & 0x3f) << 8 | u64::from(*rest.first()?)),
        (2, 0x80) => Number::Is(u32::from_be_bytes(*rest.first_chunk()?).into()),
        (2, 0x81) => Number::Is(u64::from_be_bytes(*rest.first_chunk()?)),
        (3, first) => Number::Coded(first & 0x3f),
        _ => Number::Odd,
    })
}
