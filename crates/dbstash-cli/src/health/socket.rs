//! How `dbstash status` finds the schedulers of this machine: each has a socket in the state directory.
//!
//! A socket that nobody answers is what a killed scheduler left. It stays until another one begins, because a scheduler
//! that is gone without a word is worth telling.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dbstash_core::state::StateDir;
use dbstash_core::status::Snapshot;
use rustix::fs::Mode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixSocket, UnixStream};

use super::Site;
use crate::text::json;

/// An answer takes no time.
const PATIENCE: Duration = Duration::from_secs(5);
/// A thousand jobs have 1 MiB.
const LONGEST: u64 = 256 * 1024 * 1024;

/// So many may wait to be answered.
const BACKLOG: u32 = 128;

/// A scheduler's socket; gone with the value.
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What became of a scheduler.
pub enum Scheduler {
    /// It says this.
    Alive(Box<Snapshot>),
    /// It is gone, or says nothing: its process id and why.
    Silent(String, io::Error),
}

/// Answers everybody who connects with the state of the jobs, until the value is dropped.
pub fn serve(state: &StateDir, site: &Arc<Site>) -> io::Result<Socket> {
    let folder = Folder::open(state)?;
    for name in folder.names()? {
        let sweep = std::os::unix::net::UnixStream::connect(folder.short(&name));
        if sweep.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            let _ = fs::remove_file(folder.path.join(&name));
        }
    }
    let name =
        format!("{}-{}", std::process::id(), &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let path = folder.path.join(&name);
    let socket = UnixSocket::new_stream()?;
    // The folder is closed to others; the socket is, too, and from the beginning.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(folder.short(&name))?;
    let listener = socket.listen(BACKLOG)?;
    let (socket, site) = (Socket(path), Arc::clone(site));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let text = json(&serde_json::json!(site.snapshot()));
            tokio::spawn(async move {
                let told = stream.write_all(text.as_bytes());
                // Who does not listen is not told.
                let _ = tokio::time::timeout(PATIENCE, told).await;
            });
        }
    });
    Ok(socket)
}

/// Asks every scheduler that uses this state directory.
pub async fn ask(state: &StateDir) -> io::Result<Vec<Scheduler>> {
    let folder = Folder::open(state)?;
    let mut answers = Vec::new();
    for name in folder.names()? {
        let asked = tokio::time::timeout(PATIENCE, one(&folder.short(&name))).await;
        let answer = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        answers.push(match answer {
            Ok(snapshot) => Scheduler::Alive(Box::new(snapshot)),
            Err(error) => Scheduler::Silent(name, error),
        });
    }
    Ok(answers)
}

async fn one(path: &Path) -> io::Result<Snapshot> {
    let mut text = Vec::new();
    UnixStream::connect(path).await?.take(LONGEST).read_to_end(&mut text).await?;
    serde_json::from_slice(&text).map_err(io::Error::other)
}

/// The folder of the sockets. A socket's path may have some 100 bytes, a state directory's more: so it is named by
/// the open folder.
struct Folder {
    path: PathBuf,
    open: File,
}

impl Folder {
    fn open(state: &StateDir) -> io::Result<Self> {
        let path = state.schedulers()?;
        let directory = i32::try_from(rustix::fs::OFlags::DIRECTORY.bits()).unwrap_or_default();
        let open = OpenOptions::new().read(true).custom_flags(directory).open(&path)?;
        Ok(Self { path, open })
    }

    fn short(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.open.as_raw_fd()))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }
}
