//! pg_dump's directory format.

use std::path::Path;

use dbstash_testkit::{PgServer, RemoteKind, Scratch, TestRemote};

use super::{Subject, Work, conformance, fetched};
use crate::scene::{PATIENCE, backups, dbstash, listed};

struct Database(PgServer);

impl Database {
    fn start() -> Option<Self> {
        let server = PgServer::start("p@ss/w:rd%'\" \\x")?;
        server.createdb("shop");
        server.seed_shop("shop", 3000);
        let ticker = "CREATE TABLE ticker(n int); INSERT INTO ticker VALUES (0)";
        server.psql("shop", &format!("{ticker}; ALTER TABLE ticker OWNER TO stash"));
        Some(Self(server))
    }

    fn digest_of(&self, database: &str) -> String {
        self.0.psql(database, "UPDATE ticker SET n = 0");
        self.0.digest(database)
    }
}

impl Subject for Database {
    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("DB_URI", self.0.uri("shop")), ("PG_GLOBALS", "off".to_owned())]
    }

    fn write_something(&self) {
        self.0.psql("shop", "UPDATE ticker SET n = n + 1");
    }

    fn digest(&self) -> String {
        self.digest_of("shop")
    }

    fn restored(&self, files: &Path) -> String {
        self.0.psql("postgres", "DROP DATABASE IF EXISTS restored");
        self.0.createdb("restored");
        let mut tool = self.0.client("pg_restore");
        tool.args(["--exit-on-error", "--jobs=2", "--dbname", "restored"]).arg(files);
        let out = tool.output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        self.digest_of("restored")
    }
}

#[test]
fn pg_directory_conforms() {
    let Some(database) = Database::start() else { return };
    conformance(&database, &[("BACKUP_JOBS", "2")]);
}

#[test]
fn pg_directory_compressed_by_the_tool() {
    let Some(database) = Database::start() else { return };
    let digest = database.digest();
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for (settings, packed) in [
        (&[("BACKUP_COMPRESS", "true")][..], true),
        (&[("DUMP_EXTRA_ARGS", "-Z5 -Fd")], true),
        (&[("BACKUP_COMPRESS", "true"), ("DUMP_EXTRA_ARGS", "-Z0")], false),
        (&[], false),
    ] {
        for mode in ["directory", "tar"] {
            let run = dbstash(&remote).envs(database.settings()).envs(settings.iter().copied());
            let work = Work::under(run.env("BACKUP_MODE", mode).env("PG_GLOBALS", "on"));
            work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
            work.is_empty();
            let listed = listed(&work.run);
            let objects = &listed["backups"][0]["objects"];
            assert_eq!(objects[0]["check"], "contents", "{objects}");
            let globals = objects
                .as_array()
                .unwrap()
                .iter()
                .any(|object| object["name"].as_str().unwrap().ends_with(".globals.sql"));
            assert!(globals, "{objects}");
            let scratch = Scratch::new("fetched");
            let files = fetched(&remote, &backups(&work.run)[0], &scratch);
            let names = std::fs::read_dir(&files).unwrap().map(|e| e.unwrap().file_name());
            let gz = names.filter(|name| name.to_string_lossy().ends_with(".dat.gz")).count();
            assert_eq!(gz > 5, packed, "{settings:?}: {gz}");
            assert_eq!(database.restored(&files), digest, "{settings:?} {mode}");
        }
    }
}

#[test]
fn what_does_not_fit_is_told_before() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let uri = "postgresql://u:pw@127.0.0.1:1/shop";
    for (settings, told) in [
        (&[("BACKUP_MODE", "directory"), ("BACKUP_COMPRESSION", "zstd")][..], "BACKUP_MODE=tar"),
        (
            &[("BACKUP_MODE", "tar"), ("BACKUP_COMPRESSION", "zstd"), ("BACKUP_COMPRESS", "true")],
            "compresses this dump itself",
        ),
        (
            &[("BACKUP_MODE", "tar"), ("BACKUP_ALL_DATABASES", "true")],
            "BACKUP_SPLIT_DATABASES=true",
        ),
        (&[("BACKUP_JOBS", "0")], "from 1 to 256"),
        (&[("BACKUP_TEMP_DIR", "/it's")], "without quotes"),
    ] {
        let run = dbstash(&remote).env("DB_URI", uri).envs(settings.iter().copied());
        let done = run.run(PATIENCE);
        done.expect_code(2);
        assert!(done.stderr.contains(told), "{settings:?}: {done}");
    }
    for (settings, told) in [
        (&[("BACKUP_JOBS", "2")][..], "BACKUP_JOBS has no effect"),
        (&[("BACKUP_MODE", "directory"), ("BACKUP_EXTENSION", "x")], "BACKUP_EXTENSION has no"),
        (&[("BACKUP_MODE", "directory"), ("DUMP_EXTRA_ARGS", "-Fc")], "another format than"),
        (&[("SQLITE_FORMAT", "file")], "no effect on pg"),
        (&[("DUMP_EXTRA_ARGS", "-Fd")], "use BACKUP_MODE=directory"),
    ] {
        let run = dbstash(&remote).env("DB_URI", uri).env("DRY_RUN", "true");
        let done = run.envs(settings.iter().copied()).run(PATIENCE);
        done.expect_code(0);
        assert!(done.stderr.contains(told), "{settings:?}: {done}");
    }
}
