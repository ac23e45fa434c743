//! What a remote does not let go stays whole, and the rest goes on.

use chrono::{TimeDelta, Utc};
use dbstash_testkit::{Locked, RemoteKind, Scratch, TestRemote};

use super::rules::{job, prune};
use super::run;
use super::seed::{JOB, Seed};
use crate::matrix::place::{journals, warned};
use crate::scene::{PATIENCE, backups, dbstash, shop_file};

fn seeded(remote: &TestRemote, objects: &[&str]) {
    let seed = Seed::new();
    for (object, n) in objects.iter().zip(1..) {
        seed.backup(object, Utc::now() - TimeDelta::hours(n));
    }
    seed.onto(remote);
}

#[test]
fn a_locked_backup_stays_whole_and_the_rest_goes() {
    for kind in [RemoteKind::Local, RemoteKind::Sftp, RemoteKind::Webdav, RemoteKind::S3] {
        let store = Scratch::new("store");
        let (Some(file), Some(remote)) = (shop_file(1), TestRemote::start_in(kind, store.path()))
        else {
            return;
        };
        eprintln!("--- on {kind}");
        let all = ["new.sql", "locked/1.sql", "1.sql", "locked/2/", "2/", "locked/3.sql", "3.sql"];
        seeded(&remote, &all);
        let below = if kind == RemoteKind::S3 { "bucket/backups/locked" } else { "backups/locked" };
        let Some(lock) = Locked::new(&store.path().join(below)) else { return };
        let keep = job(&remote).env("RETENTION_MAX_FILES", "1");
        let done = keep.clone().args(["prune", "--yes"]).run(PATIENCE);
        done.expect_code(1);
        assert!(done.stderr.contains("nothing more than 3 of 6 backups"), "{done}");
        assert!(done.stderr.contains("locked/"), "{done}");
        let locked = ["new.sql", "locked/1.sql", "locked/2/", "locked/3.sql"];
        assert_eq!(backups(&keep), locked, "{kind}");
        // After a backup, it is a warning.
        let after = run(&remote, &file.uri(), JOB).env("RETENTION_MAX_FILES", "1");
        let done = after.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        assert!(warned(&done, "nothing more than 1 of 4 backups"), "{done}");
        assert_eq!(backups(&keep)[1..], locked[1..], "{kind}");
        assert_eq!(journals(&after), [""; 0]);
        drop(lock);
        prune(&keep, &["--yes"]);
        assert_eq!((backups(&keep).len(), remote.names().len()), (1, 2), "{kind}");
    }
}

/// Its manifest is gone: nobody takes it for a backup, and the next run takes it away.
#[test]
fn an_object_that_stays_behind_is_no_backup_and_goes_with_the_next_run() {
    let store = Scratch::new("store");
    let kind = RemoteKind::Local;
    let (Some(file), Some(remote)) = (shop_file(1), TestRemote::start_in(kind, store.path()))
    else {
        return;
    };
    seeded(&remote, &["1.sql", "2.sql", "3.sql"]);
    let Some(lock) = Locked::new(&store.path().join("backups/2.sql")) else { return };
    let keep = run(&remote, &file.uri(), JOB)
        .env("RETENTION_MAX_FILES", "1")
        .env("RETENTION_HOLD_BELOW", "0");
    let done = keep.clone().args(["prune", "--yes"]).run(PATIENCE);
    done.expect_code(1);
    assert_eq!(backups(&keep), ["1.sql"]);
    assert_eq!((journals(&keep).len(), remote.names().len()), (1, 3), "{:?}", remote.names());
    // It stays for as long as it cannot go.
    keep.run(PATIENCE).expect_code(0);
    assert_eq!(journals(&keep).len(), 1);
    assert!(remote.names().contains(&"2.sql".to_owned()));
    drop(lock);
    keep.run(PATIENCE).expect_code(0);
    assert_eq!((journals(&keep).len(), remote.names().len()), (0, 2), "{:?}", remote.names());
}

/// A bucket that keeps versions, as one with object lock does: what is deleted is gone from every listing, and its
/// bytes are kept as a version for as long as the bucket wants.
#[test]
fn a_bucket_with_versions_keeps_them_apart() {
    let Some(remote) = TestRemote::start(RemoteKind::Moto) else { return };
    let on = remote.rclone(&["backend", "versioning", "dst:bucket", "Enabled"]).output().unwrap();
    assert!(on.status.success(), "{}", String::from_utf8_lossy(&on.stderr));
    seeded(&remote, &["1.sql", "2/", "3.sql"]);
    let keep = dbstash(&remote).env("DB_URI", "sqlite:///nowhere.db").env("DBSTASH_JOB", JOB);
    prune(&keep.clone().env("RETENTION_MAX_FILES", "1"), &["--yes"]);
    assert_eq!(backups(&keep), ["1.sql"]);
    assert_eq!(remote.names(), ["1.sql", "1.sql.dbstash.json"]);
    let versions = remote.rclone(&["lsf", "-R", "--files-only", "--s3-versions", remote.root()]);
    let versions = { versions }.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&versions.stdout).lines().count(), 8);
}
