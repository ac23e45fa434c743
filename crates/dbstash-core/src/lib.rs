//! The core of dbstash: one backup, from a producer of bytes to a proven object on a remote.
//!
//! # The story of one run
//! A [`Job`](job::Job) says what to back up. [`run`] takes its lock, sweeps up after runs that were killed, and asks
//! the [`Engine`](engine::Engine) for a [`Plan`](engine::Plan), a pure value. The [`Launcher`](launch::Launcher)
//! starts the dump while the [`Remote`](remote::Remote) is asked what it can do. [`store`] moves the bytes of the
//! [`Artifact`](artifact::Artifact) into an [`Upload`](remote::Upload). At the dump's end the upload stays open: only
//! with a [`Complete`](artifact::Complete) in hand, which needs exit status 0 and a passed
//! [`Check`](engine::Check), is it committed; anything else takes it back. The [`Manifest`](manifest::Manifest),
//! stored last, makes it a backup. Then [`prune`] deletes what [`retention`] says, and the
//! [`Report`](report::Report) tells observers how it went.
//!
//! # Two laws
//! Planning is pure; only the launcher spawns. Commit needs proof.

pub mod ahead;
pub mod artifact;
pub mod catalog;
pub mod chance;
pub mod checkup;
pub mod clock;
pub mod compression;
pub mod confinement;
pub mod daemon;
pub mod dialogue;
pub mod doctor;
mod drift;
pub mod drill;
pub mod engine;
pub mod errand;
pub mod error;
pub mod garbage;
pub mod hook;
pub mod invocation;
pub mod job;
pub mod launch;
pub mod load;
pub mod manifest;
pub mod name;
pub mod past;
pub mod pin;
pub mod process;
pub mod prune;
pub mod recipe;
pub mod remote;
pub mod report;
pub mod restore;
pub mod retention;
pub mod run;
pub mod schedule;
pub mod secret;
pub mod sidecar;
pub mod spool;
pub mod state;
pub mod status;
pub mod store;
mod sweep;
pub mod tally;
pub mod temporary;
pub mod timetable;
pub mod verify;
pub mod wire;
pub mod zone;
