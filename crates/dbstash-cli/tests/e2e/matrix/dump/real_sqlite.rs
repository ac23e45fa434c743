//! The real `sqlite3`, and what can be done to it and to its file.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use dbstash_testkit::{Scratch, Signal, sqlite, tools};

use super::ground::Ground;
use super::held::Held;
use super::with;
use crate::scene::PATIENCE;

/// Name, what is done to the file, `DUMP_EXTRA_ARGS`, a setting, what must be told.
type Cell = (&'static str, fn(&Path), &'static str, &'static str, &'static str);

#[rustfmt::skip]
const CELLS: [Cell; 7] = [
    ("missing",         remove,      "",         "",                     "cannot be opened | unable to open database"),
    ("a folder",        folder,      "",         "",                     "cannot be opened | unable to open database"),
    ("not a database",  spoil_head,  "",         "",                     "is not a SQLite database | file is not a database"),
    ("a bad page",      spoil_page,  "",         "",                     "integrity_check |"),
    ("cut in half",     cut,         "",         "",                     "integrity_check |"),
    ("unknown option",  leave,       "--bogus",  "",                     "DUMP_EXTRA_ARGS | nknown option"),
    ("too small",       leave,       "",         "BACKUP_MIN_SIZE=1GiB", "fewer than BACKUP_MIN_SIZE |"),
];

fn leave(_: &Path) {}

fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
}

fn folder(file: &Path) {
    remove(file);
    fs::create_dir(file).unwrap();
}

fn spoil(file: &Path, at: u64, len: usize) {
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&vec![0xa5; len], at).unwrap();
}

fn spoil_head(file: &Path) {
    spoil(file, 0, 16);
}

fn spoil_page(file: &Path) {
    let pages = fs::metadata(file).unwrap().len() / 4096;
    spoil(file, pages / 2 * 4096, 4096);
}

fn cut(file: &Path) {
    let len = fs::metadata(file).unwrap().len();
    OpenOptions::new().write(true).open(file).unwrap().set_len(len / 8192 * 4096).unwrap();
}

/// A database of so many rows of 100 KB.
pub fn database(scratch: &Scratch, name: &str, rows: u32) -> PathBuf {
    let file = scratch.path().join(name);
    let count =
        format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{rows})");
    let _ = sqlite::run(
        &file,
        &format!(
            "PRAGMA page_size=4096; CREATE TABLE big AS {count} SELECT i, hex(zeroblob(50000)) AS t FROM n"
        ),
    );
    file
}

pub fn uri(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

pub fn locked(file: &Path) -> Held {
    let mut client = Command::new(tools::find("sqlite3").unwrap());
    client.args(["-batch", "-init", "/dev/null"]).arg(file);
    Held::by(client, "BEGIN EXCLUSIVE;\n.print held")
}

#[test]
fn a_real_sqlite3_that_fails() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("sqlite");
    let (big, busy) = (database(&scratch, "big.db", 160), database(&scratch, "busy.db", 1));
    let _held = locked(&busy);
    let on = |ground: &Ground| {
        let kind = ground.remote.kind();
        for (name, deed, extra, setting, told) in CELLS {
            let scratch = Scratch::new("file");
            let file = database(&scratch, "shop.db", 20);
            deed(&file);
            let run = ground.run().env("DB_URI", uri(&file)).env("DUMP_EXTRA_ARGS", extra);
            let case = format!("sqlite3, {name}, on {kind}");
            ground.failed(&case, &with(run, setting).run(PATIENCE), "dump", told);
        }
        // rclone takes it slowly, so that there is a middle.
        let slow = ground.run().env("RCLONE_EXTRA_ARGS", "--bwlimit 1M").env("DB_URI", uri(&big));
        for (signal, told) in [(Signal::KILL, "signal 9"), (Signal::TERM, "signal 15")] {
            let mut running = slow.spawn();
            running.wait_until(PATIENCE, |running| {
                running.child("sqlite3").is_some_and(|tool| tool.written() > 3 << 20)
            });
            running.child("sqlite3").unwrap().signal(signal);
            let case = format!("sqlite3, {signal:?} in the middle, on {kind}");
            let told = format!("sqlite3 was killed by {told}");
            ground.failed(&case, &running.wait(PATIENCE), "dump", &told);
        }
        let run = ground.run().env("DB_URI", uri(&busy)).env("BACKUP_TIMEOUT", "4s");
        ground.failed("locked", &run.run(PATIENCE), "timeout", "BACKUP_TIMEOUT");
        ground.over();
    };
    let grounds = Ground::all();
    thread::scope(|scope| {
        for ground in &grounds {
            scope.spawn(move || on(ground));
        }
    });
}
