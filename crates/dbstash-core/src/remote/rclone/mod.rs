//! Any of rclone's storage backends. Nothing outside this folder knows how rclone is called.

mod cause;
mod command;
mod contact;
mod download;
mod features;
mod folders;
mod listing;
mod log;
mod nature;
mod parts;
#[cfg(test)]
mod tests;
mod tree;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::OnceCell;

use self::command::{Answer, call, failure};
use self::contact::Contact;
pub use self::contact::Patience;
use self::features::{Config, Flags, Report, Storage, Version, is_path, storage, without_path};
use self::listing::{Item, LISTING};
use super::{
    Download, Entry, Features, Nature, NewObject, NewTree, ObjectSize, ReadError, Remote,
    RemoteError, Tool, TreeUpload, Upload,
};

/// A question about one object.
const QUICK: Duration = Duration::from_secs(60);
/// A listing or a deletion of many.
const LONG: Duration = Duration::from_secs(30 * 60);
/// "Directory not found" and "object not found".
const MISSING: [Option<i32>; 2] = [Some(3), Some(4)];

/// How to call rclone for one remote.
#[derive(Clone)]
pub struct Settings {
    /// `remote:path` or a local path.
    pub root: String,
    /// The configuration file; rclone's own choice when `None`.
    pub config: Option<PathBuf>,
    /// The user's flags for every call.
    pub extra_args: Vec<String>,
    /// The whole environment of every call.
    pub env: Vec<(String, String)>,
    /// Whether rclone hashes what it uploads, beside our own sha256 and size check.
    pub upload_check: bool,
    /// Whether a remote that cannot take a stream may spool it to local disk.
    pub allow_spool: bool,
    /// How long silence may last.
    pub patience: Patience,
}

/// A remote behind rclone.
#[derive(Clone)]
pub struct Rclone {
    settings: Arc<Settings>,
    probed: Arc<OnceCell<Probed>>,
    storage: Arc<OnceCell<Option<Storage>>>,
    contact: Arc<Mutex<Contact>>,
}

/// What a probe found.
#[derive(Debug, Clone)]
struct Probed {
    features: Features,
    /// It is rclone's own encryption that lies on top.
    encrypted: bool,
    /// The first folder of a path is a bucket, unless the remote names one itself.
    buckets: bool,
    storage: Option<Storage>,
    warnings: Vec<String>,
}

impl Rclone {
    /// A remote; nothing is started yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            probed: Arc::default(),
            storage: Arc::default(),
            contact: Arc::default(),
        }
    }

    fn path(&self, name: &str) -> String {
        let root = &self.settings.root;
        if root.ends_with([':', '/']) { format!("{root}{name}") } else { format!("{root}/{name}") }
    }

    /// The root, with the slash that saves rclone the question whether it is a file: it takes a refusal of that question
    /// for a yes.
    fn folder(&self) -> String {
        self.path("")
    }

    async fn probed(&self) -> Result<&Probed, RemoteError> {
        self.probed.get_or_try_init(|| self.ask()).await
    }

    /// The storage system at the bottom of the remote.
    async fn storage(&self) -> Result<&Option<Storage>, RemoteError> {
        let s = &self.settings;
        let ask = async {
            if is_path(&s.root) {
                return Ok(storage(&s.root, &Config::default(), &[]));
            }
            let answer = call(s, &["config", "dump"], b"", QUICK).await?;
            let config: Config = if answer.exit.success() {
                parse(&answer.stdout, "config dump").unwrap_or_default()
            } else {
                Config::default()
            };
            Ok(storage(&s.root, &config, &s.env))
        };
        self.storage.get_or_try_init(|| ask).await
    }

    /// What the remote can do, and whether it is encryption itself.
    async fn features(&self) -> Result<(Flags, bool), RemoteError> {
        let root = &self.settings.root;
        if is_path(root) {
            return Ok((Flags { bucket_based: false, put_stream: true }, false));
        }
        let args = ["backend", "features", without_path(root)];
        let answer = call(&self.settings, &args, b"", QUICK).await?;
        let answer = succeeded(answer, "use the remote")?;
        let report: Report = parse(&answer.stdout, "backend features")?;
        let encrypted = report.is_crypt();
        Ok((report.features, encrypted))
    }

    /// Three questions at once: they cost more in start-up than in work.
    async fn ask(&self) -> Result<Probed, RemoteError> {
        let s = &self.settings;
        let (version, features, storage) =
            tokio::join!(call(s, &["version"], b"", QUICK), self.features(), self.storage());
        let version =
            succeeded(version?, "be used with RCLONE_EXTRA_ARGS and the RCLONE_ variables")?;
        let version =
            Version::parse(&String::from_utf8_lossy(&version.stdout)).ok_or_else(|| {
                RemoteError::new(
                    "what PATH has as rclone does not answer `rclone version` as rclone does",
                )
            })?;
        let warnings = version.check()?.into_iter().collect();
        let (features, encrypted) = features?;
        if !features.put_stream && !s.allow_spool {
            return Err(RemoteError::new(
                "this remote cannot take a stream: rclone would first write the whole dump to local disk; \
                 set BACKUP_ALLOW_SPOOL=true to allow that, or use another remote",
            ));
        }
        let storage = storage?.clone();
        // Known, by test, to leave nothing when rclone is killed before the end of a stream.
        let atomic = storage.as_ref().is_some_and(|storage| storage.kind == "s3")
            && features.bucket_based
            && features.put_stream;
        let buckets = features.bucket_based;
        Ok(Probed { features: Features { atomic }, encrypted, buckets, storage, warnings })
    }

    /// What the user should know about this remote, after a probe.
    pub fn warnings(&self) -> Vec<String> {
        self.probed.get().map(|p| p.warnings.clone()).unwrap_or_default()
    }

    /// The bytes of an object, counted by reading it back: for remotes that do not tell sizes.
    async fn count(&self, name: &str) -> Result<u64, RemoteError> {
        let mut download = download::RcloneDownload::begin(self.clone(), name)?;
        let (mut bytes, mut buf) = (0, vec![0; 256 * 1024]);
        loop {
            match download.read(&mut buf).await {
                Ok(0) => return Ok(bytes),
                Ok(n) => bytes += n as u64,
                Err(ReadError::Remote(error)) => return Err(error),
                Err(other) => {
                    return Err(RemoteError::new(format!("{name} cannot be read back: {other}")));
                }
            }
        }
    }

    async fn any_object(&self, names: &[&str]) -> Result<bool, RemoteError> {
        if names.is_empty() {
            return Ok(false);
        }
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let folder = self.folder();
        let args = [&LISTING[..], &["--files-from-raw=-", "--no-traverse", &folder]].concat();
        let answer = self.call(&args, lines(&names)?.as_bytes(), QUICK).await?;
        if MISSING.contains(&answer.exit.code()) {
            return Ok(false);
        }
        match succeeded(answer, &format!("look for {}", names.join(" and "))) {
            Ok(answer) => Ok(!parse::<Vec<Item>>(&answer.stdout, "lsjson")?.is_empty()),
            // S3 says why it refuses only to another kind of question.
            Err(bare) => Err(self.stat(&names[0]).await.err().unwrap_or(bare)),
        }
    }

    async fn delete_objects(&self, names: &[String]) -> Result<(), RemoteError> {
        match names {
            [] => return Ok(()),
            [name] => {
                let answer = self.call(&["deletefile", &self.path(name)], b"", QUICK).await?;
                if MISSING.contains(&answer.exit.code()) {
                    return Ok(());
                }
                return succeeded(answer, &format!("delete {name}")).map(drop);
            }
            _ => {}
        }
        let args = ["delete", "--files-from-raw=-", "--no-traverse", &self.folder()];
        let answer = self.call(&args, lines(names)?.as_bytes(), LONG).await?;
        if MISSING.contains(&answer.exit.code()) {
            return Ok(());
        }
        succeeded(answer, &format!("delete {} objects", names.len())).map(drop)
    }

    /// Makes sure an object is there and has exactly this size.
    async fn verify(&self, name: &str, expected: u64) -> Result<(), RemoteError> {
        let found = match self.stat(name).await? {
            Some(ObjectSize::Known(size)) => size,
            Some(ObjectSize::Unknown) => self.count(name).await?,
            None => {
                return Err(RemoteError::new(format!(
                    "rclone reported success, but {name} is not on the remote"
                )));
            }
        };
        if found == expected {
            return Ok(());
        }
        Err(RemoteError::new(format!(
            "rclone reported success, but {name} has {found} bytes on the remote and {expected} were sent"
        )))
    }
}

#[async_trait]
impl Remote for Rclone {
    fn label(&self) -> String {
        self.settings.root.clone()
    }

    async fn probe(&self) -> Result<Features, RemoteError> {
        Ok(self.probed().await?.features)
    }

    async fn tool(&self) -> Result<Tool, RemoteError> {
        self.tool_at_work().await
    }

    async fn nature(&self) -> Result<Nature, RemoteError> {
        self.own_nature().await
    }

    async fn modified(&self, name: &str) -> Result<Option<DateTime<Utc>>, RemoteError> {
        self.modified_at(name).await
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectSize>, RemoteError> {
        if folders::is_folder(name) {
            return Ok(None);
        }
        let path = self.path(name);
        let args = ["lsjson", "--stat", "--no-modtime", "--no-mimetype", &path];
        let answer = self.call(&args, b"", QUICK).await?;
        if MISSING.contains(&answer.exit.code()) {
            return Ok(None);
        }
        let answer = succeeded(answer, &format!("look at {name}"))?;
        let item: Item = parse(&answer.stdout, "lsjson")?;
        Ok((!item.is_dir).then(|| item.size()))
    }

    async fn begin(&self, object: &NewObject<'_>) -> Result<Box<dyn Upload>, RemoteError> {
        let probed = self.probed().await?.clone();
        Ok(Box::new(upload::RcloneUpload::begin(self.clone(), &probed, object)?))
    }

    async fn begin_tree(&self, tree: &NewTree<'_>) -> Result<Box<dyn TreeUpload>, RemoteError> {
        let probed = self.probed().await?.clone();
        Ok(Box::new(tree::RcloneTree::begin(self.clone(), &probed, tree)?))
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, RemoteError> {
        self.listed(folder, LONG).await
    }

    async fn any(&self, names: &[&str]) -> Result<bool, RemoteError> {
        let (folders, objects): (Vec<&str>, Vec<&str>) =
            names.iter().partition(|name| folders::is_folder(name));
        let (object, folder) = tokio::join!(self.any_object(&objects), self.any_in(&folders));
        Ok(object? || folder?)
    }

    async fn fetch(&self, names: &[String], into: &Path) -> Result<(), RemoteError> {
        if names.is_empty() {
            return Ok(());
        }
        let into = into.to_string_lossy();
        let what = format!("copy manifests to {into}");
        let args = [
            "copy",
            "--files-from-raw=-",
            "--no-traverse",
            "--ignore-times",
            "--transfers=16",
            &self.folder(),
            &into,
        ];
        let answer = self.call(&args, lines(names)?.as_bytes(), LONG).await?;
        match succeeded(answer, &what) {
            Err(error) if cause::is_full(&error.stderr) => Err(RemoteError::new(format!(
                "this machine has no room for {into}: make some, or set DBSTASH_STATE_DIR to a bigger disk"
            ))),
            done => done.map(drop),
        }
    }

    async fn read(&self, name: &str) -> Result<Box<dyn Download>, RemoteError> {
        Ok(Box::new(download::RcloneDownload::begin(self.clone(), name)?))
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RemoteError> {
        let answer = self.call(&["rcat", &self.path(name)], bytes, QUICK).await?;
        succeeded(answer, &format!("store {name}")).map(drop)
    }

    async fn give_up(&self, name: &str) {
        match name.strip_suffix('/') {
            Some(_) => self.give_up_parts_in(name).await,
            None => self.give_up_parts(name).await,
        }
    }

    async fn unfinished(
        &self,
        older: TimeDelta,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        self.unfinished_parts(older, now).await
    }

    async fn give_up_unfinished(
        &self,
        names: &[String],
        older: TimeDelta,
    ) -> Result<(), RemoteError> {
        self.give_up_old_parts(names, older).await
    }

    async fn delete(&self, names: &[String]) -> Result<(), RemoteError> {
        let (folders, objects): (Vec<String>, Vec<String>) =
            names.iter().cloned().partition(|name| folders::is_folder(name));
        folders.iter().try_for_each(|folder| folders::checked(folder))?;
        self.delete_objects(&objects).await?;
        for folder in &folders {
            self.purge(folder, LONG).await?;
        }
        Ok(())
    }
}

fn succeeded(answer: Answer, what: &str) -> Result<Answer, RemoteError> {
    if answer.exit.success() { Ok(answer) } else { Err(failure(what, answer.exit, &answer.stderr)) }
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, RemoteError> {
    serde_json::from_slice(bytes).map_err(|e| {
        RemoteError::new(format!("the answer of rclone {what} is not understood: {e}"))
    })
}

/// Names as `--files-from-raw` reads them: one a line.
fn lines(names: &[String]) -> Result<String, RemoteError> {
    let mut text = String::new();
    for name in names {
        if name.is_empty() || name.contains(['\n', '\r']) {
            return Err(RemoteError::new(format!("{name:?} cannot be named to rclone")));
        }
        text.push_str(name);
        text.push('\n');
    }
    Ok(text)
}
