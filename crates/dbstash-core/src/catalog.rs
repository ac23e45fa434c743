//! What a remote holds, sorted by how far it can be trusted.

mod cache;
mod find;
mod judged;
mod listing;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};

pub use self::cache::remember;
use self::cache::{Cached, Said};
pub(crate) use self::cache::{Fetched, is_safe_path};
pub use self::find::{Among, LATEST};
use self::listing::Listing;
pub(crate) use self::listing::folders_above;
use crate::manifest::{self, BadManifest, Manifest};
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
    pub manifest: Manifest,
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
        let entries = remote.list("").await?;
        let cached = match read {
            Some(read) => read.await.unwrap_or_default(),
            None => Cached::read(cache),
        };
        let said = cache::said(remote, cache, &entries, cached).await?;
        Ok(Self::sorted(&entries, said, now))
    }

    /// The temporaries of runs that are long over.
    pub async fn stale(
        remote: &dyn Remote,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        let entries = remote.list(temporary::FOLDER).await?;
        Ok(Self::sorted(&entries, HashMap::new(), now).stale)
    }

    /// [`Catalog::sorted`], of the manifests' texts.
    #[cfg(test)]
    pub(crate) fn sort(
        entries: &[Entry],
        bodies: &HashMap<String, Vec<u8>>,
        now: DateTime<Utc>,
    ) -> Self {
        let read = |(name, body): (&String, &Vec<u8>)| {
            (name.clone(), Manifest::read(name, body).map(Box::new))
        };
        Self::sorted(entries, bodies.iter().map(read).collect(), now)
    }

    /// The pure part of [`Catalog::load`].
    fn sorted(entries: &[Entry], mut said: HashMap<String, Said>, now: DateTime<Utc>) -> Self {
        let listing = Listing::of(entries);
        let mut catalog = Self::default();
        let mut claimed = HashSet::new();
        // Some storage has several objects of one name: that is one backup all the same.
        let mut seen = HashSet::new();
        let mut notes = notes(entries, &listing);
        for entry in entries.iter().filter(|e| is_manifest(&e.name) && seen.insert(&e.name)) {
            let notes = notes.remove(&*entry.name).unwrap_or_default();
            claimed.extend(notes.names(&entry.name));
            let broken = |why, manifest| Broken {
                manifest_name: entry.name.clone(),
                why,
                manifest,
                newer: false,
            };
            let read = match said.remove(&entry.name) {
                Some(said) => said.map_err(|e| Broken {
                    newer: matches!(e, BadManifest::Newer(_)),
                    ..broken(e.to_string(), None)
                }),
                None => Err(broken("it could not be read".to_owned(), None)),
            };
            match read.and_then(|manifest| {
                let backup =
                    Backup { manifest_name: entry.name.clone(), manifest: *manifest, notes };
                claimed.extend(backup.objects().filter(|name| !listing.has_manifests_in(name)));
                let flaw = missing(&backup, &listing).or_else(|| foreign(&backup, &listing));
                match flaw {
                    Some(why) => Err(broken(why, Some(Box::new(backup.manifest)))),
                    None => Ok(backup),
                }
            }) {
                Ok(backup) => catalog.backups.push(backup),
                Err(broken) => catalog.broken.push(broken),
            }
        }
        for Entry { name, .. } in entries {
            if name.starts_with(temporary::FOLDER) {
                if temporary::is_stale(name, now) && is_safe_path(name) {
                    catalog.stale.push(name.clone());
                }
            } else if !is_manifest(name)
                && !claimed.contains(name)
                && !folders_above(name).any(|folder| claimed.contains(folder))
            {
                catalog.others.push(name.clone());
            }
        }
        catalog.backups.sort_by(|a, b| {
            (b.manifest.started, &b.manifest.id).cmp(&(a.manifest.started, &a.manifest.id))
        });
        catalog
    }
}

/// What was noted, by manifest. An object with a manifest of its own is no note, however it is called.
fn notes(entries: &[Entry], listing: &Listing<'_>) -> HashMap<String, Notes> {
    let mut found: HashMap<String, Notes> = HashMap::new();
    for name in entries.iter().map(|entry| &entry.name) {
        if let Some((manifest, note)) = Note::parse(name)
            && listing.size(&manifest).is_some()
            && listing.size(&manifest::name_for(name)).is_none()
        {
            found.entry(manifest).or_default().add(note);
        }
    }
    found
}

/// What keeps a backup from being whole.
fn missing(backup: &Backup, listing: &Listing<'_>) -> Option<String> {
    backup.manifest.objects.iter().zip(backup.objects()).find_map(|(object, name)| {
        if object.files.is_some() {
            return listing.folder_flaw(&name, object);
        }
        match listing.size(&name) {
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
fn foreign(backup: &Backup, listing: &Listing<'_>) -> Option<String> {
    let there = |manifest: &str| listing.size(manifest).is_some();
    backup.objects().skip(1).find_map(|name| {
        if there(&manifest::name_for(&name)) {
            return Some(format!("its object {name} has a manifest of its own"));
        }
        let is_sidecar = Note::parse(&name).is_some_and(|(manifest, _)| there(&manifest));
        is_sidecar.then(|| format!("its object {name} is a note on a backup"))
    })
}

fn is_manifest(name: &str) -> bool {
    name.ends_with(manifest::SUFFIX) && !name.starts_with(temporary::FOLDER)
}
