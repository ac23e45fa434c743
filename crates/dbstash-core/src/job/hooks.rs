//! What is run around each backup.

use std::fmt;
use std::time::Duration;

/// Commands for `sh -c`.
#[derive(Clone, PartialEq, Eq)]
pub struct Hooks {
    /// Before each backup; when it fails there is none.
    pub pre: Option<String>,
    /// After each backup, however it ended.
    pub post: Option<String>,
    /// How long each may take; `None` is no limit.
    pub timeout: Option<Duration>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { pre: None, post: None, timeout: Some(Duration::from_secs(300)) }
    }
}

/// Without the commands: they may hold a secret.
impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |command: &Option<String>| if command.is_some() { "..." } else { "" };
        f.debug_struct("Hooks")
            .field("pre", &set(&self.pre))
            .field("post", &set(&self.post))
            .field("timeout", &self.timeout)
            .finish()
    }
}
