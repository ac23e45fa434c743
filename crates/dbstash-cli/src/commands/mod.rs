//! What each command does and prints.

pub mod collect;
pub mod config;
pub mod doctor;
pub mod list;
pub mod pin;
pub mod plan;
pub mod prune;
pub mod remove;
pub mod restore;
pub mod show;
pub mod site;
pub mod status;
pub mod verify;
