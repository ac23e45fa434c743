//! What a remote holds, sorted by how far it can be trusted.

mod cache;
mod fetched;
mod find;
mod judged;
mod listing;
#[cfg(test)]
mod tests;
mod whole;

use std::collections::BTreeMap;
#[cfg(test)]
use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

pub(crate) use self::cache::is_safe_path;
pub use self::cache::remember;
use self::cache::{Cached, Said};
pub(crate) use self::fetched::Fetched;
pub use self::find::{Among, LATEST};
use self::listing::Listing;
pub(crate) use self::listing::folders_above;
pub use self::whole::whole;
use crate::job::JobId;
use crate::manifest::{self, BadManifest, Manifest};
use crate::recipe;
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::sidecar::{Note, Notes};
use crate::temporary;
use crate::verify::{Mark, Outcome};

/// The objects of a remote.
#[derive(Debug, Default)]
pub struct Catalog {
    /// Every object is there, in full size, and a manifest vouches for it. The newest first.
    pub backups: Vec<Backup>,
    /// A manifest, but no backup one could restore.
    pub broken: Vec<Broken>,
    /// Objects without a manifest: leftovers, or somebody else's files.
    pub others: Vec<String>,
    /// Temporaries of runs that are long over.
    pub stale: Vec<String>,
}

/// A backup that can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The manifest's name on the remote.
    pub manifest_name: String,
    /// What it says.
    pub manifest: Box<Manifest>,
    /// What was noted on it since.
    pub notes: Notes,
}

/// A manifest that vouches for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The manifest's name on the remote.
    pub manifest_name: String,
    /// What is wrong.
    pub why: String,
    /// What it says, where that can be read.
    pub manifest: Option<Box<Manifest>>,
    /// Whether a later version wrote it, which may well know it as a backup.
    pub newer: bool,
}

impl Backup {
    /// What was found out about it last, if anything was: what is older was another's of the same name.
    pub fn verified(&self) -> Option<&Mark> {
        self.notes.verified.first().filter(|mark| mark.at >= self.manifest.started)
    }

    /// Whether it was found to be another thing than what was stored, and nothing better of it since.
    pub fn is_corrupt(&self) -> bool {
        self.verified().is_some_and(|mark| mark.outcome == Outcome::Corrupt)
    }

    /// The names of what was noted on it: these go with its objects.
    pub fn sidecars(&self) -> impl Iterator<Item = String> {
        self.notes.names(&self.manifest_name)
    }

    /// The names of its objects on the remote; one that is a folder ends with a `/`.
    pub fn objects(&self) -> impl Iterator<Item = String> + '_ {
        let place = self.manifest_name.rfind('/').map_or("", |end| &self.manifest_name[..=end]);
        self.manifest.objects.iter().map(move |object| {
            let slash = if object.files.is_some() { "/" } else { "" };
            format!("{place}{}{slash}", object.name)
        })
    }
}

impl Catalog {
    /// Reads a remote: one listing, and the manifests that `cache`, a folder of this remote alone, does not have yet.
    pub async fn load(
        remote: &dyn Remote,
        cache: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, RemoteError> {
        let folder = cache.to_owned();
        // A big one beside the listing, which keeps another process busy; a thread costs memory for good.
        let read = Cached::is_big(cache)
            .then(|| tokio::task::spawn_blocking(move || Cached::read(&folder)));
        let listing = Listing::of(remote.list("").await?);
        let cached = match read {
            Some(read) => read.await.unwrap_or_default(),
            None => Cached::read(cache),
        };
        let said = cache::said(remote, cache, &listing, cached).await?;
        Ok(Self::sorted(&listing, said, now))
    }

    /// The temporaries of runs that are long over.
    pub async fn stale(
        remote: &dyn Remote,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        let listing = Listing::of(remote.list(temporary::FOLDER).await?);
        Ok(Self::sorted(&listing, Vec::new(), now).stale)
    }

    /// [`Catalog::sorted`], of the manifests' texts.
    #[cfg(test)]
    pub(crate) fn sort(
        entries: &[Entry],
        bodies: &HashMap<String, Vec<u8>>,
        now: DateTime<Utc>,
    ) -> Self {
        let listing = Listing::of(entries.to_vec());
        let read = |entry: &Entry| {
            let body = bodies.get(&entry.name)?;
            Some(Manifest::read(&entry.name, body).map(Box::new))
        };
        let said = listing.entries().iter().map(read).collect();
        Self::sorted(&listing, said, now)
    }

    /// The pure part of [`Catalog::load`], of what the manifests say at their places.
    fn sorted(listing: &Listing, mut said: Vec<Option<Said>>, now: DateTime<Utc>) -> Self {
        let mut catalog = Self::default();
        let mut claimed = vec![false; listing.entries().len()];
        let mut notes = notes(listing, &mut claimed);
        for (place, entries) in listing.manifests() {
            let name = &entries[0].name;
            let broken =
                |why, manifest| Broken { manifest_name: name.clone(), why, manifest, newer: false };
            let read = match said.get_mut(place).and_then(Option::take) {
                Some(said) => said.map_err(|e| Broken {
                    newer: matches!(e, BadManifest::Newer(_)),
                    ..broken(e.to_string(), None)
                }),
                None => Err(broken("it could not be read".to_owned(), None)),
            };
            match read.and_then(|manifest| {
                let notes = notes.remove(&place).unwrap_or_default();
                let backup = Backup { manifest_name: name.clone(), manifest, notes };
                let objects: Vec<String> = backup.objects().collect();
                for object in objects.iter().filter(|name| !listing.has_manifests_in(name)) {
                    claimed[listing.places(object, place)].fill(true);
                }
                let flaw = missing(&backup, &objects, listing, place);
                match flaw.or_else(|| foreign(&objects, listing)) {
                    Some(why) => Err(broken(why, Some(backup.manifest))),
                    None => Ok(backup),
                }
            }) {
                Ok(backup) => catalog.backups.push(backup),
                Err(broken) => catalog.broken.push(broken),
            }
        }
        for (Entry { name, .. }, claimed) in listing.entries().iter().zip(claimed) {
            if name.starts_with(temporary::FOLDER) {
                if temporary::is_stale(name, now) && is_safe_path(name) {
                    catalog.stale.push(name.clone());
                }
            } else if !claimed && !is_manifest(name) && !is_recipe(name) {
                catalog.others.push(name.clone());
            }
        }
        catalog.backups.sort_by(|a, b| {
            (b.manifest.started, &b.manifest.id).cmp(&(a.manifest.started, &a.manifest.id))
        });
        catalog
    }
}

/// Whether an object tells how to restore: no backup, and nothing to wonder about.
fn is_recipe(name: &str) -> bool {
    name.strip_suffix(recipe::SUFFIX).is_some_and(|job| job.parse::<JobId>().is_ok())
}

/// What was noted, by the places of the manifests. An object with a manifest of its own is no note, however it is
/// called.
fn notes(listing: &Listing, claimed: &mut [bool]) -> BTreeMap<usize, Notes> {
    let mut found: BTreeMap<usize, Notes> = BTreeMap::new();
    for (place, Entry { name, .. }) in listing.entries().iter().enumerate() {
        if let Some((manifest, note)) = Note::parse(name) {
            let manifests = listing.places(&manifest, place);
            if !manifests.is_empty() && listing.size(&manifest::name_for(name)).is_none() {
                found.entry(manifests.start).or_default().add(note);
                claimed[place] = true;
            }
        }
    }
    found
}

/// What keeps a backup from being whole.
fn missing(backup: &Backup, names: &[String], listing: &Listing, place: usize) -> Option<String> {
    backup.manifest.objects.iter().zip(names).find_map(|(object, name)| {
        if object.files.is_some() {
            return listing.folder_flaw(name, object);
        }
        let found = &listing.entries()[listing.places(name, place)];
        match found.last().map(|entry| entry.size) {
            None => Some(format!("its object {name} is missing")),
            Some(ObjectSize::Known(found)) if found != object.bytes => Some(format!(
                "its object {name} has {found} bytes and should have {}",
                object.bytes
            )),
            Some(_) => None,
        }
    })
}

/// An object of it that is another backup's: one with a manifest of its own, whether we can read that or not, or one
/// that is a sidecar.
fn foreign(objects: &[String], listing: &Listing) -> Option<String> {
    let there = |manifest: &str| listing.size(manifest).is_some();
    objects.iter().skip(1).find_map(|name| {
        if there(&manifest::name_for(name)) {
            return Some(format!("its object {name} has a manifest of its own"));
        }
        let is_sidecar = Note::parse(name).is_some_and(|(manifest, _)| there(&manifest));
        is_sidecar.then(|| format!("its object {name} is a note on a backup"))
    })
}

fn is_manifest(name: &str) -> bool {
    name.ends_with(manifest::SUFFIX) && !name.starts_with(temporary::FOLDER)
}
