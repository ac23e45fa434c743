//! A clock that was wrong: a backup made "in the future".

use dbstash_testkit::{RemoteKind, TestRemote};
use serde_json::Value;

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file};

#[test]
fn a_backup_from_the_future_costs_no_other_one() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let (Some(file), Some(remote)) = (shop_file(20), TestRemote::start(kind)) else { return };
        eprintln!("--- on {kind}");
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}")
            .env("RETENTION_MAX_FILES", "1")
            .env("RETENTION_MAX_DAYS", "1");
        run.run(PATIENCE).expect_code(0);
        let future = backups(&run).pop().unwrap();
        let name = format!("{future}.dbstash.json");
        let mut manifest: Value = serde_json::from_slice(&remote.read(&name)).unwrap();
        for key in ["started", "ended"] {
            manifest[key] = "2077-03-01T00:00:00Z".into();
        }
        remote.write(&name, manifest.to_string().as_bytes());

        let mut before = String::new();
        for _ in 0..3 {
            let done = run.run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            assert!(done.stderr.contains("dated in the future"), "{done}");
            let now = backups(&run);
            assert_eq!(now.len(), 2, "{now:?}");
            assert_eq!(now[0], future);
            assert_ne!(now[1], before, "the new backup was deleted: {done}");
            before.clone_from(&now[1]);
        }
        let plan = run.clone().args(["prune", "--dry-run"]).run(PATIENCE);
        plan.expect_code(0);
        assert!(plan.stdout.contains("keep: dated in the future"), "{plan}");
        assert!(plan.stdout.contains("0 of 2 to delete"), "{plan}");
        run.clone().args(["prune", "--yes"]).run(PATIENCE).expect_code(0);
        assert_eq!(backups(&run).len(), 2);
        assert_eq!(listed(&run)["broken"].as_array().unwrap().len(), 0);
        let text = run.clone().args(["list"]).run(PATIENCE);
        assert!(text.stdout.contains("2077-03-01 00:00:00 UTC"), "{text}");
    }
}
