//! One object, from the remote through everything that looks at it.
//!
//! The runtime takes its bytes from the remote; a thread hashes, unpacks and reads them.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::extract::Extract;
use super::{Context, Flaw};
use crate::engine::{Check, Incomplete, Passed, TreeCheck};
use crate::spool::SpoolError;
use crate::store::Phase;
use crate::store::lane::{Shared, Taker, lane};

const BUFFER: usize = 256 * 1024;
const CHUNKS: usize = 3;
/// A tar ends with two blocks of zeros.
const END: usize = 1024;

/// What to do with an object's bytes, beside counting and hashing them.
pub(crate) enum Look {
    /// Nothing.
    Bytes,
    /// Unpack them.
    Unpacked,
    /// And have a check read them.
    Stream(Box<dyn Check>),
    /// And have a check read the files of the tar they are; whether all are below a folder.
    Tar(Box<dyn TreeCheck>, bool),
    /// And write them to a file, unless they are more than they should be.
    Copy { path: PathBuf, most: u64 },
    /// And write the files of the tar they are below this directory; whether all are below a folder in it.
    Extract { into: PathBuf, below: bool },
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// As stored.
    pub(crate) bytes: u64,
    /// Of them, in hex.
    pub(crate) sha256: String,
    /// Unpacked, where everything was.
    pub(crate) raw_bytes: Option<u64>,
    /// What a check said, or the unpacking that failed; none where only bytes were of interest.
    pub(crate) structure: Option<Result<Option<Passed>, Incomplete>>,
    /// Why the copy could not be made.
    pub(crate) spool: Option<String>,
}

/// Reads an object back, once and to its end.
pub(crate) async fn pass(
    name: &str,
    encodings: &[String],
    look: Look,
    cx: Context<'_>,
) -> Result<Found, Flaw> {
    cx.progress.enter(Phase::Reading);
    let mut download = cx.remote.read(name).await?;
    let (mut giver, taker) = lane(CHUNKS, BUFFER);
    let encodings = encodings.to_vec();
    let work = tokio::task::spawn_blocking(move || inspect(Source::of(taker), &encodings, look));
    while let Some(mut chunk) = giver.spare().await {
        // What fails here ends the thread, too, and nobody asks what it found.
        chunk.filled = download.read(&mut chunk.buffer).await?;
        if chunk.filled == 0 {
            break;
        }
        cx.progress.moved();
        giver.give(chunk);
    }
    drop(giver);
    work.await.map_err(|error| Flaw::Untested(format!("it could not be looked at: {error}")))
}

/// Does all of it; the source is always read to its end.
pub(crate) fn inspect(mut source: Source, encodings: &[String], look: Look) -> Found {
    let (mut raw_bytes, mut spool) = (None, None);
    let structure = match look {
        Look::Bytes => None,
        look => Some(match unpacked(&mut source, encodings) {
            Err(what) => Err(what),
            Ok(mut raw) => {
                let (read, said) = looked(&mut raw, look);
                raw_bytes = read;
                match said {
                    Ok(passed) => Ok(passed),
                    Err(Seen::Bad(what)) => Err(Incomplete(what)),
                    Err(Seen::NoCopy(why)) => {
                        spool = Some(why);
                        Ok(None)
                    }
                }
            }
        }),
    };
    Found { raw_bytes, structure, spool, ..source.drained() }
}

enum Seen {
    Bad(String),
    NoCopy(String),
}

fn unreadable(error: &io::Error) -> Seen {
    Seen::Bad(format!("it cannot be unpacked: {error}"))
}

/// How many bytes there were, if all were read, and what they are.
fn looked(raw: &mut dyn Read, look: Look) -> (Option<u64>, Result<Option<Passed>, Seen>) {
    let mut raw = Counted { raw, bytes: 0, tail: Vec::new() };
    let said = match look {
        Look::Bytes | Look::Unpacked => drain(&mut raw).map(|()| None).map_err(|e| unreadable(&e)),
        Look::Stream(check) => stream(&mut raw, check).map(Some),
        Look::Tar(check, below) => tar(&mut raw, check, below).map(Some),
        Look::Copy { path, most } => copy(&mut raw, &path, most).map(|()| None),
        Look::Extract { into, below } => {
            let (files, trouble) = Extract::new(into);
            let said = tar(&mut raw, Box::new(files), below);
            trouble.get().map_or(said.map(Some), |why| Err(Seen::NoCopy(why.to_string())))
        }
    };
    (said.is_ok().then_some(raw.bytes), said)
}

fn drain(raw: &mut impl Read) -> io::Result<()> {
    io::copy(raw, &mut io::sink()).map(drop)
}

fn stream(raw: &mut impl Read, mut check: Box<dyn Check>) -> Result<Passed, Seen> {
    let mut buffer = vec![0; BUFFER];
    while let n @ 1.. = raw.read(&mut buffer).map_err(|e| unreadable(&e))? {
        check.feed(&buffer[..n]);
    }
    check.finish().map_err(|Incomplete(what)| Seen::Bad(what))
}

fn tar(raw: &mut Counted<'_>, mut check: Box<dyn TreeCheck>, below: bool) -> Result<Passed, Seen> {
    let bad = |error: &io::Error| Seen::Bad(format!("its tar cannot be read: {error}"));
    let mut buffer = vec![0; BUFFER];
    let mut archive = tar::Archive::new(&mut *raw);
    for entry in archive.entries().map_err(|e| bad(&e))? {
        let mut entry = entry.map_err(|e| bad(&e))?;
        let kind = entry.header().entry_type();
        let path = entry.path().map_err(|e| bad(&e))?.to_string_lossy().into_owned();
        if kind.is_dir() {
            continue;
        }
        let inside = if below { path.split_once('/').map(|(_, path)| path) } else { Some(&*path) };
        let Some(path) = inside.filter(|_| kind.is_file()) else {
            return Err(Seen::Bad(format!("its tar has a member {path:?} that no dump has")));
        };
        let wanted = check.begin(path, entry.size());
        while let n @ 1.. = entry.read(&mut buffer).map_err(|e| bad(&e))? {
            if wanted {
                check.feed(&buffer[..n]);
            }
        }
    }
    drain(raw).map_err(|e| unreadable(&e))?;
    // The crate takes the end of its input for the end of a tar.
    let is_ended = raw.tail.len() == END && raw.tail.iter().all(|byte| *byte == 0);
    if !is_ended || !raw.bytes.is_multiple_of(512) {
        return Err(Seen::Bad("its tar has no end mark".to_owned()));
    }
    let passed = check.finish().map_err(|Incomplete(what)| Seen::Bad(what))?;
    Ok(Passed { check: format!("tar, {}", passed.check), ..passed })
}

fn copy(raw: &mut impl Read, path: &Path, most: u64) -> Result<(), Seen> {
    let failed = |e| Seen::NoCopy(SpoolError::of(path, e).to_string());
    let mut file = File::create_new(path).map_err(failed)?;
    let mut raw = raw.take(most.saturating_add(1));
    let mut buffer = vec![0; BUFFER];
    while let n @ 1.. = raw.read(&mut buffer).map_err(|e| unreadable(&e))? {
        io::Write::write_all(&mut file, &buffer[..n]).map_err(failed)?;
    }
    Ok(())
}

/// Undoes our own encodings, the last one first.
pub(crate) fn unpacked<'a>(
    source: &'a mut Source,
    encodings: &[String],
) -> Result<Box<dyn Read + 'a>, Incomplete> {
    let mut raw: Box<dyn Read + 'a> = Box::new(source);
    for encoding in encodings.iter().rev() {
        raw = match encoding.as_str() {
            "zstd" => Box::new(
                zstd::stream::read::Decoder::new(raw)
                    .map_err(|e| Incomplete(format!("it cannot be unpacked: {e}")))?,
            ),
            "gzip" => Box::new(MultiGzDecoder::new(raw)),
            other => return Err(Incomplete(format!("its encoding {other:?} is not known"))),
        };
    }
    Ok(raw)
}

/// Counts what passes, and keeps the end of it.
struct Counted<'a> {
    raw: &'a mut dyn Read,
    bytes: u64,
    tail: Vec<u8>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.raw.read(buf)?;
        self.bytes += n as u64;
        self.tail.extend_from_slice(&buf[n.saturating_sub(END)..n]);
        let surplus = self.tail.len().saturating_sub(END);
        self.tail.drain(..surplus);
        Ok(n)
    }
}

/// An object as it comes, counted and hashed.
pub(crate) struct Source {
    taker: Taker,
    chunk: Option<Shared>,
    at: usize,
    bytes: u64,
    hash: Sha256,
}

impl Source {
    pub(crate) fn of(taker: Taker) -> Self {
        Self { taker, chunk: None, at: 0, bytes: 0, hash: Sha256::new() }
    }

    /// Reads what is left; how many bytes there were in all, and their hash.
    pub(crate) fn drained(mut self) -> Found {
        while self.refill() {
            self.at = self.filled();
        }
        let sha256 = base16ct::lower::encode_string(&self.hash.finalize());
        Found { bytes: self.bytes, sha256, raw_bytes: None, structure: None, spool: None }
    }

    fn filled(&self) -> usize {
        self.chunk.as_ref().map_or(0, |chunk| chunk.filled)
    }

    /// Whether there is something to read.
    fn refill(&mut self) -> bool {
        if self.at < self.filled() {
            return true;
        }
        if let Some(done) = self.chunk.take() {
            self.taker.give_back(done);
        }
        self.at = 0;
        let Some(chunk) = self.taker.wait_to_take() else { return false };
        self.hash.update(chunk.bytes());
        self.bytes += chunk.filled as u64;
        self.chunk = Some(chunk);
        true
    }
}

impl Read for Source {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.refill() {
            return Ok(0);
        }
        let Some(chunk) = &self.chunk else { return Ok(0) };
        let left = &chunk.bytes()[self.at..];
        let n = left.len().min(buf.len());
        buf[..n].copy_from_slice(&left[..n]);
        self.at += n;
        Ok(n)
    }
}
