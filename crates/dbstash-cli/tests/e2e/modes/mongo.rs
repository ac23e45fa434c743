//! mongodump's directory.

use std::path::Path;

use dbstash_testkit::{MongoServer, Mongodump, RemoteKind, Scratch, TestRemote};

use super::{Subject, Work, conformance, fetched};
use crate::scene::{PATIENCE, backups, dbstash, listed, summary};

const NAME: &str = "-Shop_100%é";

struct Database(MongoServer);

impl Database {
    fn start() -> Option<Self> {
        let server = MongoServer::start("p@ss/w:rd%'\" \\x#;")?;
        server.seed(NAME, 2000);
        Some(Self(server))
    }
}

impl Subject for Database {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = self.0.path(Mongodump::Fake).unwrap().into_string().unwrap();
        vec![("DB_URI", self.0.uri(NAME)), ("PATH", path)]
    }

    fn write_something(&self) {
        self.0.keep(&["bump", NAME]);
    }

    fn digest(&self) -> String {
        self.0.digest(NAME)
    }

    fn restored(&self, files: &Path) -> String {
        self.0.keep(&["drop", "restored"]);
        self.0.keep(&["restore", NAME, "restored", files.to_str().unwrap()]);
        self.0.digest("restored")
    }
}

#[test]
fn mongo_directory_conforms() {
    let Some(database) = Database::start() else { return };
    conformance(&database, &[("BACKUP_JOBS", "2")]);
    // Each file compressed by the tool.
    let digest = database.digest();
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for mode in ["directory", "tar"] {
        let run = dbstash(&remote).envs(database.settings()).env("BACKUP_MODE", mode);
        let work = Work::under(run.env("BACKUP_COMPRESS", "true"));
        work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        work.is_empty();
        let said = listed(&work.run);
        assert_eq!(said["backups"][0]["objects"][0]["check"], "gzip, documents", "{said}");
        let scratch = Scratch::new("fetched");
        let files = fetched(&remote, &backups(&work.run)[0], &scratch);
        assert!(files.join(NAME).join("rows.bson.gz").is_file());
        assert_eq!(database.restored(&files), digest, "{mode}");
    }
}

#[test]
fn mongo_directory_of_all_and_of_nothing() {
    let Some(database) = Database::start() else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = dbstash(&remote).envs(database.settings()).env("BACKUP_MODE", "directory");
    let nothing = Work::under(run.clone().env("DB_URI", database.0.uri("nonesuch")));
    let done = nothing.run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(summary(&done)["error"].as_str().unwrap().contains("nonesuch"), "{done}");
    nothing.is_empty();
    assert_eq!(remote.names(), [""; 0]);
    let all = run.env("DB_URI", database.0.uri("")).env("BACKUP_ALL_DATABASES", "true");
    let all = Work::under(all);
    all.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
    let scratch = Scratch::new("fetched");
    let files = fetched(&remote, &backups(&all.run)[0], &scratch);
    assert_eq!(database.restored(&files), database.digest());
}
