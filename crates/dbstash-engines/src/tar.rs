//! A tar stream: it ends with two blocks of zeros.

use dbstash_core::engine::{Check, Incomplete, Passed};

use crate::ends::Ends;

const BLOCK: usize = 512;

/// Looks for the first header and for the end mark.
pub(crate) struct Tar {
    ends: Ends,
    bytes: u64,
}

impl Default for Tar {
    fn default() -> Self {
        Self { ends: Ends::new(BLOCK, 2 * BLOCK), bytes: 0 }
    }
}

impl Check for Tar {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
        self.bytes += bytes.len() as u64;
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let header = self.ends.head().get(257..262);
        let zeros = self.ends.tail().len() == 2 * BLOCK && self.ends.tail().iter().all(|b| *b == 0);
        if header != Some(b"ustar") {
            return Err(Incomplete("it does not begin with a tar header".into()));
        }
        if !zeros || !self.bytes.is_multiple_of(BLOCK as u64) {
            return Err(Incomplete("its tar end mark is missing".into()));
        }
        Ok(Passed::by("end-mark"))
    }
}
