//! `reaper REPORT GRACE_MS PROGRAM [ARGS...]`: runs a program and tells what it left behind.
//!
//! It is a subreaper: whatever outlives the program becomes its child, wherever it was hidden. The
//! program's pid goes to `REPORT.pid` at once; when the program has ended, its descendants have
//! `GRACE_MS` to end as well, those that do not are named in `REPORT` and killed. Standard input is
//! the test's life line: at its end, all is killed. The exit code is the program's; 128 + n for a
//! signal.
#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "its work is to start another program and to repeat its exit code"
)]
#![allow(clippy::unwrap_used, reason = "a reaper that cannot work is a failed test")]

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use dbstash_testkit::procs::{Process, descendants};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, wait};

fn main() {
    let mut args = std::env::args_os().skip(1);
    let report = args.next().unwrap().into_string().unwrap();
    let grace: u64 = args.next().unwrap().to_str().unwrap().parse().unwrap();
    let program = args.next().unwrap();

    set_child_subreaper(Some(getpid())).unwrap();
    let mut child = match Command::new(&program).args(args).stdin(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => panic!("{}: {error}", program.display()),
    };
    put(&format!("{report}.pid"), &child.id().to_string());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        kill_all();
        std::process::exit(125);
    });

    let status = child.wait().unwrap();
    let leftovers = leftovers(Duration::from_millis(grace));
    let told: Vec<String> = leftovers.iter().map(Process::command_line).collect();
    kill_all();
    let result = serde_json::json!({
        "code": status.code(),
        "signal": status.signal(),
        "leftovers": told,
    });
    put(&report, &result.to_string());
    std::process::exit(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)));
}

/// Those that are still there when the grace is over.
fn leftovers(grace: Duration) -> Vec<Process> {
    let start = Instant::now();
    loop {
        let alive = alive();
        if alive.is_empty() || start.elapsed() >= grace {
            return alive;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Our living descendants; the dead ones among them are reaped.
fn alive() -> Vec<Process> {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    let mut all = descendants(getpid().as_raw_nonzero().get());
    all.retain(|process| process.state != 'Z');
    all
}

/// One that is killed can have started another one just before.
fn kill_all() {
    for _ in 0..1000 {
        let alive = alive();
        if alive.is_empty() {
            return;
        }
        for process in alive {
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A reader finds the whole file or none.
fn put(path: &str, text: &str) {
    let unfinished = format!("{path}.new");
    fs::write(&unfinished, text).unwrap();
    fs::rename(unfinished, path).unwrap();
}
