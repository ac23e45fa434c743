//! Names: folders, odd characters, extensions, taken ones.

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, shop_file};

#[test]
fn a_taken_name_is_not_overwritten() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    remote.write("fixed.sql", b"somebody else's file");
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("BACKUP_NAME_TEMPLATE", "fixed");
    for _ in 0..2 {
        let done = run.run(PATIENCE);
        done.expect_code(0);
        assert!(done.stderr.contains("BACKUP_NAME_TEMPLATE"), "not warned: {done}");
    }
    assert_eq!(backups(&run), ["fixed-3.sql", "fixed-2.sql"]);
    assert_eq!(remote.read("fixed.sql"), b"somebody else's file");
}

/// Two machines share a folder and a name: the slower one must not overwrite the faster one's backup.
#[test]
fn a_name_taken_in_the_meantime_is_not_overwritten() {
    crate::scene::each_remote(|remote| {
        let fakes = FakeTools::new();
        let (there, go) = (fakes.file("there"), fakes.file("go"));
        let (there, go) = (there.display(), go.display());
        fakes.script(
            "pg_dump",
            &format!("pg-head\nout-bytes 6MiB\ntouch {there}\nwait-for {go}\npg-footer"),
        );
        let uri = "postgresql://u:pw@127.0.0.1:1/shop";
        let run = || dbstash(&remote).env("DB_URI", uri).env("BACKUP_NAME_TEMPLATE", "{db}");
        let slow = run().env("PATH", fakes.path());
        let mut running = slow.spawn();
        running.wait_until(PATIENCE, |_| fakes.file("there").exists());
        // Within the second in which it began, the quick one would give way.
        let began = chrono::Utc::now().timestamp();
        running.wait_until(PATIENCE, |_| chrono::Utc::now().timestamp() > began);
        let quick_tools = FakeTools::new().tool("pg_dump", "pg-head\npg-footer");
        run().env("PATH", quick_tools.path()).run(PATIENCE).expect_code(0);
        let before = remote.read("shop.sql");
        std::fs::write(fakes.file("go"), "").unwrap();
        let done = running.wait(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert!(done.stderr.contains("shop.sql has appeared on the remote"), "{done}");
        assert_eq!(remote.names(), ["shop.sql", "shop.sql.dbstash.json"]);
        assert_eq!(remote.read("shop.sql"), before);
        assert_eq!(backups(&slow), ["shop.sql"]);
    });
}

#[test]
fn what_a_dump_tool_remarks_is_a_warning() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new()
        .tool("pg_dump", "err pg_dump: warning: circular foreign keys\npg-head\npg-footer");
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://h/shop")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path());
    let done = run.run(PATIENCE);
    done.expect_code(0);
    let warning = done.events.iter().find(|event| event["level"] == "WARN").unwrap();
    assert_eq!(warning["message"], "pg_dump: warning: circular foreign keys");
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
            .env("BACKUP_NAME_TEMPLATE", "a b/{engine}/{db}-{timestamp}-{uuid}")
            .env("BACKUP_EXTENSION", ".dump.sql")
            .env("TZ", "Asia/Kolkata");
        run.run(PATIENCE).expect_code(0);
        let object = backups(&run).pop().unwrap();
        assert!(object.starts_with("a b/sqlite/") && object.ends_with(".dump.sql"), "{object}");
        assert!(object.contains("+0530-"), "{object}");
        assert!(!remote.read(&object).is_empty());
    }
}

#[test]
fn a_dry_run_starts_nothing() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else {
        return;
    };
    let fakes = FakeTools::new().tool("pg_dump", "exit 1").tool("rclone", "exit 1");
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u:canary-2718@db.example:5432/shop?sslmode=require")
        .env("PATH", fakes.path())
        .env("DRY_RUN", "yes");
    let done = run.run(PATIENCE);
    done.expect_code(0);
    assert!(fakes.calls().is_empty());
    for told in ["pg_dump", "db.example", "sslmode", remote.root(), "/shop-20"] {
        assert!(done.stdout.contains(told), "{told}: {done}");
    }
    assert!(!done.to_string().contains("canary-2718"), "{done}");
}
