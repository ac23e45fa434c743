//! The program as the images run it: real databases, a real rclone, real failures.
//!
//! What counts is on the remote, and what a restore with stock tools gives back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "tests start stock tools")]
#![allow(clippy::print_stderr, reason = "a failed test shows how far it came")]
#![allow(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "our extensions are lowercase"
)]
#![allow(unreachable_pub, missing_docs, reason = "nothing here is a library")]

mod bad_input;
mod catalog;
mod compression;
mod counts;
mod damage;
mod doctor;
mod drills;
mod ending;
mod engines;
mod first_process;
mod fleet;
mod flips;
mod health;
mod hooks;
mod hostile;
mod interrupted;
mod job_file;
mod main_job;
mod matrix;
mod modes;
mod mongo;
mod mysql;
mod names;
mod notify;
mod pg;
mod pins;
mod redis;
mod restore;
mod retention;
mod retries;
mod scene;
mod secrets;
mod sqlite;
mod timetable;
mod transfer;
mod verifies;
mod verify;
