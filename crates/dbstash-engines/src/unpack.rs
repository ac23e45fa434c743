//! What dump tools compress themselves, unpacked as it passes.

use std::io::{self, Write};

use dbstash_core::engine::{Check, Incomplete, Passed};
use flate2::write::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{DCtx, InBuffer, OutBuffer, get_error_name};

const BUFFER: usize = 128 * 1024;

/// A way to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zlib,
    Zstd,
}

impl Packing {
    /// That of a file called so.
    pub(crate) fn of_name(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "gz" => Some(Self::Gzip),
            "zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Unpacks one stream, and keeps none of it. What comes after its end is an error.
pub(crate) enum Unpack {
    Gzip(Box<GzDecoder<Vec<u8>>>),
    Zlib(Box<Deflated>),
    Zstd(Box<Frames>),
}

impl Unpack {
    /// `None` where there is no memory for it.
    pub(crate) fn new(packing: Packing) -> Option<Self> {
        Some(match packing {
            Packing::Gzip => Self::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            Packing::Zlib => Self::Zlib(Box::new(Deflated {
                stream: Decompress::new(true),
                buffer: vec![0; BUFFER],
                ended: false,
            })),
            Packing::Zstd => Self::Zstd(Box::new(Frames {
                context: DCtx::try_create()?,
                buffer: vec![0; BUFFER],
                wants: 1,
            })),
        })
    }

    /// The next bytes; what comes out is handed on.
    pub(crate) fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        let told = |error: io::Error| error.to_string();
        // Little at a time, for a little may become much.
        for part in bytes.chunks(BUFFER / 8) {
            match self {
                Self::Gzip(decoder) => {
                    decoder.write_all(part).map_err(told)?;
                    out(decoder.get_mut());
                    decoder.get_mut().clear();
                }
                Self::Zlib(deflated) => deflated.feed(part, out)?,
                Self::Zstd(frames) => frames.feed(part, out)?,
            }
        }
        Ok(())
    }

    /// Whether that was all of it; what was still held back is handed on.
    pub(crate) fn finish(self, out: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        match self {
            Self::Gzip(decoder) => {
                decoder.finish().map(|rest| out(&rest)).map_err(|e| e.to_string())
            }
            Self::Zlib(deflated) if deflated.ended => Ok(()),
            Self::Zlib(_) => Err("it ends within a stream".to_owned()),
            Self::Zstd(frames) if frames.wants == 0 => Ok(()),
            Self::Zstd(_) => Err("it ends within a frame".to_owned()),
        }
    }
}

/// A stream with zlib's header and sum.
pub(crate) struct Deflated {
    stream: Decompress,
    buffer: Vec<u8>,
    ended: bool,
}

impl Deflated {
    fn feed(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        loop {
            if self.ended {
                return if bytes.is_empty() {
                    Ok(())
                } else {
                    Err("it goes on after its end".to_owned())
                };
            }
            let (read, written) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(bytes, &mut self.buffer, FlushDecompress::None);
            let status = status.map_err(|e| e.to_string())?;
            self.ended = status == Status::StreamEnd;
            let taken = usize::try_from(self.stream.total_in() - read).unwrap_or(bytes.len());
            let made = usize::try_from(self.stream.total_out() - written).unwrap_or_default();
            bytes = &bytes[taken..];
            out(&self.buffer[..made]);
            if bytes.is_empty() && made < self.buffer.len() {
                return Ok(());
            }
            if taken == 0 && made == 0 && !self.ended {
                return Err("it cannot go on".to_owned());
            }
        }
    }
}

/// Frames of zstd, one after the other.
pub(crate) struct Frames {
    context: DCtx<'static>,
    buffer: Vec<u8>,
    /// 0 when a frame has just ended.
    wants: usize,
}

impl Frames {
    fn feed(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), String> {
        let mut input = InBuffer::around(bytes);
        loop {
            let mut output = OutBuffer::around(&mut self.buffer[..]);
            self.wants = self
                .context
                .decompress_stream(&mut output, &mut input)
                .map_err(|code| get_error_name(code).to_owned())?;
            let filled = output.pos();
            out(&self.buffer[..filled]);
            // A full buffer may have left some behind, except at the end of a frame.
            let more = filled == self.buffer.len() && self.wants > 0;
            if input.pos() == bytes.len() && !more {
                return Ok(());
            }
        }
    }
}

/// A check of what may have been compressed: the first bytes tell.
pub(crate) struct Unpacked {
    within: Box<dyn Check>,
    head: Vec<u8>,
    state: State,
}

enum State {
    /// Too little has come to tell.
    Unknown,
    Plain,
    Packed(Unpack),
    Foreign,
    Broken(String),
}

const MAGIC: usize = 4;

impl Unpacked {
    /// Hands what comes out to `within`.
    pub(crate) fn new(within: Box<dyn Check>) -> Self {
        Self { within, head: Vec::new(), state: State::Unknown }
    }

    fn pass(&mut self, bytes: &[u8]) {
        let within = &mut self.within;
        match &mut self.state {
            State::Plain => within.feed(bytes),
            State::Packed(unpack) => {
                if let Err(what) = unpack.feed(bytes, &mut |raw| within.feed(raw)) {
                    self.state = State::Broken(what);
                }
            }
            State::Unknown | State::Foreign | State::Broken(_) => {}
        }
    }

    fn begin(&mut self) {
        let packed = |packing| Unpack::new(packing).map_or(State::Foreign, State::Packed);
        let head = std::mem::take(&mut self.head);
        self.state = match head.as_slice() {
            [0x1f, 0x8b, ..] => packed(Packing::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => packed(Packing::Zstd),
            [0x04, 0x22, 0x4d, 0x18] => State::Foreign,
            _ => State::Plain,
        };
        self.pass(&head);
    }
}

impl Check for Unpacked {
    fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if matches!(self.state, State::Unknown) {
            let (first, after) = bytes.split_at(bytes.len().min(MAGIC - self.head.len()));
            self.head.extend_from_slice(first);
            if self.head.len() < MAGIC {
                return;
            }
            rest = after;
            self.begin();
        }
        self.pass(rest);
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        if matches!(self.state, State::Unknown) {
            self.begin();
        }
        let unpacked = match self.state {
            State::Foreign => {
                return Ok(Passed::degraded("its compression is none that is looked into"));
            }
            State::Broken(what) => Err(what),
            State::Packed(unpack) => {
                let within = &mut self.within;
                unpack.finish(&mut |raw| within.feed(raw))
            }
            State::Unknown | State::Plain => return self.within.finish(),
        };
        unpacked.map_err(|what| Incomplete(format!("it cannot be unpacked: {what}")))?;
        let passed = self.within.finish()?;
        Ok(Passed { check: format!("unpacked, {}", passed.check), ..passed })
    }
}
