//! A remote that is a folder, and now and then refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use dbstash_core::remote::{
    Download, Entry, Features, NewObject, NewTree, ObjectSize, Remote, RemoteError, TreeUpload,
    Upload,
};

use crate::dice::Dice;
use crate::upload::Cat;

/// The folder; clones are the same one.
#[derive(Clone)]
pub(crate) struct Folder(Arc<Inner>);

struct Inner {
    root: PathBuf,
    mark: String,
    calm: AtomicBool,
    book: Mutex<Book>,
}

struct Book {
    dice: Dice,
    faults: BTreeMap<&'static str, u64>,
    refused: BTreeSet<String>,
    overwritten: Vec<String>,
}

impl Folder {
    /// One without faults, until it is asked for them.
    pub(crate) fn new(root: PathBuf, dice: Dice, mark: &str) -> Self {
        let (faults, refused) = (BTreeMap::new(), BTreeSet::new());
        let book = Mutex::new(Book { dice, faults, refused, overwritten: Vec::new() });
        let calm = AtomicBool::new(true);
        Self(Arc::new(Inner { root, mark: mark.to_owned(), calm, book }))
    }

    /// Whether it has no faults from now on.
    pub(crate) fn calm(&self, calm: bool) {
        self.0.calm.store(calm, Ordering::SeqCst);
    }

    /// How often each kind of fault happened.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, u64> {
        self.book().faults.clone()
    }

    /// What it refused to delete, with all that was to go in the same call.
    pub(crate) fn refused(&self) -> BTreeSet<String> {
        self.book().refused.clone()
    }

    /// What was published under a name that was taken.
    pub(crate) fn overwritten(&self) -> Vec<String> {
        self.book().overwritten.clone()
    }

    pub(crate) fn mark(&self) -> &str {
        &self.0.mark
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails once in so many calls.
    pub(crate) fn may_fail(&self, what: &'static str, calls: u64) -> Result<(), RemoteError> {
        let mut book = self.book();
        let (fails, lasting) = (book.dice.one_in(calls), book.dice.one_in(2));
        if !fails || self.0.calm.load(Ordering::SeqCst) {
            return Ok(());
        }
        *book.faults.entry(what).or_default() += 1;
        let error = RemoteError::new(format!("{what}: no"));
        Err(if lasting { error.lasting() } else { error })
    }

    /// Gives a file its name.
    pub(crate) fn publish(&self, from: &Path, name: &str) -> Result<(), RemoteError> {
        let to = self.path(name);
        if to.exists() {
            self.book().overwritten.push(name.to_owned());
        }
        fs::rename(from, to).map_err(|e| RemoteError::new(format!("{name}: {e}")))
    }

    /// Removes files, unless it refuses in the middle.
    pub(crate) fn remove(&self, what: &'static str, names: &[String]) -> Result<(), RemoteError> {
        for name in names {
            if let Err(error) = self.may_fail(what, 30) {
                self.book().refused.extend(names.iter().cloned());
                return Err(error);
            }
            match fs::remove_file(self.path(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => {
                    return Err(RemoteError::new(format!("{name}: {e}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn walk(&self, folder: &str, found: &mut Vec<Entry>) {
        for entry in fs::read_dir(self.path(folder)).into_iter().flatten().flatten() {
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => self.walk(&format!("{name}/"), found),
                Ok(meta) => found.push(Entry { name, size: ObjectSize::Known(meta.len()) }),
                // Gone in between.
                Err(_) => {}
            }
        }
    }

    fn size(&self, name: &str) -> Option<u64> {
        fs::metadata(self.path(name)).ok().filter(fs::Metadata::is_file).map(|meta| meta.len())
    }
}

#[async_trait]
impl Remote for Folder {
    fn label(&self) -> String {
        "folder".to_owned()
    }

    async fn probe(&self) -> Result<Features, RemoteError> {
        self.may_fail("probe", 100)?;
        Ok(Features { atomic: false })
    }

    async fn stat(&self, name: &str) -> Result<Option<ObjectSize>, RemoteError> {
        self.may_fail("stat", 50)?;
        Ok(self.size(name).map(ObjectSize::Known))
    }

    async fn begin(&self, object: &NewObject<'_>) -> Result<Box<dyn Upload>, RemoteError> {
        self.may_fail("begin", 100)?;
        Ok(Box::new(Cat::begin(self.clone(), object)?))
    }

    async fn begin_tree(&self, _tree: &NewTree<'_>) -> Result<Box<dyn TreeUpload>, RemoteError> {
        Err(RemoteError::new("no folders here"))
    }

    async fn list(&self, folder: &str) -> Result<Vec<Entry>, RemoteError> {
        self.may_fail("list", 50)?;
        let mut found = Vec::new();
        self.walk(folder, &mut found);
        Ok(found)
    }

    async fn any(&self, names: &[&str]) -> Result<bool, RemoteError> {
        self.may_fail("any", 100)?;
        Ok(names.iter().any(|name| self.size(name).is_some()))
    }

    async fn fetch(&self, names: &[String], into: &Path) -> Result<(), RemoteError> {
        self.may_fail("fetch", 20)?;
        for name in names {
            let _ = fs::copy(self.path(name), into.join(name));
        }
        Ok(())
    }

    async fn read(&self, _name: &str) -> Result<Box<dyn Download>, RemoteError> {
        Err(RemoteError::new("nothing is read back here"))
    }

    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), RemoteError> {
        self.may_fail("put", 20)?;
        fs::write(self.path(name), bytes).map_err(|error| RemoteError::new(error.to_string()))
    }

    async fn give_up(&self, _name: &str) {}

    async fn delete(&self, names: &[String]) -> Result<(), RemoteError> {
        self.remove("delete", names)
    }
}
