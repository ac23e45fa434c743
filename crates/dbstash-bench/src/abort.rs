//! How long dbstash lives on once a side is dead.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dbstash_testkit::procs::descendants;
use dbstash_testkit::{FakeTools, RemoteKind, Signal, TestRemote};
use rustix::process::{Pid, kill_process};
use serde_json::json;

use crate::measure::pid;
use crate::proc;
use crate::report::Report;
use crate::scene::{Scene, empty};
use crate::stats::Spread;

/// In the middle of a dump: so many bytes have been written by the tool.
const MIDDLE: u64 = 64 << 20;
const LIMIT: Duration = Duration::from_secs(2);
/// Nothing here takes nearly as long.
const HANG: Duration = Duration::from_secs(120);

/// What ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Death {
    Dump,
    Rclone,
    Timeout,
}

/// In seconds.
struct Ending {
    /// From the death, or the limit, to dbstash's exit.
    exit: f64,
    /// Of which rclone took to stop.
    stop: f64,
}

/// Kills one side after the other, several times, on remotes that are cleaned up differently.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    println!("\na side dies: ms until dbstash's exit (min-max); of which rclone took to stop");
    let endless = "pg-head\nout-bytes 64GiB";
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        for death in [Death::Dump, Death::Rclone, Death::Timeout] {
            let fakes = FakeTools::new().tool("pg_dump", endless);
            let endings: Vec<Ending> =
                (0..scene.options.rounds.max(3)).map(|_| one(scene, kind, death, &fakes)).collect();
            let exit = Spread::of(endings.iter().map(|ending| ending.exit));
            let stop = Spread::of(endings.iter().map(|ending| ending.stop));
            let name = match death {
                Death::Dump => format!("{kind}: dump killed"),
                Death::Rclone => format!("{kind}: rclone killed"),
                Death::Timeout => format!("{kind}: BACKUP_TIMEOUT late by"),
            };
            println!(
                "{name:<31} {:>6.0} ({:>4.0}-{:>5.0})  {:>5.0}",
                exit.median * 1e3,
                exit.min * 1e3,
                exit.max * 1e3,
                stop.median * 1e3
            );
            let beside = Spread::of(endings.iter().map(|ending| ending.exit - ending.stop));
            let goal = format!("{name}, s");
            match death {
                Death::Timeout => report.goal(goal, 0.5, exit),
                _ => report.goal(goal, 0.2, beside),
            }
            report.keep(&name, json!({ "exit_s": exit.json(), "rclone_stop_s": stop.json() }));
        }
    }
}

/// Panics at a hang, at success, and when anything is left on the remote.
fn one(scene: &Scene, kind: RemoteKind, death: Death, fakes: &FakeTools) -> Ending {
    let remote = TestRemote::start(kind).expect("rclone is needed");
    let mut command = scene.dbstash("postgresql://nobody@127.0.0.1:1/none", &remote);
    command.env("PATH", fakes.path()).env("PG_GLOBALS", "off");
    if death == Death::Timeout {
        command.env("BACKUP_TIMEOUT", format!("{}s", LIMIT.as_secs()));
    }
    let start = Instant::now();
    let mut dbstash = spawn(&mut command, scene);
    let parent = pid(&dbstash);
    let dump = wait_for(|| child(parent, "pg_dump", "--format=plain"), parent);
    wait_for(|| proc::written(dump).filter(|&bytes| bytes > MIDDLE), parent);
    let rclone = wait_for(|| child(parent, "rclone", "rcat"), parent);
    let died = match death {
        Death::Timeout => start + LIMIT,
        Death::Dump | Death::Rclone => {
            let victim = if death == Death::Dump { dump } else { rclone };
            kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
            Instant::now()
        }
    };
    let since = || Instant::now().saturating_duration_since(died).as_secs_f64();
    let mut stop = None;
    let status = loop {
        if stop.is_none() && proc::has_ended(rclone) {
            stop = Some(since());
        }
        if let Some(status) = dbstash.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > HANG {
            let _ = dbstash.kill();
            panic!("{kind}, {death:?}: dbstash hangs");
        }
        thread::sleep(Duration::from_micros(500));
    };
    let exit = since();
    let said = || fs::read_to_string(scene.log()).unwrap_or_default();
    assert_eq!(status.code(), Some(1), "{kind}, {death:?}: {}", said());
    let left = remote.names();
    assert!(left.is_empty(), "{kind}, {death:?}: {left:?} is left on the remote");
    empty(&remote);
    // One that was killed needs no time to stop.
    let stop = if death == Death::Rclone { 0.0 } else { stop.unwrap_or(exit) };
    Ending { exit, stop }
}

fn spawn(command: &mut Command, scene: &Scene) -> Child {
    let log = File::create(scene.log()).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
}

/// The child of a process that was started with these words.
fn child(parent: i32, program: &str, word: &str) -> Option<i32> {
    let children = descendants(parent);
    let found = children.iter().find(|process| {
        let args = process.args();
        args.first().is_some_and(|name| name.ends_with(program)) && args.iter().any(|a| a == word)
    });
    found.map(|process| process.pid)
}

fn wait_for<T>(mut there: impl FnMut() -> Option<T>, dbstash: i32) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(!proc::has_ended(dbstash) && start.elapsed() < HANG, "dbstash ended too early");
        thread::sleep(Duration::from_millis(2));
    }
}
