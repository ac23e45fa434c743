//! A stored backup in memory, for as many verifications as there are bytes in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use dbstash_core::catalog::Backup;
use dbstash_core::drill::Trial;
use dbstash_core::launch::Local;
use dbstash_core::manifest::{self, Manifest};
use dbstash_core::remote::{
    Download, Entry, Features, NewObject, NewTree, ObjectSize, ReadError, Remote, RemoteError,
    TreeUpload, Upload,
};
use dbstash_core::sidecar::Notes;
use dbstash_core::state::StateDir;
use dbstash_core::store::Progress;
use dbstash_core::verify::{Context, Level, Verdict, verify};
use dbstash_testkit::{Scratch, TestRemote};
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

/// A backup with its objects, as a run of the program stored them.
pub struct Stored {
    backup: Backup,
    objects: BTreeMap<String, Arc<Vec<u8>>>,
    launcher: Local,
    state: StateDir,
    scratch: Scratch,
    runtime: Runtime,
}

/// In hex.
pub fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

impl Stored {
    /// The only backup of a remote.
    pub fn of(remote: &TestRemote) -> Self {
        let names = remote.names();
        let read = |name: &String| (name.clone(), Arc::new(remote.read(name)));
        let objects: BTreeMap<_, _> = names.iter().map(read).collect();
        let manifest_name = names.iter().find(|name| name.ends_with(manifest::SUFFIX)).unwrap();
        // As a catalog knows it.
        let manifest = Manifest::read(manifest_name, &objects[manifest_name]).unwrap().uncounted();
        let scratch = Scratch::new("flips");
        Self {
            backup: Backup {
                manifest_name: manifest_name.clone(),
                manifest: Box::new(manifest),
                notes: Notes::default(),
            },
            objects,
            launcher: Local { environment: std::env::vars().collect() },
            state: StateDir::open(&scratch.path().join("state")).unwrap(),
            scratch,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    /// The files of the dump, or those of what is stored beside it.
    pub fn files(&self, beside: bool) -> Vec<String> {
        let names: Vec<_> = self.backup.objects().collect();
        let (dump, rest) = names.split_first().unwrap();
        let of = |wanted: &String, name: &String| {
            name == wanted || wanted.ends_with('/') && name.starts_with(wanted.as_str())
        };
        let is = |name: &&String| {
            if beside { rest.iter().any(|wanted| of(wanted, name)) } else { of(dump, name) }
        };
        self.objects.keys().filter(is).cloned().collect()
    }

    pub fn bytes(&self, name: &str) -> &[u8] {
        &self.objects[name]
    }

    /// What it is: engine, mode, format and encodings.
    pub fn kind(&self) -> String {
        let Manifest { engine, mode, objects, .. } = &*self.backup.manifest;
        format!("{engine} {mode} {} {}", objects[0].format, objects[0].encodings.join("+"))
    }

    /// What is said of it as it is.
    pub fn verdict(&self, level: Level) -> Verdict {
        self.judge(&self.backup, &self.objects, level)
    }

    /// With these bytes in the place of a file; the manifest knows nothing of it.
    pub fn changed(&self, file: &str, bytes: Vec<u8>) -> Verdict {
        let mut objects = self.objects.clone();
        objects.insert(file.to_owned(), Arc::new(bytes));
        self.judge(&self.backup, &objects, Level::Bytes)
    }

    /// The same, and every sum is that of the changed bytes: only the structure can tell.
    pub fn forged(&self, file: &str, bytes: Vec<u8>) -> Verdict {
        let (mut backup, mut objects) = (self.backup.clone(), self.objects.clone());
        let names: Vec<_> = backup.objects().collect();
        let mut sum = sha256(&bytes);
        let size = bytes.len() as u64;
        objects.insert(file.to_owned(), Arc::new(bytes));
        let at = names.iter().position(|name| name == file);
        if let Some(at) = at {
            (backup.manifest.objects[at].sha256, backup.manifest.objects[at].bytes) = (sum, size);
        } else {
            // A file of a folder: the list of sums speaks of it, and the manifest of the list.
            let (folder, list) = (&names[0], names.iter().find(|n| n.ends_with(".sha256")));
            let (list, place) = (list.unwrap(), folder.trim_end_matches('/'));
            let stem = place.rsplit('/').next().unwrap();
            let path = format!("{stem}/{}", file.strip_prefix(folder.as_str()).unwrap());
            let text = String::from_utf8(objects[list].to_vec()).unwrap();
            let line = |line: &str| match line.split_once("  ").unwrap() {
                (_, of) if of == path => format!("{sum}  {path}\n"),
                _ => format!("{line}\n"),
            };
            let text: String = text.lines().map(line).collect();
            sum = sha256(text.as_bytes());
            for object in &mut backup.manifest.objects {
                if object.files.is_some() || list.ends_with(&object.name) {
                    object.sha256.clone_from(&sum);
                }
            }
            objects.insert(list.clone(), Arc::new(text.into_bytes()));
        }
        let manifest = Arc::new(backup.manifest.write());
        objects.insert(backup.manifest_name.clone(), manifest);
        self.judge(&backup, &objects, Level::Structure)
    }

    fn judge(
        &self,
        backup: &Backup,
        objects: &BTreeMap<String, Arc<Vec<u8>>>,
        level: Level,
    ) -> Verdict {
        let remote = Memory(objects.clone());
        let cx = Context {
            remote: &remote,
            engine: dbstash_engines::engine(backup.manifest.engine),
            launcher: &self.launcher,
            state: &self.state,
            trial: &Trial::default(),
            temp_dir: self.scratch.path(),
            run: "20260101T000000Z-00000000",
            progress: &Progress::default(),
        };
        self.runtime.block_on(verify(backup, level, cx))
    }
}

/// Objects to be read.
struct Memory(BTreeMap<String, Arc<Vec<u8>>>);

struct Bytes {
    bytes: Option<Arc<Vec<u8>>>,
    at: usize,
}

#[async_trait]
impl Download for Bytes {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        let bytes = self.bytes.as_ref().ok_or(ReadError::Missing)?;
        let rest = &bytes[self.at..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.at += n;
        Ok(n)
    }
}

const NO: &str = "a verification writes nothing here";

#[async_trait]
impl Remote for Memory {
    fn label(&self) -> String {
        "memory".to_owned()
    }

    async fn probe(&self) -> Result<Features, RemoteError> {
        panic!("{NO}")
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectSize>, RemoteError> {
        Ok(self.0.get(name).map(|bytes| ObjectSize::Known(bytes.len() as u64)))
    }

    async fn begin(&self, _: &NewObject<'_>) -> Result<Box<dyn Upload>, RemoteError> {
        panic!("{NO}")
    }

    async fn begin_tree(&self, _: &NewTree<'_>) -> Result<Box<dyn TreeUpload>, RemoteError> {
        panic!("{NO}")
    }

    async fn put(&self, _: &str, _: &[u8]) -> Result<(), RemoteError> {
        panic!("{NO}")
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, RemoteError> {
        let entry = |(name, bytes): (&String, &Arc<Vec<u8>>)| Entry {
            name: name.clone(),
            size: ObjectSize::Known(bytes.len() as u64),
        };
        Ok(self.0.iter().filter(|(name, _)| name.starts_with(folder)).map(entry).collect())
    }

    async fn any(&self, _: &[&str]) -> Result<bool, RemoteError> {
        panic!("{NO}")
    }

    async fn fetch(&self, _: &[String], _: &Path) -> Result<(), RemoteError> {
        panic!("{NO}")
    }

    async fn read(&self, name: &str) -> Result<Box<dyn Download>, RemoteError> {
        Ok(Box::new(Bytes { bytes: self.0.get(name).cloned(), at: 0 }))
    }

    async fn give_up(&self, _: &str) {
        panic!("{NO}")
    }

    async fn delete(&self, _: &[String]) -> Result<(), RemoteError> {
        panic!("{NO}")
    }
}
