//! Manifests, as they were listed, in one local file for each place: none is fetched twice, and what a thousand of them
//! say is read in one go.
//!
//! ```text
//! manifests        a line that tells the form, then of each manifest: checksum, length; name, size, what it says
//! manifests.new    the same on its way, by the one who holds the lock
//! lock             flock: one process writes at a time; who does not get it leaves that to the others
//! <random>/        what is being fetched, gone with its process
//! ```
//! Whatever is wrong with it, it is only slow: what cannot be read is fetched.

mod file;
mod packed;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use self::file::{Records, Writing, path};
use self::packed::Known;
use super::fetched::Fetched;
use super::listing::Listing;
use crate::manifest::{self, BadManifest, Manifest};
use crate::remote::{ObjectSize, Remote, RemoteError};

/// What a manifest says, or what is wrong with it.
pub(super) type Said = Result<Box<Manifest>, BadManifest>;

/// How many are on local disk as files at a time.
const BATCH: usize = 4096;
/// About a thousand manifests.
const BIG: u64 = 512 * 1024;
/// So many that nobody lists any more may stay in the file, beside a tenth of it.
const GARBAGE: usize = 100;

/// What the file holds.
#[derive(Debug, Default)]
pub(super) struct Cached {
    /// By their names, each once.
    known: Vec<Known>,
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
        let Some(mut records) = Records::open(folder) else { return Self::default() };
        let mut known: Vec<Known> = std::iter::from_fn(|| records.next()).collect();
        let read = known.len();
        known.sort_by(|a, b| a.name.cmp(&b.name));
        // Of several, the last.
        known.dedup_by(|later, earlier| {
            let same = later.name == earlier.name;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self { known, records: read, whole: records.at_end }
    }
}

/// What the listed manifests say, at their places; those that the cache does not have in the listed size are fetched,
/// and kept.
pub(super) async fn said(
    remote: &dyn Remote,
    folder: &Path,
    listing: &Listing,
    cached: Cached,
) -> Result<Vec<Option<Said>>, RemoteError> {
    let mut said: Vec<Option<Said>> = listing.entries().iter().map(|_| None).collect();
    let (mut warm, mut cold) = (0, Vec::new());
    let mut known = cached.known.into_iter().peekable();
    for (place, entries) in listing.manifests() {
        let name = &entries[0].name;
        while known.next_if(|known| known.name < *name).is_some() {}
        let listed = |known: &Known| {
            known.name == *name && entries.iter().all(|e| e.size == ObjectSize::Known(known.size))
        };
        if let Some(known) = known.next_if(listed) {
            said[place] = Some(Ok(known.manifest));
            warm += 1;
        } else if is_safe_path(name) && entries.iter().any(may_be_read) {
            cold.push(place);
        }
    }
    drop(known);
    let garbage = cached.records - warm;
    let too_much = garbage > GARBAGE + warm / 10;
    let writing = !cold.is_empty() || too_much;
    let mut file = if writing { Writing::begin(folder) } else { None };
    if let Some(file) = &mut file
        && (!cached.whole || too_much)
    {
        let warm = listing.manifests().filter(|(place, _)| said[*place].is_some());
        file.rewrite(&warm.map(|(_, entries)| &*entries[0].name).collect::<HashSet<&str>>());
    }
    for batch in cold.chunks(BATCH) {
        let name = |place: usize| &*listing.entries()[place].name;
        let names: Vec<&str> = batch.iter().map(|place| name(*place)).collect();
        let fetched = Fetched::get(remote, folder, &names).await?;
        for &place in batch {
            let Some(body) = fetched.body(name(place)) else { continue };
            let (read, size) = (Manifest::read(name(place), &body), body.len() as u64);
            // What is wrong with one may be put right.
            if let (Some(file), Ok(read)) = (&mut file, &read)
                && listing.size(name(place)) == Some(ObjectSize::Known(size))
            {
                file.add(name(place), size, read);
            }
            said[place] = Some(read.map(|manifest| Box::new(manifest.uncounted())));
        }
        if let Some(file) = &mut file {
            file.save();
        }
    }
    Ok(said)
}

/// Puts a manifest that we have just stored, in so many bytes, into the cache. A best effort: what is not there is
/// fetched.
pub fn remember(folder: &Path, name: &str, size: u64, manifest: &Manifest) {
    if is_safe_path(name)
        && let Some(mut file) = Writing::begin(folder)
    {
        file.add(name, size, manifest);
        file.save();
    }
}

fn may_be_read(entry: &crate::remote::Entry) -> bool {
    !matches!(entry.size, ObjectSize::Known(size) if size > manifest::MAX_BYTES)
}

/// A name from a listing that stays inside a folder when it is used as a path.
pub(crate) fn is_safe_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.chars().any(char::is_control)
}
