//! The process table, as `/proc` tells it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// Its parent's id.
    pub parent: i32,
    /// The kernel's letter for what it does; `Z` is dead and not yet reaped.
    pub state: char,
}

impl Process {
    /// Its arguments, those of a dead one being none.
    pub fn args(&self) -> Vec<String> {
        self.strings("cmdline")
    }

    /// Its environment, `NAME=value` each.
    pub fn environment(&self) -> Vec<String> {
        self.strings("environ")
    }

    /// Sends it a signal; nothing happens when it is gone.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid) {
            let _ = kill_process(pid, signal);
        }
    }

    /// How many bytes it has written so far, to whatever; 0 when it is gone.
    pub fn written(&self) -> u64 {
        written(self.pid)
    }

    /// Its arguments in one line, as a test's message shows them.
    pub fn command_line(&self) -> String {
        self.args().join(" ")
    }

    fn strings(&self, file: &str) -> Vec<String> {
        let bytes = fs::read(PathBuf::from(format!("/proc/{}/{file}", self.pid)));
        let bytes = bytes.unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
        if bytes.is_empty() {
            return Vec::new();
        }
        bytes
            .split(|byte| *byte == 0)
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }
}

/// How many bytes a process has written so far, to whatever; 0 when it is gone.
pub fn written(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Whether a process has a socket that listens on this port. Somebody who only connects there may reach another one.
pub fn listens(pid: Pid, port: u16) -> bool {
    let (own, port) = (format!("/proc/{}", pid.as_raw_nonzero()), format!(":{port:04X}"));
    let table = |name| fs::read_to_string(format!("{own}/net/{name}")).unwrap_or_default();
    // number, local address, remote address, state (10 listens), and, as the tenth, the inode
    let listening = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, "0A", ..] = fields[..] else { return None };
        local.ends_with(&port).then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
    };
    let tables = table("tcp") + &table("tcp6");
    let sockets: Vec<PathBuf> = tables.lines().filter_map(listening).map(PathBuf::from).collect();
    let open = fs::read_dir(format!("{own}/fd")).into_iter().flatten().flatten();
    let mut open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    !sockets.is_empty() && open.any(|file| sockets.contains(&file))
}

/// All that descend from `ancestor`, itself not counted.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(process) = pid.and_then(read) {
            children.entry(process.parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut parents = vec![ancestor];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).into_iter().flatten() {
            parents.push(child.pid);
            found.push(child);
        }
    }
    found
}

/// `/proc/<pid>/stat`: `pid (name) state parent ...`, where the name may hold anything, parentheses
/// too.
fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some(Process {
        pid,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
    })
}
