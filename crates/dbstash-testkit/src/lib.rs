//! Real servers, real remotes and fake tools for the tests of dbstash.
//!
//! Use it from `tests/` directories. Everything here panics when it cannot do its work: a fixture
//! that does not come up is a failed test. The one exception is a tool that is not installed, which
//! skips a test loudly; see [`tools`]. Whatever is started or made here is gone when its value is
//! dropped, and, for processes, also when the test is killed.
#![allow(
    clippy::disallowed_methods,
    reason = "tests start real programs and read their own environment"
)]
#![allow(clippy::unwrap_used, reason = "a fixture that cannot be set up is a failed test")]

pub mod bins;
pub mod certificates;
mod clients;
mod failures;
pub mod fake;
mod feed;
pub mod http;
pub mod inbox;
pub mod locked;
pub mod mongo;
pub mod mysql;
pub mod pg;
pub mod platforms;
pub mod procs;
pub mod product;
pub mod redis;
pub mod remote;
pub mod scratch;
pub mod secrets;
pub mod server;
pub mod smtp;
pub mod sqlite;
pub mod tmpfs;
pub mod tools;
mod user;
pub mod web;

pub use fake::FakeTools;
pub use feed::percent_encoded;
pub use inbox::{Answer, Inbox};
pub use locked::Locked;
pub use mongo::{MongoServer, Mongodump};
pub use mysql::MysqlServer;
pub use pg::PgServer;
pub use product::{Dbstash, Finished, Running};
pub use redis::{FakeMaster, RedisServer};
pub use remote::{RemoteKind, TestRemote};
pub use rustix::process::Signal;
pub use scratch::Scratch;
pub use smtp::{MailSecurity, MailServer};
pub use tmpfs::Tmpfs;
pub use web::WebServer;
