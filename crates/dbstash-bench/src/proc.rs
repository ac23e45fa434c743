//! What `/proc` tells about a process.

use std::fs;

use rustix::param::clock_ticks_per_second;

/// CPU seconds, user and system.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cpu {
    /// Of the process itself, all its threads.
    pub(crate) own: f64,
    /// Of the descendants that were waited for, each by its own parent.
    pub(crate) children: f64,
}

/// The CPU of a process, also of one that has ended and was not reaped. In steps of a clock tick.
pub(crate) fn cpu(pid: i32) -> Option<Cpu> {
    let stat = stat(pid)?;
    let field = |n: usize| stat.get(n)?.parse::<u64>().ok();
    let seconds = |ticks: u64| {
        #[expect(clippy::cast_precision_loss, reason = "ticks of a bench are few")]
        let seconds = ticks as f64 / clock_ticks_per_second() as f64;
        seconds
    };
    Some(Cpu { own: seconds(field(11)? + field(12)?), children: seconds(field(13)? + field(14)?) })
}

/// Whether a process is gone, or only waits to be reaped.
pub(crate) fn has_ended(pid: i32) -> bool {
    stat(pid).is_none_or(|stat| stat.first().is_some_and(|state| state == "Z"))
}

/// The fields of `stat` from the state on: what stands before it may hold anything.
fn stat(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// The most memory a process ever had resident, in bytes. `None` once it has ended.
pub(crate) fn peak(pid: i32) -> Option<u64> {
    kib(pid, "VmHWM:")
}

/// The memory a process has resident, in bytes.
pub(crate) fn resident(pid: i32) -> Option<u64> {
    kib(pid, "VmRSS:")
}

/// The same, summed over it and all that descend from it; what they share is counted in each.
pub(crate) fn tree_resident(pid: i32) -> u64 {
    let mut sum = 0;
    let mut left = vec![pid];
    while let Some(pid) = left.pop() {
        sum += resident(pid).unwrap_or(0);
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            left.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    sum
}

/// Bytes a process has written to anything.
pub(crate) fn written(pid: i32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    line(&io, "wchar:")?.parse().ok()
}

fn kib(pid: i32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    Some(line(&status, name)?.parse::<u64>().ok()? * 1024)
}

fn line<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_cpu() {
        let me = i32::try_from(std::process::id()).unwrap();
        assert!(peak(me).unwrap() >= resident(me).unwrap() / 2);
        assert!(tree_resident(me) >= 1 << 20);
        assert!(cpu(me).is_some() && !has_ended(me));
    }
}
