//! What a dump holds, counted as it passes: rows by table, documents by collection, keys by database.
//!
//! Counts vouch for nothing: they tell people what was in a dump, and that it holds less than the one before.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// More names are not kept, for a manifest is small.
const MOST: usize = 16 * 1024;
/// So many bytes of names, with their counts, are not nearly a whole manifest.
const MOST_BYTES: usize = 512 * 1024;
/// Why only their sum is kept.
pub const TOO_MANY: &str = "there are too many of them for a manifest";

/// Counts what is in a stream.
///
/// Fed every byte in order, in chunks of any size; keeps a bounded amount of them. It is slower than the stream at
/// everybody's cost.
pub trait Tally: Send {
    /// The next bytes.
    fn feed(&mut self, bytes: &[u8]);

    /// What was in it, after its last byte.
    fn finish(self: Box<Self>) -> Counts;
}

/// Counts what is in the files of a tree, which come in the order of their paths.
pub trait TreeTally: Send {
    /// A file; whether its bytes are of interest.
    fn begin(&mut self, path: &str) -> bool;

    /// The next bytes of the file begun last, in chunks of any size.
    fn feed(&mut self, bytes: &[u8]);

    /// What was in them, after the last one.
    fn finish(self: Box<Self>) -> Counts;
}

/// Who counts a stream.
#[derive(Default)]
pub enum Counting {
    /// Nobody is asked to.
    #[default]
    Off,
    /// This one.
    By(Box<dyn Tally>),
    /// Nobody can, for this reason.
    Not(&'static str),
}

/// Who counts a tree.
#[derive(Default)]
pub enum TreeCounting {
    /// Nobody is asked to.
    #[default]
    Off,
    /// This one, of its files.
    Files(Box<dyn TreeTally>),
    /// This one, of the output that is cut into files.
    Output(Box<dyn Tally>),
    /// Nobody can, for this reason.
    Not(&'static str),
}

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Counts {
    /// Nothing, and nobody was asked to.
    #[default]
    Untold,
    /// So many of each name.
    Of(BTreeMap<String, u64>),
    /// Nothing of each name.
    Without {
        /// The reason.
        why: String,
        /// How many there are of all names, where that is known.
        total: Option<u64>,
    },
}

impl Counts {
    /// Nothing was counted, for this reason.
    pub fn without(why: &str) -> Self {
        Self::Without { why: why.to_owned(), total: None }
    }

    /// How many there are of all names, where that is known.
    pub fn total(&self) -> Option<u64> {
        match self {
            Self::Untold => None,
            Self::Of(counts) => Some(counts.values().fold(0, |sum, n| sum.saturating_add(*n))),
            Self::Without { total, .. } => *total,
        }
    }

    /// Itself without the names, which are too many.
    pub(crate) fn summed(self) -> Self {
        match self {
            Self::Of(_) => Self::Without { why: TOO_MANY.to_owned(), total: self.total() },
            other => other,
        }
    }
}

impl Serialize for Counts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Untold => {}
            Self::Of(counts) => map.serialize_entry("counts", counts)?,
            Self::Without { why, total } => {
                map.serialize_entry("counts", &())?;
                map.serialize_entry("uncounted", why)?;
                if let Some(total) = total {
                    map.serialize_entry("counted", total)?;
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Counts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Written {
            counts: Option<BTreeMap<String, u64>>,
            uncounted: Option<String>,
            counted: Option<u64>,
        }
        let Written { counts, uncounted, counted } = Written::deserialize(deserializer)?;
        Ok(match (counts, uncounted) {
            (Some(counts), _) => Self::Of(counts),
            (None, Some(why)) => Self::Without { why, total: counted },
            (None, None) => Self::Untold,
        })
    }
}

/// Sums by name, as many as fit into a manifest; of more, only how many there are of all.
#[derive(Debug, Default)]
pub struct Sums {
    counts: BTreeMap<String, u64>,
    bytes: usize,
    /// What has no place of its own any more.
    rest: Option<u64>,
}

impl Sums {
    /// Adds so many to a name; with none, the name is at least there.
    pub fn add(&mut self, name: &str, count: u64) {
        if let Some(rest) = &mut self.rest {
            *rest = rest.saturating_add(count);
        } else if let Some(sum) = self.counts.get_mut(name) {
            *sum = sum.saturating_add(count);
        } else if self.counts.len() < MOST && self.bytes + name.len() < MOST_BYTES {
            self.bytes += name.len();
            self.counts.insert(name.to_owned(), count);
        } else {
            let counts = std::mem::take(&mut self.counts);
            let sum = Counts::Of(counts).total().unwrap_or_default();
            self.rest = Some(sum.saturating_add(count));
        }
    }

    /// What was counted.
    pub fn counts(self) -> Counts {
        match self.rest {
            None => Counts::Of(self.counts),
            rest => Counts::Without { why: TOO_MANY.to_owned(), total: rest },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let of = Counts::Of(BTreeMap::from([("a\n\"b".to_owned(), 3), ("c".to_owned(), 0)]));
        let summed = of.clone().summed();
        assert_eq!(summed, Counts::Without { why: TOO_MANY.to_owned(), total: Some(3) });
        for (counts, text) in [
            (Counts::Untold, r"{}"),
            (of, r#"{"counts":{"a\n\"b":3,"c":0}}"#),
            (summed, &format!(r#"{{"counts":null,"uncounted":"{TOO_MANY}","counted":3}}"#)),
            (Counts::without("zip"), r#"{"counts":null,"uncounted":"zip"}"#),
        ] {
            assert_eq!(serde_json::to_string(&counts).unwrap(), text);
            assert_eq!(serde_json::from_str::<Counts>(text).unwrap(), counts);
        }
        assert!(serde_json::from_str::<Counts>(r#"{"counts":{"a":-1}}"#).is_err());
    }

    #[test]
    fn of_too_many_names_the_sum_is_kept() {
        let mut sums = Sums::default();
        for n in 0..MOST {
            sums.add(&n.to_string(), 1);
            sums.add("0", 1);
        }
        assert!(sums.rest.is_none());
        sums.add("one more", 5);
        sums.add("0", u64::MAX / 2);
        let total = 2 * MOST as u64 + 5 + u64::MAX / 2;
        assert_eq!(sums.counts(), Counts::Without { why: TOO_MANY.to_owned(), total: Some(total) });
        let mut long = Sums::default();
        long.add(&"x".repeat(MOST_BYTES), 2);
        long.add("y", u64::MAX);
        assert_eq!(long.counts().total(), Some(u64::MAX));
    }
}
