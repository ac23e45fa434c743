//! What tells one job from another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The identity of a job: letters, digits, `.`, `_` and `-`, and no leading dot or dash, so that it can be a file
/// name everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// Why a text is no job id.
#[derive(Debug, thiserror::Error)]
#[error("use 1 to 100 letters, digits, '.', '_' or '-', the first a letter or digit")]
pub struct BadJobId;

impl JobId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id with a digest of `exact`, for words that stand for more than one thing.
    #[must_use]
    pub fn told_apart_by(self, exact: &str) -> Self {
        let digest = base16ct::lower::encode_string(&Sha256::digest(exact.as_bytes()));
        let short: String = self.0.chars().take(90).collect();
        Self(format!("{short}-{}", &digest[..8]))
    }

    /// An id made from words that may hold anything: runs of other characters become one dash.
    pub fn from_words(words: &str) -> Self {
        let mut id = String::new();
        for c in words.chars() {
            if c.is_ascii_alphanumeric() || "._".contains(c) && !id.is_empty() {
                id.push(c);
            } else if !id.is_empty() && !id.ends_with('-') {
                id.push('-');
            }
            if id.len() == 100 {
                break;
            }
        }
        let id = id.trim_end_matches('-');
        Self(if id.is_empty() { "job".to_owned() } else { id.to_owned() })
    }
}

impl FromStr for JobId {
    type Err = BadJobId;

    fn from_str(text: &str) -> Result<Self, BadJobId> {
        let fits = text.len() <= 100
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if fits { Ok(Self(text.to_owned())) } else { Err(BadJobId) }
    }
}

impl TryFrom<String> for JobId {
    type Error = BadJobId;

    fn try_from(text: String) -> Result<Self, BadJobId> {
        text.parse()
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_an_id() {
        for (words, id) in [
            ("pg-db.example.com-5432", "pg-db.example.com-5432"),
            ("pg-::1-5432", "pg-1-5432"),
            ("sqlite-/data/my app.db", "sqlite-data-my-app.db"),
            ("../../etc", "etc"),
            ("", "job"),
        ] {
            assert_eq!(JobId::from_words(words).as_str(), id);
            assert!(id.parse::<JobId>().is_ok());
        }
    }

    #[test]
    fn an_id_cannot_leave_its_folder() {
        for bad in ["", ".", "..", "a/b", "-rf", "a b", "a\nb"] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
    }
}
