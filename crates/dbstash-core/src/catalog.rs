//! What a remote holds, sorted by how far it can be trusted.

mod cache;
mod find;
mod listing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};

pub use self::cache::remember;
use self::cache::{bodies, is_safe_path};
pub use self::find::{Among, LATEST};
use self::listing::Listing;
pub(crate) use self::listing::folders_above;
use crate::manifest::{self, Manifest};
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::{sidecar, temporary};

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
    /// What others have noted beside it since: the names on the remote, see [`sidecar`].
    pub sidecars: Vec<String>,
}

/// A manifest that vouches for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The manifest's name on the remote.
    pub manifest_name: String,
    /// What is wrong.
    pub why: String,
}

impl Backup {
    /// Whether somebody has pinned it: retention never deletes it then.
    pub fn is_pinned(&self) -> bool {
        self.sidecars.contains(&sidecar::name(&self.manifest_name, sidecar::PIN))
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
    /// Reads a remote: one listing, and the manifests that `cache` does not have yet.
    pub async fn load(
        remote: &dyn Remote,
        cache: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, RemoteError> {
        let entries = remote.list("").await?;
        let bodies = bodies(remote, cache, &entries).await?;
        Ok(Self::sort(&entries, &bodies, now))
    }

    /// The temporaries of runs that are long over.
    pub async fn stale(
        remote: &dyn Remote,
        now: DateTime<Utc>,
    ) -> Result<Vec<String>, RemoteError> {
        let entries = remote.list(temporary::FOLDER).await?;
        Ok(Self::sort(&entries, &HashMap::new(), now).stale)
    }

    /// The pure part of [`Catalog::load`].
    pub fn sort(entries: &[Entry], bodies: &HashMap<String, Vec<u8>>, now: DateTime<Utc>) -> Self {
        let listing = Listing::of(entries);
        let mut catalog = Self::default();
        let mut claimed = BTreeSet::new();
        // Some storage has several objects of one name: that is one backup all the same.
        let mut seen = HashSet::new();
        for entry in entries.iter().filter(|e| is_manifest(&e.name) && seen.insert(&e.name)) {
            claimed.extend(sidecars(&entry.name, &listing));
            let broken = |why: String| Broken { manifest_name: entry.name.clone(), why };
            let read = match bodies.get(&entry.name) {
                Some(body) => Manifest::read(&entry.name, body).map_err(|e| broken(e.to_string())),
                None => Err(broken("it could not be read".to_owned())),
            };
            match read.and_then(|manifest| {
                let sidecars = sidecars(&entry.name, &listing);
                let backup = Backup { manifest_name: entry.name.clone(), manifest, sidecars };
                claimed.extend(backup.objects().filter(|name| !listing.has_manifests_in(name)));
                let flaw = missing(&backup, &listing).or_else(|| foreign(&backup, &listing));
                flaw.map_or(Ok(backup), |why| Err(broken(why)))
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
        let is_sidecar = sidecar::manifests(&name).any(|manifest| there(&manifest));
        is_sidecar.then(|| format!("its object {name} is a note on a backup"))
    })
}

/// What is beside a manifest and belongs to it. An object with a manifest of its own is no sidecar, however it is called.
fn sidecars(manifest: &str, listing: &Listing<'_>) -> Vec<String> {
    let there = |name: &str| listing.size(name).is_some();
    let names = sidecar::KINDS.iter().map(|kind| sidecar::name(manifest, kind));
    names.filter(|name| there(name) && !there(&manifest::name_for(name))).collect()
}

fn is_manifest(name: &str) -> bool {
    name.ends_with(manifest::SUFFIX) && !name.starts_with(temporary::FOLDER)
}
