//! The databases dbstash knows: connections, dump commands and completeness checks.

pub mod conn;
