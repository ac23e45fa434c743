//! Reads single settings, and keeps what is wrong with them.

use super::complaints::Complaints;
use super::layers::{Origin, Partial};
use super::table::{Fallback, Kind, Setting};

/// The settings that were given, with the place for what is wrong with them.
pub(super) struct Reader<'a> {
    given: &'a Partial,
    /// What was found so far.
    pub(super) complaints: &'a mut Complaints,
}

impl<'a> Reader<'a> {
    /// A reader of these.
    pub(super) fn new(given: &'a Partial, complaints: &'a mut Complaints) -> Self {
        Self { given, complaints }
    }

    /// The text somebody gave.
    pub(super) fn given(&self, setting: &Setting) -> Option<&'a str> {
        self.given.get(setting.name).map(|g| g.text.as_str())
    }

    /// Whether it was set, be it to a file that cannot be read.
    pub(super) fn is_set(&self, setting: &Setting) -> bool {
        self.given.contains_key(setting.name) || self.complaints.unreadable.contains(setting.name)
    }

    /// Where its value is from.
    pub(super) fn origin(&self, setting: &Setting) -> Origin {
        self.given.get(setting.name).map_or(Origin::Default, |g| g.origin.clone())
    }

    /// The text somebody gave, or the default's.
    pub(super) fn text(&self, setting: &Setting) -> Option<&'a str> {
        self.given(setting).or(match setting.default {
            Fallback::Is(text) => Some(text),
            Fallback::Unset | Fallback::Computed(_) => None,
        })
    }

    /// Its value. `None` when it is unset, or a mistake, which is kept.
    pub(super) fn value<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(setting)?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.mistake(setting, &reason);
                None
            }
        }
    }

    /// Its value is wrong, and this is what would be right.
    pub(super) fn mistake(&mut self, setting: &Setting, reason: &str) {
        // Words may hold a secret, which cannot be told apart when they do not even parse.
        let hidden = setting.is_secret() || setting.kind == Kind::Words;
        let origin = self.origin(setting);
        let name = origin.spells(setting.name);
        let told = match self.given(setting) {
            Some(text) if !hidden => format!("{name}={}: {reason}", brief(text)),
            _ => format!("{name}: {reason}"),
        };
        origin.mistake(told, self.complaints);
    }
}

/// A text as one short line.
fn brief(text: &str) -> String {
    const LONGEST: usize = 80;
    let line: String = text.chars().take(LONGEST).collect();
    let dots = if line.len() < text.len() { "..." } else { "" };
    format!("{}{dots}", line.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\""))
}
