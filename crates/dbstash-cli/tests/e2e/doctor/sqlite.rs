//! A file, its tool, and what of this machine a backup needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use dbstash_testkit::{Dbstash, RemoteKind, Scratch, TestRemote, Tmpfs, sqlite, tools};

use super::{each, finds, nowhere, tells, well};
use crate::scene::{PATIENCE, dbstash, shop_file};

/// A `PATH` with these programs, and no other.
fn only(dir: &Path, programs: &[&str]) -> String {
    fs::create_dir_all(dir).unwrap();
    for program in programs {
        symlink(tools::find(program).unwrap(), dir.join(program)).unwrap();
    }
    dir.display().to_string()
}

#[test]
fn a_file_and_its_tool() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let scratch = Scratch::new("doctor");
    let at = |name: &str| scratch.path().join(name);
    let run = dbstash(&remote).env("DB_URI", file.uri());

    let found = well(&run);
    for topic in
        ["address", "tool", "database", "remote", "clock", "state", "schedule", "retention"]
    {
        tells(&found, (topic, "ok", &[]));
    }
    assert_eq!(remote.names(), [""; 0], "something is left");

    let dry = run.clone().env("DRY_RUN", "true").args(["doctor"]).run(PATIENCE);
    dry.expect_code(2);
    assert!(dry.stderr.contains("DRY_RUN: the doctor starts"), "{dry}");

    fs::write(at("text.db"), "no database at all, and long enough to look at").unwrap();
    fs::write(at("empty.db"), "").unwrap();
    sqlite::run(&at("wal.db"), "PRAGMA journal_mode=WAL; CREATE TABLE t (x)");
    let broken = only(&at("broken"), &["rclone"]);
    fs::write(at("broken/sqlite3"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("broken/sqlite3"), fs::Permissions::from_mode(0o644)).unwrap();
    let none = only(&at("none"), &["rclone"]);
    let uri = |name: &str| format!("sqlite://{}", at(name).display());
    let with = |name: &str, value: &str| nowhere(&run).env(name, value);
    let (gone, folder) = (uri("gone.db"), format!("sqlite://{}", scratch.path().display()));
    let cases: [(Dbstash, super::Line<'_>); 7] = [
        (with("DB_URI", &gone), ("address", "fail", &["gone.db", "No such file", "DB_PATH"])),
        (with("DB_URI", &folder), ("address", "fail", &["is not a file", "DB_PATH"])),
        (with("DB_URI", &uri("text.db")), ("login", "fail", &["not a SQLite database"])),
        (with("DB_URI", &uri("empty.db")), ("database", "warn", &["nothing is in it", "DB_URI"])),
        (with("DB_URI", &uri("wal.db")), ("database", "ok", &["1 objects", "wal"])),
        (with("PATH", &none), ("tool", "fail", &["sqlite3 is not installed", "install sqlite3"])),
        (with("PATH", &broken), ("tool", "fail", &["sqlite3 may not be executed", "chmod"])),
    ];
    each(&cases, |(run, line)| finds(run, *line, &["remote"]));
}

#[test]
fn what_of_this_machine_is_needed() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(3000)) else {
        return;
    };
    let scratch = Scratch::new("doctor");
    let work = scratch.path().join("work");
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("SQLITE_FORMAT", "file");
    let run = run.env("BACKUP_TEMP_DIR", &work);
    let state = nowhere(&run).env("DBSTASH_STATE_DIR", "/proc/state");
    finds(&state, ("state", "fail", &["/proc/state", "DBSTASH_STATE_DIR"]), &["remote"]);
    let nothing = nowhere(&run).env("BACKUP_TEMP_DIR", "/proc/none");
    finds(&nothing, ("disk", "fail", &["/proc/none", "BACKUP_TEMP_DIR"]), &["remote"]);
    let found = well(&run.clone().env("DRILL_AFTER_BACKUP", "every"));
    tells(&found, ("disk", "ok", &["not known yet"]));
    tells(&found, ("drill", "ok", &["in a file below", "which has room: sqlite3 3."]));
    assert!(well(&run).iter().all(|finding| finding["topic"] != "drill"), "nobody asked");
    assert!(!work.exists(), "the temporary directory was not there before");

    run.run(PATIENCE).expect_code(0);
    let before = remote.names();
    tells(&well(&run), ("disk", "ok", &["has room for the"]));
    if let Some(small) = Tmpfs::mount("64k") {
        let full = run.clone().env("BACKUP_TEMP_DIR", small.path());
        let full = full.env("DRILL_AFTER_BACKUP", "every");
        finds(&full, ("disk", "fail", &["bytes free", "bigger disk"]), &["drill"]);
        finds(&full, ("drill", "fail", &["bytes free", "bigger disk"]), &["disk"]);
        assert_eq!(fs::read_dir(small.path()).unwrap().count(), 0);
    }

    // What is to come.
    let one = run.clone().env("RETENTION_MAX_FILES", "1").env("BACKUP_SCHEDULE", "0 3 1 1 *");
    let found = well(&one);
    tells(&found, ("retention", "ok", &["the next backup deletes 1 of 1", "RETENTION_MAX_FILES"]));
    tells(&found, ("schedule", "ok", &["-01-01T03:00:00Z (UTC)"]));
    tells(&found, ("backups", "ok", &["1 of this job"]));
    assert_eq!(remote.names(), before, "something went");
    // A person reads lines; mistakes in the settings are none.
    let done = one.clone().args(["doctor"]).run(PATIENCE);
    done.expect_code(0);
    let lines: Vec<_> = done.stdout.lines().collect();
    assert!(
        lines.iter().all(|line| line.starts_with("ok ")
            || line.starts_with("warn ")
            || line.contains(" ok, ")),
        "{done}"
    );
    assert!(lines.last().unwrap().ends_with(", 0 fail"), "{done}");
    let wrong = one.env("RETENTION_MAX_FILES", "many").args(["doctor"]).run(PATIENCE);
    wrong.expect_code(2);
    assert!(wrong.stderr.contains("RETENTION_MAX_FILES") && wrong.stdout.is_empty(), "{wrong}");
}
