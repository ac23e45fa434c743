//! dbstash while it waits for the next backup.

use std::fs::File;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use dbstash_testkit::{RemoteKind, TestRemote};

use crate::measure::pid;
use crate::proc;
use crate::report::Report;
use crate::scene::Scene;
use crate::stats::Spread;
use crate::stream::mib;

/// What is over once it waits.
const SETTLE: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(10);

/// A scheduler with one job, due in months.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    let log = File::create(scene.log()).unwrap();
    let mut dbstash = scene
        .dbstash("sqlite:///nowhere.db", &remote)
        .env("BACKUP_SCHEDULE", "0 0 29 2 *")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    thread::sleep(SETTLE);
    let before = proc::cpu(pid(&dbstash)).unwrap_or_default();
    thread::sleep(WATCHED);
    let after = proc::cpu(pid(&dbstash)).unwrap_or_default();
    let (memory, peak) = (proc::resident(pid(&dbstash)), proc::peak(pid(&dbstash)));
    let waits = dbstash.try_wait().unwrap().is_none();
    dbstash.kill().unwrap();
    dbstash.wait().unwrap();
    assert!(waits, "the scheduler ended by itself");
    let (memory, peak) = (mib(memory.unwrap()), mib(peak.unwrap()));
    let cpu = (after.own - before.own) * 1e3;
    println!(
        "\nidle, one job: {memory:.1} MiB resident, at most {peak:.1}; {cpu:.0} ms CPU in 10 s"
    );
    report.goal("idle: MiB resident", 8.0, Spread::of([memory]));
    report.goal("idle: ms CPU in 10 s", 0.0, Spread::of([cpu]));
}
