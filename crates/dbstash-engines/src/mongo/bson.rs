//! As much of BSON as it takes to walk over documents and to read their outermost fields.

use super::elements::Elements;

/// An empty document.
const SMALLEST: u32 = 5;
/// mongorestore takes no larger one out of an archive.
pub(super) const LARGEST: u32 = 16 * 1024 * 1024;
/// In a file an entry of the oplog may be, which holds a document and more.
const LARGEST_IN_FILE: u32 = LARGEST + 16 * 1024;

/// A value of a field, as far as anybody here wants to know it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Bool(bool),
    Int64(i64),
    Other,
}

/// The fields of a whole document in their order; `None` where it is no BSON.
pub(super) fn fields(document: &[u8]) -> Option<Vec<(&str, Value<'_>)>> {
    let length = u32::from_le_bytes(*document.first_chunk()?);
    let mut rest = document.get(4..)?;
    if usize::try_from(length).ok()? != document.len() {
        return None;
    }
    let mut fields = Vec::new();
    loop {
        let (kind, after) = rest.split_first()?;
        if *kind == 0 {
            return after.is_empty().then_some(fields);
        }
        let (name, after) = c_string(after)?;
        let size = size(*kind, after)?;
        let value = after.get(..size)?;
        rest = &after[size..];
        fields.push((std::str::from_utf8(name).ok()?, read(*kind, value)?));
    }
}

fn c_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// How many bytes the value at the beginning of `bytes` has.
fn size(kind: u8, bytes: &[u8]) -> Option<usize> {
    let length = || usize::try_from(u32::from_le_bytes(*bytes.first_chunk()?)).ok();
    Some(match kind {
        0x06 | 0x0A | 0x7F | 0xFF => 0,
        0x08 => 1,
        0x10 => 4,
        0x01 | 0x09 | 0x11 | 0x12 => 8,
        0x07 => 12,
        0x13 => 16,
        // The length is that of the text.
        0x02 | 0x0D | 0x0E => length()?.checked_add(4)?,
        0x05 => length()?.checked_add(5)?,
        0x0C => length()?.checked_add(16)?,
        // The length is that of all.
        0x03 | 0x04 | 0x0F => length()?,
        0x0B => {
            let (pattern, after) = c_string(bytes)?;
            pattern.len() + c_string(after)?.0.len() + 2
        }
        _ => return None,
    })
}

fn read(kind: u8, value: &[u8]) -> Option<Value<'_>> {
    Some(match kind {
        0x02 => {
            let text = value.get(4..)?.strip_suffix(&[0])?;
            Value::Text(std::str::from_utf8(text).ok()?)
        }
        0x08 => Value::Bool(value.first()? == &1),
        0x12 => Value::Int64(i64::from_le_bytes(*value.first_chunk()?)),
        _ => Value::Other,
    })
}

/// Walks over documents that follow each other, in chunks of any size.
#[derive(Debug, Default)]
pub(super) struct Walk {
    length: [u8; 4],
    have: usize,
    left: usize,
    last: u8,
    /// How many have begun.
    pub(super) documents: u64,
    /// Looks at every value, too.
    within: Option<Elements>,
}

impl Walk {
    /// One that looks at every value, too.
    pub(super) fn thorough() -> Self {
        Self { within: Some(Elements::default()), ..Self::default() }
    }

    /// The next bytes; what is wrong with them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        if let Some(within) = &mut self.within {
            within.feed(bytes)?;
        }
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.left == 0 {
                self.length[self.have] = byte;
                self.have += 1;
                bytes = rest;
                if self.have == 4 {
                    self.have = 0;
                    self.documents += 1;
                    self.left = document(u32::from_le_bytes(self.length), LARGEST_IN_FILE)? - 4;
                }
                continue;
            }
            let part = self.left.min(bytes.len());
            self.last = bytes[part - 1];
            self.left -= part;
            bytes = &bytes[part..];
            if self.left == 0 && self.last != 0 {
                return Err("a document does not end where it says".to_owned());
            }
        }
        Ok(())
    }

    /// Whether a document has just ended, or none begun.
    pub(super) fn is_between(&self) -> bool {
        let is_within = self.within.as_ref().is_some_and(|within| !within.is_between());
        self.left == 0 && self.have == 0 && !is_within
    }
}

/// A document's length, if mongorestore takes it.
pub(super) fn document(length: u32, most: u32) -> Result<usize, String> {
    match usize::try_from(length) {
        Ok(fits) if (SMALLEST..=most).contains(&length) => Ok(fits),
        _ => Err(format!("{length} is no document's length that mongorestore takes")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn outermost_fields() {
        let document =
            b"\x2c\0\0\0\x02a\0\x03\0\0\0hi\0\x08b\0\x01\x12c\0\xff\xff\xff\xff\xff\xff\xff\xff\
            \x0bd\0x\0i\0\x0ae\0\0";
        let mut document = document.to_vec();
        let length = u32::try_from(document.len()).unwrap();
        document[..4].copy_from_slice(&length.to_le_bytes());
        assert_eq!(
            fields(&document).unwrap(),
            [
                ("a", Value::Text("hi")),
                ("b", Value::Bool(true)),
                ("c", Value::Int64(-1)),
                ("d", Value::Other),
                ("e", Value::Other)
            ]
        );
        for cut in 0..document.len() {
            assert_eq!(fields(&document[..cut]), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = fields(&bytes);
            let mut framed = u32::try_from(bytes.len() + 4).unwrap().to_le_bytes().to_vec();
            framed.extend_from_slice(&bytes);
            let _ = fields(&framed);
            let _ = Walk::default().feed(&bytes);
        }
    }
}
