//! Retention on real remotes: exactly our own, the oldest first.

mod many;
mod refused;
mod rules;
pub mod seed;

use dbstash_testkit::{Dbstash, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, shop_file};

fn run(remote: &TestRemote, uri: &str, job: &str) -> Dbstash {
    dbstash(remote)
        .env("DB_URI", uri)
        .env("DBSTASH_JOB", job)
        .env("BACKUP_NAME_TEMPLATE", "{job}/{db}-{timestamp}-{uuid}")
}

#[test]
fn max_files_keeps_the_newest_and_all_that_is_foreign() {
    for kind in [RemoteKind::Local, RemoteKind::Sftp, RemoteKind::S3, RemoteKind::CryptS3] {
        let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(kind)) else {
            return;
        };
        eprintln!("--- on {kind}");
        let other = run(&remote, &file.uri(), "job-10");
        other.run(PATIENCE).expect_code(0);
        remote.write("job-1/shop-19990101T000000Z-aaaaaaaa.sql", b"not ours: it has no manifest");
        remote.write("old.sql", b"foreign");
        let keep = run(&remote, &file.uri(), "job-1").env("RETENTION_MAX_FILES", "2");
        for _ in 0..4 {
            keep.run(PATIENCE).expect_code(0);
        }
        let now = backups(&keep);
        let ours: Vec<_> = now.iter().filter(|name| name.starts_with("job-1/")).collect();
        assert_eq!(ours.len(), 2, "{now:?}");
        assert_eq!(now.len(), 3, "{now:?}");
        let names = remote.names();
        assert!(names.contains(&"old.sql".to_owned()), "{names:?}");
        assert!(names.iter().any(|n| n.contains("19990101")), "{names:?}");
        assert_eq!(names.len(), 3 * 2 + 2, "{names:?}");
    }
}

#[test]
fn prune_shows_its_plan_and_asks() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let keep_all = run(&remote, &file.uri(), "job");
    for _ in 0..3 {
        keep_all.run(PATIENCE).expect_code(0);
    }
    let prune = |args: &[&str]| {
        let run = keep_all.clone().args(args).env("RETENTION_MAX_FILES", "1");
        run.run(PATIENCE)
    };
    let shown = prune(&["prune", "--dry-run"]);
    shown.expect_code(0);
    assert!(shown.stdout.contains("2 of 3 to delete"), "{shown}");
    assert_eq!(shown.stdout.matches("RETENTION_MAX_FILES (1)").count(), 2, "{shown}");
    assert_eq!(backups(&keep_all).len(), 3);
    prune(&["prune"]).expect_code(1);
    assert_eq!(backups(&keep_all).len(), 3);
    let newest = backups(&keep_all)[0].clone();
    prune(&["prune", "--yes"]).expect_code(0);
    assert_eq!(backups(&keep_all), [newest]);
    prune(&["prune", "--yes"]).expect_code(0);
}

#[test]
fn a_suspiciously_small_backup_deletes_no_good_one() {
    let (Some(file), Some(remote)) = (shop_file(500), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let keep = run(&remote, &file.uri(), "job").env("RETENTION_MAX_FILES", "1");
    keep.run(PATIENCE).expect_code(0);
    let good = backups(&keep).pop().unwrap();
    std::fs::remove_file(&file.path).unwrap();
    dbstash_testkit::sqlite::run(&file.path, "CREATE TABLE t(x)");
    let done = keep.run(PATIENCE);
    done.expect_code(0);
    assert!(done.stderr.contains("RETENTION_HOLD_BELOW"), "{done}");
    assert!(backups(&keep).contains(&good));
    keep.clone().env("RETENTION_HOLD_BELOW", "0").run(PATIENCE).expect_code(0);
    assert_eq!(backups(&keep).len(), 1);
}

#[test]
fn a_backup_that_lost_bytes_is_not_listed() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = run(&remote, &file.uri(), "job");
    run.run(PATIENCE).expect_code(0);
    let object = backups(&run).pop().unwrap();
    remote.write(&object, b"cut short");
    assert_eq!(backups(&run), [""; 0]);
    let listed = crate::scene::listed(&run);
    assert!(listed["broken"][0]["why"].as_str().unwrap().contains("9 bytes"), "{listed}");
    remote.delete(&object);
    assert_eq!(backups(&run), [""; 0]);
}

#[test]
fn list_works_without_a_database_and_on_nothing() {
    let Some(remote) = TestRemote::start(RemoteKind::S3) else {
        return;
    };
    let list = dbstash(&remote).args(["list"]);
    let done = list.run(PATIENCE);
    done.expect_code(0);
    assert!(done.stdout.starts_with("no backups in dst:"), "{done}");
}
