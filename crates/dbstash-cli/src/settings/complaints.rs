//! Everything there is to say about the settings, collected to be said at once.

use std::collections::BTreeSet;
use std::fmt;

use dbstash_core::secret::Redactor;

use super::document::Spot;

/// Settings that cannot be used: every mistake at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    /// One sentence each, naming the setting and what is accepted; no secrets.
    pub mistakes: Vec<String>,
    /// What would have been worth a warning.
    pub warnings: Vec<String>,
}

/// One mistake per line.
impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistakes.join("\n"))
    }
}

/// What was found so far. Not `Debug`: it holds the secrets.
#[derive(Default)]
pub struct Complaints {
    /// Texts that must not appear in any of the others.
    pub secrets: Vec<String>,
    /// Settings whose value is in a file that cannot be read.
    pub unreadable: BTreeSet<&'static str>,
    pub(super) mistakes: Vec<Told>,
    pub(super) warnings: Vec<Told>,
    pub(super) notes: Vec<Told>,
}

/// A text, and the place in a job file that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub(super) spot: Option<Spot>,
    pub(super) text: String,
}

impl From<String> for Told {
    fn from(text: String) -> Self {
        Self { spot: None, text }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.spot {
            Some(spot) => write!(f, "{spot}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Warnings and notes, without secrets.
pub struct Remarks {
    /// Something has no effect, or not the effect it seems to have.
    pub warnings: Vec<String>,
    /// Worth knowing, and as intended.
    pub notes: Vec<String>,
}

impl Complaints {
    /// The settings cannot be used.
    pub fn mistake(&mut self, text: String) {
        self.mistakes.push(text.into());
    }

    /// The settings cannot be used, because of what stands there.
    pub fn mistake_at(&mut self, spot: Spot, text: String) {
        self.mistakes.push(Told { spot: Some(spot), text });
    }

    /// The settings can be used, but perhaps not as they were meant.
    pub fn warn(&mut self, text: String) {
        self.warnings.push(text.into());
    }

    /// Worth knowing.
    pub fn note(&mut self, text: String) {
        self.notes.push(text.into());
    }

    /// The remarks when there are no mistakes, and all mistakes otherwise.
    pub fn close(self) -> Result<Remarks, Mistakes> {
        let redactor = Redactor::new(self.secrets.iter().map(String::as_str));
        let clean = |texts: Vec<Told>| {
            let clean = texts.iter().map(|told| redactor.redact(&told.to_string()).into_owned());
            clean.collect::<Vec<_>>()
        };
        let warnings = clean(self.warnings);
        if self.mistakes.is_empty() {
            Ok(Remarks { warnings, notes: clean(self.notes) })
        } else {
            Err(Mistakes { mistakes: clean(self.mistakes), warnings })
        }
    }
}
