//! `dbstash restore`: what a target holds before, meanwhile and after.

mod by_hand;
mod choice;
mod damage;
mod full;
mod kills;
mod matrix;
mod mongo;
mod mysql;
mod mysql_parts;
mod owners;
mod pg;
mod pg_parts;
mod pg_whole;
mod redis;
mod sqlite;

use dbstash_testkit::{Dbstash, Finished};

use crate::scene::PATIENCE;

/// Restores with these further words, without being asked.
pub fn restore(run: &Dbstash, words: &[&str]) -> Finished {
    run.clone().args(["restore", "--yes"].iter().chain(words)).run(PATIENCE)
}

/// It has to be refused or fail, and to say this.
#[track_caller]
pub fn expect_refused(run: &Dbstash, words: &[&str], said: &[&str]) {
    let done = restore(run, words);
    assert!(matches!(done.code, Some(1 | 2)), "{done}");
    for text in said {
        assert!(done.stderr.contains(text), "{text:?}: {done}");
    }
    done.expect_no_leftovers();
}
