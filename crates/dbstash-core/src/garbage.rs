//! What is ours beyond doubt and no backup.
//!
//! A file without a manifest may be somebody's, or a backup that is being made elsewhere at this moment. So nothing is
//! taken for being unknown: only what a journal of a dead run names, what is called as only our temporaries are and is
//! long over, and notes of ours on backups that are gone altogether.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::catalog::{Fetched, is_safe_path};
use crate::remote::{Entry, ObjectSize, Remote, RemoteError};
use crate::sidecar::Note;
use crate::state::StateDir;
use crate::sweep;
use crate::temporary;
use crate::verify::Record;

/// What is younger may be somebody's work.
const OLD: TimeDelta = TimeDelta::hours(24);
/// No note of ours is bigger.
const LONGEST_NOTE: u64 = 1024 * 1024;

/// Why something is garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A temporary of a run that is long over.
    Temporary,
    /// A dead run of this state directory had it under way.
    Left,
    /// A pin or a result on a backup that is gone.
    Note,
    /// Parts of an upload that was never finished, which no listing shows.
    Parts,
}

impl Kind {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Temporary => "stale temporary",
            Self::Left => "left by a killed run",
            Self::Note => "note on no backup",
            Self::Parts => "unfinished upload",
        }
    }
}

/// All of it.
#[derive(Debug, Default)]
pub struct Garbage {
    found: Vec<(Kind, String)>,
    seen: HashSet<String>,
    /// Why nothing is known of unfinished uploads.
    pub parts_unknown: Option<String>,
}

impl Garbage {
    /// Looks for it, and changes nothing. `cache` is this remote's.
    pub async fn find(
        remote: &dyn Remote,
        state: &StateDir,
        cache: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, RemoteError> {
        let entries = remote.list("").await?;
        let mut garbage = Self::default();
        for name in sweep::left(remote, state).await? {
            garbage.add(Kind::Left, name);
        }
        for Entry { name, .. } in &entries {
            let is_ours = name.starts_with(temporary::FOLDER) && is_safe_path(name);
            if is_ours && temporary::is_stale(name, now) {
                garbage.add(Kind::Temporary, name.clone());
            }
        }
        for name in notes(remote, cache, &entries, now).await? {
            garbage.add(Kind::Note, name);
        }
        match remote.unfinished(OLD, now).await {
            Ok(names) => names.into_iter().for_each(|name| garbage.add(Kind::Parts, name)),
            Err(error) => garbage.parts_unknown = Some(error.to_string()),
        }
        Ok(garbage)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Each one's name, and why it is garbage.
    pub fn names(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.found.iter().map(|(kind, name)| (*kind, &**name))
    }

    /// Spares all but these.
    pub fn retain(&mut self, wanted: &dyn Fn(&str) -> bool) {
        self.found.retain(|(_, name)| wanted(name));
    }

    /// Deletes it, and says how much of it went.
    pub async fn delete(
        &self,
        remote: &dyn Remote,
        state: &StateDir,
    ) -> Result<usize, RemoteError> {
        let of = |kinds: &[Kind]| -> Vec<String> {
            let these = self.found.iter().filter(|(kind, _)| kinds.contains(kind));
            these.map(|(_, name)| name.clone()).collect()
        };
        let plain = of(&[Kind::Temporary, Kind::Note]);
        remote.delete(&plain).await?;
        let left: HashSet<String> = of(&[Kind::Left]).into_iter().collect();
        let taken = sweep::take_left(remote, state, &left).await?;
        let parts = of(&[Kind::Parts]);
        remote.give_up_unfinished(&parts, OLD).await?;
        Ok(plain.len() + taken + parts.len())
    }

    fn add(&mut self, kind: Kind, name: String) {
        if self.seen.insert(name.clone()) {
            self.found.push((kind, name));
        }
    }
}

/// Notes on backups of which nothing is left. Their names alone prove nothing, and are read only to find them: what
/// they say has to be what we write, and old.
async fn notes(
    remote: &dyn Remote,
    cache: &Path,
    entries: &[Entry],
    now: DateTime<Utc>,
) -> Result<Vec<String>, RemoteError> {
    let there: BTreeSet<&str> = entries.iter().map(|entry| &*entry.name).collect();
    let is_small = |size| matches!(size, ObjectSize::Known(size) if size <= LONGEST_NOTE);
    let orphan = |entry: &&Entry| {
        let Some((manifest, _)) = Note::parse(&entry.name) else { return false };
        let object = manifest.strip_suffix(crate::manifest::SUFFIX).unwrap_or_default();
        let folder = format!("{object}/");
        is_small(entry.size)
            && is_safe_path(&entry.name)
            && !entry.name.starts_with(temporary::FOLDER)
            && !there.contains(&*manifest)
            && !there.contains(object)
            && !there.range(&*folder..).next().is_some_and(|name| name.starts_with(&folder))
    };
    let orphans: Vec<&str> = entries.iter().filter(orphan).map(|entry| &*entry.name).collect();
    if orphans.is_empty() {
        return Ok(Vec::new());
    }
    let fetched = Fetched::get(remote, cache, &orphans).await?;
    let is_ours = |name: &&&str| {
        let noted = fetched.body(name).and_then(|body| noted(name, &body));
        noted.is_some_and(|at| now - at > OLD)
    };
    Ok(orphans.iter().filter(is_ours).map(|&name| name.to_owned()).collect())
}

/// When a note was made, if that is what it is.
fn noted(name: &str, body: &[u8]) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pinned {
        pinned: DateTime<Utc>,
        #[serde(rename = "host")]
        _host: String,
    }
    match Note::parse(name)?.1 {
        Note::Pin => serde_json::from_slice(body).ok().map(|pin: Pinned| pin.pinned),
        Note::Verified(_) => serde_json::from_slice(body).ok().map(|record: Record| record.at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_by_what_it_says() {
        let pin = br#"{"pinned":"2026-01-01T00:00:00Z","host":"box"}"#;
        assert!(noted("a/x.sql.pin", pin).is_some());
        for foreign in [&b""[..], b"{}", b"\x89PNG", br#"{"pinned":true,"host":"box"}"#] {
            assert_eq!(noted("a/x.sql.pin", foreign), None);
        }
        assert_eq!(noted("a/x.sql.20260101T000000000Z.bytes.verified.json", pin), None);
    }
}
