//! When a scheduled process begins a backup: what was missed, and a little later than the others.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use dbstash_testkit::{Dbstash, Finished, RemoteKind, Signal, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, shop_file};

/// Comes only when nobody waits for it.
const NEW_YEAR: &str = "0 0 1 1 *";

/// A scheduled process that has said when it will back up next, and is then told to end.
fn planned(run: &Dbstash) -> Finished {
    let mut running =
        run.clone().env("BACKUP_SCHEDULE", NEW_YEAR).env("LOG_LEVEL", "debug").spawn();
    running.wait_until(PATIENCE, |running| {
        running.output().contains("next backup at 20") && running.output().contains("known is what")
    });
    // One that begins at once is seen through.
    if running.output().contains("was due at") {
        running.wait_until(PATIENCE, |running| {
            running.output().matches("next backup at").count() == 2
        });
    }
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    done
}

fn next_run(done: &Finished) -> String {
    let mut told = done.events.iter().filter_map(|event| event["next_run"].as_str());
    told.next_back().unwrap().to_owned()
}

#[test]
fn a_missed_backup_is_made_up_for_when_asked_to() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(10)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    let catching_up = run.clone().env("BACKUP_CATCH_UP", "true");
    // Nothing was ever there: nothing is known to be missing.
    planned(&catching_up);
    assert_eq!(backups(&run).len(), 0);
    run.run(PATIENCE).expect_code(0);
    planned(&catching_up);
    assert_eq!(backups(&run).len(), 1);

    let name = remote.names().into_iter().find(|name| name.ends_with(".json")).unwrap();
    let text = String::from_utf8(remote.read(&name)).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    for when in ["started", "ended"] {
        let at = manifest[when].as_str().unwrap().to_owned();
        manifest[when] = format!("2019{}", &at[4..]).into();
    }
    remote.write(&name, manifest.to_string().as_bytes());
    let _ = fs::remove_dir_all(run.state_dir().join("cache"));
    planned(&run);
    assert_eq!(backups(&run).len(), 1, "nobody asked for it");
    let done = planned(&catching_up);
    assert_eq!(backups(&run).len(), 2, "{done}");
    assert!(done.to_string().contains("was due at 2020-01-01T00:00:00"), "{done}");
    planned(&catching_up);
    assert_eq!(backups(&run).len(), 2);
}

#[test]
fn a_run_begins_up_to_the_jitter_later() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(1)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    assert!(next_run(&planned(&run)).ends_with("-01-01T00:00:00+00:00"));
    let run = run.env("BACKUP_JITTER", "1h");
    let told: BTreeSet<_> = (0..4).map(|_| next_run(&planned(&run))).collect();
    assert!(told.len() > 1, "{told:?}");
    assert!(told.iter().all(|at| at.contains("-01-01T00:")), "{told:?}");
}
