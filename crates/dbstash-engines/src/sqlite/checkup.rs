//! What a dump needs of a SQLite file: a tool that opens it, and finds a database in it.

use std::path::Path;

use dbstash_core::checkup::{Answer, Ask, Checkup, Finding, Place, Question, Reading, Tool};
use dbstash_core::invocation::Invocation;

use super::uri;

/// One lock is waited for, as a dump would, but not as long.
const BUSY: &str = ".timeout 10000";
const ASKED: &str =
    "SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT count(*) FROM sqlite_master)";

pub(super) fn checkup(path: &Path) -> Checkup {
    let args = ["-batch", "-readonly", "-init", "/dev/null", "-cmd", BUSY].map(str::to_owned);
    let args = args.into_iter().chain([uri(path), ASKED.to_owned()]);
    let question = Invocation::new("sqlite3", args);
    Checkup {
        places: vec![Place::File(path.to_owned())],
        tools: vec![Tool::any("sqlite3", "--version", "sqlite3")],
        questions: vec![Question { ask: Ask::Program(question), reading: Box::new(Opened) }],
        each: false,
    }
}

struct Opened;

impl Reading for Opened {
    fn read(&self, answer: &[u8], _versions: &[String]) -> Answer {
        let text = String::from_utf8_lossy(answer);
        let findings = vec![match text.trim().split_once('|') {
            Some((mode, "0")) => Finding::warn(
                "database",
                format!("it can be read, and nothing is in it (journal mode {mode})"),
                "check DB_PATH or DB_URI: it may be another file",
            ),
            Some((mode, count)) => Finding::ok(
                "database",
                format!("it can be read: {count} objects, journal mode {mode}"),
            ),
            None => Finding::fail(
                "database",
                "sqlite3 says nothing of it",
                "install a sqlite3 of 3.16 or newer",
            ),
        }];
        Answer { findings, clock: None }
    }
}
