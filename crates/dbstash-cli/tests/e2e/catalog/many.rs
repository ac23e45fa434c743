//! Many backups, and many who look at them.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use dbstash_core::job::EngineKey::Pg;
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, TestRemote, tools};

use super::{Laid, with};
use crate::matrix::place::rclone;
use crate::retention::seed::Seed;
use crate::scene::{dbstash, watched};

/// Nothing hangs; how long it takes is the machine's affair.
const LIMIT: Duration = Duration::from_secs(400);

fn laid(kind: RemoteKind, count: i64) -> Option<TestRemote> {
    let remote = TestRemote::start(kind)?;
    let seed = Seed::new();
    for n in 0..count {
        let (object, started) = (format!("{:02}/{n:05}.sql", n % 50), Utc::now());
        let started = started - TimeDelta::minutes(n + 1);
        Laid { job: "a", database: "shop", engine: Pg, object: &object, started }.onto(&seed);
    }
    seed.onto(&remote);
    Some(remote)
}

/// The file of the one place in the cache of a state directory.
fn cache(run: &Dbstash) -> std::path::PathBuf {
    let mut places = fs::read_dir(run.state_dir().join("cache")).unwrap();
    let place = places.next().unwrap().unwrap().path();
    assert!(places.next().is_none());
    place
}

fn names(folder: &Path) -> Vec<String> {
    let all = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = all.map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The calls of rclone that a list makes, and what it says.
fn list(run: &Dbstash, fakes: &FakeTools) -> (usize, String) {
    let before = fakes.calls_of("rclone").len();
    let told = with(run, &["list", "--json"], 0).stdout;
    (fakes.calls_of("rclone").len() - before, told)
}

#[test]
fn a_warm_list_is_one_call_and_a_damaged_cache_only_a_slow_one() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(remote) = laid(kind, 300) else { return };
        let fakes = rclone("when no-such-word\nexit 1");
        let run = dbstash(&remote).env("PATH", fakes.path());
        let (calls, first) = list(&run, &fakes);
        let ids = first.matches("\"id\":").count();
        assert_eq!((calls, ids), (2, 300), "{kind}");
        let file = cache(&run).join("manifests");
        assert_eq!(names(&cache(&run)), ["lock", "manifests"]);
        assert_eq!(list(&run, &fakes), (1, first.clone()), "{kind}");

        let whole = fs::read(&file).unwrap();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 4;
        let half = whole[..whole.len() / 2].to_vec();
        for damaged in [flipped, half, Vec::new(), b"dbstash manifests 9\nx".to_vec()] {
            fs::write(&file, &damaged).unwrap();
            assert_eq!(list(&run, &fakes), (2, first.clone()), "{kind}");
            // And is whole again.
            assert_eq!(list(&run, &fakes), (1, first.clone()), "{kind}");
        }
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(list(&run, &fakes), (2, first.clone()), "a cache that cannot be written");
        fs::remove_dir(&file).unwrap();

        list(&run, &fakes);
        remote.delete("00/00000.sql.dbstash.json");
        let (calls, now) = list(&run, &fakes);
        assert_eq!((calls, now.matches("\"id\":").count()), (1, 299), "{kind}");
    }
}

/// What happens to the file when nearly all of it is about what is gone.
#[test]
fn a_cache_of_what_is_gone_becomes_small() {
    let Some(remote) = laid(RemoteKind::Local, 400) else { return };
    let run = dbstash(&remote);
    with(&run, &["list"], 0);
    let file = cache(&run).join("manifests");
    let before = fs::metadata(&file).unwrap().len();
    for folder in 1..50 {
        fs::remove_dir_all(Path::new(remote.root()).join(format!("{folder:02}"))).unwrap();
    }
    let told = with(&run, &["list"], 0);
    assert_eq!(told.stdout.lines().count(), 1 + 8, "{told}");
    let after = fs::metadata(&file).unwrap().len();
    assert!(after < before / 20, "{before} {after}");
    assert_eq!(with(&run, &["list"], 0).stdout.lines().count(), 1 + 8);
    assert_eq!(names(&cache(&run)), ["lock", "manifests"]);
}

#[test]
fn a_hundred_lists_at_once_all_say_the_same() {
    for (kind, lists) in [(RemoteKind::Local, 100), (RemoteKind::S3, 20)] {
        let Some(remote) = laid(kind, 200) else { return };
        // Of a run of its own: the state directory is the others'.
        let expected = with(&dbstash(&remote), &["list", "--json"], 0).stdout;
        let run = dbstash(&remote).env("GOMAXPROCS", "1").args(["list", "--json"]);
        let all: Vec<_> = (0..lists).map(|_| run.spawn()).collect();
        for one in all {
            let done = one.wait(LIMIT);
            done.expect_code(0);
            assert!(done.stdout == expected && done.stderr.is_empty(), "{kind}: {done}");
        }
        assert_eq!(names(&cache(&run)), ["lock", "manifests"], "{kind}");
        let own = fs::read_dir(run.state_dir().join("runs/+processes"));
        assert_eq!(own.into_iter().flatten().count(), 0, "{kind}");
        let fakes = rclone("when no-such-word\nexit 1");
        assert_eq!(list(&run.clone().env("PATH", fakes.path()), &fakes), (1, expected), "{kind}");
    }
}

/// The bench has the figures for 100,000 objects; this only tells when they are lost.
#[test]
fn a_list_costs_little_more_than_the_listing() {
    let Some(remote) = laid(RemoteKind::Local, 4000) else { return };
    let run = dbstash(&remote).args(["list"]);
    with(&run, &["list"], 0);
    let bare = || {
        let begun = Instant::now();
        let rclone = tools::find("rclone").unwrap();
        let done = Command::new(rclone)
            .args(["lsjson", "-R", remote.root()])
            .env("RCLONE_CONFIG", "/dev/null")
            .output()
            .unwrap();
        assert!(done.status.success());
        begun.elapsed()
    };
    let ours = || {
        let begun = Instant::now();
        let (done, memory) = watched(&run);
        done.expect_code(0);
        (begun.elapsed(), memory)
    };
    let mut ratios: Vec<f64> = Vec::new();
    let mut most = 0;
    for _ in 0..5 {
        let bare = bare();
        let (ours, memory) = ours();
        most = most.max(memory);
        ratios.push(ours.as_secs_f64() / bare.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    eprintln!("--- list against lsjson: {ratios:.2?}, {most} KiB");
    // Of a build that nobody has optimised, on a machine that does other things, too.
    assert!(ratios[2] < 15.0, "{ratios:?}");
    assert!(most < 60 * 1024, "{most} KiB");
}
