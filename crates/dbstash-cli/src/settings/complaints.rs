//! Everything there is to say about the settings, collected to be said at once.

use std::collections::BTreeSet;
use std::fmt;

use dbstash_core::secret::Redactor;

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
    mistakes: Vec<String>,
    warnings: Vec<String>,
    notes: Vec<String>,
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
        self.mistakes.push(text);
    }

    /// The settings can be used, but perhaps not as they were meant.
    pub fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// Worth knowing.
    pub fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// The remarks when there are no mistakes, and all mistakes otherwise.
    pub fn close(self) -> Result<Remarks, Mistakes> {
        let redactor = Redactor::new(self.secrets.iter().map(String::as_str));
        let clean = |texts: Vec<String>| {
            let clean = texts.iter().map(|text| redactor.redact(text).into_owned());
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
