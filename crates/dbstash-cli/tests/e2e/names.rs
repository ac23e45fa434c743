//! Names: folders, odd characters, extensions, taken ones.

use dbstash_testkit::{RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, shop_file};

#[test]
fn a_taken_name_is_not_overwritten() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    remote.write("fixed.sql", b"somebody else's file");
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("BACKUP_NAME_TEMPLATE", "fixed");
    for _ in 0..2 {
        let done = run.run(PATIENCE);
        done.expect_code(0);
        assert!(
            done.stderr.contains("BACKUP_NAME_TEMPLATE"),
            "not warned: {done}"
        );
    }
    assert_eq!(backups(&run), ["fixed-3.sql", "fixed-2.sql"]);
    assert_eq!(remote.read("fixed.sql"), b"somebody else's file");
}

#[test]
fn folders_extensions_and_odd_names() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(kind)) else {
            return;
        };
        let odd = file.path.with_file_name("-rf [*] ?'\"$(x) é %41#.db");
        std::fs::copy(&file.path, &odd).unwrap();
        let run = dbstash(&remote)
            .env("DB_PATH", &odd)
            .env(
                "BACKUP_NAME_TEMPLATE",
                "a b/{engine}/{db}-{timestamp}-{uuid}",
            )
            .env("BACKUP_EXTENSION", ".dump.sql")
            .env("TZ", "Asia/Kolkata");
        run.run(PATIENCE).expect_code(0);
        let object = backups(&run).pop().unwrap();
        assert!(
            object.starts_with("a b/sqlite/") && object.ends_with(".dump.sql"),
            "{object}"
        );
        assert!(object.contains("+0530-"), "{object}");
        assert!(!remote.read(&object).is_empty());
    }
}

#[test]
fn a_dry_run_starts_nothing() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else {
        return;
    };
    let fakes = dbstash_testkit::FakeTools::new()
        .tool("pg_dump", "exit 1")
        .tool("rclone", "exit 1");
    let run = dbstash(&remote)
        .env(
            "DB_URI",
            "postgresql://u:canary-2718@db.example:5432/shop?sslmode=require",
        )
        .env("PATH", fakes.path())
        .env("DRY_RUN", "yes");
    let done = run.run(PATIENCE);
    done.expect_code(0);
    assert!(fakes.calls().is_empty());
    for told in [
        "pg_dump",
        "db.example",
        "sslmode",
        remote.root(),
        "/shop-20",
    ] {
        assert!(done.stdout.contains(told), "{told}: {done}");
    }
    assert!(!done.to_string().contains("canary-2718"), "{done}");
}
