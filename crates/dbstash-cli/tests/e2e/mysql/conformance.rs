//! Seeded, backed up while somebody writes, restored into a fresh server, compared: as a stream, a
//! folder and a tar.

use std::fs;
use std::path::{Path, PathBuf};

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, RemoteKind, Scratch, TestRemote};

use super::product;
use crate::engines;
use crate::modes::{self, Work, fetched};
use crate::scene::{PATIENCE, backups};

/// A name that needs quoting wherever it goes.
pub const ODD: &str = "-Shop 100%";
pub const PASSWORD: &str = "p@ss/w:rd%'\" \\x#;";
/// What a writer changes in one transaction: a number, and a row for each of its values.
const TICKER: &str =
    "CREATE TABLE ticker (n INT); INSERT INTO ticker VALUES (0); CREATE TABLE aticks (n INT)";

/// A seeded server, and a fresh one.
pub struct Pair {
    pub server: MysqlServer,
    pub fresh: MysqlServer,
}

impl Pair {
    pub fn start(family: Family) -> Option<Self> {
        Some(Self::of(MysqlServer::start(family, PASSWORD)?, MysqlServer::start(family, "")?))
    }

    fn of(server: MysqlServer, fresh: MysqlServer) -> Self {
        server.createdb(ODD);
        server.seed_shop(ODD, 3000);
        server.sql(ODD, TICKER);
        Self { server, fresh }
    }

    /// Schema and content of the seeded one.
    pub fn digest(&self) -> String {
        Self::digest_of(&self.server)
    }

    fn digest_of(server: &MysqlServer) -> String {
        server.sql(ODD, "UPDATE ticker SET n = 0; DELETE FROM aticks");
        server.digest(ODD)
    }

    /// The digest after a restore, by the stock client, into a fresh database.
    pub fn after(&self, sql: &[u8]) -> String {
        self.cleared();
        self.fresh.try_sql(ODD, sql).unwrap();
        self.compared()
    }

    /// The fresh server with an empty database.
    pub fn cleared(&self) {
        self.fresh.sql("", &format!("DROP DATABASE IF EXISTS `{ODD}`; CREATE DATABASE `{ODD}`"));
    }

    /// The digest of what was restored, which is as of one moment.
    pub fn compared(&self) -> String {
        let moment = "SELECT n = (SELECT COUNT(*) FROM aticks) AND n = (SELECT COALESCE(MAX(n), 0) FROM aticks) FROM ticker";
        assert_eq!(self.fresh.sql(ODD, moment), "1", "the dump is of more than one moment");
        Self::digest_of(&self.fresh)
    }

    fn job(&self) -> Vec<(&'static str, String)> {
        let path = self.server.path().into_string().unwrap();
        vec![("DB_URI", self.server.uri(ODD)), ("PATH", path)]
    }

    fn write(&self) {
        let tick = "START TRANSACTION; UPDATE ticker SET n = n + 1; INSERT INTO aticks SELECT n FROM ticker; COMMIT;";
        self.server.sql(ODD, &tick.repeat(20));
    }
}

impl engines::Subject for Pair {
    fn settings(&self) -> Vec<(&'static str, String)> {
        self.job()
    }

    fn extension(&self) -> &'static str {
        ".sql"
    }

    fn write_something(&self) {
        self.write();
    }

    fn digest(&self) -> String {
        Self::digest_of(&self.server)
    }

    fn restored(&self, bytes: &[u8]) -> String {
        self.after(bytes)
    }
}

impl modes::Subject for Pair {
    fn settings(&self) -> Vec<(&'static str, String)> {
        self.job()
    }

    fn write_something(&self) {
        self.write();
    }

    fn digest(&self) -> String {
        Self::digest_of(&self.server)
    }

    fn restored(&self, files: &Path) -> String {
        let contents = in_order(files).into_iter().map(|file| fs::read(file).unwrap());
        self.after(&contents.collect::<Vec<_>>().concat())
    }
}

/// The files of a folder by their names.
pub fn in_order(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn mariadb_conforms() {
    let Some(pair) = Pair::start(Family::Mariadb) else { return };
    engines::conformance_on(&RemoteKind::ALL, &pair);
}

#[test]
fn mysql_conforms() {
    let Some(pair) = Pair::start(Family::Mysql) else { return };
    engines::conformance_on(&RemoteKind::MAIN, &pair);
}

#[test]
fn mariadb_files_conform() {
    let Some(pair) = Pair::start(Family::Mariadb) else { return };
    modes::conformance_on(&[RemoteKind::Local, RemoteKind::S3], &pair, &[]);
}

#[test]
fn mysql_files_conform() {
    let Some(pair) = Pair::start(Family::Mysql) else { return };
    modes::conformance_on(&[RemoteKind::Local, RemoteKind::CryptS3], &pair, &[]);
}

#[test]
#[ignore = "make test-versions"]
fn mariadb_118_conforms() {
    let start = MysqlServer::start_mariadb_118;
    let (Some(server), Some(fresh)) = (start(PASSWORD), start("")) else { return };
    let pair = Pair::of(server, fresh);
    engines::conformance_on(&[RemoteKind::Local], &pair);
    modes::conformance_on(&[RemoteKind::Local], &pair, &[]);
}

/// What a file may not leave behind in the session that loaded it.
const SESSION: &str = "SELECT @@sql_mode, @@foreign_key_checks, @@unique_checks, @@time_zone, @@sql_notes, \
    @@character_set_client, @@character_set_results, @@collation_connection";

#[test]
fn each_file_can_be_loaded_alone() {
    for family in Family::ALL {
        let Some(pair) = Pair::start(family) else { continue };
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        let run = product(&pair.server, &remote).env("DB_URI", pair.server.uri(ODD));
        let work = Work::under(run.env("BACKUP_MODE", "directory"));
        work.run.run(PATIENCE).expect_code(0);
        let scratch = Scratch::new("fetched");
        let files = in_order(&fetched(&remote, &backups(&work.run)[0], &scratch));
        let table = |file: &&PathBuf| file.to_str().unwrap().contains("-table-");
        assert!(files.iter().filter(table).count() > 15, "{files:?}");
        pair.cleared();
        for file in &files {
            let content = fs::read_to_string(file).unwrap();
            let told = pair.fresh.try_sql(ODD, format!("{SESSION};{content}{SESSION};").as_bytes());
            let told = told.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            let mut lines = told.lines();
            let (first, last) = (lines.next().unwrap(), lines.next_back().unwrap());
            assert_eq!(first, last, "{}", file.display());
        }
        assert_eq!(pair.compared(), Pair::digest_of(&pair.server));
        // One table again, with its rows, out of all of them.
        let one = files.iter().find(|file| file.to_str().unwrap().ends_with("-table-latin.sql"));
        pair.fresh.sql(ODD, "DROP TABLE latin");
        pair.fresh.try_sql(ODD, &fs::read(one.unwrap()).unwrap()).unwrap();
        assert_eq!(pair.fresh.sql(ODD, "SELECT * FROM latin"), "déjà vu");
    }
}
