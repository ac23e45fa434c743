//! The `dbstash` program as a library: its command line, its settings and its commands.

pub mod app;
pub mod args;
pub mod commands;
pub mod entry;
pub mod exit;
pub mod health;
pub mod init;
pub mod logging;
pub mod notify;
pub mod places;
pub mod scheduler;
pub mod settings;
pub mod signals;
pub mod table;
pub mod text;
