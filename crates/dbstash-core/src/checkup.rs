//! What is to be looked at before anybody relies on a job's backups: addresses, tools and questions, as values.

use std::path::PathBuf;

use serde::Serialize;

use crate::dialogue::{Call, Endpoint};
use crate::invocation::Invocation;

/// What an engine wants to know of a database's surroundings. Planning it does no I/O.
#[derive(Default)]
pub struct Checkup {
    /// Where the database is; empty where only the client knows.
    pub places: Vec<Place>,
    /// The programs of a backup.
    pub tools: Vec<Tool>,
    /// What is asked of the server, or of the file, one after the other; nothing more after one without an answer.
    pub questions: Vec<Question>,
    /// Whether each database of the server has to be looked at by itself, although all are dumped into one object.
    pub each: bool,
}

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A server's address.
    Server(Endpoint),
    /// A file.
    File(PathBuf),
}

/// A program, and how it tells its version.
pub struct Tool {
    /// Prints it on stdout.
    pub version: Invocation,
    /// Where it comes from, for whoever has to install it.
    pub from: &'static str,
    /// What is lost without it, if a backup is made all the same.
    pub without: Option<&'static str>,
    /// What is wrong with the one that says this of itself: the thing, and the way out.
    pub complaint: fn(&str) -> Option<(String, String)>,
}

impl Tool {
    /// Whatever it says of itself, it will do.
    pub fn any(program: &str, flag: &str, from: &'static str) -> Self {
        let version = Invocation::new(program, [flag]);
        Self { version, from, without: None, complaint: |_| None }
    }
}

/// A question, and who understands the answer.
pub struct Question {
    /// How it is asked.
    pub ask: Ask,
    /// Understands it.
    pub reading: Box<dyn Reading>,
}

/// How a question is asked.
pub enum Ask {
    /// By a program that prints the answer.
    Program(Invocation),
    /// By us, in a conversation whose remarks are the answer.
    Server(Call),
}

/// Understands an answer.
pub trait Reading: Send + Sync {
    /// What it says. `versions` are those of the [`Checkup`]'s tools as they print them, in its order; empty for one
    /// that has none.
    fn read(&self, answer: &[u8], versions: &[String]) -> Answer;
}

/// What an answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Line by line.
    pub findings: Vec<Finding>,
    /// The server's time of day, in milliseconds since 1970.
    pub clock: Option<i64>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// A backup is made, and there is something to know.
    Warn,
    /// There will be no backup, or nobody will be told.
    Fail,
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about, in a word.
    pub topic: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way_out: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(topic: &'static str, what: impl Into<String>) -> Self {
        Self { topic, verdict: Verdict::Ok, what: what.into(), way_out: None }
    }

    /// Worth knowing.
    pub fn warn(topic: &'static str, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        let way_out = Some(way_out.into());
        Self { topic, verdict: Verdict::Warn, what: what.into(), way_out }
    }

    /// In the way of a backup.
    pub fn fail(topic: &'static str, what: impl Into<String>, way_out: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(topic, what, way_out) }
    }

    /// Half of what an interrupted restore brought: no backup of it is made.
    pub fn marked(of: &str) -> Self {
        Self::fail(
            "database",
            format!("it holds an interrupted restore of {of}, and is not backed up"),
            "dbstash restore --clean makes it whole",
        )
    }

    /// In the way of a backup, in a sentence that has the way out in it.
    pub fn failed(topic: &'static str, what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::ok(topic, what) }
    }
}
