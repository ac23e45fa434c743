//! What dbstash itself does to a dump on its way to the remote.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use zstd::zstd_safe::CParameter;

/// Compression of an object as it streams. What it stores, stock `zstd -d` and `gzip -d` restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// zstd, with a checksum in its frame.
    Zstd {
        /// 1 to 19.
        level: u8,
        /// How many threads compress, at least 1.
        threads: u32,
    },
    /// gzip.
    Gzip {
        /// 1 to 9.
        level: u8,
    },
}

/// How much one thread compresses at a time. zstd's own choice takes up to three times the memory, for objects a few
/// hundredths smaller.
fn job_size(level: u8) -> u32 {
    const MIB: u32 = 1024 * 1024;
    if level < 3 { MIB } else { 4 * MIB }
}

/// The method and its level, as a setting gives them: `zstd`, `zstd:19`, `gzip:1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// At this level.
    Zstd(u8),
    /// At this level.
    Gzip(u8),
}

/// Why a text is no method.
#[derive(Debug, thiserror::Error)]
#[error("accepted are none, zstd, zstd:1 to zstd:19, gzip, gzip:1 to gzip:9")]
pub struct BadMethod;

impl FromStr for Method {
    type Err = BadMethod;

    fn from_str(text: &str) -> Result<Self, BadMethod> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| BadMethod)?)),
            None => (text, None),
        };
        match (name.to_ascii_lowercase().as_str(), level) {
            ("zstd", None) => Ok(Self::Zstd(3)),
            ("zstd", Some(level @ 1..=19)) => Ok(Self::Zstd(level)),
            ("gzip", None) => Ok(Self::Gzip(6)),
            ("gzip", Some(level @ 1..=9)) => Ok(Self::Gzip(level)),
            _ => Err(BadMethod),
        }
    }
}

impl Method {
    /// The compression; only zstd takes more than one thread.
    pub fn with_threads(self, threads: u32) -> Compression {
        match self {
            Self::Zstd(level) => Compression::Zstd { level, threads: threads.max(1) },
            Self::Gzip(level) => Compression::Gzip { level },
        }
    }
}

impl Compression {
    /// Its name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd { .. } => "zstd",
            Self::Gzip { .. } => "gzip",
        }
    }

    /// What it adds to a name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd { .. } => "zst",
            Self::Gzip { .. } => "gz",
        }
    }

    /// Compresses what is written to it into `sink`.
    pub(crate) fn encoder<'a, W: Write + 'a>(self, sink: W) -> io::Result<Box<dyn Encode + 'a>> {
        match self {
            Self::Zstd { level, threads } => {
                let mut encoder = zstd::Encoder::new(sink, level.into())?;
                encoder.include_checksum(true)?;
                if threads > 1 {
                    encoder.multithread(threads)?;
                    encoder.set_parameter(CParameter::JobSize(job_size(level)))?;
                }
                Ok(Box::new(encoder))
            }
            Self::Gzip { level } => {
                let level = flate2::Compression::new(level.into());
                Ok(Box::new(flate2::write::GzEncoder::new(sink, level)))
            }
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Zstd { level, .. } | Self::Gzip { level }) = self;
        write!(f, "{}:{level}", self.name())
    }
}

/// An encoder whose stream has an end of its own.
pub(crate) trait Encode: Write {
    /// Writes what is left, and the end.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl<W: Write> Encode for zstd::Encoder<'_, W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        zstd::Encoder::finish(*self).map(drop)
    }
}

impl<W: Write> Encode for flate2::write::GzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        flate2::write::GzEncoder::finish(*self).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_and_levels() {
        for (text, method) in [
            ("zstd", Method::Zstd(3)),
            ("ZSTD:19", Method::Zstd(19)),
            ("gzip", Method::Gzip(6)),
            ("gzip:1", Method::Gzip(1)),
        ] {
            assert_eq!(text.parse::<Method>().unwrap(), method);
        }
        for bad in
            ["", "none", "zst", "zstd:", "zstd:0", "zstd:20", "gzip:10", "gzip:-1", "zstd:3:1"]
        {
            assert!(bad.parse::<Method>().is_err(), "{bad:?}");
        }
    }
}
