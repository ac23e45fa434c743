//! Manifests, as they were listed, in one local file for each place: none is fetched twice, and what a thousand of them
//! say is read in one go.
//!
//! ```text
//! manifests        a line that tells the form, then of each manifest: checksum, size, name, its text
//! manifests.new    the same on its way, by the one who holds the lock
//! lock             flock: one process writes at a time; who does not get it leaves that to the others
//! <random>/        what is being fetched, gone with its process
//! ```
//! Whatever is wrong with it, it is only slow: what cannot be read is fetched.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::is_manifest;
use crate::manifest::{self, BadManifest, Manifest};
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::state::{self, live};

/// What a manifest says, or what is wrong with it.
pub(super) type Said = Result<Box<Manifest>, BadManifest>;

const FORM: &[u8] = b"dbstash manifests 1\n";
/// How many are on local disk as files at a time.
const BATCH: usize = 4096;
/// About a thousand manifests.
const BIG: u64 = 1024 * 1024;
/// So many that nobody lists any more may stay in the file, beside a tenth of it.
const GARBAGE: usize = 100;

/// What the file holds.
#[derive(Debug, Default)]
pub(super) struct Cached {
    said: HashMap<String, (u64, Said)>,
    /// With those that a later one took the place of.
    records: usize,
    /// It was read to its end.
    whole: bool,
}

impl Cached {
    /// Whether it takes a while to read.
    pub(super) fn is_big(folder: &Path) -> bool {
        fs::metadata(path(folder)).is_ok_and(|file| file.len() > BIG)
    }

    /// Reads the file as far as it can be trusted.
    pub(super) fn read(folder: &Path) -> Self {
        let mut cached = Self::default();
        let Some(mut records) = Records::open(folder) else { return cached };
        while let Some((name, body)) = records.next() {
            let said = Manifest::read(&name, body).map(Box::new);
            cached.said.insert(name, (body.len() as u64, said));
            cached.records += 1;
        }
        cached.whole = records.at_end;
        cached
    }
}

/// What the listed manifests say; those that the cache does not have in the listed size are fetched, and kept.
pub(super) async fn said(
    remote: &dyn Remote,
    folder: &Path,
    entries: &[Entry],
    mut cached: Cached,
) -> Result<HashMap<String, Said>, RemoteError> {
    let readable = entries
        .iter()
        .filter(|e| is_manifest(&e.name) && is_safe_path(&e.name))
        .filter(|e| !matches!(e.size, ObjectSize::Known(size) if size > manifest::MAX_BYTES));
    let mut said = HashMap::with_capacity(cached.said.len());
    let mut cold = HashMap::new();
    for entry in readable {
        match cached.said.remove(&entry.name) {
            // What is wrong with one may have been put right.
            Some((size, Ok(known))) if entry.size == ObjectSize::Known(size) => {
                said.insert(entry.name.clone(), Ok(known));
            }
            _ if said.contains_key(&entry.name) => {}
            _ => drop(cold.insert(entry.name.clone(), entry.size)),
        }
    }
    let garbage = cached.records - said.len();
    let mut file = if cold.is_empty() && garbage <= GARBAGE + said.len() / 10 {
        None
    } else {
        Writing::begin(folder)
    };
    if let Some(file) = &mut file
        && (!cached.whole || garbage > GARBAGE + said.len() / 10)
    {
        file.rewrite(&said);
    }
    drop(cached);
    let mut names: Vec<&String> = cold.keys().collect();
    names.sort_unstable();
    for batch in names.chunks(BATCH) {
        let fetched = Fetched::get(remote, folder, batch).await?;
        for &name in batch {
            let Some(body) = fetched.body(name) else { continue };
            let read = Manifest::read(name, &body).map(Box::new);
            if let (Some(file), Ok(_)) = (&mut file, &read)
                && cold[name] == ObjectSize::Known(body.len() as u64)
            {
                file.add(name, &body);
            }
            said.insert(name.clone(), read);
        }
        if let Some(file) = &mut file {
            file.save();
        }
    }
    Ok(said)
}

/// Puts a manifest that we have just stored into the cache. A best effort: what is not there is fetched.
pub fn remember(folder: &Path, name: &str, manifest: &[u8]) {
    if is_safe_path(name)
        && let Some(mut file) = Writing::begin(folder)
    {
        file.add(name, manifest);
        file.save();
    }
}

/// A name from a listing that stays inside a folder when it is used as a path.
pub(crate) fn is_safe_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.chars().any(char::is_control)
}

/// The records of a file, as far as they are whole.
struct Records {
    file: BufReader<File>,
    head: String,
    body: Vec<u8>,
    at_end: bool,
}

impl Records {
    fn open(folder: &Path) -> Option<Self> {
        let mut file = BufReader::with_capacity(64 * 1024, File::open(path(folder)).ok()?);
        let mut form = [0; FORM.len()];
        file.read_exact(&mut form).ok()?;
        (form == FORM).then_some(Self {
            file,
            head: String::new(),
            body: Vec::new(),
            at_end: false,
        })
    }

    /// The next name and its manifest; none, too, from the first damage on.
    fn next(&mut self) -> Option<(String, &[u8])> {
        self.head.clear();
        if self.file.read_line(&mut self.head).ok()? == 0 {
            self.at_end = true;
            return None;
        }
        let (crc, rest) = self.head.strip_suffix('\n')?.split_once(' ')?;
        let (size, name) = rest.split_once(' ')?;
        let size: u64 = size.parse().ok().filter(|size| *size <= manifest::MAX_BYTES)?;
        self.body.resize(usize::try_from(size).ok()? + 1, 0);
        self.file.read_exact(&mut self.body).ok()?;
        let body = self.body.strip_suffix(b"\n")?;
        (crc == checksum(name, body)).then(|| (name.to_owned(), body))
    }
}

/// Enough to tell a file that was cut short or damaged; nobody else can write it.
fn checksum(name: &str, body: &[u8]) -> String {
    let mut crc = Crc::new();
    crc.update(name.as_bytes());
    crc.update(body);
    format!("{:08x}", crc.sum())
}

fn path(folder: &Path) -> PathBuf {
    folder.join("manifests")
}

/// The file, held by the one process that writes to it. What fails is not kept, and nothing else.
struct Writing {
    folder: PathBuf,
    new: Vec<u8>,
    _lock: File,
}

impl Writing {
    fn begin(folder: &Path) -> Option<Self> {
        state::private_dir(folder).ok()?;
        let lock = state::private_file(&folder.join("lock")).ok()?;
        lock.try_lock().ok()?;
        Some(Self { folder: folder.to_owned(), new: Vec::new(), _lock: lock })
    }

    fn add(&mut self, name: &str, body: &[u8]) {
        let head = format!("{} {} {name}\n", checksum(name, body), body.len());
        self.new.extend_from_slice(head.as_bytes());
        self.new.extend_from_slice(body);
        self.new.push(b'\n');
    }

    /// Appends what was added since.
    fn save(&mut self) {
        let new = std::mem::take(&mut self.new);
        let append = || -> io::Result<()> {
            let path = path(&self.folder);
            let mut file = state::private_file(&path)?;
            if io::Seek::seek(&mut file, io::SeekFrom::End(0))? == 0 {
                file.write_all(FORM)?;
            }
            file.write_all(&new)
        };
        if append().is_err() {
            let _ = fs::remove_file(path(&self.folder));
        }
    }

    /// Leaves of the file what is wanted, each once: of several, the last.
    fn rewrite(&self, wanted: &HashMap<String, Said>) {
        let folder = &self.folder;
        let new = folder.join("manifests.new");
        let write = || -> io::Result<()> {
            let mut file = state::private_file(&new)?;
            file.set_len(0)?;
            file.write_all(FORM)?;
            let mut file = BufWriter::with_capacity(64 * 1024, file);
            let mut last = HashMap::with_capacity(wanted.len());
            let mut old = Records::open(folder);
            for n in 0.. {
                let Some((name, _)) = old.as_mut().and_then(Records::next) else { break };
                if wanted.contains_key(&name) {
                    last.insert(name, n);
                }
            }
            let mut old = Records::open(folder);
            for n in 0_usize.. {
                let Some((name, body)) = old.as_mut().and_then(Records::next) else { break };
                if last.get(&name) == Some(&n) {
                    writeln!(file, "{} {} {name}", checksum(&name, body), body.len())?;
                    file.write_all(body)?;
                    file.write_all(b"\n")?;
                }
            }
            file.flush()?;
            fs::rename(&new, path(folder))
        };
        if write().is_err() {
            let _ = fs::remove_file(&new);
            let _ = fs::remove_file(path(folder));
        }
    }
}

/// Small objects as files, removed with the value, and those of a killed process with the next one's.
pub(crate) struct Fetched {
    dir: PathBuf,
    _alive: File,
}

impl Fetched {
    pub(crate) async fn get(
        remote: &dyn Remote,
        folder: &Path,
        names: &[&String],
    ) -> Result<Self, RemoteError> {
        let unborn = |e: io::Error| {
            RemoteError::new(format!("the cache {} cannot be made: {e}", folder.display()))
        };
        state::private_dir(folder).map_err(unborn)?;
        for (dead, _locked) in live::dead(folder, |_| true) {
            let _ = fs::remove_dir_all(dead);
        }
        let name = uuid::Uuid::new_v4().simple().to_string();
        let alive = live::born(folder, &name).map_err(unborn)?;
        let fetched = Self { dir: folder.join(name), _alive: alive };
        let names: Vec<String> = names.iter().map(|&name| name.clone()).collect();
        let into = fetched.dir.join("fetched");
        state::private_dir(&into).map_err(unborn)?;
        remote.fetch(&names, &into).await?;
        Ok(fetched)
    }

    /// What was fetched; a little more than the most a manifest may have is enough to refuse it.
    pub(crate) fn body(&self, name: &str) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        let file = File::open(self.dir.join("fetched").join(name)).ok()?;
        file.take(manifest::MAX_BYTES + 1).read_to_end(&mut body).ok()?;
        Some(body)
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::manifest;

    #[test]
    fn listed_names_cannot_leave_the_cache() {
        for bad in ["../x", "a/../../x", "/etc/x", "a//b", "a\nb", ""] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
        assert!(is_safe_path("a/b c/-d.sql"));
    }

    #[test]
    fn what_is_remembered_is_read_as_far_as_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("place");
        let one = |n: i64| manifest("j", "db", n, &format!("{n} x.sql"));
        let name = |n: i64| manifest::name_for(&format!("a b/{n} x.sql"));
        for n in 0..5 {
            remember(&folder, &name(n), &one(n).write());
        }
        // Another of the same name takes its place; what cannot be read is kept as that.
        remember(&folder, &name(1), &one(1).write());
        remember(&folder, "bad.dbstash.json", b"{\xff");
        remember(&folder, "../out.dbstash.json", b"{}");
        let cached = Cached::read(&folder);
        assert!(cached.whole && cached.records == 7 && cached.said.len() == 6);
        let (size, said) = &cached.said[&name(3)];
        assert_eq!((said.as_deref(), *size), (Ok(&one(3)), one(3).write().len() as u64));
        assert!(cached.said["bad.dbstash.json"].1.is_err());

        let text = fs::read(path(&folder)).unwrap();
        for end in 0..text.len() {
            fs::write(path(&folder), &text[..end]).unwrap();
            let cut = Cached::read(&folder);
            for (name, found) in &cut.said {
                assert_eq!(Some(found), cached.said.get(name), "{end}");
            }
        }
        for at in (0..text.len()).step_by(7) {
            let mut flipped = text.clone();
            flipped[at] ^= 1;
            fs::write(path(&folder), &flipped).unwrap();
            let found = Cached::read(&folder);
            assert!(
                found.said.iter().all(|(name, one)| cached.said.get(name) == Some(one)),
                "{at}"
            );
        }
    }

    #[test]
    fn of_what_is_rewritten_each_is_left_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        for (name, body) in [("a", "1"), ("b", "2"), ("a", "33"), ("c", "4")] {
            remember(folder, name, body.as_bytes());
        }
        let wanted =
            ["a", "c", "d"].map(|name| (name.to_owned(), Manifest::read("", b"").map(Box::new)));
        let held = Writing::begin(folder).unwrap();
        assert!(Writing::begin(folder).is_none(), "one at a time");
        held.rewrite(&HashMap::from(wanted));
        let left = Cached::read(folder);
        let mut sizes: Vec<_> =
            left.said.iter().map(|(name, (size, _))| (&**name, *size)).collect();
        sizes.sort_unstable();
        assert_eq!((sizes, left.records, left.whole), (vec![("a", 2), ("c", 1)], 2, true));
        assert!(!folder.join("manifests.new").exists());
    }
}
