//! Which backup, and where to.

use std::fs;

use dbstash_testkit::{FakeTools, RemoteKind, Scratch, TestRemote, sqlite, tools};

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, dbstash, listed, shop_file};

#[test]
fn the_backup_and_the_target_are_those_that_were_named() {
    let Some(shop) = shop_file(10) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", shop.uri()).env("BACKUP_NAME_TEMPLATE", "{uuid}");
    run.run(PATIENCE).expect_code(0);
    let first = sqlite::digest(&shop.path);
    sqlite::run(&shop.path, "DELETE FROM customer");
    run.run(PATIENCE).expect_code(0);
    let second = sqlite::digest(&shop.path);
    let listed = listed(&run);
    let started = |n: usize| listed["backups"][n]["started"].as_str().unwrap().to_owned();
    let id = listed["backups"][1]["id"].as_str().unwrap();

    let scratch = Scratch::new("targets");
    let uri = |name: &str| format!("sqlite://{}", scratch.path().join(name).display());
    let holds = |name: &str| sqlite::digest(&scratch.path().join(name));
    for (name, words, expected) in [
        ("newest", vec![], &second),
        ("latest", vec!["latest"], &second),
        ("by id", vec![id], &first),
        ("by its beginning", vec![&id[..id.len() - 3]], &first),
        ("as of then", vec!["--at", &started(1)], &first),
        ("as of now", vec!["--at", "0s", "--db", "shop"], &second),
    ] {
        let to = uri(&name.replace(' ', "-"));
        restore(&run, &[&words[..], &["--to", &to]].concat()).expect_code(0);
        assert_eq!(holds(&name.replace(' ', "-")), *expected, "{name}");
    }

    // In a file, where no process list shows it.
    let file = scratch.path().join("target");
    fs::write(&file, uri("from-a-file") + "\n").unwrap();
    restore(&run.clone().env("RESTORE_TO_FILE", &file), &[]).expect_code(0);
    assert_eq!(holds("from-a-file"), second);

    expect_refused(&run, &["--at", "1w"], &["latest is no backup here"]);
    expect_refused(&run, &["20990101", "--to", &uri("x")], &["is no backup here"]);
    expect_refused(&run, &["no-job", "--job", "other"], &["is no backup here"]);
    // What a script has in a variable that was never set.
    let unset = run.clone().args(["restore", "", "--yes", "--to", &uri("x")]).run(PATIENCE);
    unset.expect_code(2);
    let job = listed["backups"][0]["job"].as_str().unwrap();
    restore(&run, &["--job", job, "--to", &uri("of-the-job")]).expect_code(0);
    assert_eq!(holds("of-the-job"), second);
    expect_refused(&run, &["--to", "postgresql://u:hidden@h/d"], &["of sqlite", "target is pg"]);
    expect_refused(&run, &["--to", "oracle://u:hidden@h/d"], &["--to", "unknown scheme"]);
    let other = run.clone().env("DB_URI", uri("other"));
    expect_refused(&other, &[], &["is none of these settings", "--to"]);
    let nobody = run.clone().env_remove("DB_URI");
    expect_refused(&nobody, &[], &["no connection", "--to URI"]);
    restore(&nobody, &["--to", &uri("without-settings")]).expect_code(0);
    assert!(!scratch.path().join("x").exists() && !scratch.path().join("other").exists());
    // The latest one is none any more: the one before it is taken, and that is said.
    let lost = listed["backups"][0]["paths"][0].as_str().unwrap();
    remote.delete(lost);
    let done = restore(&run, &["--to", &uri("the-one-before")]);
    let told = format!("not the latest that was stored: {lost}.dbstash.json: ");
    assert!(done.expect_code(0).stderr.contains(&told), "{done}");
    assert_eq!(holds("the-one-before"), first);
    let done = restore(&run, &["--at", &started(1), "--to", &uri("then"), "--dry-run"]);
    assert!(!done.expect_code(0).stderr.contains("not the latest"), "{done}");
    // Nor can anybody tell of when one is whose manifest is garbage: `verify` does not pass over it.
    remote.write(lost, b"x");
    remote.write(&format!("{lost}.dbstash.json"), b"{");
    let done = restore(&run, &["--to", &uri("of-those-that-are-known")]);
    let told = format!("may not be the latest that was stored: {lost}.dbstash.json: ");
    assert!(done.expect_code(0).stderr.contains(&told), "{done}");
    let done = run.clone().args(["verify"]).run(PATIENCE);
    let told = [format!("{lost}.dbstash.json: "), "good (".to_owned()];
    assert!(told.iter().all(|told| done.stdout.contains(told)), "{done}");
    done.expect_code(1);
    for words in [["--to", "postgresql://u:hidden@h/d"], ["--to", "oracle://u:hidden@h/d"]] {
        let done = restore(&run, &words);
        assert!(!done.to_string().contains("hidden"), "{done}");
    }
}

#[test]
fn one_at_a_time_into_a_target() {
    let Some(shop) = shop_file(10) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", shop.uri());
    run.run(PATIENCE).expect_code(0);
    let fakes = FakeTools::new();
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let real = tools::find("rclone").unwrap();
    let (wait, real) =
        (format!("touch {}\nwait-for {}", there.display(), go.display()), real.display());
    let fakes =
        fakes.tool("rclone", &format!("when cat\n{wait}\nexec {real}\notherwise\nexec {real}"));
    let scratch = Scratch::new("target");
    let to = format!("sqlite://{}/new.db", scratch.path().display());
    let slow = run.clone().env("PATH", fakes.path()).args(["restore", "--yes", "--to", &to]);
    let mut running = slow.spawn();
    running.wait_until(PATIENCE, |_| there.exists());
    let second = restore(&run, &["--to", &to]);
    assert!(second.expect_code(3).stderr.contains("another restore into"), "{second}");
    restore(&run, &["--to", &to, "--dry-run"]).expect_code(0);
    restore(&run, &["--to", &format!("{to}.other")]).expect_code(0);
    fs::write(&go, "").unwrap();
    running.wait(PATIENCE).expect_code(0);
    assert_eq!(sqlite::digest(&scratch.path().join("new.db")), sqlite::digest(&shop.path));
}

/// Somebody makes something there while the plan is being read.
#[test]
fn what_comes_before_the_answer_stays() {
    let Some(shop) = shop_file(10) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", shop.uri());
    run.run(PATIENCE).expect_code(0);
    let scratch = Scratch::new("target");
    let path = scratch.path().join("new.db");
    let typed = r#"(sleep 5; sqlite3 "$1" 'CREATE TABLE mine (x)'; echo y) | script -qec "$2 restore --to sqlite://$1" /dev/null"#;
    let words = ["-c", typed, "sh", path.to_str().unwrap(), env!("CARGO_BIN_EXE_dbstash")];
    let done = run.within(&tools::find("sh").unwrap(), words).run(PATIENCE);
    assert!(done.expect_code(1).stdout.contains("the target is not empty"), "{done}");
    assert_eq!(sqlite::run(&path, "SELECT name FROM sqlite_master").trim(), "mine", "{done}");
}

#[test]
fn what_cannot_be_written_to_is_named() {
    let Some(shop) = shop_file(10) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", shop.uri());
    run.run(PATIENCE).expect_code(0);
    expect_refused(
        &run,
        &["--to", "sqlite:///nowhere/at/all.db"],
        &["/nowhere/at: there is no such folder"],
    );
    expect_refused(&run, &["--to", "sqlite:///dev/full/a.db"], &["/dev/full/"]);
    let run = run.env("PATH", "/nonexistent");
    let done = run.args(["restore", "--yes", "--clean"]).run(PATIENCE);
    assert!(done.code != Some(0) && done.stderr.contains("rclone"), "{done}");
}
