//! Where backups go: a flat store of objects that can only be published whole.

pub mod rclone;

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::artifact::Complete;

/// A place that stores objects under relative names (`folder/name.ext`).
#[async_trait]
pub trait Remote: Send + Sync {
    /// How people know it; holds no secret.
    fn label(&self) -> String;

    /// Asks what the remote can do and whether it can be used at all. Answers from memory the second time.
    async fn probe(&self) -> Result<Features, RemoteError>;

    /// The program that moves the bytes, if it can be used at all.
    async fn tool(&self) -> Result<Tool, RemoteError> {
        Ok(Tool { name: self.label(), warning: None })
    }

    /// What the remote is like, for people who want to know before they rely on it.
    async fn nature(&self) -> Result<Nature, RemoteError> {
        let atomic = self.probe().await?.atomic;
        Ok(Nature { atomic, streams: true, hashes: Vec::new() })
    }

    /// When an object was stored by the remote's own clock, as far as it tells.
    async fn modified(&self, _name: &str) -> Result<Option<DateTime<Utc>>, RemoteError> {
        Ok(None)
    }

    /// The size of an object; `None` when there is none (a folder is none, nor is a name that ends with a `/`).
    async fn stat(&self, name: &str) -> Result<Option<ObjectSize>, RemoteError>;

    /// Begins to store an object. Nothing is published before [`Upload::commit`]; the caller has made sure that the
    /// name is free.
    async fn begin(&self, object: &NewObject<'_>) -> Result<Box<dyn Upload>, RemoteError>;

    /// Begins to store the files of a local directory as the folder `tree.name`. Nothing is copied before
    /// [`TreeUpload::commit`]; the caller has made sure that the folder is empty or missing.
    async fn begin_tree(&self, tree: &NewTree<'_>) -> Result<Box<dyn TreeUpload>, RemoteError>;

    /// Every object whose name begins with `folder`, which is empty or ends with a `/`, at any depth. An error, never a
    /// part of the listing. A place that does not exist yet is empty.
    async fn list(&self, folder: &str) -> Result<Vec<Entry>, RemoteError>;

    /// Whether an object of any of these names is there; for one that ends with a `/`, anything in that folder.
    async fn any(&self, names: &[&str]) -> Result<bool, RemoteError>;

    /// Copies small objects into a local directory, under their names. One that is missing is left out.
    async fn fetch(&self, names: &[String], into: &Path) -> Result<(), RemoteError>;

    /// Begins to read an object back. Whether it is there shows when it is read.
    async fn read(&self, name: &str) -> Result<Box<dyn Download>, RemoteError>;

    /// Stores a few bytes under a name, in the place of what has it. No proof is asked for: for what is no part of a
    /// backup.
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RemoteError>;

    /// Gives up what was being written under this name by somebody who is dead, and what no listing shows: the parts of
    /// an upload that S3 keeps. A best effort: not every server tells of them.
    async fn give_up(&self, name: &str);

    /// What has been being written below this place for longer than that and is not there yet, of those remotes that
    /// keep such parts unseen: under names that only [`Remote::give_up_unfinished`] knows. An error says why nobody can
    /// tell what of it is below this place.
    async fn unfinished(
        &self,
        _older: TimeDelta,
        _now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        Ok(Vec::new())
    }

    /// Gives these up, unless they are younger than that. Idempotent.
    async fn give_up_unfinished(
        &self,
        _names: &[String],
        _older: TimeDelta,
    ) -> Result<(), RemoteError> {
        Ok(())
    }

    /// Deletes objects, and of a name that ends with a `/` the whole folder, whatever is in it. Idempotent: one that is
    /// missing is no error. A folder whose name has empty parts, `.` or `..` is refused before anything is deleted.
    async fn delete(&self, names: &[String]) -> Result<(), RemoteError>;
}

/// One object on its way. Dropped without a commit, it leaves at most a temporary that no listing shows as a backup.
#[async_trait]
pub trait Upload: Send {
    /// Hands on bytes, all of them, as fast as the remote takes them. An error says why the upload itself died.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), RemoteError>;

    /// Returns when the upload dies on its own; never while it lives. Can be dropped half-way.
    async fn died(&mut self) -> RemoteError;

    /// Publishes the object under its name and makes sure that exactly the bytes written are there.
    async fn commit(&mut self, proof: &Complete) -> Result<(), RemoteError>;

    /// Takes everything back: after it, neither the name nor a temporary is there. Idempotent; works after a commit,
    /// too. The upload's process gets `grace` to end.
    async fn abort(&mut self, grace: Duration) -> Result<(), RemoteError>;
}

/// An object on its way back. Dropped, it ends.
#[async_trait]
pub trait Download: Send {
    /// The next bytes. 0 is the end, and comes only when the remote has sent all it has.
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError>;
}

/// An object that could not be read to its end.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// There is none of that name.
    #[error("it is not there")]
    Missing,
    /// It is there, and what wraps the remote (encryption) does not recognise it.
    #[error("{0}")]
    Damaged(String),
    /// The remote failed, which says nothing about the object.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// A folder on its way. It has its final name from the start: without a manifest it is no backup.
#[async_trait]
pub trait TreeUpload: Send {
    /// Copies every file, and makes sure that exactly those are there and arrived as they are: by hashes where the
    /// remote knows one, by sizes elsewhere. `moved` is told now and then how many bytes have been, all in all; while
    /// they are compared, the same number again. Can be dropped half-way.
    async fn commit(
        &mut self,
        proof: &Complete,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<(), RemoteError>;

    /// Takes everything back: after it, nothing of ours is in the folder. What somebody else has put there stays, and a
    /// folder that has a manifest by now stays whole: another run vouches for it. Idempotent; works after a commit, too.
    /// The copying process gets `grace` to end.
    async fn abort(&mut self, grace: Duration) -> Result<(), RemoteError>;
}

/// A folder to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewTree<'a> {
    /// Its name; ends with a `/`.
    pub name: &'a str,
    /// A small object that is there while the folder is being made: it tells others of the same name.
    pub temporary: &'a str,
    /// The local directory with its files.
    pub from: &'a Path,
}

/// An object to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    /// Its name.
    pub name: &'a str,
    /// Where it is written until it is whole, on remotes that show objects half-written.
    pub temporary: &'a str,
    /// About how many bytes it will have, where an earlier backup tells.
    pub expected: Option<u64>,
    /// Whether the name is ours beyond doubt, as a manifest's is once its object has its own.
    pub owned: bool,
}

/// What a remote can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// An object is invisible until it is whole, so that it can be written under its final name.
    pub atomic: bool,
}

/// A program that moves bytes to a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name and version.
    pub name: String,
    /// What should be known of that version.
    pub warning: Option<String>,
}

/// What a remote is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nature {
    /// As in [`Features`].
    pub atomic: bool,
    /// It takes a stream; otherwise a dump has to be on local disk first.
    pub streams: bool,
    /// The hashes it knows of its objects.
    pub hashes: Vec<String>,
}

/// The size of an object, as far as its remote tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectSize {
    /// In bytes.
    Known(u64),
    /// The remote does not tell sizes.
    Unknown,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: ObjectSize,
}

/// A remote that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct RemoteError {
    /// What failed and why, in one sentence.
    pub what: String,
    /// The end of the transfer tool's own words.
    pub stderr: String,
    /// Whether it would fail again.
    pub lasting: bool,
}

impl RemoteError {
    /// A failure the transfer tool said nothing about.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), stderr: String::new(), lasting: false }
    }

    /// The same, of a cause that stays until somebody does something about it.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }
}
