//! Several databases as files: one that fails does not stop the others.

use std::collections::BTreeMap;

use dbstash_testkit::{Dbstash, PgServer, RemoteKind, TestRemote};

use super::{expect_same, product, restore};
use crate::modes::Work;
use crate::scene::{PATIENCE, listed};

/// A server with a database which the role may not read in the middle of others.
fn server() -> Option<PgServer> {
    let server = PgServer::start("pw")?;
    for database in ["a one", "m private", "tmp_1", "z-two"] {
        server.createdb(database);
        let rows =
            format!("CREATE TABLE t AS SELECT '{database}' AS name; ALTER TABLE t OWNER TO stash");
        server.psql(database, &rows);
    }
    server.psql("m private", "CREATE TABLE secret (x int)");
    Some(server)
}

/// The stored object of each database.
fn stored(run: &Dbstash) -> BTreeMap<String, String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let listed = listed(run);
    let all = listed["backups"].as_array().unwrap().iter();
    all.map(|backup| (text(&backup["database"]), text(&backup["paths"][0]))).collect()
}

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let Some(server) = server() else { return };
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        for (mode, jobs) in [("directory", "1"), ("directory", "2"), ("tar", "1"), ("tar", "2")] {
            for each in [true, false] {
                eprintln!("--- {mode}, {jobs} jobs, each: {each}, on {kind}");
                let Some(remote) = TestRemote::start(kind) else { continue };
                let run = product(&server, &remote).env("BACKUP_MODE", mode);
                let run = run.env("BACKUP_JOBS", jobs).env("DB_URI", server.uri(""));
                let run = if each {
                    let run = run.env("BACKUP_SPLIT_DATABASES", "true");
                    run.env("DB_EXCLUDE", "tmp_*,postgres")
                } else {
                    named(&server, run)
                };
                holds(&server, &remote, run, mode);
            }
        }
    }
}

fn named(server: &PgServer, run: Dbstash) -> Dbstash {
    let parts = [
        ("DBSTASH_ENGINE", "pg".to_owned()),
        ("DB_HOST", server.host().to_string()),
        ("DB_PORT", server.port().to_string()),
        ("DB_USER", PgServer::ROLE.to_owned()),
        ("DB_PASSWORD", server.password().to_owned()),
        ("DB_NAME", "a one,m private,z-two".to_owned()),
    ];
    run.env_remove("DB_URI").envs(parts)
}

fn holds(server: &PgServer, remote: &TestRemote, run: Dbstash, mode: &str) {
    let work = Work::under(run);
    let done = work.run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    work.is_empty();
    let failed = |event: &&serde_json::Value| event["status"] == "failure";
    let failures: Vec<_> = done.events.iter().filter(failed).collect();
    assert_eq!(failures.len(), 1, "{done}");
    assert_eq!(
        (&failures[0]["database"], &failures[0]["phase"]),
        (&"m private".into(), &"dump".into())
    );
    let error = failures[0]["error"].as_str().unwrap();
    assert!(error.contains("permission denied for table secret"), "{done}");
    let stored = stored(&work.run);
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["a one", "z-two"], "{done}");
    for (database, object) in &stored {
        server.psql("postgres", "DROP DATABASE IF EXISTS tmp_restored");
        server.createdb("tmp_restored");
        restore(server, "tmp_restored", remote, object, mode);
        expect_same(&server.digest("tmp_restored"), &server.digest(database), database);
    }
    let of_failed = |name: &String| name.starts_with("m private");
    assert!(!remote.names().iter().any(of_failed), "{:?}", remote.names());
    assert_eq!(remote.pending_uploads(), 0);
}
