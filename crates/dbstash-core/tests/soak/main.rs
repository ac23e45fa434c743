//! Years of a scheduler in a minute: clocks that are set, children that are killed, remotes that refuse. Every tick is
//! accounted for, and nothing is left behind.
//!
//! `SOAK_SEED` repeats a run, as far as the machine's own timing allows.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a seed comes from outside")]
#![allow(clippy::print_stderr, reason = "figures, and the seed that repeats them")]

mod book;
mod clock;
mod dice;
mod engine;
mod folder;
mod leaks;
mod members;
mod remains;
mod rhythm;
mod service;
mod trouble;
mod upload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dbstash_core::process::{Spawn, spawn};
use dbstash_testkit::Scratch;

use self::dice::Dice;
use self::leaks::{Holdings, settled};
use self::service::Soak;

/// Where the children find their programs.
pub(crate) const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// What every job backs up.
pub(crate) const DATABASE: &str = "shop";

fn seed() -> u64 {
    let random = || u64::from_le_bytes(uuid::Uuid::new_v4().as_bytes()[..8].try_into().unwrap());
    std::env::var("SOAK_SEED").map_or_else(|_| random() % 1_000_000, |seed| seed.parse().unwrap())
}

/// Has a child: what a program does only once is there when it counts what it has.
fn warm_up() {
    runtime().block_on(async {
        let (program, args) = ("true".to_owned(), Vec::new());
        let env = vec![("PATH".into(), PATH.into())];
        let mut child = spawn(&Spawn { program, args, env, feed: false, confined: None }).unwrap();
        assert!(child.wait().await.unwrap().success());
        tokio::task::spawn_blocking(|| ()).await.unwrap();
    });
}

/// One thread, as the program has it.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn every_tick_is_accounted_for_and_nothing_is_left() {
    let seed = seed();
    eprintln!("--- SOAK_SEED={seed}");
    let scratch = Scratch::new("soak");
    let mark = scratch.path().to_string_lossy().into_owned();
    warm_up();
    // The threads of the warm-up end in their own time: the harness has one, and this test.
    let before = settled(Holdings::now, |now| now.threads == 2);

    let over = Arc::new(AtomicBool::new(false));
    let (dice, stop) = (Dice::new(seed, "killer"), Arc::clone(&over));
    let killer = std::thread::spawn(move || trouble::kill(dice, &stop));
    let soak = Soak::new(&scratch, seed, &mark);
    let served = runtime().block_on(soak.serve());
    over.store(true, Ordering::SeqCst);
    eprintln!("--- {} processes killed", killer.join().unwrap());
    served.assert_accounted(&soak);

    // It is over: nobody is left, whatever was going on.
    let look = || {
        // The end of a child has those reaped that were dropped with their runtime.
        warm_up();
        leaks::processes(&mark)
    };
    assert_eq!(settled(look, Vec::is_empty), [""; 0], "processes");
    let after = settled(Holdings::now, |now| *now == before);
    assert_eq!(after, before, "open files and threads");
    remains::assert_explained(&soak);

    // What faults have left, the next run takes, and then there is nothing but backups.
    runtime().block_on(soak.last_runs());
    runtime().block_on(remains::assert_clean(&soak));
    let faults: BTreeMap<_, _> = soak.folder.faults();
    eprintln!("--- faults: {faults:?}");
    assert!(faults.len() > 7, "too few kinds of faults: {faults:?}");
    assert_eq!(leaks::processes(&mark), [""; 0]);
    assert_eq!(settled(Holdings::now, |now| *now == before), before);
}
