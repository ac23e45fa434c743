//! By a schedule of their own, and after backups.

use dbstash_testkit::{RemoteKind, Scratch, Signal, TestRemote};

use super::marks;
use crate::health::{NEW_YEAR, Watched, samples, value};
use crate::scene::{PATIENCE, backups, dbstash, shop_file, summary};

#[test]
fn one_of_so_many_backups_is_restored_on_trial() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let work = Scratch::new("work");
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("BACKUP_TEMP_DIR", work.path())
        .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}")
        .env("DRILL_AFTER_BACKUP", "every 2nd");
    for drills in [1, 1, 2] {
        run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        assert_eq!(marks(&remote, "restored"), drills);
    }
    // One that is not what it should be fails its run, which then deletes nothing.
    let each = run
        .clone()
        .env("DRILL_AFTER_BACKUP", "every")
        .env("DRILL_SQL", "SELECT count(*) = 0 FROM customer")
        .env("RETENTION_MAX_FILES", "1");
    let done = each.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(summary(&done)["error"].as_str().unwrap().contains("DRILL_SQL"), "{done}");
    assert_eq!((backups(&run).len(), marks(&remote, "corrupt")), (4, 1));
}

#[test]
fn a_schedule_of_drills_is_told_of() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let work = Scratch::new("work");
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("DBSTASH_JOB", "orders")
        .env("BACKUP_TEMP_DIR", work.path());
    run.run(PATIENCE).expect_code(0);
    let waiting = run.clone().env("BACKUP_SCHEDULE", NEW_YEAR).env("DRILL_SCHEDULE", "* * * * * *");
    let mut watched = Watched::start(&waiting);
    watched.until("/metrics", |answer| {
        let good = "level=\"restore\",result=\"good\"} ";
        answer.body.lines().any(|line| line.contains(good) && !line.ends_with(" 0"))
    });
    let found = samples(&watched.get("/metrics").body);
    assert!(value(&found, "dbstash_last_drill_restore_seconds") > 0);
    watched.running.signal(Signal::TERM);
    let done = watched.running.wait(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert!(done.stderr.contains("backup restored on trial: "), "{done}");
    assert_eq!(marks(&remote, "restored"), 1);
}
