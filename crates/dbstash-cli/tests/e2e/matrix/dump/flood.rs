//! Tools that look bad: a flood of stderr, an early end of the output, a child in the background.

use std::fs;
use std::thread;

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Running};

use super::ground::Ground;
use super::{Engine, PG, SQLITE};
use crate::scene::{PATIENCE, backups, summary};

/// How much more memory 1 GiB may cost than 1 MiB: none, but no two runs have exactly the same.
const MORE_KIB: u64 = 2 * 1024;

/// The most memory it has had so far, in KiB.
fn peak(running: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero()));
    let status = status.unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The run is over, and its one new backup is exactly `HEAD` and `FOOTER`.
fn stored(engine: Engine, ground: &Ground, run: &Dbstash) {
    let names = backups(run);
    assert_eq!(names.len(), 2, "{names:?}");
    let fakes = FakeTools::new().tool("whole", &engine.script("HEAD\nFOOTER"));
    let whole = std::process::Command::new(fakes.file("whole")).output().unwrap().stdout;
    assert!(ground.remote.read(&names[0]) == whole, "{} has other bytes", names[0]);
}

fn flood(engine: Engine, kind: RemoteKind) {
    let Some(ground) = Ground::on(kind) else { return };
    let mut peaks = Vec::new();
    for (flood, end, code) in [("1GiB", "exit 1", 1), ("1MiB", "FOOTER", 0), ("1GiB", "FOOTER", 0)]
    {
        let fakes = FakeTools::new();
        let (there, go) = (fakes.file("there"), fakes.file("go"));
        let wait = format!("touch {}\nwait-for {}", there.display(), go.display());
        let script = format!("HEAD\nflood-err {flood}\nerr the last line\n{wait}\n{end}");
        fakes.script(engine.tool, &engine.script(&script));
        let run = ground.run().env("DB_URI", engine.uri).env("PATH", fakes.path());
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| there.exists());
        let peak = peak(&running);
        eprintln!("    {} {kind} {flood}: peak {peak} KiB", engine.tool);
        peaks.push(peak);
        fs::write(go, "").unwrap();
        let done = running.wait(PATIENCE);
        done.expect_code(code).expect_no_leftovers();
        assert!(done.stderr.len() < 200 * 1024, "the log has {} bytes", done.stderr.len());
        if code == 0 {
            stored(engine, &ground, &run);
            let last = &backups(&run)[0];
            ground.remote.delete(&format!("{last}.dbstash.json"));
            ground.remote.delete(last);
            continue;
        }
        let tail = summary(&done)["stderr"].as_str().unwrap();
        assert!(tail.ends_with("the last line"), "{tail}");
        ground.failed("a flood", &done, "dump", "exited with code 1 | the quick brown fox");
    }
    let [failed, usual, good] = peaks[..] else { unreachable!() };
    for peak in [failed, good] {
        assert!(peak < usual + MORE_KIB, "{} {kind}: {peak} KiB, not {usual}", engine.tool);
    }
    ground.over();
}

/// 1 GiB of stderr, before a good end and a bad one.
#[test]
fn a_flood_of_stderr_costs_neither_memory_nor_the_backup() {
    thread::scope(|scope| {
        scope.spawn(|| flood(PG, RemoteKind::S3));
        scope.spawn(|| flood(SQLITE, RemoteKind::Local));
    });
}

#[test]
fn what_a_good_dump_does_beside_is_no_failure() {
    for engine in [PG, SQLITE] {
        for script in [
            "HEAD\nFOOTER\nclose-out\nsleep 1s\nexit 0",
            "HEAD\nFOOTER\ngrandchild 300s\nexit 0",
            "err odd\nHEAD\nFOOTER\nexit 0",
        ] {
            let Some(ground) = Ground::on(RemoteKind::Local) else { return };
            let fakes = FakeTools::new();
            let done = engine.run(&ground, &fakes, script).run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            assert!(!script.contains("odd") || done.stderr.contains("\"odd\""), "{done}");
            stored(engine, &ground, &ground.run());
        }
    }
}
