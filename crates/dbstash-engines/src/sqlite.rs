//! SQLite: `sqlite3 FILE .dump`, in one read transaction.

use std::fmt::Write as _;
use std::path::Path;

use dbstash_core::engine::{Check, Engine, Format, Incomplete, Passed, Plan, PlanError, Stream};
use dbstash_core::invocation::Invocation;
use dbstash_core::job::{Database, EngineKey, Job, Source};

use percent_encoding::percent_decode_str;

use crate::ends::Ends;

/// How long a writer that holds the file may make the dump wait.
const BUSY: &str = ".timeout 60000";
/// What `.dump` forgets, told after it and in the same transaction: a restore sets them once the data is in.
const PRAGMAS: [&str; 2] = ["user_version", "application_id"];

/// The engine.
pub(crate) struct Sqlite;

impl Engine for Sqlite {
    fn key(&self) -> EngineKey {
        EngineKey::Sqlite
    }

    fn plan(&self, job: &Job, database: &Database) -> Result<Plan, PlanError> {
        let (Source::File(path), Database::One(_)) = (&job.source, database) else {
            return Err(PlanError(
                "a SQLite database is one file: set DB_PATH, or DB_URI=sqlite:///path".into(),
            ));
        };
        let mut dump = ".dump".to_owned();
        for word in &job.extra_args {
            let _ = write!(dump, " {}", quoted(word));
        }
        let mut args = vec![
            "-batch".to_owned(),
            "-bail".to_owned(),
            "-readonly".to_owned(),
            // In the place of ~/.sqliterc, which could change the output.
            "-init".to_owned(),
            "/dev/null".to_owned(),
            "-cmd".to_owned(),
            BUSY.to_owned(),
            uri(path),
            "BEGIN".to_owned(),
            dump,
        ];
        args.extend(PRAGMAS.map(|name| {
            format!("SELECT 'PRAGMA {name}=' || {name} || ';' FROM pragma_{name} WHERE {name} <> 0")
        }));
        let mut warnings = Vec::new();
        if job.native_compression {
            warnings
                .push("BACKUP_COMPRESS has no effect: sqlite3 cannot compress a dump".to_owned());
        }
        let bare = job.extra_args.iter().any(|word| word == "--data-only");
        let dump = Stream {
            invocation: Invocation::new("sqlite3", args),
            format: Format { name: "plain", extension: "sql" },
            check: Box::new(Script { ends: Ends::new(HEAD.len(), 4096), bare }),
        };
        Ok(Plan { dump, companions: Vec::new(), warnings })
    }

    fn list_databases(&self, _job: &Job) -> Result<Invocation, PlanError> {
        Err(PlanError("BACKUP_SPLIT_DATABASES is not for sqlite: a file is one database".into()))
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        let has = |text: &str| stderr.contains(text);
        if has("unable to open database") {
            let named = stderr.split("file:").nth(1).and_then(|rest| rest.split("?mode=ro").next());
            let path = percent_decode_str(named.unwrap_or_default()).decode_utf8_lossy();
            return Some(format!(
                "the database file {path} cannot be opened: check that it is there and readable; in WAL mode its \
                 folder has to be writable, too"
            ));
        }
        let sentence = if has("database is locked") {
            "the database stayed locked by a writer for 60 s: back up when it is quieter, or use WAL mode"
        } else if has("file is not a database") {
            "the file is not a SQLite database, or it is encrypted"
        } else {
            return None;
        };
        Some(sentence.to_owned())
    }
}

/// The path as a URI that only reads: a missing file stays missing.
fn uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?mode=ro"
}

/// A word as sqlite3's own commands read it.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

const HEAD: &[u8] = b"PRAGMA foreign_keys=OFF;";

/// A `.dump`: one transaction, which is rolled back at its end when the file is damaged.
struct Script {
    ends: Ends,
    /// `--data-only` leaves the transaction out.
    bare: bool,
}

impl Check for Script {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let tail = String::from_utf8_lossy(self.ends.tail());
        if tail.contains("ROLLBACK; -- due to errors") || tail.contains("/**** ERROR: (") {
            return Err(Incomplete(
                "sqlite3 met errors in the file: it is damaged or no database; see PRAGMA integrity_check".into(),
            ));
        }
        if self.bare {
            return Ok(Passed::degraded(
                "--data-only leaves out the transaction that marks the end",
            ));
        }
        if self.ends.head() != HEAD {
            return Err(Incomplete("it does not begin as sqlite3 begins a dump".into()));
        }
        let ours = |line: &&[u8]| {
            line.is_empty()
                || PRAGMAS.iter().any(|p| line.starts_with(format!("PRAGMA {p}=").as_bytes()))
        };
        match self.ends.last_lines().find(|line| !ours(line)) {
            Some(b"COMMIT;") => Ok(Passed::by("footer")),
            _ => Err(Incomplete("its last statement is not COMMIT;".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, bare: bool) -> Result<Passed, Incomplete> {
        let mut check = Box::new(Script { ends: Ends::new(HEAD.len(), 4096), bare });
        for chunk in text.as_bytes().chunks(3) {
            check.feed(chunk);
        }
        check.finish()
    }

    const GOOD: &str =
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a);\nCOMMIT;\n";

    #[test]
    fn only_a_commit_at_the_end_is_whole() {
        assert_eq!(verdict(GOOD, false).unwrap().check, "footer");
        assert!(
            verdict(&format!("{GOOD}PRAGMA user_version=7;\nPRAGMA application_id=1;\n"), false)
                .is_ok()
        );
        for end in 1..GOOD.len() - 1 {
            assert!(verdict(&GOOD[..end], false).is_err(), "{:?}", &GOOD[..end]);
        }
        assert!(verdict(&format!("{GOOD}INSERT INTO t VALUES(1);\n"), false).is_err());
        assert!(verdict("COMMIT;\n", false).is_err());
        let damaged = GOOD.replace("COMMIT;", "ROLLBACK; -- due to errors");
        assert!(verdict(&damaged, false).unwrap_err().0.contains("integrity_check"));
        assert!(verdict(&damaged, true).is_err());
        assert!(verdict("INSERT INTO t VALUES(1);\n", true).unwrap().degraded.is_some());
    }

    #[test]
    fn paths_and_words_are_taken_literally() {
        assert_eq!(uri(Path::new("/a b/-c?d#e%f.db")), "file:/a%20b/-c%3Fd%23e%25f.db?mode=ro");
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
