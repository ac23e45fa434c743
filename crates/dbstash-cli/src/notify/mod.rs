//! Notifications: what became of backups, told to people and to monitors.
//!
//! [`Notifiers`] knows the [`Notifier`] of each job, which decides what is told (`ledger.rs`); a [`Courier`] brings it to its targets, each at its own pace. Both
//! are small until something is told: the HTTP client is made for the first delivery.

pub mod address;
mod courier;
mod http;
mod ledger;
mod line;
mod notice;
mod notifier;
mod notifiers;
pub mod target;
pub mod template;
pub mod trial;
mod words;

pub use courier::Courier;
pub use dbstash_core::status::Undelivered;
pub use notice::{Kind, Notice};
pub use notifier::Notifier;
pub use notifiers::Notifiers;

/// Of what the user wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Everything.
    Always,
    /// Failures, what comes close to them, and the first success after one.
    Failure,
    /// Successes only.
    Success,
}

impl On {
    /// Whether it is told.
    pub fn wants(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Always, _) | (_, Kind::Recovered | Kind::GoodAgain) => true,
            (Self::Success, kind) => kind == Kind::Stored,
            (Self::Failure, kind) => kind != Kind::Stored,
        }
    }
}
