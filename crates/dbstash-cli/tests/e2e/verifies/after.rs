//! What was just stored is read back before anything else goes.

use std::fs;
use std::time::{Duration, Instant};

use dbstash_testkit::{Inbox, PgServer, RemoteKind, Signal, TestRemote};

use super::{Between, dumps, logged, marked, marks, shop, shop_on};
use crate::scene::{PATIENCE, backups, dbstash, listed, summary};

#[test]
fn every_backup_is_read_back() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let Some((file, remote, run)) = shop_on(kind) else { return };
        eprintln!("--- on {kind}");
        for (level, format) in [("structure", "sql"), ("bytes", "sql"), ("structure", "file")] {
            let run = run
                .clone()
                .env("VERIFY_AFTER_BACKUP", level)
                .env("SQLITE_FORMAT", format)
                .env("BACKUP_TEMP_DIR", file.scratch.dir("work"))
                .env("RETENTION_MAX_FILES", "1");
            let done = run.run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            assert!(logged(&done, "INFO", &format!("backup verified: good ({level})")), "{done}");
            assert_eq!(summary(&done)["warnings"], 0, "{done}");
            assert_eq!((marked(&remote, level), marks(&remote).len()), (1, 1), "{done}");
            assert_eq!(listed(&run)["backups"][0]["verified"]["result"], level);
            assert_eq!(fs::read_dir(file.scratch.path().join("work")).unwrap().count(), 0);
        }
    }
}

#[test]
fn every_database_in_every_mode() {
    let Some(server) = PgServer::start("pw") else { return };
    for database in ["one", "two"] {
        server.createdb(database);
        server.psql(
            database,
            "CREATE TABLE t AS SELECT generate_series(1, 500) n; GRANT SELECT ON t TO PUBLIC",
        );
    }
    for mode in ["stream", "directory", "tar"] {
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        let run = dbstash(&remote)
            .env("PATH", server.path())
            .env("DB_URI", server.uri("postgres"))
            .env("BACKUP_SPLIT_DATABASES", "true")
            .env("DB_EXCLUDE", "postgres")
            .env("BACKUP_MODE", mode)
            .env("VERIFY_AFTER_BACKUP", "structure");
        let done = run.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        assert_eq!((marked(&remote, "structure"), marks(&remote).len()), (2, 2), "{mode}: {done}");
    }
}

/// Changes a byte of every dump but one, unless there is a file `done`.
fn flip(remote: &TestRemote, spared: &str) -> String {
    let store = remote.root();
    format!(
        "if ! [ -e done ]; then for f in {store}/*.sql; do case \"$f\" in *{spared}) ;; *)\n\
         printf '\\377' | dd of=\"$f\" bs=1 seek=300 conv=notrunc 2>/dev/null ;; esac; done; fi"
    )
}

#[test]
fn a_corrupt_one_is_a_failed_run_and_deletes_nothing() {
    let Some((_file, remote, run)) = shop() else { return };
    let keep = run.clone().env("RETENTION_MAX_FILES", "1");
    keep.run(PATIENCE).expect_code(0);
    let older = backups(&run).remove(0);
    let good = remote.read(&older);

    let inbox = Inbox::start();
    let between = Between::new(&flip(&remote, &older));
    let told = between.file("told");
    let verifying = keep
        .clone()
        .env("PATH", between.path())
        .env("VERIFY_AFTER_BACKUP", "bytes")
        .env(
            "HOOK_POST_BACKUP",
            format!("echo $DBSTASH_STATUS $DBSTASH_ERROR > {}", told.display()),
        )
        .env("NOTIFY_WEBHOOK_URL", inbox.url("/news"));
    let done = verifying.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let event = summary(&done);
    assert_eq!(
        (&event["status"], &event["phase"]),
        (&"failure".into(), &"verify".into()),
        "{done}"
    );
    assert!(event["error"].as_str().unwrap().contains("its bytes have changed"), "{done}");
    let news = inbox.of("/news");
    assert_eq!((news.len(), news[0].json()["status"].as_str()), (1, Some("failure")), "{news:?}");
    assert!(fs::read_to_string(&told).unwrap().starts_with("failure the backup was stored, and"));

    let all = backups(&run);
    assert!(all.len() == 2 && all[1] == older, "{all:?}");
    assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "corrupt");
    assert!(remote.read(&older) == good, "another backup was touched");
    // By hand, too.
    let pruned = keep.clone().args(["prune", "--yes"]).run(PATIENCE);
    pruned.expect_code(0);
    assert!(pruned.stdout.contains("keep: corrupt, and no good one is newer"), "{pruned}");
    assert_eq!(backups(&run), all);

    // The next good one makes both of them superfluous.
    fs::write(between.file("done"), "").unwrap();
    verifying.run(PATIENCE).expect_code(0);
    assert_eq!((backups(&run).len(), marked(&remote, "bytes"), dumps(&remote).len()), (1, 1, 1));
    assert_eq!(inbox.of("/news").len(), 1, "another process knows of no trouble");
}

#[test]
fn another_attempt_may_go_well() {
    let Some((_file, remote, run)) = shop() else { return };
    let script = flip(&remote, "nothing") + "\ntouch done";
    let between = Between::new(&script);
    let run = run.env("PATH", between.path()).env("VERIFY_AFTER_BACKUP", "structure");
    let done = run.clone().env("BACKUP_RETRIES", "1").run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert_eq!(summary(&done)["attempts"], 2, "{done}");
    assert_eq!((marked(&remote, "corrupt"), marked(&remote, "structure")), (1, 1), "{done}");
}

#[test]
fn what_nobody_can_test_is_a_warning() {
    let Some((_file, remote, run)) = shop() else { return };
    let run = run.env("VERIFY_AFTER_BACKUP", "structure");
    let warned = |run: &dbstash_testkit::Dbstash, why: &str| {
        let done = run.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        let text = "the backup is stored, and could not be verified";
        assert!(logged(&done, "WARN", text) && logged(&done, "WARN", why), "{done}");
        assert_eq!(summary(&done)["warnings"], 1, "{done}");
        assert_eq!(marks(&remote), [""; 0], "{done}");
    };
    let away = Between::new("echo 'connection refused' >&2; exit 1");
    warned(&run.clone().env("PATH", away.path()), "back: it exited with code 1");
    let slow = Between::new("exec sleep 300");
    let slow = run.env("PATH", slow.path()).env("BACKUP_NAME_TEMPLATE", "slow/{uuid}");
    warned(&slow.clone().env("BACKUP_TIMEOUT", "3s"), "BACKUP_TIMEOUT");
    warned(&slow.env("BACKUP_STALL_TIMEOUT", "1s"), "BACKUP_STALL_TIMEOUT");
    assert_eq!(dumps(&remote).len(), 3);
}

#[test]
fn a_signal_ends_it_and_the_backup_stays() {
    let Some((_file, remote, run)) = shop() else { return };
    let between = Between::new("touch there; exec sleep 300");
    let run = run.env("PATH", between.path()).env("VERIFY_AFTER_BACKUP", "structure");
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| between.file("there").exists());
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < Duration::from_secs(8), "{:?} {done}", told.elapsed());
    done.expect_no_leftovers();
    assert!(logged(&done, "WARN", "not verified: ended by a signal"), "{done}");
    assert_eq!(summary(&done)["status"], "success", "{done}");
    assert_eq!((marks(&remote), backups(&run).len()), (Vec::new(), 1));
}
