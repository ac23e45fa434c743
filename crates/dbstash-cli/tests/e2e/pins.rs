//! `dbstash pin` and `dbstash unpin`.

use chrono::{TimeDelta, Utc};
use dbstash_core::state::StateDir;
use dbstash_testkit::{Dbstash, Finished, RemoteKind, TestRemote};
use serde_json::Value;

use crate::retention::seed::{DATABASE, JOB, Seed};
use crate::scene::{PATIENCE, backups, dbstash, listed};

fn with(run: &Dbstash, args: &[&str], code: i32) -> Finished {
    let done = run.clone().args(args).run(PATIENCE);
    done.expect_code(code).expect_no_leftovers();
    done
}

fn seeded(remote: &TestRemote, objects: &[&str]) -> Dbstash {
    let seed = Seed::new();
    for (object, n) in objects.iter().zip(1..) {
        seed.backup(object, Utc::now() - TimeDelta::hours(n));
    }
    seed.onto(remote);
    dbstash(remote)
}

fn pinned(run: &Dbstash) -> Vec<String> {
    let listed = listed(run);
    assert_eq!(listed["without_manifest"], serde_json::json!([]));
    let all = listed["backups"].as_array().unwrap().iter();
    let pinned = all.filter(|b| b["pinned"] == Value::Bool(true));
    pinned.map(|b| b["paths"][0].as_str().unwrap().to_owned()).collect()
}

fn id(run: &Dbstash, object: &str) -> String {
    let listed = listed(run);
    let mut all = listed["backups"].as_array().unwrap().iter();
    all.find(|b| b["paths"][0] == object).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_pinned_backup_stays_until_it_is_unpinned() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal, RemoteKind::Moto] {
        let Some(remote) = TestRemote::start(kind) else { continue };
        eprintln!("--- on {kind}");
        let run = seeded(&remote, &["a/1.sql", "a/2.sql", "a/[3]/", "a/4.sql"]);
        let before = remote.names();
        let prune = run
            .clone()
            .env("DB_URI", "sqlite:///nowhere.db")
            .env("DBSTASH_JOB", JOB)
            .env("RETENTION_MAX_FILES", "1");
        with(&run, &["pin", &id(&run, "a/[3]/")], 0);
        let told = with(&run, &["pin", "a/4.sql"], 0);
        assert!(told.stdout.starts_with("pinned: ") && told.stdout.contains("a/4.sql"), "{told}");
        assert_eq!(pinned(&run), ["a/[3]/", "a/4.sql"]);
        // Beside the manifest, which is as it was; nothing else is there.
        let mut names = before.clone();
        names.extend(["a/[3].pin", "a/4.sql.pin"].map(str::to_owned));
        names.sort();
        assert_eq!(remote.names(), names, "{kind}");
        let again = with(&run, &["pin", "a/4.sql"], 0);
        assert!(again.stdout.starts_with("already pinned: "), "{again}");
        let shown = with(&run, &["list"], 0);
        assert_eq!(shown.stdout.matches("  pinned\n").count(), 2, "{shown}");

        let plan = with(&prune, &["prune", "--yes"], 0);
        assert_eq!(plan.stdout.matches("keep: pinned").count(), 2, "{plan}");
        assert_eq!(backups(&run), ["a/1.sql", "a/[3]/", "a/4.sql"]);
        with(&run, &["unpin", "a/[3]/"], 0);
        with(&run, &["unpin", "a/4.sql"], 0);
        let again = with(&run, &["unpin", "a/4.sql"], 0);
        assert!(again.stdout.starts_with("not pinned: "), "{again}");
        with(&prune, &["prune", "--yes"], 0);
        assert_eq!(remote.names(), ["a/1.sql", "a/1.sql.dbstash.json"], "{kind}");
    }
}

#[test]
fn a_backup_is_named_without_doubt() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = seeded(&remote, &["1.sql", "2.sql"]);
    let whole = id(&run, "2.sql");
    let told = with(&run, &["pin", "20"], 1);
    assert!(told.stderr.contains("may be any of 2 backups"), "{told}");
    assert!(told.stderr.contains(&whole) && told.stderr.contains("1.sql"), "{told}");
    let told = with(&run, &["pin", "nothing"], 1);
    assert!(told.stderr.contains("nothing is no backup here"), "{told}");
    with(&run, &["pin"], 2);
    assert_eq!(pinned(&run), [""; 0]);
    // A beginning that fits one alone.
    with(&run, &["pin", &whole[..whole.len() - 4]], 0);
    assert_eq!(pinned(&run), ["2.sql"]);
    let told = with(&run, &["pin", "latest", "--dry-run"], 0);
    assert!(told.stdout.starts_with("would be pinned: "), "{told}");
    assert_eq!(pinned(&run), ["2.sql"]);
    with(&run, &["pin", "latest", "--db", "other"], 1);
    with(&run.clone().env("DBSTASH_JOB", "job-1"), &["pin", "latest"], 1);
    with(&run.clone().env("DBSTASH_JOB", JOB), &["pin", "latest", "--db", DATABASE], 0);
    assert_eq!(pinned(&run), ["1.sql", "2.sql"]);
}

#[test]
fn a_run_at_work_is_not_disturbed() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = seeded(&remote, &["1.sql"]);
    let state = StateDir::open(&run.state_dir()).unwrap();
    let held = state.lock(&JOB.parse().unwrap(), DATABASE, "box", Utc::now()).unwrap();
    let told = with(&run, &["pin", "latest"], 3);
    assert!(told.stderr.contains("another run of this job and database is at work"), "{told}");
    assert_eq!(pinned(&run), [""; 0]);
    drop(held);
    with(&run, &["pin", "latest"], 0);
}

/// What is deleted by hand leaves its pin, which pins nothing, and no backup gets a name with one.
#[test]
fn a_pin_without_a_backup_is_nobodys() {
    let (Some(file), Some(remote)) =
        (crate::scene::shop_file(1), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("BACKUP_NAME_TEMPLATE", "x");
    run.run(PATIENCE).expect_code(0);
    with(&run, &["pin", "latest"], 0);
    remote.delete("x.sql");
    remote.delete("x.sql.dbstash.json");
    assert_eq!(listed(&run)["without_manifest"], serde_json::json!(["x.sql.pin"]));
    run.run(PATIENCE).expect_code(0);
    assert_eq!(backups(&run), ["x-2.sql"]);
    assert_eq!(listed(&run)["backups"][0]["pinned"], Value::Bool(false));
}
