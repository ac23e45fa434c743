//! The beginning and the end of a stream, which is all a footer check needs.

/// Keeps the first and the last bytes of what it is fed.
pub(crate) struct Ends {
    head: Vec<u8>,
    tail: Vec<u8>,
    head_limit: usize,
    tail_limit: usize,
}

impl Ends {
    /// Keeps this many bytes of each end.
    pub(crate) fn new(head_limit: usize, tail_limit: usize) -> Self {
        Self { head: Vec::new(), tail: Vec::with_capacity(2 * tail_limit), head_limit, tail_limit }
    }

    /// Costs the kept bytes, not the fed ones.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        let missing = self.head_limit - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        if bytes.len() >= self.tail_limit {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - self.tail_limit..]);
            return;
        }
        self.tail.extend_from_slice(bytes);
        if self.tail.len() > self.tail_limit {
            self.tail.drain(..self.tail.len() - self.tail_limit);
        }
    }

    /// The first bytes.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The last bytes.
    pub(crate) fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// The lines of the last bytes, the last one first; the first of them may have lost its beginning.
    pub(crate) fn last_lines(&self) -> impl Iterator<Item = &[u8]> {
        self.tail.split(|b| *b == b'\n').rev().map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_split_keeps_the_same_ends(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..20)) {
            let whole = chunks.concat();
            let mut ends = Ends::new(7, 11);
            for chunk in &chunks {
                ends.feed(chunk);
            }
            prop_assert_eq!(ends.head(), &whole[..whole.len().min(7)]);
            prop_assert_eq!(ends.tail(), &whole[whole.len().saturating_sub(11)..]);
        }
    }
}
