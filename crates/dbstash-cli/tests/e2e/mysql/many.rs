//! All databases of a server, and a password that shows nowhere.

use std::fs;

use dbstash_testkit::{Dbstash, MysqlServer, RemoteKind, Scratch, Signal, TestRemote};

use super::conformance::in_order;
use super::{each_family, product};
use crate::modes::{Work, fetched};
use crate::restore::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, listed};

const CANARY: &str = "canary 16180339\\ \"'#;";

#[test]
fn a_password_shows_nowhere() {
    each_family(
        |server| {
            let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
            server.createdb("shop");
            server.seed_shop("shop", 20_000);
            let run = product(server, &remote).env("DB_URI", server.uri("shop"));
            let done = run.env("LOG_LEVEL", "trace").sampled().run(PATIENCE);
            done.expect_code(0);
            assert!(!done.to_string().contains("16180339"), "{done}");
            let (samples, tool) = (done.samples.as_ref().unwrap(), server.family().dump_tool());
            assert!(samples.programs().contains(&tool), "{:?}", samples.programs());
            assert_eq!(samples.args_with("16180339"), [""; 0]);
            let holders = samples.environment_with("16180339");
            let ours = |holder: &String| {
                ["dbstash: ", "reaper: "].iter().any(|own| holder.starts_with(own))
            };
            assert!(holders.iter().all(ours), "{holders:?}");
        },
        CANARY,
    );
}

#[test]
fn all_and_each_of_the_databases() {
    each_family(all_and_each, "pw");
}

fn all_and_each(server: &mut MysqlServer) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for database in ["one", "two words", "tmp_1", "nothing"] {
        server.createdb(database);
        if database != "nothing" {
            server.sql(database, "CREATE TABLE t (x INT); INSERT INTO t VALUES (1)");
        }
    }
    let run = product(server, &remote).env("DB_URI", server.uri(""));
    let each = run.clone().env("BACKUP_SPLIT_DATABASES", "true").env("DB_EXCLUDE", "tmp_*");
    for mode in ["stream", "directory"] {
        each.clone().env("BACKUP_MODE", mode).run(PATIENCE).expect_code(0).expect_no_leftovers();
    }
    let labels = |run| {
        let all = listed(run);
        let all = all["backups"].as_array().unwrap().iter();
        let mut labels: Vec<_> =
            all.map(|backup| backup["database"].as_str().unwrap().to_owned()).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    };
    assert_eq!(labels(&run), ["nothing", "one", "two words"]);
    // Seen once: a busy server that dropped the connection, which fails a run as it has to.
    let all = run.clone().env("BACKUP_ALL_DATABASES", "true");
    let mut done = all.run(PATIENCE);
    if done.stderr.contains("the server went away") {
        eprintln!("{done}\n{}", server.log());
        done = all.run(PATIENCE);
    }
    done.expect_code(0);
    assert_eq!(labels(&run), ["*", "nothing", "one", "two words"]);
    let whole = String::from_utf8_lossy(&remote.read(&backups(&run)[0])).into_owned();
    assert!(["`one`", "`two words`", "`tmp_1`"].iter().all(|name| whole.contains(name)));
    // One object with all of it cannot leave anything out.
    let refused = run.env("BACKUP_ALL_DATABASES", "true").env("DB_EXCLUDE", "tmp_*").run(PATIENCE);
    refused.expect_code(2);
    assert!(refused.stderr.contains("BACKUP_SPLIT_DATABASES=true"), "{refused}");
}

#[test]
fn a_whole_server_is_restored_into_another() {
    each_family(whole_server, "pw");
}

/// Views across databases, and what is in the server's own.
fn whole_server(server: &mut MysqlServer) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("shop");
    server.seed_shop("shop", 100);
    server.createdb("a first one");
    server.sql(
        "a first one",
        "CREATE VIEW across AS SELECT * FROM shop.turnover; CREATE TABLE T (x INT)",
    );
    server.sql("", "CREATE USER keeper@localhost IDENTIFIED BY 'kept'; GRANT SELECT ON shop.* TO keeper@localhost");
    let run = product(server, &remote).env("DB_URI", server.uri(""));
    for mode in ["stream", "directory"] {
        let run = run.clone().env("BACKUP_ALL_DATABASES", "true").env("BACKUP_MODE", mode);
        let work = Work::under(run);
        work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        let object = &backups(&work.run)[0];
        let bytes: Vec<u8> = if mode == "stream" {
            remote.read(object)
        } else {
            let scratch = Scratch::new("fetched");
            let files = in_order(&fetched(&remote, object, &scratch));
            files.into_iter().flat_map(|file| fs::read(file).unwrap()).collect()
        };
        let fresh = MysqlServer::start(server.family(), "other").unwrap();
        let expect_whole = |how: &str| {
            for database in ["shop", "a first one"] {
                let (copy, whole) = (fresh.digest(database), server.digest(database));
                assert_eq!(copy, whole, "{how} {mode} {database}");
            }
            assert!(fresh.sql("", "SHOW GRANTS FOR keeper@localhost").contains("`shop`"));
            // Its password is the one that it had there.
            fresh.sql("", "DROP USER keeper@localhost");
        };
        by_dbstash(&work.run, &fresh, mode);
        expect_whole("by dbstash");
        fresh.sql("", "DROP DATABASE shop; DROP DATABASE `a first one`");
        fresh.try_sql("", &bytes).unwrap();
        fresh.sql("", "FLUSH PRIVILEGES");
        expect_whole("by hand");
    }
}

/// Into a server that has nothing yet; first one that is killed in the middle.
fn by_dbstash(run: &Dbstash, fresh: &MysqlServer, mode: &str) {
    fresh.sql("", "GRANT ALL ON *.* TO stash@'127.0.0.1'; GRANT ALL ON *.* TO stash@localhost");
    let to = fresh.uri("");
    let words = ["--db", "*", "--to", &to];
    fresh.createdb("mine");
    expect_refused(run, &[&words[..], &["--clean"]].concat(), &["has: database mine"]);
    fresh.sql("", "DROP DATABASE mine");
    if mode == "stream" {
        let slow = run.clone().env("RCLONE_BWLIMIT", "100K");
        let mut killed = slow.args(["restore", "--yes"].iter().chain(&words)).spawn();
        let databases = || fresh.sql("", "SHOW DATABASES");
        let marked = "SELECT table_schema FROM information_schema.tables WHERE table_name = 'dbstash_restore_incomplete'";
        killed.wait_until(PATIENCE, |_| fresh.sql("", marked).contains("a first one"));
        killed.signal(Signal::KILL);
        killed.wait(PATIENCE);
        // Nor is it a backup by itself.
        let half = run.clone().env("DB_URI", fresh.uri("a first one"));
        let half = half.env("BACKUP_ALL_DATABASES", "false").run(PATIENCE);
        assert!(half.expect_code(1).stderr.contains("holds an interrupted restore"), "{half}");
        assert!(databases().contains("dbstash_restore_incomplete"));
        expect_refused(run, &words, &["of an interrupted restore: drop them first"]);
        fresh.sql("", "DROP DATABASE `a first one`; DROP DATABASE IF EXISTS shop");
        expect_refused(run, &words, &["holds an interrupted restore", "--clean"]);
        restore(run, &[&words[..], &["--clean"]].concat()).expect_code(0).expect_no_leftovers();
    } else {
        let done = restore(run, &[&words[..], &["--jobs", "2"]].concat());
        assert!(done.expect_code(0).stdout.contains("by one session"), "{done}");
    }
    assert!(!fresh.sql("", "SHOW DATABASES").contains("dbstash"), "{mode}");
}
