//! Values that must never be shown, and the last line of defence for text that might hold one.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

pub use secrecy::{ExposeSecret, SecretString};

/// What stands in the place of a secret.
pub const REDACTED: &str = "***";

/// Shorter secrets are left to the structural rules (never in argv, never logged as a value):
/// replacing every "a" would make each message unreadable and would tell the secret besides.
const SHORTEST: usize = 4;

/// Replaces known secret values, and the spellings in which they travel, in any text.
///
/// Clones share what they know: a secret that one of them learns later is replaced by all.
#[derive(Clone, Default)]
pub struct Redactor {
    spellings: Arc<RwLock<Vec<String>>>,
}

impl Redactor {
    /// A redactor for these secrets, as they are and as JSON, URIs and shell words spell them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let redactor = Self::default();
        redactor.learn(secrets);
        redactor
    }

    /// Replaces these from now on, too.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) {
        let mut spellings = self.spellings.write().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            for line in std::iter::once(secret).chain(secret.lines()) {
                if line.trim().len() < SHORTEST {
                    continue;
                }
                spellings.push(line.to_owned());
                spellings.push(percent_encoded(line, |byte| format!("%{byte:02X}")));
                spellings.push(percent_encoded(line, |byte| format!("%{byte:02x}")));
                if let Ok(json) = serde_json::to_string(line) {
                    spellings.push(json[1..json.len() - 1].to_owned());
                }
                spellings.push(line.replace('\'', "''"));
                spellings.push(line.replace('\\', "\\\\").replace('\'', "\\'"));
            }
        }
        // The longest first, so that a secret which holds another one is replaced whole.
        spellings.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
    }

    /// `text` without any known secret.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = Cow::Borrowed(text);
        for spelling in self.spellings.read().unwrap_or_else(PoisonError::into_inner).iter() {
            if clean.contains(spelling.as_str()) {
                clean = Cow::Owned(clean.replace(spelling.as_str(), REDACTED));
            }
        }
        clean
    }

    /// The same of a text whose end was cut off, in the middle of a secret perhaps: what is there of that one is gone,
    /// too.
    pub fn redact_cut(&self, text: &str) -> String {
        let mut clean = self.redact(text).into_owned();
        let begun = |spelling: &String| {
            let starts = spelling.char_indices().map(|(at, _)| at).rev();
            starts.filter(|at| *at > 0).find(|at| clean.ends_with(&spelling[..*at]))
        };
        let spellings = self.spellings.read().unwrap_or_else(PoisonError::into_inner);
        let longest = spellings.iter().filter_map(begun).max().unwrap_or(0);
        clean.truncate(clean.len() - longest);
        clean
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let known = self.spellings.read().map_or(0, |all| all.len());
        write!(f, "Redactor({known} spellings)")
    }
}

fn percent_encoded(text: &str, escape: impl Fn(u8) -> String) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&escape(byte));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_secret_is_gone_in_every_spelling() {
        let secret = "p@ss\"w'ord\\x";
        let redactor = Redactor::new([secret]);
        let json = serde_json::json!({ "message": secret }).to_string();
        for text in [
            secret,
            json.as_str(),
            "postgresql://u:p%40ss%22w%27ord%5Cx@h/db",
            "postgresql://u:p%40ss%22w%27ord%5cx@h/db",
            "password='p@ss\"w\\'ord\\\\x'",
        ] {
            let clean = redactor.redact(text);
            assert!(
                clean.contains(REDACTED) && !clean.contains("p@ss") && !clean.contains("%40"),
                "{clean}"
            );
        }
    }

    #[test]
    fn very_short_values_do_not_shred_the_text() {
        assert_eq!(Redactor::new(["a"]).redact("a banana"), "a banana");
    }

    #[test]
    fn each_line_of_a_long_secret_counts() {
        assert_eq!(Redactor::new(["line-one\nline-two"]).redact("see line-two"), "see ***");
    }

    #[test]
    fn half_a_secret_at_the_end_is_gone() {
        let redactor = Redactor::new(["hunter22", "er22xyz"]);
        for (text, clean) in [
            ("pw hunter22", "pw ***"),
            ("pw hunter2", "pw "),
            ("pw hunter22xy", "pw ***xy"),
            ("pw hu", "pw "),
            ("pw x", "pw x"),
            ("", ""),
        ] {
            assert_eq!(redactor.redact_cut(text), clean, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_spelling_gets_through(secret in "\\PC{4,24}", before in "[ a-z]{0,6}", after in "[ a-z]{0,6}") {
            prop_assume!(secret.trim().len() >= SHORTEST);
            let redactor = Redactor::new([secret.as_str()]);
            let json = serde_json::json!({ "a": format!("{before}{secret}{after}") }).to_string();
            let plain = format!("{before}{secret}{after}");
            for text in [json, plain, percent_encoded(&secret, |b| format!("%{b:02x}"))] {
                let clean = redactor.redact(&text);
                prop_assert!(clean.contains(REDACTED), "{clean}");
            }
        }
    }
}
