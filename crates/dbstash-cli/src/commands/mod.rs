//! What each command does and prints.

pub mod config;
pub mod list;
pub mod pin;
pub mod plan;
pub mod prune;
pub mod status;
pub mod verify;
