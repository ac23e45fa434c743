//! What mongodump compressed itself: its sums are checked, and what is within.

use std::io::{self, Write};

use dbstash_core::engine::{Check, Incomplete, Passed};
use flate2::write::GzDecoder;

/// Decodes beside the stream; another check looks at what comes out.
///
/// zlib-rs decodes many times faster than the tool encodes.
pub(super) struct Gzip<C: Check> {
    decoder: GzDecoder<Sink<C>>,
    broken: Option<io::Error>,
}

/// The check within, as a place to write to.
struct Sink<C>(C);

impl<C: Check> Write for Sink<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.feed(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<C: Check> Gzip<C> {
    /// Hands what comes out to `within`.
    pub(super) fn new(within: C) -> Self {
        Self { decoder: GzDecoder::new(Sink(within)), broken: None }
    }
}

impl<C: Check> Check for Gzip<C> {
    fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.decoder.write_all(bytes).err();
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let Self { decoder, broken } = *self;
        let within = match broken {
            Some(error) => Err(error),
            None => decoder.finish(),
        };
        let Sink(within) =
            within.map_err(|error| Incomplete(format!("it is no whole gzip stream: {error}")))?;
        let passed = Box::new(within).finish()?;
        Ok(Passed { check: format!("gzip, {}", passed.check), ..passed })
    }
}
