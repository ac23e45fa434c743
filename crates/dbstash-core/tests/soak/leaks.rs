//! What must be as it was when all is over.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dbstash_core::manifest::Object;
use dbstash_testkit::procs;
use sha2::{Digest as _, Sha256};

use crate::engine::{FOOTER, MARK};

/// The open files and the threads of this process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Holdings {
    files: Vec<String>,
    pub(crate) threads: usize,
}

impl Holdings {
    /// As they are now.
    pub(crate) fn now() -> Self {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let target = |entry: fs::DirEntry| fs::read_link(entry.path()).ok();
        // The listing itself is gone by now, or is the same each time.
        let mut files: Vec<_> = open
            .filter_map(target)
            .map(|to| kind(&to.to_string_lossy()))
            .filter(|name| !name.starts_with("/proc/"))
            .collect();
        files.sort();
        Self { files, threads: fs::read_dir("/proc/self/task").unwrap().count() }
    }
}

/// `pipe:[123]` is a pipe like any other.
fn kind(target: &str) -> String {
    target.split(":[").next().unwrap_or(target).to_owned()
}

/// The processes that the soak started, wherever they are by now, and those that are below us.
pub(crate) fn processes(mark: &str) -> Vec<String> {
    let ours = procs::descendants(std::process::id().cast_signed());
    let marked = format!("{MARK}={mark}");
    let orphans = procs::descendants(0).into_iter();
    let orphans = orphans.filter(|process| process.environment().contains(&marked));
    ours.into_iter()
        .chain(orphans)
        .map(|process| format!("{process:?} {}", process.command_line()))
        .collect()
}

/// What `look` sees when it is what it should be, or has had time enough: the dead need a moment.
pub(crate) fn settled<T>(look: impl Fn() -> T, well: impl Fn(&T) -> bool) -> T {
    let before = Instant::now();
    loop {
        let seen = look();
        if well(&seen) || before.elapsed() > Duration::from_secs(20) {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The files below a folder, by their paths; of a folder without any, itself with a `/`.
pub(crate) fn files(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                walk(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(folder, "", &mut found);
    found
}

/// What is wrong with a stored object.
pub(crate) fn flaw(path: &Path, object: &Object) -> Option<&'static str> {
    let Ok(bytes) = fs::read(path) else { return Some("is missing") };
    if base16ct::lower::encode_string(&Sha256::digest(&bytes)) != object.sha256 {
        return Some("has another sha256");
    }
    let plain = object.encodings.is_empty();
    let raw = if plain { Ok(bytes) } else { zstd::decode_all(&*bytes) };
    let Ok(raw) = raw else { return Some("cannot be unpacked") };
    let whole = if path.extension().is_some_and(|extension| extension == "tar") {
        let mut archive = tar::Archive::new(&*raw);
        let mut ends = archive.entries().unwrap().map(|entry| {
            let (mut entry, mut bytes) = (entry.unwrap(), Vec::new());
            entry.read_to_end(&mut bytes).unwrap();
            bytes.ends_with(FOOTER)
        });
        ends.any(|whole| whole)
    } else {
        raw.ends_with(FOOTER)
    };
    (!whole).then_some("has no footer")
}
