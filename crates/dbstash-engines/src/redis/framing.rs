//! Where in what a master sends its dump ends.

use memchr::memmem::Finder;

/// How many bytes a mark has.
pub(super) const MARK: usize = 40;
/// From the last opcode of a dump to its end: the opcode and a checksum.
const TRAILER: usize = 9;
/// The last opcode of a dump.
const LAST: u8 = 0xff;

/// How the end of a dump is told.
pub(super) enum Framing {
    /// By its length, said before: the master made a file first.
    Counted { total: u64, left: u64 },
    /// By bytes that follow it: the master makes it while it sends.
    Marked(Box<Marked>),
}

/// A dump that a mark follows.
pub(super) struct Marked {
    mark: Finder<'static>,
    /// How many bytes of the dump were told so far.
    taken: u64,
    /// Whether the mark comes next.
    found: bool,
}

/// What the next bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// So many are the dump's.
    Dump(usize),
    /// Nobody can know.
    More,
    /// The dump is over; so many more belong to its framing.
    Over(usize),
}

impl Framing {
    pub(super) fn counted(total: u64) -> Self {
        Self::Counted { total, left: total }
    }

    pub(super) fn marked(mark: [u8; MARK]) -> Self {
        let mark = Finder::new(&mark).into_owned();
        Self::Marked(Box::new(Marked { mark, taken: 0, found: false }))
    }

    /// What the next bytes are; those called dump are not shown again.
    pub(super) fn cut(&mut self, input: &[u8]) -> Cut {
        match self {
            Self::Counted { left: 0, .. } => Cut::Over(0),
            Self::Counted { .. } if input.is_empty() => Cut::More,
            Self::Counted { left, .. } => {
                let n = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                *left -= n as u64;
                Cut::Dump(n)
            }
            Self::Marked(marked) => marked.cut(input),
        }
    }

    /// Whether the dump is over, so far as is known without more input.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Counted { left: 0, .. })
    }

    /// What was missing when only `rest` was still there: a part of a sentence.
    pub(super) fn missing(&self, rest: usize) -> String {
        match self {
            Self::Counted { total, left } => {
                format!("after {} of {total} bytes of the dump", total - left)
            }
            Self::Marked(marked) => {
                format!("after {} bytes, before the dump's end mark", marked.taken + rest as u64)
            }
        }
    }
}

impl Marked {
    /// The mark is drawn after the data were frozen, and so stands nowhere but at the end, right behind a dump's
    /// trailer. To look for it everywhere and not in the last bytes of each read alone makes the dump the same
    /// whatever the packets are, and keeps apart what a master sends after it without waiting.
    fn cut(&mut self, input: &[u8]) -> Cut {
        if self.found {
            return if input.len() < MARK { Cut::More } else { Cut::Over(MARK) };
        }
        let mut from = 0;
        while let Some(at) = self.mark.find(&input[from..]) {
            let at = from + at;
            if self.is_end(input, at) {
                self.found = true;
                return if at == 0 { Cut::Over(MARK) } else { self.take(at) };
            }
            from = at + 1;
        }
        match input.len().saturating_sub(MARK + TRAILER - 1) {
            0 => Cut::More,
            n => self.take(n),
        }
    }

    /// Nothing that short is a dump, and its check will say so.
    fn is_end(&self, input: &[u8], at: usize) -> bool {
        match at.checked_sub(TRAILER) {
            Some(last) => input[last] == LAST,
            None => self.taken == 0,
        }
    }

    fn take(&mut self, n: usize) -> Cut {
        self.taken += n as u64;
        Cut::Dump(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: &[u8; MARK] = b"0123456789abcdef0123456789abcdef01234567";

    fn dump(data: &[u8]) -> Vec<u8> {
        [b"REDIS0010", data, b"\xff", b"checksum"].concat()
    }

    /// What a framing makes of `bytes` that come so many at a time: the dump, and what is left after it.
    fn cut(framing: &mut Framing, bytes: &[u8], packet: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let (mut dump, mut at, mut end) = (Vec::new(), 0, 0);
        loop {
            match framing.cut(&bytes[at..end]) {
                Cut::Dump(n) => {
                    assert!(n > 0);
                    dump.extend_from_slice(&bytes[at..at + n]);
                    at += n;
                }
                Cut::More if end == bytes.len() => return None,
                Cut::More => end = (end + packet).min(bytes.len()),
                Cut::Over(n) => return Some((dump, bytes[at + n..].to_vec())),
            }
        }
    }

    #[test]
    fn a_mark_in_packets_of_any_size_with_bytes_after_it() {
        let almost = [&M[..39], b"x", &M[1..], M, b"more data"].concat();
        for data in [b"".as_slice(), b"data", &M[..39], &almost] {
            let dump = dump(data);
            for after in [&b""[..], b"*1\r\n$4\r\nping\r\n", M] {
                let sent = [&dump, &M[..], after].concat();
                for packet in 1..=sent.len() {
                    let found = cut(&mut Framing::marked(*M), &sent, packet);
                    let (found, left) = found.unwrap();
                    assert_eq!(found, dump, "{packet}");
                    assert!(after.starts_with(&left) || left == after);
                }
            }
            for end in 0..dump.len() + MARK {
                let sent = [&dump, &M[..]].concat();
                assert_eq!(cut(&mut Framing::marked(*M), &sent[..end], 7), None);
            }
        }
    }

    #[test]
    fn a_length_beyond_four_gigabytes() {
        let total = (1 << 32) + 3;
        let mut framing = Framing::counted(total);
        let chunk = vec![0; 1 << 24];
        for _ in 0..1 << 8 {
            assert_eq!(framing.cut(&chunk), Cut::Dump(1 << 24));
        }
        assert_eq!(framing.missing(0), "after 4294967296 of 4294967299 bytes of the dump");
        assert_eq!(framing.cut(&chunk), Cut::Dump(3));
        assert_eq!((framing.cut(&[]), framing.is_over()), (Cut::Over(0), true));
    }
}
