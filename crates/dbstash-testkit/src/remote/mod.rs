//! Remotes behind a real rclone.

mod folder;
mod servers;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::Scratch;
use crate::server::Server;

/// The kinds of remote that differ in what a killed upload leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteKind {
    /// A directory, by its path.
    Local,
    /// `rclone serve sftp`.
    Sftp,
    /// `rclone serve webdav`.
    Webdav,
    /// `rclone serve s3`.
    S3,
    /// The S3 of moto, which is not rclone's own and has true multipart uploads.
    Moto,
    /// Encrypted, on a directory.
    CryptLocal,
    /// Encrypted, on `rclone serve s3`.
    CryptS3,
}

impl RemoteKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Local,
        Self::Sftp,
        Self::Webdav,
        Self::S3,
        Self::Moto,
        Self::CryptLocal,
        Self::CryptS3,
    ];

    /// What the failure matrix runs on: renamed at the end, or whole at once; rclone's server, or
    /// another one's; encrypted.
    pub const MATRIX: [Self; 6] =
        [Self::Local, Self::Webdav, Self::S3, Self::Moto, Self::CryptLocal, Self::CryptS3];

    /// One of each sort that keeps a folder in another way: as files, as keys, under other names.
    pub const TREES: [Self; 3] = [Self::Local, Self::S3, Self::CryptS3];

    /// One of each sort that behaves differently when an upload is cut short.
    pub const MAIN: [Self; 3] = [Self::Local, Self::Sftp, Self::S3];
}

impl fmt::Display for RemoteKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A remote of a test's own, empty at first, with the server behind it.
#[derive(Debug)]
pub struct TestRemote {
    kind: RemoteKind,
    rclone: PathBuf,
    root: String,
    env: Vec<(String, String)>,
    secrets: Vec<String>,
    server: Option<Server>,
    port: u16,
    tls: Option<[PathBuf; 2]>,
    scratch: Scratch,
}

impl TestRemote {
    /// Starts it. `None`, said loudly, when a program is missing.
    pub fn start(kind: RemoteKind) -> Option<Self> {
        servers::start(kind, None, false)
    }

    /// The same with its objects below this directory; not for moto, which keeps them in memory.
    pub fn start_in(kind: RemoteKind, store: &Path) -> Option<Self> {
        servers::start(kind, Some(store), false)
    }

    /// The same behind TLS, with a certificate that nobody vouches for.
    pub fn start_tls(kind: RemoteKind) -> Option<Self> {
        servers::start(kind, None, true)
    }

    /// Which kind it is.
    pub fn kind(&self) -> RemoteKind {
        self.kind
    }

    /// What goes into `RCLONE_REMOTE`.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The variables that define the remote for rclone.
    pub fn env(&self) -> Vec<(String, String)> {
        self.env.clone()
    }

    /// The values in [`TestRemote::env`] that nobody may see.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Every object below the root with its size, half-finished and temporary ones too. How to restore is told beside
    /// the backups of every job, and is left out.
    pub fn objects(&self) -> BTreeMap<String, u64> {
        let mut all = self.everything();
        all.retain(|name, _| !name.ends_with(".RESTORE.txt"));
        all
    }

    /// The same with all there is.
    pub fn everything(&self) -> BTreeMap<String, u64> {
        if let Some(root) = self.folder() {
            return folder::sizes(root);
        }
        let mut rclone = self.rclone(&["lsjson", "--recursive", "--files-only", "--no-modtime"]);
        let listing = rclone.arg(&self.root).output().unwrap();
        // What has never been written to is not there.
        if listing.status.code() == Some(3) {
            return BTreeMap::new();
        }
        let listing: Value = serde_json::from_slice(&checked(&listing)).unwrap();
        let entry = |entry: &Value| {
            let name = entry["Path"].as_str().unwrap().to_owned();
            (name, entry["Size"].as_u64().unwrap())
        };
        listing.as_array().unwrap().iter().map(entry).collect()
    }

    /// The names of all objects.
    pub fn names(&self) -> Vec<String> {
        self.objects().into_keys().collect()
    }

    /// The bytes of an object. Panics when there is none.
    pub fn read(&self, name: &str) -> Vec<u8> {
        if let Some(root) = self.folder() {
            return fs::read(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let target = self.at(name);
        let bytes = checked(&self.rclone(&["cat", &target]).output().unwrap());
        // Of what is not there, a bucket has nothing to send.
        assert!(!bytes.is_empty() || self.everything().contains_key(name), "no object {name}");
        bytes
    }

    /// Every file behind the remote with its bytes, as its server keeps them: names and contents may
    /// be encrypted. Equal before and after exactly when nothing was written, changed or deleted.
    pub fn stored(&self) -> BTreeMap<String, Vec<u8>> {
        let mut dir = self.scratch.path().join("store");
        if self.kind == RemoteKind::Moto {
            dir = self.scratch.dir("copy");
            let copy = dir.to_str().unwrap();
            checked(&self.rclone(&["sync", "dst:bucket", copy]).output().unwrap());
        }
        folder::contents(&dir)
    }

    /// Writes to one of the files behind the remote, by a name that [`TestRemote::stored`] tells. Not for moto.
    pub fn damage(&self, name: &str, bytes: &[u8]) {
        fs::write(self.scratch.path().join("store").join(name), bytes).unwrap();
    }

    /// Writes an object.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        if let Some(root) = self.folder() {
            return folder::write(&root.join(name), bytes, root.parent().unwrap());
        }
        let target = self.at(name);
        let mut rclone = self
            .rclone(&["rcat", &target])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = rclone.stdin.take().unwrap();
        let output = thread::scope(|scope| {
            scope.spawn(move || input.write_all(bytes));
            rclone.wait_with_output().unwrap()
        });
        checked(&output);
    }

    /// Deletes an object.
    pub fn delete(&self, name: &str) {
        if let Some(root) = self.folder() {
            return fs::remove_file(root.join(name)).unwrap();
        }
        let target = self.at(name);
        checked(&self.rclone(&["deletefile", &target]).output().unwrap());
    }

    /// How many multipart uploads have been begun and neither completed nor given up; only S3 has
    /// such.
    pub fn pending_uploads(&self) -> usize {
        let bucket = match self.kind {
            RemoteKind::S3 | RemoteKind::Moto => "dst:bucket",
            RemoteKind::CryptS3 => "base:bucket",
            _ => return 0,
        };
        let mut rclone = self.rclone(&["backend", "list-multipart-uploads", bucket]);
        let output = rclone.output().unwrap();
        // What rclone's own server says once it has been started again.
        if String::from_utf8_lossy(&output.stderr).contains("NoSuchUpload") {
            return 0;
        }
        let pending: Value = serde_json::from_slice(&checked(&output)).unwrap();
        pending["bucket"].as_array().map_or(0, Vec::len)
    }

    /// The process id of the server, if there is one.
    pub fn server_pid(&self) -> Option<Pid> {
        self.server.as_ref().map(Server::pid)
    }

    /// Sends the server a signal: `KILL`, `STOP`, `CONT`.
    pub fn signal_server(&mut self, signal: Signal) {
        self.server.as_mut().expect("has no server").signal(signal);
    }

    /// Starts the server again where it was, whether it still runs or not.
    pub fn restart_server(&mut self) {
        let port = self.port;
        self.server.as_mut().expect("has no server").restart(port);
    }

    /// The file of the self-signed certificate.
    pub fn certificate(&self) -> &Path {
        &self.tls.as_ref().expect("is not behind TLS")[0]
    }

    /// rclone with these arguments, knowing the remote.
    pub fn rclone(&self, args: &[&str]) -> Command {
        let mut rclone = Command::new(&self.rclone);
        rclone
            .args(["--config", "/dev/null", "--retries", "1"])
            .args(args)
            .env_clear()
            .env("HOME", self.scratch.path())
            // It ends before its garbage matters.
            .env("GOGC", "off")
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        if self.tls.is_some() {
            rclone.arg("--ca-cert").arg(self.certificate());
        }
        rclone
    }

    /// The directory that it is, if it is one.
    fn folder(&self) -> Option<&Path> {
        (self.kind == RemoteKind::Local).then(|| Path::new(&self.root))
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }
}

fn checked(output: &Output) -> Vec<u8> {
    assert!(output.status.success(), "rclone: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout.clone()
}
