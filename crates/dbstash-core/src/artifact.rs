//! A dump in the making, and the only proof that it is whole.

mod tree;

use std::io;
use std::time::Duration;

use async_trait::async_trait;

pub use self::tree::{TreeArtifact, WholeTree};
use crate::engine::{Check, Incomplete, Passed};
use crate::process::LaunchError;
use crate::tally::Counting;

/// A source of bytes that can fail after its last one.
#[async_trait]
pub trait Producer: Send {
    /// The next bytes; 0 is the end of the stream and says nothing about success.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError>;

    /// After the end of the stream: whether the producer itself ended well, and what it had to remark.
    async fn finish(&mut self) -> Result<String, ProduceError>;

    /// Ends it, gently at first, and waits until nothing of it is left; what it had to say, the end of a tool's stderr.
    /// Idempotent.
    async fn stop(&mut self, grace: Duration) -> String;
}

/// Why a producer's bytes are no backup.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// It never ran.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It ended badly.
    #[error("{program} {exit}")]
    Exit {
        /// The program.
        program: String,
        /// How it ended, in words.
        exit: String,
        /// The end of its stderr.
        stderr: String,
    },
    /// It ended well, but its stream is not whole.
    #[error("the dump is not complete: {what}")]
    Incomplete {
        /// What is missing.
        what: String,
        /// The end of the tool's stderr.
        stderr: String,
    },
    /// It ended well, but a child of it keeps the stream open, so the stream's end cannot be known.
    #[error("{program} ended, but a process it started keeps its output open")]
    HeldOpen {
        /// The program.
        program: String,
        /// The end of its stderr.
        stderr: String,
    },
    /// It closed its stream and did not end.
    #[error("{program} closed its output but did not exit within {limit:?}")]
    Lingers {
        /// The program.
        program: String,
        /// How long it was waited for.
        limit: Duration,
        /// The end of its stderr so far.
        stderr: String,
    },
    /// A server does not send a dump, or not all of it.
    #[error("{server}: {what}")]
    Server {
        /// Its address.
        server: String,
        /// What it said, or did.
        what: String,
        /// Whether it would do so again.
        lasting: bool,
    },
    /// A server does not support the way in which it was asked for a dump.
    #[error("{0}")]
    Unsupported(String),
    /// Its stream could not be read.
    #[error("the output of {program} could not be read: {source}")]
    Read {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
}

impl ProduceError {
    /// Whether a new attempt may succeed; `of_tool` tells it of a tool's stderr.
    pub fn may_pass(&self, of_tool: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Launch(_) | Self::Unsupported(_) => false,
            Self::Server { lasting, .. } => !lasting,
            Self::Exit { stderr, .. } => of_tool(stderr),
            Self::Incomplete { .. }
            | Self::HeldOpen { .. }
            | Self::Lingers { .. }
            | Self::Read { .. } => true,
        }
    }

    /// The end of the tool's stderr; empty when there is none.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Exit { stderr, .. }
            | Self::Incomplete { stderr, .. }
            | Self::HeldOpen { stderr, .. }
            | Self::Lingers { stderr, .. } => stderr,
            Self::Launch(_) | Self::Server { .. } | Self::Unsupported(_) | Self::Read { .. } => "",
        }
    }
}

/// A dump on its way: a producer, the check that watches it, and how much went by.
pub struct Artifact {
    producer: Box<dyn Producer>,
    check: Option<Box<dyn Check>>,
    counting: Counting,
    min_size: u64,
    raw_bytes: u64,
    ended: bool,
}

/// Proof that a dump is whole: its producer ended well, every byte passed, its check passed, its size is plausible.
/// Only [`Artifact::finish`] and [`TreeArtifact::finish`] make one, and nothing is published without one.
#[derive(Debug)]
pub struct Complete {
    raw_bytes: u64,
    passed: Passed,
    remarks: String,
}

impl Complete {
    /// Bytes of the dump before any encoding of ours.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }

    /// What vouches for it.
    pub fn passed(&self) -> &Passed {
        &self.passed
    }

    /// What the producer said although it ended well: the end of a tool's stderr.
    pub fn remarks(&self) -> &str {
        &self.remarks
    }
}

impl Artifact {
    /// A dump that needs at least `min_size` bytes.
    pub fn new(producer: Box<dyn Producer>, check: Box<dyn Check>, min_size: u64) -> Self {
        let counting = Counting::Off;
        Self { producer, check: Some(check), counting, min_size, raw_bytes: 0, ended: false }
    }

    /// The same, to be counted on its way.
    #[must_use]
    pub fn counted(self, counting: Counting) -> Self {
        Self { counting, ..self }
    }

    /// Who counts it, once.
    pub(crate) fn counting(&mut self) -> Counting {
        std::mem::take(&mut self.counting)
    }

    /// Bytes we hold ourselves and know to be whole.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self::new(Box::new(Held(io::Cursor::new(bytes))), Box::new(Proven(Passed::by("held"))), 1)
    }

    /// Bytes that were proven to be a whole dump before, and are read once more.
    pub fn proven(producer: Box<dyn Producer>, proof: &Complete) -> Self {
        Self::new(producer, Box::new(Proven(proof.passed.clone())), 1)
    }

    /// The next bytes, seen by the check; 0 is the end.
    pub async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let n = self.producer.read(buf).await?;
        if let Some(check) = &mut self.check {
            check.feed(&buf[..n]);
        }
        self.raw_bytes += n as u64;
        self.ended |= n == 0;
        Ok(n)
    }

    /// Whether this was a whole dump. Call it once, after the stream's end.
    pub async fn finish(&mut self) -> Result<Complete, ProduceError> {
        let remarks = self.producer.finish().await?;
        let incomplete = |what: String| ProduceError::Incomplete { what, stderr: remarks.clone() };
        let Some(check) = self.check.take().filter(|_| self.ended) else {
            return Err(incomplete("its stream was not read to the end".to_owned()));
        };
        if self.raw_bytes == 0 {
            return Err(incomplete("it is empty".to_owned()));
        }
        let passed = check.finish().map_err(|Incomplete(what)| incomplete(what))?;
        if self.raw_bytes < self.min_size {
            return Err(incomplete(format!(
                "it has {} bytes, fewer than BACKUP_MIN_SIZE ({})",
                self.raw_bytes, self.min_size
            )));
        }
        Ok(Complete { raw_bytes: self.raw_bytes, passed, remarks })
    }

    /// Ends the producer; what it had to say. Idempotent.
    pub async fn stop(&mut self, grace: Duration) -> String {
        self.producer.stop(grace).await
    }
}

struct Held(io::Cursor<Vec<u8>>);

#[async_trait]
impl Producer for Held {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        io::Read::read(&mut self.0, buf)
            .map_err(|source| ProduceError::Read { program: "memory".to_owned(), source })
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        Ok(String::new())
    }

    async fn stop(&mut self, _grace: Duration) -> String {
        String::new()
    }
}

/// The verdict of an earlier look at the same bytes.
struct Proven(Passed);

impl Check for Proven {
    fn feed(&mut self, _bytes: &[u8]) {}

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_proof_before_the_end_of_the_stream() {
        let mut artifact = Artifact::of_bytes(b"hello".to_vec());
        let mut buf = [0; 16];
        assert_eq!(artifact.read(&mut buf).await.unwrap(), 5);
        assert!(artifact.finish().await.is_err());
    }

    #[tokio::test]
    async fn nothing_is_not_a_backup() {
        let mut artifact = Artifact::of_bytes(Vec::new());
        assert_eq!(artifact.read(&mut [0; 16]).await.unwrap(), 0);
        let error = artifact.finish().await.unwrap_err().to_string();
        assert_eq!(error, "the dump is not complete: it is empty");
    }

    #[tokio::test]
    async fn too_small_names_the_setting() {
        let held = Box::new(Held(io::Cursor::new(b"tiny".to_vec())));
        let mut artifact = Artifact::new(held, Box::new(Proven(Passed::by("held"))), 1000);
        while artifact.read(&mut [0; 16]).await.unwrap() > 0 {}
        let error = artifact.finish().await.unwrap_err().to_string();
        assert!(error.contains("4 bytes") && error.contains("BACKUP_MIN_SIZE (1000)"), "{error}");
    }
}
