//! The core of dbstash.
pub mod engine;
pub mod invocation;
pub mod job;
pub mod name;
pub mod retention;
pub mod secret;
