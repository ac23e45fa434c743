//! Hooks that fail, hang, flood, and leave things behind.

use std::time::{Duration, Instant};

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote};

use super::{Calls, WHOLE, faked, said, text};
use crate::scene::{PATIENCE, backups, dbstash, shop_file, summary, watched};

#[test]
fn before_the_backup_nothing_is_begun() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let run = calls.hooked(faked(&remote, &fakes), "echo not now >&2; exit 7", "exit 1");
    let done = run.env("BACKUP_RETRIES", "3").run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let event = summary(&done);
    assert_eq!((&event["phase"], &event["attempts"]), (&"hook".into(), &1.into()), "{done}");
    assert_eq!(event["error"], "HOOK_PRE_BACKUP exited with code 7");
    assert_eq!(event["stderr"], "not now");
    assert_eq!(said(&done, "pre"), [("WARN", "not now")]);
    assert!(fakes.calls_of("pg_dump").is_empty() && remote.names().is_empty());
    let (_, post) = (calls.one("pre"), calls.one("post"));
    assert_eq!(post["DBSTASH_STATUS"], "failure");
    assert_eq!(post["DBSTASH_ERROR"], "HOOK_PRE_BACKUP exited with code 7");
}

#[test]
fn after_the_backup_it_is_a_warning() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    let run = run.env("HOOK_POST_BACKUP", "echo lost >&2; kill -KILL $$");
    let done = run.run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert_eq!((backups(&run).len(), &summary(&done)["warnings"]), (1, &1.into()), "{done}");
    let warned =
        |event: &&serde_json::Value| text(event, "message").starts_with("HOOK_POST_BACKUP");
    let warning = done.events.iter().find(warned).unwrap_or_else(|| panic!("{done}"));
    assert_eq!(warning["level"], "WARN");
    assert!(text(warning, "message").contains("was killed by signal 9"), "{done}");
    assert!(text(warning, "message").ends_with(": lost"), "{done}");
}

#[test]
fn one_that_hangs_is_given_up() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let hang = "trap '' TERM; sleep 1000 & while :; do sleep 1000; done";
    let run = calls.hooked(faked(&remote, &fakes), hang, "").env("HOOK_TIMEOUT", "1s");
    let done = run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let error = text(summary(&done), "error");
    assert_eq!(error, "HOOK_PRE_BACKUP was not finished within 1s (HOOK_TIMEOUT)");
    assert_eq!(calls.one("post")["DBSTASH_ERROR"], error);
    // One that ends when it is told to has nevertheless taken too long.
    let run = calls.hooked(faked(&remote, &fakes), "", "trap 'exit 0' TERM; sleep 1000 & wait");
    let done = run.clone().env("HOOK_TIMEOUT", "1s").run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert!(done.stderr.contains("HOOK_POST_BACKUP was not finished within 1s"), "{done}");
    assert_eq!(backups(&run).len(), 1);
}

#[test]
fn what_holds_its_output_delays_nothing() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let run =
        calls.hooked(faked(&remote, &fakes), "sleep 1000 & echo one", "sleep 1000 & echo two");
    let before = Instant::now();
    let done = run.run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
    let told = (said(&done, "pre"), said(&done, "post"));
    assert_eq!(told, (vec![("INFO", "one")], vec![("INFO", "two")]));
}

#[test]
fn a_flood_fills_neither_the_log_nor_the_memory() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let lines = "yes some words in a line | head -c 104857600";
    let one_line = "head -c 104857600 /dev/zero | tr '\\0' x; echo; echo the end";
    let run = calls.hooked(faked(&remote, &fakes), lines, one_line);
    let (done, most) = watched(&run);
    done.expect_code(0).expect_no_leftovers();
    let pre = said(&done, "pre");
    assert_eq!(pre.len(), 1001, "{done}");
    assert_eq!(pre[1000], ("WARN", "4992220 more lines of this hook are left out"));
    let post = said(&done, "post");
    assert!(post[0].1.len() < 5000 && post[0].1.ends_with("..."), "{}", post[0].1);
    assert_eq!(post[1..], [("INFO", "the end")]);
    assert!(most < 40 * 1024, "{most} KiB");
    assert_eq!(done.stdout, "");
}

#[test]
fn no_shell_is_said_clearly() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("HOOK_PRE_BACKUP", "true");
    let done = run.env("PATH", "/nonexistent").run(PATIENCE);
    done.expect_code(1);
    let error = "HOOK_PRE_BACKUP could not be run: sh is not installed, or not on PATH";
    assert_eq!((text(summary(&done), "error"), text(summary(&done), "phase")), (error, "hook"));
}

#[test]
fn several_attempts_have_one_of_each() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let away = "err connection to server at \"db\" failed: Connection refused\nexit 1";
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", away));
    let run = calls.hooked(faked(&remote, &fakes), "", "").env("BACKUP_RETRIES", "1");
    let done = run.run(PATIENCE);
    done.expect_code(1);
    assert_eq!(fakes.calls_of("pg_dump").len(), 2);
    let (_, post) = (calls.one("pre"), calls.one("post"));
    assert!(post["DBSTASH_ERROR"].contains("does not answer"), "{post:?}");
    assert_eq!(Some(post["DBSTASH_BACKUP_ID"].as_str()), summary(&done)["backup_id"].as_str());
}

/// A run that cannot even begin is a failure that somebody has to hear of; one that is skipped is none.
#[test]
fn what_is_not_begun() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new());
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let slow = format!("touch {}\nwait-for {}\n{WHOLE}", there.display(), go.display());
    fakes.script("pg_dump", &slow);
    let run = calls.hooked(faked(&remote, &fakes), "", "");
    let mut first = run.spawn();
    first.wait_until(PATIENCE, |_| there.exists());
    run.clone().run(PATIENCE).expect_code(3);
    assert_eq!((calls.of("pre").len(), calls.of("post").len()), (1, 0));
    std::fs::write(go, "").unwrap();
    first.wait(PATIENCE).expect_code(0);
    // Nobody can say which databases there are.
    let calls = Calls::new();
    fakes.script("psql", "err psql: error: nobody there\nexit 2");
    let run = calls.hooked(faked(&remote, &fakes), "", "");
    let run = run.env("DB_URI", "postgresql://u:pw@127.0.0.1:1");
    let done = run.env("BACKUP_SPLIT_DATABASES", "true").run(PATIENCE);
    done.expect_code(1);
    assert_eq!((calls.of("pre").len(), text(summary(&done), "phase")), (0, "databases"));
    let post = calls.one("post");
    assert_eq!(
        (post["DBSTASH_DATABASE"].as_str(), post["DBSTASH_STATUS"].as_str()),
        ("*", "failure")
    );
}
