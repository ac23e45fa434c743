//! The end of a stream that may be endless.

/// How much of a child's stderr is kept: its end.
pub(super) const TAIL: usize = 8 * 1024;

/// The last [`TAIL`] bytes of a stream.
#[derive(Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > TAIL {
            self.cut = true;
            self.bytes.drain(..self.bytes.len() - TAIL);
        }
    }

    /// As text, from its first whole line on.
    pub(super) fn text(&self) -> String {
        let whole = match self.bytes.iter().position(|b| *b == b'\n') {
            Some(end) if self.cut => &self.bytes[end + 1..],
            _ => &self.bytes[..],
        };
        String::from_utf8_lossy(whole).trim_end().to_owned()
    }
}
