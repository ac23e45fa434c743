//! Backups restored on trial: what comes back is what was stored, and of the trial nothing stays.

mod by_itself;
mod mongo;
mod mysql;
mod pg;
mod redis;
mod sqlite;

use std::fs;
use std::path::Path;

use dbstash_testkit::{Dbstash, Finished, TestRemote};

use crate::scene::PATIENCE;

/// Holds a drill of the newest backup of each database.
fn drill(run: &Dbstash) -> Finished {
    run.clone().args(["verify", "--level", "restore"]).run(PATIENCE)
}

/// What the drill of the only backup has noted beside it.
fn noted(remote: &TestRemote) -> serde_json::Value {
    let names = remote.names();
    let name = names.iter().find(|name| name.ends_with(".restored.verified.json")).unwrap();
    serde_json::from_slice(&remote.read(name)).unwrap()
}

/// The drill ended so and said this, and nothing of it is left: no process, no file, no mark but `marks`.
#[track_caller]
fn expect(done: &Finished, code: i32, said: &str, work: &Path) {
    done.expect_code(code).expect_no_leftovers();
    let all = format!("{}{}", done.stdout, done.stderr);
    assert!(all.contains(said), "{said:?}: {done}");
    let left: Vec<_> = fs::read_dir(work).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}: {done}");
}

fn marks(remote: &TestRemote, word: &str) -> usize {
    let end = format!(".{word}.verified.json");
    remote.names().iter().filter(|name| name.ends_with(&end)).count()
}
