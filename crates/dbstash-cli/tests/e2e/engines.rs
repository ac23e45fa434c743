//! The conformance suite for engines: seeded, backed up while somebody writes, listed, restored into a fresh database
//! with stock tools, compared. A new engine or format is a new [`Subject`].

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use dbstash_testkit::{PgServer, RemoteKind, Scratch, TestRemote, sqlite};

use crate::scene::{PATIENCE, backups, dbstash};

/// A seeded database of one engine, dumped in one format.
pub trait Subject: Sync {
    /// The settings of a job for it.
    fn settings(&self) -> Vec<(&'static str, String)>;
    /// What the object's name ends with.
    fn extension(&self) -> &'static str;
    /// One committed change, of a table that the digest leaves out.
    fn write_something(&self);
    /// Schema and content, as a text that is equal exactly when they are.
    fn digest(&self) -> String;
    /// The digest of a fresh database after a restore of these bytes with the engine's own tools.
    fn restored(&self, bytes: &[u8]) -> String;
}

/// Holds for every engine and format, on every kind of remote.
pub fn conformance(subject: &dyn Subject) {
    conformance_on(&RemoteKind::ALL, subject);
}

/// The same, on some of them.
pub fn conformance_on(kinds: &[RemoteKind], subject: &dyn Subject) {
    let digest = subject.digest();
    for kind in kinds.iter().copied() {
        let Some(remote) = TestRemote::start(kind) else { continue };
        eprintln!("--- on {kind}");
        let run = dbstash(&remote).envs(subject.settings());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    subject.write_something();
                }
            });
            let finished = run.run(PATIENCE);
            done.store(true, Ordering::Relaxed);
            finished.expect_code(0).expect_no_leftovers();
        });
        let object = backups(&run).pop().unwrap();
        assert!(object.ends_with(subject.extension()), "{object}");
        let names = remote.names();
        assert!(names.contains(&format!("{object}.dbstash.json")), "{names:?}");
        assert!(names.iter().all(|name| !name.contains(".part")), "{names:?}");
        assert_eq!(subject.restored(&remote.read(&object)), digest, "{kind}");
        crate::modes::verified(&run);
    }
}

struct SqliteFile {
    file: crate::scene::File,
}

impl Subject for SqliteFile {
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("DB_URI", self.file.uri())]
    }

    fn extension(&self) -> &'static str {
        ".sql"
    }

    fn write_something(&self) {
        let update = "PRAGMA busy_timeout=20000; UPDATE ticker SET n = n + 1;";
        sqlite::run(&self.file.path, update);
    }

    fn digest(&self) -> String {
        sqlite::digest_without(&self.file.path, "ticker")
    }

    fn restored(&self, bytes: &[u8]) -> String {
        let fresh = self.file.scratch.path().join("restored.db");
        let _ = fs::remove_file(&fresh);
        sqlite::restore(&fresh, bytes).unwrap();
        sqlite::digest_without(&fresh, "ticker")
    }
}

#[test]
fn sqlite_conforms() {
    for mode in ["DELETE", "WAL"] {
        let Some(file) = crate::scene::shop_file(2000) else { return };
        let ticker = "CREATE TABLE ticker(n); INSERT INTO ticker VALUES (0)";
        sqlite::run(&file.path, &format!("PRAGMA journal_mode={mode}; {ticker}"));
        conformance(&SqliteFile { file });
    }
}

struct PgDatabase {
    server: PgServer,
    extra: &'static str,
    extension: &'static str,
}

impl PgDatabase {
    fn digest_of(&self, database: &str) -> String {
        self.server.psql(database, "UPDATE ticker SET n = 0");
        self.server.digest(database)
    }
}

impl Subject for PgDatabase {
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DB_URI", self.server.uri("shop")),
            ("DUMP_EXTRA_ARGS", self.extra.to_owned()),
            ("PG_GLOBALS", "off".to_owned()),
        ]
    }

    fn extension(&self) -> &'static str {
        self.extension
    }

    fn write_something(&self) {
        self.server.psql("shop", "UPDATE ticker SET n = n + 1");
    }

    fn digest(&self) -> String {
        self.digest_of("shop")
    }

    fn restored(&self, bytes: &[u8]) -> String {
        let fresh = "restored";
        self.server.psql("postgres", &format!("DROP DATABASE IF EXISTS {fresh}"));
        self.server.createdb(fresh);
        if self.extension == ".sql" {
            self.server.feed(fresh, bytes).unwrap();
        } else {
            pg_restore(&self.server, fresh, bytes);
        }
        self.digest_of(fresh)
    }
}

fn pg_restore(server: &PgServer, database: &str, bytes: &[u8]) {
    let scratch = Scratch::new("dump");
    let dump = scratch.path().join("dump");
    fs::write(&dump, bytes).unwrap();
    let mut tool: Command = server.client("pg_restore");
    tool.args(["--exit-on-error", "--dbname", database]).stdin(fs::File::open(&dump).unwrap());
    let out = tool.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

fn pg_conforms(extra: &'static str, extension: &'static str) {
    let Some(server) = PgServer::start("p@ss/w:rd%'\" \\x") else { return };
    server.createdb("shop");
    server.seed_shop("shop", 3000);
    let ticker = "CREATE TABLE ticker(n int); INSERT INTO ticker VALUES (0)";
    server.psql("shop", &format!("{ticker}; ALTER TABLE ticker OWNER TO stash"));
    conformance(&PgDatabase { server, extra, extension });
}

#[test]
fn pg_plain_conforms() {
    pg_conforms("", ".sql");
}

#[test]
fn pg_custom_conforms() {
    pg_conforms("-Fc", ".dump");
}

#[test]
fn pg_tar_conforms() {
    pg_conforms("--format=tar", ".tar");
}
