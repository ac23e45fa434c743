//! Whether bytes are UTF-8, however they are cut.

/// Follows bytes; keeps the part of a character that has come.
#[derive(Default)]
pub(crate) struct Utf8 {
    part: Vec<u8>,
    is_broken: bool,
}

impl Utf8 {
    /// The next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !self.part.is_empty() && !bytes.is_empty() && !self.is_broken {
            self.part.push(bytes[0]);
            bytes = &bytes[1..];
            let part = std::mem::take(&mut self.part);
            self.judge(&part);
        }
        self.judge(bytes);
    }

    fn judge(&mut self, bytes: &[u8]) {
        if let Err(error) = std::str::from_utf8(bytes) {
            self.is_broken |= error.error_len().is_some();
            if !self.is_broken {
                self.part = bytes[error.valid_up_to()..].to_vec();
            }
        }
    }

    /// Whether so far nothing else has come.
    pub(crate) fn is_good(&self) -> bool {
        !self.is_broken
    }

    /// Whether a character has begun and not ended.
    pub(crate) fn is_within(&self) -> bool {
        !self.part.is_empty()
    }
}
