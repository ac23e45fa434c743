//! Small objects beside a manifest, which is never rewritten: what was noted on a backup later.
//!
//! Of `a/shop.sql` and its manifest `a/shop.sql.dbstash.json`, `a/shop.sql.pin` is a pin. Its name says all: a listing
//! is enough to know it. Without its manifest it belongs to nobody.

use crate::manifest;
use crate::verify::Mark;

const PIN: &str = ".pin";

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Somebody wants the backup to stay.
    Pin,
    /// A verification found something.
    Verified(Mark),
}

/// All of a backup's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Whether there is a [`Note::Pin`].
    pub pinned: bool,
    /// Each [`Note::Verified`], the newest first.
    pub verified: Vec<Mark>,
}

impl Note {
    /// Its name, beside this manifest.
    pub fn name(self, manifest: &str) -> String {
        let object = manifest.strip_suffix(manifest::SUFFIX).unwrap_or(manifest);
        match self {
            Self::Pin => format!("{object}{PIN}"),
            Self::Verified(mark) => mark.name_for(object),
        }
    }

    /// The manifest whose note an object of this name would be, and the note.
    pub fn parse(name: &str) -> Option<(String, Self)> {
        let pin = || name.strip_suffix(PIN).map(|object| (object, Self::Pin));
        let verified = || Mark::parse(name).map(|(object, mark)| (object, Self::Verified(mark)));
        let (object, note) = pin().or_else(verified)?;
        Some((manifest::name_for(object), note))
    }
}

impl Notes {
    /// Notes one more.
    pub fn add(&mut self, note: Note) {
        match note {
            Note::Pin => self.pinned = true,
            Note::Verified(mark) => {
                let newer = self.verified.partition_point(|other| *other > mark);
                if self.verified.get(newer) != Some(&mark) {
                    self.verified.insert(newer, mark);
                }
            }
        }
    }

    /// Their names, beside this manifest.
    pub fn names(&self, manifest: &str) -> impl Iterator<Item = String> {
        let pin = self.pinned.then_some(Note::Pin);
        pin.into_iter()
            .chain(self.verified.iter().copied().map(Note::Verified))
            .map(move |note| note.name(manifest))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::verify::Outcome;

    #[test]
    fn a_note_is_known_by_its_name() {
        let mark = Mark::new(DateTime::UNIX_EPOCH, Outcome::Structure);
        for object in ["shop.sql", "a/b/folder/", ".pin"] {
            let manifest = manifest::name_for(object);
            for note in [Note::Pin, Note::Verified(mark)] {
                let name = note.name(&manifest);
                assert!(name.starts_with(object.trim_end_matches('/')), "{name}");
                assert_eq!(Note::parse(&name), Some((manifest.clone(), note)));
            }
        }
        assert_eq!(Note::parse("shop.sql"), None);
    }

    #[test]
    fn the_newest_result_comes_first_and_each_once() {
        let at = |s| Mark::new(DateTime::UNIX_EPOCH + TimeDelta::seconds(s), Outcome::Bytes);
        let mut notes = Notes::default();
        [2, 1, 3, 2].map(at).map(Note::Verified).into_iter().for_each(|note| notes.add(note));
        assert_eq!(notes.verified, [3, 2, 1].map(at));
        assert!(!notes.pinned && notes.names("x.dbstash.json").count() == 3);
    }
}
