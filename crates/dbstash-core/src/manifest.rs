//! The manifest: the small object, written last, that makes a backup one.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::Passed;
use crate::job::{EngineKey, JobId};
use crate::tally::Counts;

/// The format this version writes, and the newest one it reads.
pub const FORMAT: u32 = 1;
/// What a manifest's name adds to its object's.
pub const SUFFIX: &str = ".dbstash.json";
/// No manifest of ours is bigger; what is, is not read.
pub const MAX_BYTES: u64 = 1024 * 1024;

/// What was stored, by whom, and what vouches for it. Never holds a credential; never rewritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's number.
    pub format: u32,
    /// Unique for every run: its start and a random part.
    pub id: String,
    /// The job it belongs to.
    pub job: JobId,
    /// The kind of database.
    pub engine: EngineKey,
    /// The database's label.
    pub database: String,
    /// As what it was stored: `stream`, `directory` or `tar`.
    pub mode: String,
    /// What was stored, the dump first.
    pub objects: Vec<Object>,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// When its last object was whole on the remote.
    pub ended: DateTime<Utc>,
    /// The machine that wrote it.
    pub host: String,
    /// The version of dbstash that wrote it.
    pub dbstash: String,
}

/// One stored object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Its file name, or the folder's without a `/`; it lies beside the manifest.
    pub name: String,
    /// Only for a folder: how many files are in it, at any depth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Only for a folder: the sha256 of its files' paths, sorted, a newline after each; in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<String>,
    /// The dump tool's word for the format.
    pub format: String,
    /// Bytes on the remote.
    pub bytes: u64,
    /// Bytes of the dump.
    pub raw_bytes: u64,
    /// Of the bytes on the remote, in hex; for a folder, of the list of its files' sums that is stored beside it.
    pub sha256: String,
    /// What was done to the dump on its way, in order; empty for the tool's own bytes.
    pub encodings: Vec<String>,
    /// What vouches for it.
    #[serde(flatten)]
    pub passed: Passed,
    /// What is in it, where that was counted.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A text that is no manifest of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadManifest {
    /// Not what a manifest looks like.
    #[error("not a manifest: {0}")]
    Malformed(String),
    /// Written by a later version.
    #[error("manifest format {0} is newer than this version reads ({FORMAT})")]
    Newer(u32),
}

impl BadManifest {
    /// With as much of `why` as people read: it may repeat what somebody wrote there.
    fn malformed(why: &str) -> Self {
        let mut brief: String = why.chars().take(200).collect();
        if brief.len() < why.len() {
            brief.push_str("...");
        }
        Self::Malformed(brief)
    }
}

impl Manifest {
    /// Reads a manifest that was found under `name` (relative to the remote). What it says is only believed as far
    /// as it can do no harm: its objects lie beside it and carry its name.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, BadManifest> {
        #[derive(Deserialize)]
        struct Probe {
            format: u32,
        }
        let malformed = |e: serde_json::Error| BadManifest::malformed(&e.to_string());
        if bytes.len() as u64 > MAX_BYTES {
            return Err(BadManifest::Malformed("too big".to_owned()));
        }
        match serde_json::from_slice::<Self>(bytes) {
            Ok(manifest) => manifest.found_under(name),
            // A later one may well look otherwise.
            Err(error) => match serde_json::from_slice(bytes) {
                Ok(Probe { format }) if format > FORMAT => Err(BadManifest::Newer(format)),
                Ok(_) => Err(malformed(error)),
                Err(probing) => Err(malformed(probing)),
            },
        }
    }

    /// The manifest itself, where it is one that we understand and believe under this name: see [`Manifest::read`].
    pub(crate) fn found_under(self, name: &str) -> Result<Self, BadManifest> {
        if self.format > FORMAT {
            return Err(BadManifest::Newer(self.format));
        }
        let file = name.rsplit('/').next().unwrap_or(name);
        match self.objects.first() {
            Some(first) if file.strip_suffix(SUFFIX) == Some(&first.name) => {}
            _ => {
                return Err(BadManifest::Malformed(
                    "it does not belong to the object beside it".to_owned(),
                ));
            }
        }
        let mut names = BTreeSet::new();
        for Object { name, files, .. } in &self.objects {
            if *files == Some(0) {
                return Err(BadManifest::malformed(&format!("{name:?} is a folder of no files")));
            }
            if !is_file_name(name) {
                return Err(BadManifest::malformed(&format!("{name:?} is no file name")));
            }
            if name.ends_with(SUFFIX) {
                return Err(BadManifest::malformed(&format!("{name:?} is a manifest itself")));
            }
            if !names.insert(name) {
                return Err(BadManifest::malformed(&format!("{name:?} is in it twice")));
            }
        }
        Ok(self)
    }

    /// As it is stored: for people, too.
    pub fn write(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// Itself without what was counted, which is of interest for one backup and too much for a list of many.
    #[must_use]
    pub fn uncounted(mut self) -> Self {
        for object in &mut self.objects {
            object.counts = Counts::Untold;
        }
        self
    }

    /// Keeps only sums of what was counted.
    pub(crate) fn sum_counts(&mut self) {
        for object in &mut self.objects {
            object.counts = std::mem::take(&mut object.counts).summed();
        }
    }

    /// Bytes on the remote, all objects together.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|o| o.bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of the dump itself.
    pub fn raw_bytes(&self) -> u64 {
        self.dump().map_or(0, |dump| dump.raw_bytes)
    }

    /// The dump itself.
    pub fn dump(&self) -> Option<&Object> {
        self.objects.first()
    }
}

/// What stands for the names of a folder's files, which come sorted.
pub fn digest_of_names<'a>(paths: impl IntoIterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for path in paths {
        digest.update(path);
        digest.update("\n");
    }
    base16ct::lower::encode_string(&digest.finalize())
}

/// The manifest's name for an object's, or for a folder's that ends with a `/`.
pub fn name_for(object: &str) -> String {
    format!("{}{SUFFIX}", object.trim_end_matches('/'))
}

fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains('/') && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod hostile;

#[cfg(test)]
pub(crate) mod tests {
    use chrono::TimeZone as _;

    use super::*;

    /// A manifest of `job` and `database` whose run began `age` hours before the first of January 2026.
    pub(crate) fn manifest(job: &str, database: &str, age: i64, object: &str) -> Manifest {
        let started =
            Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap() - chrono::TimeDelta::hours(age);
        Manifest {
            format: FORMAT,
            id: format!("{}-{object}", started.format("%Y%m%dT%H%M%SZ")),
            job: job.parse().unwrap(),
            engine: EngineKey::Pg,
            database: database.into(),
            mode: "stream".into(),
            objects: vec![Object {
                name: object.into(),
                files: None,
                names: None,
                format: "plain".into(),
                bytes: 10,
                raw_bytes: 10,
                sha256: "00".into(),
                encodings: vec![],
                passed: Passed::by("footer"),
                counts: Counts::Untold,
            }],
            started,
            ended: started,
            host: "box".into(),
            dbstash: "0.1.0".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let one = manifest("pg-h-1", "shop", 0, "shop.sql");
        assert_eq!(Manifest::read("a/b/shop.sql.dbstash.json", &one.write()).unwrap(), one);
    }

    #[test]
    fn a_hostile_manifest_is_not_believed() {
        let one = manifest("pg-h-1", "shop", 0, "shop.sql");
        assert!(Manifest::read("other.sql.dbstash.json", &one.write()).is_err());
        for name in [
            "../shop.sql",
            "/etc/passwd",
            "..",
            "a/b",
            "a\nb",
            "",
            "shop.sql",
            "good.sql.dbstash.json",
        ] {
            let mut bad = one.clone();
            bad.objects.push(Object { name: name.into(), ..one.objects[0].clone() });
            assert!(Manifest::read("shop.sql.dbstash.json", &bad.write()).is_err(), "{name:?}");
        }
        let mut newer = one.clone();
        newer.format = 2;
        let error = Manifest::read("shop.sql.dbstash.json", &newer.write()).unwrap_err();
        assert_eq!(error, BadManifest::Newer(2));
        for job in ["../x", "-rf", "\\u001b[2J", "a/b", ""] {
            let text = String::from_utf8(one.write()).unwrap().replace("pg-h-1", job);
            assert!(Manifest::read("shop.sql.dbstash.json", text.as_bytes()).is_err(), "{job}");
        }
    }
}
