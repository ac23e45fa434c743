//! The elements of BSON documents, as they pass: each has a type, a name and a value that ends within its document.

/// A document in a document in a document: no server takes as many. What is deeper is passed over.
const DEEPEST: usize = 256;

/// Walks over documents that follow each other, in chunks of any size.
#[derive(Debug, Default)]
pub(super) struct Elements {
    /// How many bytes have come.
    at: u64,
    state: State,
    /// The length at hand, and how many bytes of it have come.
    length: u32,
    have: u8,
    open: Vec<Frame>,
    /// What is left of the value at hand; the last one is next.
    todo: Vec<Item>,
}

/// A document, or code with one.
#[derive(Debug, Clone, Copy)]
struct Frame {
    end: u64,
    is_code: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What the last item of `todo` is, or a document.
    #[default]
    Item,
    Kind,
    Name(u8),
    Pass(u64),
    /// The end of a text.
    Nul,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Bytes(u64),
    Bool,
    Text,
    Name,
    Binary,
    Document,
    Code,
}

/// What a value of this type consists of, the last one first.
fn value(kind: u8) -> Option<&'static [Item]> {
    use Item::{Binary, Bool, Bytes, Code, Document, Name, Text};
    Some(match kind {
        0x06 | 0x0A | 0x7F | 0xFF => &[],
        0x08 => &[Bool],
        0x10 => &[Bytes(4)],
        0x01 | 0x09 | 0x11 | 0x12 => &[Bytes(8)],
        0x07 => &[Bytes(12)],
        0x13 => &[Bytes(16)],
        0x02 | 0x0D | 0x0E => &[Text],
        0x0C => &[Bytes(12), Text],
        0x05 => &[Binary],
        0x03 | 0x04 => &[Document],
        0x0B => &[Name, Name],
        0x0F => &[Document, Text, Code],
        _ => return None,
    })
}

impl Elements {
    /// The next bytes; what is wrong with them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while let Some(&byte) = bytes.first() {
            if let State::Pass(left) = self.state {
                let n = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                bytes = &bytes[n..];
                self.at += n as u64;
                self.state = match left - n as u64 {
                    0 => self.after(),
                    left => State::Pass(left),
                };
                continue;
            }
            bytes = &bytes[1..];
            self.at += 1;
            self.state = self.step(byte)?;
        }
        Ok(())
    }

    /// Whether a document has just ended, or none begun.
    pub(super) fn is_between(&self) -> bool {
        self.open.is_empty() && self.have == 0 && self.state == State::Item
    }

    fn step(&mut self, byte: u8) -> Result<State, &'static str> {
        if self.open.last().is_some_and(|frame| self.at > frame.end) {
            return Err("a document does not end where it says");
        }
        match self.state {
            State::Kind if byte == 0 => self.ends(),
            State::Kind => match value(byte) {
                Some(_) => Ok(State::Name(byte)),
                None => Err("a value is of no type"),
            },
            State::Name(kind) if byte == 0 => {
                self.todo.extend_from_slice(value(kind).unwrap_or_default());
                self.begin()
            }
            State::Name(_) => Ok(self.state),
            State::Nul if byte == 0 => Ok(self.after()),
            State::Nul => Err("a text does not end where it says"),
            State::Pass(_) => Ok(self.state),
            State::Item => match self.todo.last() {
                Some(Item::Bool) if byte > 1 => Err("a truth is neither true nor false"),
                Some(Item::Bool) => {
                    self.todo.pop();
                    Ok(self.after())
                }
                Some(Item::Name) => {
                    if byte == 0 {
                        self.todo.pop();
                        return Ok(self.after());
                    }
                    Ok(State::Item)
                }
                _ => self.length(byte),
            },
        }
    }

    /// A byte of a length.
    fn length(&mut self, byte: u8) -> Result<State, &'static str> {
        self.length = self.length >> 8 | u32::from(byte) << 24;
        self.have += 1;
        if self.have < 4 {
            return Ok(State::Item);
        }
        self.have = 0;
        let length = u64::from(self.length);
        let start = self.at - 4;
        match self.todo.pop() {
            Some(Item::Text) => {
                if length == 0 {
                    return Err("a text has no end");
                }
                self.pass(length - 1, State::Nul)
            }
            // The kind of it is one byte more.
            Some(Item::Binary) => self.pass(length + 1, State::Kind),
            Some(Item::Code) => self.enter(Frame { end: start + length, is_code: true }, 14),
            _ => self.enter(Frame { end: start + length, is_code: false }, 5),
        }
    }

    fn enter(&mut self, frame: Frame, least: u64) -> Result<State, &'static str> {
        let start = self.at - 4;
        let fits =
            self.open.last().is_none_or(|outer| frame.end < outer.end + u64::from(outer.is_code));
        if frame.end < start + least || !fits {
            return Err("a document has no length that fits");
        }
        if self.open.len() == DEEPEST {
            return self.pass(frame.end - self.at, State::Kind);
        }
        self.open.push(frame);
        Ok(if frame.is_code { State::Item } else { State::Kind })
    }

    /// So many bytes that mean nothing.
    fn pass(&mut self, bytes: u64, then: State) -> Result<State, &'static str> {
        if self.open.last().is_some_and(|frame| self.at + bytes >= frame.end) {
            return Err("a value does not end within its document");
        }
        if then == State::Nul {
            // The byte after them.
            self.todo.push(Item::Bytes(0));
        }
        Ok(match bytes {
            0 => self.after(),
            bytes => State::Pass(bytes),
        })
    }

    /// What follows when something has come to its end.
    fn after(&mut self) -> State {
        match self.todo.last() {
            None if self.open.is_empty() => State::Item,
            None => State::Kind,
            Some(Item::Bytes(0)) => {
                self.todo.pop();
                State::Nul
            }
            Some(Item::Bytes(n)) => {
                let n = *n;
                self.todo.pop();
                State::Pass(n)
            }
            Some(_) => State::Item,
        }
    }

    /// The first item of a value.
    fn begin(&mut self) -> Result<State, &'static str> {
        if let Some(&Item::Bytes(n)) = self.todo.last() {
            self.todo.pop();
            return self.pass(n, State::Kind);
        }
        Ok(self.after())
    }

    fn ends(&mut self) -> Result<State, &'static str> {
        while let Some(frame) = self.open.pop() {
            if frame.end != self.at {
                return Err("a document does not end where it says");
            }
            // Code ends with its document.
            if !self.open.last().is_some_and(|outer| outer.is_code) {
                break;
            }
        }
        Ok(self.after())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judged(bytes: &[u8], size: usize) -> Result<bool, &'static str> {
        let mut elements = Elements::default();
        for part in bytes.chunks(size) {
            elements.feed(part)?;
        }
        Ok(elements.is_between())
    }

    /// One of each type that has lengths in it.
    fn sample() -> Vec<u8> {
        let fields: [&[u8]; 9] = [
            b"\x02a\0\x03\0\0\0hi\0\x08b\0\x01\x12c\0\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x0bd\0x\0i\0",
            b"\x0ae\0",
            b"\x03f\0\x05\0\0\0\0",
            b"\x05g\0\x02\0\0\0\x80\xff\0",
            // Code `x`, and a document with a null.
            b"\x0fh\0\x13\0\0\0\x02\0\0\0x\0\x09\0\0\0\x0azz\0\0",
            b"\x0ci\0\x02\0\0\0y\0_twelve_byte",
            b"\x02j\0\x01\0\0\0\0",
            b"\x07k\0_twelve_byte",
        ];
        let inner = fields.concat();
        let length = u32::try_from(inner.len() + 5).unwrap();
        [&length.to_le_bytes()[..], &inner, &[0]].concat()
    }

    #[test]
    fn every_length_counts() {
        let good = [sample(), vec![5, 0, 0, 0, 0], sample()].concat();
        for size in [1, 3, 1000] {
            assert_eq!(judged(&good, size), Ok(true));
        }
        for end in 1..sample().len() {
            assert_ne!(judged(&good[..end], 7), Ok(true), "{end}");
        }
        let found = (0..good.len()).filter(|at| {
            let mut bad = good.clone();
            bad[*at] ^= 0xff;
            judged(&bad, 1000) != Ok(true)
        });
        let found = found.count();
        assert!(found * 10 > good.len() * 4, "{found} of {}", good.len());
        // Deeper than is followed.
        let mut deep = vec![5, 0, 0, 0, 0];
        for _ in 0..1000 {
            let inner = [&b"\x03a\0"[..], &deep, &[0]].concat();
            deep = [&u32::try_from(inner.len() + 4).unwrap().to_le_bytes()[..], &inner].concat();
        }
        assert_eq!(judged(&deep, 10), Ok(true));
    }

    proptest! {
        #[test]
        fn any_split_of_anything_gives_the_same_verdict(
            bytes in prop::collection::vec(any::<u8>(), 0..60), at in 0_usize..200, size in 1_usize..9,
        ) {
            let mut damaged = sample();
            let at = at % damaged.len();
            damaged.splice(at.., bytes);
            prop_assert_eq!(judged(&damaged, size), judged(&damaged, 10_000));
        }
    }
}
