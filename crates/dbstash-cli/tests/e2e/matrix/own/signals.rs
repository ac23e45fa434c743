//! TERM, INT and KILL at random points of a run, on every sort of remote.
//!
//! The points are new every time; `DBSTASH_TEST_SEED` repeats those of a failed test, and
//! `DBSTASH_TEST_POINTS` says how many there are of each sort.

use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use dbstash_testkit::{Finished, RemoteKind, Signal, TestRemote};

use super::seen::Shop;
use crate::scene::{PATIENCE, shop_file};

/// More than one S3 part of 16 MiB.
const ROWS: u64 = 90_000;

/// What is sent, one right after the other.
const VOLLEYS: [&[Signal]; 5] = [
    &[Signal::TERM],
    &[Signal::INT],
    &[Signal::TERM, Signal::INT],
    &[Signal::KILL],
    &[Signal::TERM, Signal::KILL],
];

#[test]
fn on_a_directory() {
    strike(RemoteKind::Local);
}

#[test]
fn on_webdav() {
    strike(RemoteKind::Webdav);
}

#[test]
fn on_s3() {
    strike(RemoteKind::S3);
}

#[test]
fn on_an_independent_s3() {
    strike(RemoteKind::Moto);
}

#[test]
fn on_an_encrypted_directory() {
    strike(RemoteKind::CryptLocal);
}

#[test]
fn on_an_encrypted_s3() {
    strike(RemoteKind::CryptS3);
}

fn strike(kind: RemoteKind) {
    let (Some(file), Some(remote)) = (shop_file(ROWS), TestRemote::start(kind)) else { return };
    let given = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = given("DBSTASH_TEST_SEED").unwrap_or_else(|| RandomState::new().hash_one("seed"));
    eprintln!("--- on {kind}: DBSTASH_TEST_SEED={seed}");
    let points = given("DBSTASH_TEST_POINTS").and_then(|n| u32::try_from(n).ok()).unwrap_or(2);
    let mut shop = Shop::open(file, remote);
    assert!(shop.bytes() > 16 << 20, "{}", shop.bytes());
    let before = Instant::now();
    shop.run.run(PATIENCE).expect_code(0);
    let undisturbed = before.elapsed();
    let mut random = Random(seed);
    for point in 0..points {
        for volley in VOLLEYS {
            // Evenly over the run, and at random within each part of it.
            let at = undisturbed.mul_f64((f64::from(point) + random.share()) / f64::from(points));
            let told = format!("{volley:?} after {at:?} on {kind} (DBSTASH_TEST_SEED={seed})");
            eprintln!("    {told}");
            let good = shop.all_listed_restore();
            let done = hit(&shop, volley, at);
            done.expect_no_leftovers();
            let stored = shop.all_listed_restore() - good;
            // Two of them leave cleaning up to the next run, too.
            if volley.len() > 1 || volley.contains(&Signal::KILL) {
                assert!(stored <= 1, "{told}: {done}");
                shop.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
                assert_eq!(shop.all_listed_restore(), good + stored + 1, "{told}");
            }
            if !volley.contains(&Signal::KILL) {
                ended(&done, volley, stored, &told);
            }
            shop.nothing_else_on_the_remote(&told);
            shop.nothing_in_the_state_dir(&told);
        }
    }
}

/// A run that gets these signals when it is so old. What rclone still publishes after a KILL, it publishes in the
/// grace.
fn hit(shop: &Shop, volley: &[Signal], at: Duration) -> Finished {
    let killed = volley.contains(&Signal::KILL);
    let grace = if killed { Duration::from_secs(60) } else { Duration::from_millis(250) };
    let running = shop.run.clone().grace(grace).spawn();
    thread::sleep(at);
    for signal in volley {
        running.signal_if_alive(*signal);
    }
    running.wait(PATIENCE)
}

/// Ended by a signal (two at once have no order), and then nothing is stored, unless there was no time to take back what
/// had just become whole; or too late for it, and then all is well.
fn ended(done: &Finished, volley: &[Signal], stored: usize, told: &str) {
    let begun = done.events.iter().any(|event| event["message"] == "backup started");
    let by_signal = volley.iter().map(|signal| signal.as_raw()).any(|signal| {
        // The second one: so early that nobody listened yet.
        done.code == Some(128 + signal) || !begun && done.signal == Some(signal)
    });
    let taken_back = stored == 0 || volley.len() > 1 && stored == 1;
    assert!(by_signal && taken_back || done.code == Some(0) && stored == 1, "{told}: {done}");
}

/// A small generator of numbers (splitmix64): the same ones for the same seed.
struct Random(u64);

impl Random {
    /// At least 0 and below 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0)) / 4_294_967_296.0
    }
}
