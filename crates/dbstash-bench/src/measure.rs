//! One run of a process tree, with its costs.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::proc::{self, Cpu};

/// How often the peak of the program itself is read; the kernel keeps it.
const OWN: Duration = Duration::from_millis(10);
/// The memory of the tree is looked at less often: that is work.
const TREE: u32 = 10;
/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(1800);

/// What a run cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Seconds from its start to its end.
    pub(crate) wall: f64,
    /// CPU seconds of its process and of all that descends from it; servers are not its children.
    pub(crate) cpu: f64,
    /// CPU seconds of the process itself.
    pub(crate) own_cpu: f64,
    /// The most memory the process itself had resident, in bytes.
    pub(crate) own_peak: u64,
    /// The most memory the tree had resident at a look every 100 ms, in bytes.
    pub(crate) tree_peak: u64,
}

/// Runs a command to its end. An error is the end of what it said, for it exited with another code
/// than 0.
///
/// The process is looked at between its end and its reaping: then its own CPU is final, and that of
/// its descendants is in its account, each having been waited for by its parent.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<Cost, String> {
    let output = File::create(log).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let start = Instant::now();
    let mut child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let pid = pid(&child);
    let over = AtomicBool::new(false);
    let (wall, cpu, (own_peak, tree_peak)) = thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(pid, start, &over));
        let id = Pid::from_raw(pid).unwrap();
        waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        let wall = start.elapsed().as_secs_f64();
        let cpu = proc::cpu(pid).unwrap_or_default();
        over.store(true, Ordering::Relaxed);
        (wall, cpu, sampler.join().unwrap())
    });
    let status = child.wait().unwrap();
    if !status.success() {
        let said = fs::read(log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said[said.len().saturating_sub(2000)..]).into_owned();
        return Err(format!("{status}: {}", said.trim()));
    }
    let Cpu { own, children } = cpu;
    Ok(Cost { wall, cpu: own + children, own_cpu: own, own_peak, tree_peak })
}

/// The process id of a child.
pub(crate) fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

fn sample(pid: i32, start: Instant, over: &AtomicBool) -> (u64, u64) {
    let (mut own, mut tree) = (0, 0);
    for round in 0_u32.. {
        own = proc::peak(pid).unwrap_or(0).max(own);
        if round % TREE == 0 {
            tree = proc::tree_resident(pid).max(tree);
        }
        if over.load(Ordering::Relaxed) {
            break;
        }
        if start.elapsed() > PATIENCE {
            for process in dbstash_testkit::procs::descendants(pid) {
                let _ = kill_process(Pid::from_raw(process.pid).unwrap(), Signal::KILL);
            }
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
        thread::sleep(OWN);
    }
    (own, tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bash(script: &str) -> Result<Cost, String> {
        let scratch = dbstash_testkit::Scratch::new("measure");
        run(Command::new("bash").args(["-c", script]), &scratch.path().join("log"))
    }

    #[test]
    fn the_cpu_of_grandchildren_counts_and_is_not_the_programs_own() {
        // About a second of work in a grandchild; the shells around it do nothing.
        let work = "bash -c 'for ((i = 0; i < 200000; i++)); do :; done' | cat";
        let cost = bash(work).unwrap();
        assert!(cost.cpu >= 0.05 && cost.own_cpu < cost.cpu / 2.0, "{cost:?}");
        assert!(cost.tree_peak >= cost.own_peak && cost.own_peak > 0, "{cost:?}");
    }

    #[test]
    fn a_failed_run_has_no_cost() {
        assert!(bash("echo no such thing >&2; exit 3").unwrap_err().contains("no such thing"));
        assert!(bash("set -o pipefail; false | true").is_err());
    }
}
