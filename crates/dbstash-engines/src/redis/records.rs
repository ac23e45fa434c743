//! A dump, record by record, each as a server can be told it.

use super::text::{plain, text};
use super::walk::{State, Walk};

/// What a dump consists of, as far as it matters to whoever tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record {
    /// The version of the format; the footer of each value has to name it.
    Version(u16),
    /// What follows is in this database.
    Database(u64),
    /// A library of functions.
    Functions(Vec<u8>),
    /// What a module keeps beside the keys: its name.
    Module(String),
    /// A key.
    Key(Key),
    /// There are no more.
    End,
}

/// A key and what it holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: Vec<u8>,
    /// Its type and its value, serialized; cut where it is longer than what was to be kept.
    pub(super) value: Vec<u8>,
    /// How many bytes it really has.
    pub(super) len: u64,
    /// When it ends, in milliseconds.
    pub(super) expires: Option<i64>,
    /// How long nobody has looked at it, in seconds.
    pub(super) idle: Option<u64>,
    /// How often, on a scale of the server's.
    pub(super) often: Option<u8>,
    /// Whether only a module can read it.
    pub(super) of_module: bool,
}

/// Cuts a dump into records.
pub(super) struct Records {
    walk: Walk,
    /// The record that has begun.
    body: Vec<u8>,
    len: u64,
    /// So much of it is kept.
    most: u64,
    /// What was said of the key that comes next.
    next: Key,
}

const FUNCTIONS: u8 = 0xf5;
const MODULE: u8 = 0xf7;
const IDLE: u8 = 0xf8;
const OFTEN: u8 = 0xf9;
const MILLISECONDS: u8 = 0xfc;
const SECONDS: u8 = 0xfd;
const DATABASE: u8 = 0xfe;
const LAST: u8 = 0xff;
/// Opcodes begin here; below are types.
const OPCODES: u8 = 0xf0;
/// The type of a module's value.
const MODULE_VALUE: u8 = 7;
/// A key's own bytes and lengths may come on top of what is kept of its value.
const NAME: u64 = 64 * 1024;

impl Records {
    /// Keeps so many bytes of a value.
    pub(super) fn new(most: u64) -> Self {
        let walk = Walk::default();
        Self {
            walk,
            body: Vec::new(),
            len: 0,
            most: most.saturating_add(NAME),
            next: Key::default(),
        }
    }

    /// Takes the next bytes, up to the end of a record at most: how many, and the record that is whole with them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Record>), String> {
        let before = self.walk.state;
        if let State::Record = before {
            self.body.clear();
            self.len = 0;
        }
        let n = self.walk.step(bytes);
        let room = self.most.saturating_sub(self.body.len() as u64);
        let kept = usize::try_from(room).map_or(n, |room| n.min(room));
        self.body.extend_from_slice(&bytes[..kept]);
        self.len += n as u64;
        let record = match (before, self.walk.state) {
            (_, State::Broken(what)) => {
                return Err(format!("the records of the dump cannot be followed: {what}"));
            }
            (_, State::Foreign(kind)) => {
                return Err(format!(
                    "a record of the dump is of type {kind}, which is not known to this version: --to-file makes a file \
                     for a server that knows it"
                ));
            }
            (State::Magic, State::Record) => Some(self.version()?),
            (State::Record, State::Over) => Some(Record::End),
            (State::Items, State::Record) => self.record()?,
            _ => None,
        };
        Ok((n, record))
    }

    /// Whether the last record has come.
    pub(super) fn are_over(&self) -> bool {
        matches!(self.walk.state, State::Over)
    }

    fn version(&self) -> Result<Record, String> {
        let digits: String =
            self.body.iter().filter(|b| b.is_ascii_digit()).map(|b| char::from(*b)).collect();
        digits.parse().map(Record::Version).map_err(|_| "the dump has no version".to_owned())
    }

    fn record(&mut self) -> Result<Option<Record>, String> {
        let odd = || "a record of the dump cannot be read".to_owned();
        let Some((&kind, rest)) = self.body.split_first() else { return Ok(None) };
        match kind {
            DATABASE => return Ok(Some(Record::Database(plain(rest).ok_or_else(odd)?.0))),
            MILLISECONDS => {
                let at = i64::from_le_bytes(rest.try_into().map_err(|_| odd())?);
                self.next.expires = Some(at);
            }
            SECONDS => {
                let at = i32::from_le_bytes(rest.try_into().map_err(|_| odd())?);
                self.next.expires = Some(i64::from(at) * 1000);
            }
            IDLE => self.next.idle = Some(plain(rest).ok_or_else(odd)?.0),
            OFTEN => self.next.often = rest.first().copied(),
            FUNCTIONS => {
                if self.len > self.body.len() as u64 {
                    return Err(
                        "a library of functions is too long to be told to a server".to_owned()
                    );
                }
                return Ok(Some(Record::Functions(std::mem::take(&mut self.body))));
            }
            MODULE => {
                let (id, _) = plain(rest).ok_or_else(odd)?;
                return Ok(Some(Record::Module(module(id))));
            }
            OPCODES..=LAST => {}
            kind => {
                let (name, n) = text(rest).ok_or_else(odd)?;
                let mut value = std::mem::take(&mut self.body);
                value.drain(1..=n);
                let key = std::mem::take(&mut self.next);
                let (len, of_module) = (self.len - n as u64, kind == MODULE_VALUE);
                return Ok(Some(Record::Key(Key { name, value, len, of_module, ..key })));
            }
        }
        Ok(None)
    }
}

/// The name in a module's number: nine characters of six bits, and a version.
fn module(id: u64) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9u32).map(|n| char::from(LETTERS[(id >> (58 - 6 * n) & 63) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(mut dump: &[u8], most: u64) -> Vec<Record> {
        let (mut records, mut all) = (Records::new(most), Vec::new());
        while !dump.is_empty() {
            let (n, record) = records.take(&dump[..dump.len().min(3)]).unwrap();
            dump = &dump[n..];
            all.extend(record);
        }
        assert!(records.are_over());
        all
    }

    #[test]
    fn each_record_is_told_as_it_is() {
        let dump = b"REDIS0010\xfa\x01a\x01b\xf5\x02hi\xfe\x05\xfb\x02\x01\
            \xfc\x01\0\0\0\0\0\0\0\xf8\x07\x00\x01k\x02vw\xfd\x01\0\0\0\xf9\x03\x01\xc0\x2a\x02\x01x\x00\
            \x00\x01n\xc0\x01\xff12345678";
        let key = |name: &[u8], value: &[u8]| Key {
            name: name.to_vec(),
            len: value.len() as u64,
            value: value.to_vec(),
            ..Key::default()
        };
        let wanted = [
            Record::Version(10),
            Record::Functions(b"\xf5\x02hi".to_vec()),
            Record::Database(5),
            Record::Key(Key { expires: Some(1), idle: Some(7), ..key(b"k", b"\x00\x02vw") }),
            Record::Key(Key {
                expires: Some(1000),
                often: Some(3),
                ..key(b"42", b"\x01\x02\x01x\x00")
            }),
            Record::Key(key(b"n", b"\x00\xc0\x01")),
            Record::End,
        ];
        assert_eq!(records(dump, 100), wanted);
    }

    #[test]
    fn a_long_value_is_cut_and_its_length_known() {
        let mut dump = b"VALKEY080\x00\x01k\x80".to_vec();
        dump.extend(1_000_000u32.to_be_bytes());
        dump.extend(vec![b'x'; 1_000_000]);
        dump.extend(b"\xff12345678");
        let all = records(&dump, 10);
        let [Record::Version(80), Record::Key(key), Record::End] = &all[..] else {
            panic!("{}", all.len())
        };
        assert_eq!((key.len, &key.name[..]), (1_000_006, &b"k"[..]));
        assert!(key.value.len() < 70_000);
    }

    #[test]
    fn what_cannot_be_told() {
        for (dump, told) in [
            (&b"REDIS0010\x63"[..], "type 99"),
            (b"REDIS0010\x01\x01k\xff", "cannot be followed"),
            (b"REDISabcd", "cannot be followed"),
        ] {
            let (mut records, mut rest) = (Records::new(10), dump);
            let said = loop {
                match records.take(rest) {
                    Ok((n, _)) => rest = &rest[n..],
                    Err(said) => break said,
                }
            };
            assert!(said.contains(told), "{said}");
        }
        // As `ReJSON-RL` has it, and a version behind it.
        let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits = |c: u8| letters.iter().position(|l| *l == c).unwrap() as u64;
        let id = b"ReJSON-RL".iter().fold(0u64, |id, c| id << 6 | bits(*c)) << 10 | 3;
        assert_eq!(module(id), "ReJSON-RL");
    }
}
