//! SQLite: a file made beside its place.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use dbstash_testkit::{RemoteKind, Scratch, TestRemote, sqlite};

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, dbstash, shop_file};

/// Runs its further words on a terminal on which the first one is typed.
const ON_A_TERMINAL: &str =
    r#"echo "$1" | (shift; exec script -qec "$(printf '%q ' "$@")" /dev/null)"#;

/// Nothing but these is in the folder.
#[track_caller]
fn expect_only(folder: &Path, names: &[&str]) {
    let all = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut all: Vec<String> = all.collect();
    all.sort();
    assert_eq!(all, names);
}

#[test]
fn each_form_comes_back_as_it_was() {
    let Some(shop) = shop_file(300) else { return };
    let all = [("sql", "none"), ("sql", "gzip"), ("file", "zstd")];
    let ways = [
        (RemoteKind::Local, &all[..]),
        (RemoteKind::S3, &[("sql", "zstd")]),
        (RemoteKind::CryptS3, &[("file", "none")]),
    ];
    for (kind, forms) in ways {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run = dbstash(&remote).env("DB_URI", shop.uri());
        for &(format, compression) in forms {
            let run =
                run.clone().env("SQLITE_FORMAT", format).env("BACKUP_COMPRESSION", compression);
            run.run(PATIENCE).expect_code(0);
            let fresh = Scratch::new("fresh");
            let path = fresh.path().join("it's new.db");
            let to = format!("sqlite://{}", path.display().to_string().replace(' ', "%20"));
            let done = restore(&run, &["--to", &to]);
            done.expect_code(0).expect_no_leftovers();
            assert_eq!(sqlite::digest(&path), sqlite::digest(&shop.path), "{kind} {format}");
            expect_only(fresh.path(), &["it's new.db"]);
            let audit = done.events.iter().find(|event| event["restore"] == "restored");
            let audit = audit.unwrap_or_else(|| panic!("no audit line: {done}"));
            assert!(audit["who"].as_str().is_some_and(|who| who.contains("uid")), "{audit}");
            assert!(audit["target"].as_str().is_some_and(|to| to.ends_with("new.db")), "{audit}");
        }
    }
}

#[test]
fn what_is_there_stays_unless_it_may_go() {
    let Some(shop) = shop_file(100) else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", shop.uri());
    run.run(PATIENCE).expect_code(0);
    let before = sqlite::digest(&shop.path);
    // In WAL mode, with a change that is only in the log: it must not get into what is restored.
    sqlite::run(
        &shop.path,
        "PRAGMA journal_mode=WAL; DELETE FROM customer; CREATE TABLE later (x);",
    );
    fs::write(shop.path.with_file_name("shop.db-wal"), b"not of the backup").unwrap();
    expect_refused(&run, &[], &["not empty", "--clean", "--to"]);
    let dry = restore(&run, &["--clean", "--dry-run"]);
    dry.expect_code(0);
    assert!(dry.stdout.contains("sqlite3") && dry.stdout.contains("shop.db"), "{dry}");
    assert_ne!(sqlite::digest(&shop.path), before);
    let odd = Scratch::new("odd");
    let fifo = odd.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    for (path, told) in [
        (&*fifo, "no regular file"),
        (odd.path(), "a folder"),
        (&odd.path().join("none/a.db"), "no such folder"),
    ] {
        let to = format!("sqlite://{}", path.display());
        for words in [&["--to", &*to, "--clean"][..], &["--to", &to, "--clean", "--dry-run"]] {
            expect_refused(&run, words, &[told]);
        }
    }
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&fs::metadata(&fifo).unwrap().file_type()));
    restore(&run, &["--clean"]).expect_code(0).expect_no_leftovers();
    assert_eq!(sqlite::digest(&shop.path), before);
    expect_only(shop.path.parent().unwrap(), &["shop.db"]);
    // Nobody is there to be asked.
    let asked = run.clone().args(["restore", "--clean"]).run(PATIENCE);
    asked.expect_code(1);
    assert!(asked.stderr.contains("nothing was restored"), "{asked}");
    // Somebody is, and sees how far it is.
    sqlite::run(&shop.path, "DELETE FROM customer");
    let emptied = sqlite::digest(&shop.path);
    for (answer, code, held) in [("", 1, &emptied), ("n", 1, &emptied), ("y", 0, &before)] {
        let words = ["-c", ON_A_TERMINAL, "bash", answer];
        let asked = run.clone().args(["restore", "--clean"]).within(Path::new("/bin/bash"), words);
        let asked = asked.run(PATIENCE);
        asked.expect_code(code);
        assert!(asked.stdout.contains("[y/N]"), "{asked}");
        let is_told = asked.stdout.contains(" % ") && asked.stdout.contains(" left");
        assert_eq!(is_told, code == 0, "{asked}");
        assert_eq!(sqlite::digest(&shop.path), *held, "{asked}");
    }
}

#[test]
fn what_is_not_what_was_stored_replaces_nothing() {
    let Some(shop) = shop_file(2000) else { return };
    // What comes after it can be read and written by those who could before.
    fs::set_permissions(&shop.path, fs::Permissions::from_mode(0o640)).unwrap();
    for (format, compression) in [("sql", "none"), ("sql", "zstd"), ("file", "gzip")] {
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let run = dbstash(&remote).env("DB_URI", shop.uri()).env("SQLITE_FORMAT", format);
        let run = run.env("BACKUP_COMPRESSION", compression);
        run.run(PATIENCE).expect_code(0);
        let name = backups(&run).remove(0);
        let good = remote.read(&name);
        let before = fs::read(&shop.path).unwrap();
        let mut flipped = good.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        let mut swapped = good.clone();
        swapped.reverse();
        for damaged in [flipped, swapped] {
            remote.write(&name, &damaged);
            expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
            assert_eq!(fs::read(&shop.path).unwrap(), before);
            expect_only(shop.path.parent().unwrap(), &["shop.db"]);
        }
        remote.write(&name, &good);
        restore(&run, &["--clean"]).expect_code(0);
        assert_eq!(fs::metadata(&shop.path).unwrap().permissions().mode() & 0o777, 0o640);
        let link = shop.path.with_file_name("link.db");
        symlink(&shop.path, &link).unwrap();
        let to = format!("sqlite://{}", link.display());
        expect_refused(&run, &["--clean", "--to", &to], &["it is a symbolic link"]);
        fs::remove_file(link).unwrap();
        let before = fs::read(&shop.path).unwrap();
        if (format, compression) == ("sql", "none") {
            // What is in it is a command of the shell, of the same length.
            let evil = shop.path.with_file_name("evil");
            let mut shell = format!(".shell touch '{}'\n", evil.display()).into_bytes();
            shell.extend_from_slice(&good[shell.len()..]);
            remote.write(&name, &shell);
            expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
            expect_only(shop.path.parent().unwrap(), &["shop.db"]);
        }
        // A shorter one is no backup any more.
        remote.write(&name, &good[..good.len() - 7]);
        expect_refused(&run, &["--clean"], &["no backup here"]);
        assert_eq!(fs::read(&shop.path).unwrap(), before);
    }
}
