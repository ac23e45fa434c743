//! Spooled files as a stream of bytes, read on a thread of their own.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::TreeFile;
use crate::artifact::{ProduceError, Producer};

const CHUNK: usize = 256 * 1024;
/// Chunks between the thread and whoever reads: enough for both to be at work.
const AHEAD: usize = 4;

/// A stream that a thread writes; see [`of_tar`] and [`of_file`].
pub struct Contents {
    chunks: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
    ended: bool,
}

/// One file, as it is.
pub fn of_file(path: PathBuf) -> Contents {
    Contents::of(move |out| io::copy(&mut File::open(&path)?, out).map(drop))
}

/// A tar of the `files` of `tree`, below the folder `name`. Owners are left out: they mean nothing elsewhere.
pub fn of_tar(tree: PathBuf, files: Vec<TreeFile>, name: String) -> Contents {
    Contents::of(move |out| {
        let mut tar = tar::Builder::new(out);
        for file in &files {
            append(&mut tar, &tree, file, &name)?;
        }
        tar.finish()
    })
}

fn append(
    tar: &mut tar::Builder<&mut Out>,
    tree: &Path,
    file: &TreeFile,
    name: &str,
) -> io::Result<()> {
    let open = File::open(tree.join(&file.path))?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata_in_mode(&open.metadata()?, tar::HeaderMode::Complete);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    // One that grew meanwhile would break the tar.
    if header.size()? != file.bytes {
        return Err(io::Error::other(format!("{} has changed since it was checked", file.path)));
    }
    tar.append_data(&mut header, format!("{name}/{}", file.path), io::Read::take(open, file.bytes))
}

impl Contents {
    fn of(write: impl FnOnce(&mut Out) -> io::Result<()> + Send + 'static) -> Self {
        let (to, chunks) = channel(AHEAD);
        let mut out = Out { to, chunk: Vec::with_capacity(CHUNK) };
        let work = move || {
            let end = write(&mut out).and_then(|()| out.flush()).map(|()| Vec::new());
            // Nobody waits for it any more: then nobody needs it.
            let _ = out.to.blocking_send(end);
        };
        // A thread that does not start, or dies, never sends the end: the next read tells.
        drop(std::thread::Builder::new().name("spool".to_owned()).spawn(work));
        Self { chunks, current: Vec::new(), at: 0, ended: false }
    }
}

/// Where the thread writes. An empty chunk is the end.
struct Out {
    to: Sender<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
}

impl io::Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() + bytes.len() > CHUNK {
            self.flush()?;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.to.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[async_trait]
impl Producer for Contents {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let fail =
            |source| ProduceError::Read { program: "the temporary directory".to_owned(), source };
        if self.at == self.current.len() && !self.ended {
            let lost = || io::Error::other("it is not read any more");
            let next = self.chunks.recv().await.unwrap_or_else(|| Err(lost()));
            self.current = next.map_err(fail)?;
            self.at = 0;
            self.ended = self.current.is_empty();
        }
        let n = buf.len().min(self.current.len() - self.at);
        buf[..n].copy_from_slice(&self.current[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        Ok(String::new())
    }

    async fn stop(&mut self, _grace: Duration) -> String {
        self.chunks.close();
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::spool::files;

    async fn all(mut contents: Contents, step: usize) -> Result<Vec<u8>, ProduceError> {
        let (mut all, mut buf) = (Vec::new(), vec![0; step]);
        while let n @ 1.. = contents.read(&mut buf).await? {
            all.extend_from_slice(&buf[..n]);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn a_tar_holds_every_file() {
        let dir = tempfile::tempdir().unwrap();
        let big: Vec<u8> = (0..1_000_003_u32).map(|n| n.to_le_bytes()[0]).collect();
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
        for (path, bytes) in [("b", &big[..]), ("a/empty", b""), (&long, b"x"), ("- é %", b"y")] {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let listed = files(dir.path()).unwrap();
        let tar = of_tar(dir.path().to_owned(), listed.clone(), "shop-1".to_owned());
        let bytes = all(tar, 70_000).await.unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let mut names = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let path = path.strip_prefix("shop-1/").unwrap().to_owned();
            let mut found = Vec::new();
            io::Read::read_to_end(&mut entry, &mut found).unwrap();
            assert_eq!(found, fs::read(dir.path().join(&path)).unwrap(), "{path}");
            names.push(path);
        }
        assert_eq!(names, listed.into_iter().map(|file| file.path).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_file_is_itself() {
        let dir = tempfile::tempdir().unwrap();
        let big = vec![7; 3 * CHUNK + 5];
        fs::write(dir.path().join("a"), &big).unwrap();
        assert_eq!(all(of_file(dir.path().join("a")), CHUNK).await.unwrap(), big);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_end() {
        assert!(all(of_file("/nonexistent".into()), 10).await.is_err());
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "four").unwrap();
        for bytes in [3, 5] {
            let file = TreeFile { path: "a".to_owned(), bytes };
            let tar = of_tar(dir.path().to_owned(), vec![file], "x".to_owned());
            assert!(all(tar, 10).await.is_err());
        }
    }
}
