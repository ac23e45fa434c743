//! What a remote holds, sorted by how far it can be trusted.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use crate::manifest::{self, Manifest};
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::{state, temporary};

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
    /// The names of its objects on the remote.
    pub fn objects(&self) -> impl Iterator<Item = String> + '_ {
        let folder = self.manifest_name.rfind('/').map_or("", |end| &self.manifest_name[..=end]);
        self.manifest.objects.iter().map(move |object| format!("{folder}{}", object.name))
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
        let sizes: HashMap<&str, ObjectSize> =
            entries.iter().map(|e| (e.name.as_str(), e.size)).collect();
        let mut catalog = Self::default();
        let mut claimed = BTreeSet::new();
        // Some storage has several objects of one name: that is one backup all the same.
        let mut seen = HashSet::new();
        for entry in entries.iter().filter(|e| is_manifest(&e.name) && seen.insert(&e.name)) {
            let broken = |why: String| Broken { manifest_name: entry.name.clone(), why };
            let read = match bodies.get(&entry.name) {
                Some(body) => Manifest::read(&entry.name, body).map_err(|e| broken(e.to_string())),
                None => Err(broken("it could not be read".to_owned())),
            };
            match read.and_then(|manifest| {
                let backup = Backup { manifest_name: entry.name.clone(), manifest };
                claimed.extend(backup.objects());
                let flaw = missing(&backup, &sizes).or_else(|| foreign(&backup, &sizes));
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
            } else if !is_manifest(name) && !claimed.contains(name) {
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
fn missing(backup: &Backup, sizes: &HashMap<&str, ObjectSize>) -> Option<String> {
    backup.manifest.objects.iter().zip(backup.objects()).find_map(|(object, name)| {
        match sizes.get(name.as_str()) {
            None => Some(format!("its object {name} is missing")),
            Some(ObjectSize::Known(found)) if *found != object.bytes => Some(format!(
                "its object {name} has {found} bytes and should have {}",
                object.bytes
            )),
            Some(_) => None,
        }
    })
}

/// An object of it that is another backup's: one with a manifest of its own, whether we can read that or not.
fn foreign(backup: &Backup, sizes: &HashMap<&str, ObjectSize>) -> Option<String> {
    let beside = backup.objects().skip(1);
    let mut owned = beside.filter(|name| sizes.contains_key(manifest::name_for(name).as_str()));
    owned.next().map(|name| format!("its object {name} has a manifest of its own"))
}

fn is_manifest(name: &str) -> bool {
    name.ends_with(manifest::SUFFIX) && !name.starts_with(temporary::FOLDER)
}

/// The manifests' texts, from the cache where it has one of the listed size.
async fn bodies(
    remote: &dyn Remote,
    cache: &Path,
    entries: &[Entry],
) -> Result<HashMap<String, Vec<u8>>, RemoteError> {
    let listed: Vec<&Entry> = entries
        .iter()
        .filter(|e| is_manifest(&e.name) && is_safe_path(&e.name))
        .filter(|e| !matches!(e.size, ObjectSize::Known(size) if size > manifest::MAX_BYTES))
        .collect();
    forget_unlisted(cache, cache, &listed.iter().map(|e| e.name.as_str()).collect());
    let cached = |entry: &Entry| {
        let found = fs::metadata(cache.join(&entry.name)).ok()?.len();
        (entry.size == ObjectSize::Known(found)).then_some(())
    };
    let cold: Vec<String> =
        listed.iter().filter(|e| cached(e).is_none()).map(|e| e.name.clone()).collect();
    if !cold.is_empty() {
        let made = state::private_dir(cache);
        made.map_err(|e| {
            RemoteError::new(format!("the cache {} cannot be made: {e}", cache.display()))
        })?;
        remote.fetch(&cold, cache).await?;
    }
    let read = |entry: &&Entry| Some((entry.name.clone(), cached_body(cache, &entry.name)?));
    Ok(listed.iter().filter_map(read).collect())
}

/// Puts a manifest that we have just stored into the cache. A best effort: what is not there is fetched.
pub fn remember(cache: &Path, name: &str, manifest: &[u8]) {
    let path = cache.join(name);
    if path.parent().is_some_and(|folder| state::private_dir(folder).is_ok()) {
        let _ = fs::write(path, manifest);
    }
}

/// A manifest from the cache; a little more than the most it may have is enough to refuse it.
fn cached_body(cache: &Path, name: &str) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    let file = fs::File::open(cache.join(name)).ok()?;
    file.take(manifest::MAX_BYTES + 1).read_to_end(&mut body).ok()?;
    Some(body)
}

/// A name from a listing that stays inside the cache when it is used as a path.
fn is_safe_path(name: &str) -> bool {
    name.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !name.chars().any(char::is_control)
}

/// Drops cached manifests that are gone from the remote.
fn forget_unlisted(cache: &Path, folder: &Path, listed: &BTreeSet<&str>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            forget_unlisted(cache, &path, listed);
        } else if !path
            .strip_prefix(cache)
            .is_ok_and(|p| p.to_str().is_some_and(|p| listed.contains(p)))
        {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::manifest;
    use chrono::TimeZone as _;

    fn entry(name: &str, size: u64) -> Entry {
        Entry { name: name.into(), size: ObjectSize::Known(size) }
    }

    fn now() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
    }

    #[test]
    fn only_a_whole_backup_is_listed() {
        let mut bodies = HashMap::new();
        for (object, age) in
            [("f/whole.sql", 5), ("short.sql", 4), ("gone.sql", 3), ("newest.sql", 1)]
        {
            let file = object.rsplit('/').next().unwrap();
            bodies.insert(manifest::name_for(object), manifest("j", "db", age, file).write());
        }
        let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
        entries.extend([
            entry("f/whole.sql", 10),
            entry("newest.sql", 10),
            entry("short.sql", 9),
            entry("orphan.sql", 10),
            entry("junk.dbstash.json", 3),
        ]);
        let catalog = Catalog::sort(&entries, &bodies, now());
        let good: Vec<_> = catalog.backups.iter().flat_map(Backup::objects).collect();
        assert_eq!(good, ["newest.sql", "f/whole.sql"]);
        let mut broken: Vec<_> = catalog.broken.iter().map(|b| b.why.as_str()).collect();
        broken.sort_unstable();
        assert_eq!(
            broken,
            [
                "it could not be read",
                "its object gone.sql is missing",
                "its object short.sql has 9 bytes and should have 10"
            ]
        );
        assert_eq!(catalog.others, ["orphan.sql"]);
    }

    #[test]
    fn a_manifest_cannot_claim_what_has_its_own() {
        let mut evil = manifest("j", "db", 0, "evil.sql");
        let victim = crate::manifest::Object { name: "good.sql".into(), ..evil.objects[0].clone() };
        evil.objects.push(victim);
        let good = manifest("other", "db", 5, "good.sql");
        let bodies = HashMap::from([
            ("evil.sql.dbstash.json".to_owned(), evil.write()),
            ("good.sql.dbstash.json".to_owned(), good.write()),
        ]);
        let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
        entries.extend([entry("evil.sql", 10), entry("good.sql", 10), entry("good.sql", 10)]);
        entries.push(entry("good.sql.dbstash.json", 1));
        let catalog = Catalog::sort(&entries, &bodies, now());
        let listed: Vec<_> = catalog.backups.iter().map(|b| b.manifest.job.as_str()).collect();
        assert_eq!(listed, ["other"]);
        assert!(catalog.broken[0].why.contains("a manifest of its own"), "{:?}", catalog.broken);
    }

    #[test]
    fn a_temporary_grows_stale_by_its_name() {
        let name = temporary::name("a/b.sql", "20251230T235959Z-a1b2c3d4");
        let fresh = temporary::name("b.sql", "20251231T000001Z-a1b2c3d4");
        let mut entries = vec![entry(&name, 5), entry(&fresh, 5), entry(".dbstash-tmp/foreign", 5)];
        // One that cannot be named safely must not keep the others from being swept.
        for odd in ["x\n", "../x", "a/../../x"] {
            entries.push(entry(&format!(".dbstash-tmp/{odd}.20200101T000000Z-a1b2c3d4.part"), 5));
        }
        let catalog = Catalog::sort(&entries, &HashMap::new(), now());
        assert_eq!(catalog.stale, [name]);
        assert!(catalog.others.is_empty() && catalog.backups.is_empty());
    }

    #[test]
    fn listed_names_cannot_leave_the_cache() {
        for bad in ["../x", "a/../../x", "/etc/x", "a//b", "a\nb", ""] {
            assert!(!is_safe_path(bad), "{bad:?}");
        }
        assert!(is_safe_path("a/b c/-d.sql"));
    }
}
