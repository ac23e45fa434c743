//! What goes in comes out, compressed or not, and a failure anywhere ends both sides.

use std::io::Read as _;
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::artifact::{ProduceError, Producer};
use crate::compression::Method;
use crate::engine::{Check, Incomplete, Passed};
use crate::remote::RemoteError;
use crate::tally::{Counting, Tally};

/// Hands its bytes out in reads of changing sizes, and then ends as it is told.
struct Source {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
    end: Result<(), &'static str>,
}

#[async_trait]
impl Producer for Source {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let n = self.step.min(buf.len()).min(self.bytes.len() - self.at);
        buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
        self.at += n;
        self.step = self.step * 7 % 300_007 + 1;
        Ok(n)
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        self.end.map(|()| String::new()).map_err(|what| ProduceError::Incomplete {
            what: what.to_owned(),
            stderr: String::new(),
        })
    }

    async fn stop(&mut self, _grace: Duration) -> String {
        String::new()
    }
}

struct Anything;

impl Check for Anything {
    fn feed(&mut self, _bytes: &[u8]) {}

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        Ok(Passed::by("test"))
    }
}

/// Takes bytes, up to a limit.
#[derive(Default)]
struct Sink {
    bytes: Vec<u8>,
    most: Option<usize>,
    committed: bool,
    aborted: bool,
}

#[async_trait]
impl Upload for Sink {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), RemoteError> {
        self.bytes.extend_from_slice(bytes);
        match self.most {
            Some(most) if self.bytes.len() > most => Err(RemoteError::new("full")),
            _ => Ok(()),
        }
    }

    async fn died(&mut self) -> RemoteError {
        std::future::pending().await
    }

    async fn commit(&mut self, _proof: &Complete) -> Result<(), RemoteError> {
        self.committed = true;
        Ok(())
    }

    async fn abort(&mut self, _grace: Duration) -> Result<(), RemoteError> {
        self.aborted = true;
        Ok(())
    }
}

/// Sees every byte, now and then late, and fails after so many.
struct Seen {
    hash: Sha256,
    bytes: u64,
    most: u64,
}

impl Seen {
    fn counting(most: u64) -> Counting {
        Counting::By(Box::new(Self { hash: Sha256::new(), bytes: 0, most }))
    }
}

impl Tally for Seen {
    fn feed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        assert!(self.bytes <= self.most, "as it should");
        if self.bytes.is_multiple_of(7) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn finish(self: Box<Self>) -> Counts {
        let sum = base16ct::lower::encode_string(&self.hash.finalize());
        Counts::Of([(sum, self.bytes)].into())
    }
}

fn stored(source: Source, method: Option<&str>, sink: &mut Sink) -> Result<Stored, String> {
    counted(source, method, sink, Counting::Off)
}

fn counted(
    source: Source,
    method: Option<&str>,
    sink: &mut Sink,
    counting: Counting,
) -> Result<Stored, String> {
    let compression = method.map(|m| m.parse::<Method>().unwrap().with_threads(2));
    let guard = Guard {
        cancel: &CancellationToken::new(),
        deadline: None,
        stall: Some(Duration::from_secs(60)),
        pace: &|_| (),
    };
    let artifact = Artifact::new(Box::new(source), Box::new(Anything), 1);
    let mut artifact = artifact.counted(counting);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let stored = runtime.block_on(store(&mut artifact, compression, sink, &guard));
    stored.map_err(|failure| failure.cause.to_string())
}

fn decoded(method: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    match method.map(|m| &m[..4]) {
        None => raw.extend_from_slice(bytes),
        Some("zstd") => raw = zstd::decode_all(bytes).unwrap(),
        Some(_) => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut raw).unwrap();
        }
    }
    raw
}

/// Bytes of which some repeat and some do not.
fn bytes(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    (0..len).map(|i| if i % 64 < 32 { b'x' } else { next().to_le_bytes()[0] }).collect()
}

const METHODS: [Option<&str>; 4] = [None, Some("zstd:1"), Some("zstd:19"), Some("gzip:1")];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_goes_in_comes_out(
        len in prop_oneof![1_usize..200, 1_usize..3_000_000],
        step in 1_usize..300_000,
        seed: u64,
        method in prop::sample::select(&METHODS),
    ) {
        let bytes = bytes(len, seed);
        let mut sink = Sink::default();
        let source = Source { bytes: bytes.clone(), at: 0, step, end: Ok(()) };
        let stored = counted(source, method, &mut sink, Seen::counting(u64::MAX)).unwrap();
        let sum = base16ct::lower::encode_string(&Sha256::digest(&bytes));
        prop_assert_eq!(&stored.counts, &Counts::Of([(sum, len as u64)].into()));
        prop_assert!(sink.committed && !sink.aborted);
        prop_assert_eq!(stored.bytes, sink.bytes.len() as u64);
        prop_assert_eq!(stored.proof.raw_bytes(), len as u64);
        prop_assert_eq!(&stored.sha256, &base16ct::lower::encode_string(&Sha256::digest(&sink.bytes)));
        prop_assert!(decoded(method, &sink.bytes) == bytes, "not what went in");
    }
}

#[test]
fn a_count_that_fails_fails_nothing() {
    for method in METHODS {
        for most in [0, 1_000_000] {
            let mut sink = Sink::default();
            let bytes = bytes(4_000_000, 7);
            let source = Source { bytes: bytes.clone(), at: 0, step: 1000, end: Ok(()) };
            let stored = counted(source, method, &mut sink, Seen::counting(most)).unwrap();
            assert_eq!(stored.counts, Counts::without("counting failed"));
            assert!(sink.committed && decoded(method, &sink.bytes) == bytes);
        }
    }
    let mut sink = Sink::default();
    let source = Source { bytes: vec![7; 10], at: 0, step: 1000, end: Ok(()) };
    let stored = counted(source, None, &mut sink, Counting::Not("zip")).unwrap();
    assert_eq!(stored.counts, Counts::without("zip"));
}

#[test]
fn a_dump_that_is_not_whole_is_taken_back() {
    for method in METHODS {
        let mut sink = Sink::default();
        let bytes = bytes(1_000_000, 7);
        let source = Source { bytes, at: 0, step: 1000, end: Err("no footer") };
        let cause = stored(source, method, &mut sink).unwrap_err();
        assert_eq!(cause, "the dump is not complete: no footer");
        assert!(!sink.committed && sink.aborted);
    }
}

#[test]
fn an_upload_that_fails_ends_the_compression_too() {
    for method in METHODS {
        let mut sink = Sink { most: Some(300_000), ..Sink::default() };
        let bytes = bytes(8_000_000, 7);
        let source = Source { bytes, at: 0, step: 200_000, end: Ok(()) };
        let cause = stored(source, method, &mut sink).unwrap_err();
        assert_eq!(cause, "full", "{method:?}");
        assert!(!sink.committed && sink.aborted);
    }
}
