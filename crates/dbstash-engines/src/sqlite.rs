//! SQLite: `sqlite3 FILE .dump`, in one read transaction.

use std::fmt::Write as _;
use std::path::Path;

use dbstash_core::checkup::Checkup;
use dbstash_core::drill::{Drill, Ground};
use dbstash_core::engine::{Dump, Engine, Format, Plan, PlanError, Stream, Structure};
use dbstash_core::invocation::Invocation;
use dbstash_core::job::{Database, EngineKey, Job, Mode, Source, SqliteFormat};
use dbstash_core::load::{Load, Survey, Target, Wish};
use dbstash_core::manifest::Object;
use dbstash_core::recipe::Subject;
use dbstash_core::tally::Counting;

use percent_encoding::percent_decode_str;

mod checkup;
mod copy;
mod drill;
mod load;
mod script;
mod statements;

use self::script::Script;
use self::statements::Stored;
use crate::tally::{Script as Rows, Writer};

/// How long a writer that holds the file may make the dump wait.
const BUSY: &str = ".timeout 60000";
/// A transaction that has begun to read waits for nobody; one that could not has waited long enough.
const AT_ONCE: &str = ".timeout 0";
/// What `.dump` forgets, told after it and in the same transaction: a restore sets them once the data is in.
const PRAGMAS: [&str; 2] = ["user_version", "application_id"];

/// Reads before the dump begins: it waits for the lock, and, asked once more after the options, where an error counts,
/// tells of a locked or foreign file by exit status and stderr.
const READ: &str = "SELECT 1 FROM sqlite_master WHERE 0";
/// Newer tools end `.dump` at the first damaged page of a table, silently and with `COMMIT;`: so the pages are walked
/// first, at about a seventh of the cost of the dump. Rows that merely break a constraint are none of our business.
const WALK: &str = "SELECT '/**** ERROR: ' || replace(quick_check, char(10), '; ') || ' ****/' FROM pragma_quick_check \
    WHERE quick_check LIKE '*** in database%' LIMIT 1";

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
        if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
            return Err(PlanError(
                "a database in memory cannot be backed up: name its file".into(),
            ));
        }
        if job.mode != Mode::Stream {
            return Err(PlanError(format!(
                "BACKUP_MODE={} is not for sqlite, which has one file: set BACKUP_MODE=stream, with SQLITE_FORMAT=file \
                 for an exact copy",
                job.mode.as_str()
            )));
        }
        let mut warnings = Vec::new();
        if job.native_compression {
            warnings.push(
                "BACKUP_COMPRESS has no effect: sqlite3 cannot compress; BACKUP_COMPRESSION=zstd does"
                    .to_owned(),
            );
        }
        if job.sqlite_format == SqliteFormat::File {
            if !job.extra_args.is_empty() {
                warnings.push(
                    "DUMP_EXTRA_ARGS has no effect with SQLITE_FORMAT=file: a copy has no options"
                        .to_owned(),
                );
            }
            let dump = Dump::Tree(copy::tree(path));
            return Ok(Plan { dump, companions: Vec::new(), warnings });
        }
        let mut dump = ".dump".to_owned();
        for word in &job.extra_args {
            let _ = write!(dump, " {}", quoted(word));
        }
        // In the place of ~/.sqliterc, which could change the output: nothing.
        let mut args = ["-batch", "-readonly", "-init", "/dev/null"].map(str::to_owned).to_vec();
        // An error in a -cmd is passed over: a collation or function of the application keeps the walk from running,
        // but not a dump from being whole. With -bail newer tools would end at the first -cmd, error or none.
        let walk = [BUSY, "BEGIN", READ, AT_ONCE, "PRAGMA ignore_check_constraints=ON", WALK];
        for command in walk {
            args.extend(["-cmd".to_owned(), command.to_owned()]);
        }
        // The first error in one of these ends it all.
        args.extend([uri(path), READ.to_owned(), dump]);
        args.extend(PRAGMAS.map(|name| {
            format!("SELECT 'PRAGMA {name}=' || {name} || ';' FROM pragma_{name} WHERE {name} <> 0")
        }));
        let bare =
            job.extra_args.iter().any(|word| matches!(word.as_str(), "--data-only" | "-data-only"));
        let format = Format { name: "plain", extension: "sql", compressed: false };
        let script = Box::new(Script::new(bare));
        let counting = Counting::By(Box::new(Rows::new(Writer::Sqlite, false)));
        let stream = Stream::of_tool(Invocation::new("sqlite3", args), format, script);
        let dump = Dump::Stream(stream.counted(counting));
        Ok(Plan { dump, companions: Vec::new(), warnings })
    }

    fn checkup(&self, job: &Job, _database: &Database) -> Result<Checkup, PlanError> {
        match &job.source {
            Source::File(path) => Ok(checkup::checkup(path)),
            Source::Server(_) => Err(PlanError("a SQLite database is one file".into())),
        }
    }

    fn list_databases(&self, _job: &Job) -> Result<Invocation, PlanError> {
        Err(PlanError("BACKUP_SPLIT_DATABASES is not for sqlite: a file is one database".into()))
    }

    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none() || stderr.contains("database is locked")
    }

    fn by_hand(&self, stored: Subject<'_>) -> Option<Vec<String>> {
        crate::by_hand::sqlite(stored)
    }

    fn structure(&self, object: &Object) -> Option<Structure> {
        match object.format.as_str() {
            // Only `--data-only` leaves its mark out.
            "plain" => {
                let ends = Script::new(object.passed.degraded.is_some());
                Some(Structure::Stream(Box::new(Stored::new(ends))))
            }
            "file" => Some(copy::structure()),
            _ => None,
        }
    }

    fn survey(&self, wish: &Wish<'_>) -> Result<Survey, PlanError> {
        load::survey(wish)
    }

    fn load(&self, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
        load::load(wish, target)
    }

    fn drill(&self, ground: &Ground<'_>) -> Result<Drill, PlanError> {
        drill::drill(ground)
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
        let sentence = if has("unknown option: -safe") {
            "this sqlite3 is too old to read a script safely: 3.37 or newer is needed"
        } else if has("readonly database") {
            "the database is in WAL mode, and its folder cannot be written: sqlite3 has to make the -shm file there"
        } else if has("disk image is malformed") || has("malformed database schema") {
            "the database is damaged: see PRAGMA integrity_check, and sqlite3's .recover"
        } else if has("nknown option") {
            "sqlite3's .dump does not know an option of DUMP_EXTRA_ARGS; see .help dump"
        } else if has("database is locked") {
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
    let mut path = path.as_os_str().as_encoded_bytes();
    // What follows two slashes would be read as a host.
    while path.starts_with(b"//") {
        path = &path[1..];
    }
    for byte in path {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_words_are_taken_literally() {
        assert_eq!(uri(Path::new("/a b/-c?d#e%f.db")), "file:/a%20b/-c%3Fd%23e%25f.db?mode=ro");
        assert_eq!(uri(Path::new("//data/app.db")), "file:/data/app.db?mode=ro");
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }

    #[test]
    fn known_complaints() {
        for (stderr, told) in [
            (
                "Error: unable to open database \"file:/a%20b.db?mode=ro\": unable to open database file",
                "/a b.db cannot be opened",
            ),
            ("Error: in prepare, database is locked (5)", "60 s"),
            ("Error: in prepare, file is not a database (26)", "encrypted"),
            ("Error: in prepare, malformed database schema (t) - near \"CREATF\" (11)", ".recover"),
            ("Error: in prepare, attempt to write a readonly database (8)", "-shm"),
            ("Unknown option \"--foo\" on \".dump\"", "DUMP_EXTRA_ARGS"),
            ("argv[7]:       ^--- unknown option", "DUMP_EXTRA_ARGS"),
        ] {
            let sentence = Sqlite.explain(stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(Sqlite.explain("something new"), None);
    }
}
