//! The product's binary, run as an image runs it: by environment alone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, fs};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::procs::Process;
use crate::secrets::{Sampler, Samples};
use crate::server::eventually;
use crate::{Scratch, bins, tools};

/// A run of the product to be.
///
/// It starts from an empty environment but for `PATH`, for what makes many tests at a time possible,
/// and for `HOME` and `DBSTASH_STATE_DIR`, which are directories of this value: runs that should
/// share their state come from the same one.
#[derive(Debug, Clone)]
pub struct Dbstash {
    binary: PathBuf,
    env: BTreeMap<OsString, OsString>,
    args: Vec<OsString>,
    grace: Duration,
    sampled: bool,
    scratch: Arc<Scratch>,
}

impl Dbstash {
    /// For this binary: `env!("CARGO_BIN_EXE_dbstash")`.
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let scratch = Scratch::new("run");
        let env = BTreeMap::from([
            ("PATH".into(), tools::path()),
            ("HOME".into(), scratch.dir("home").into()),
            // Many schedulers run side by side in tests.
            ("HEALTH_ADDR".into(), "127.0.0.1:0".into()),
            // Of rclone, which starts thousands of times: a third of what that costs. The limit is
            // for a call that goes on.
            ("GOGC".into(), "off".into()),
            ("GOMEMLIMIT".into(), "256MiB".into()),
            ("DBSTASH_STATE_DIR".into(), scratch.path().join("state").into()),
        ]);
        Self {
            binary: binary.into(),
            env,
            args: Vec::new(),
            // A process that was killed may take that long to go where two processors have a hundred to serve.
            grace: Duration::from_secs(1),
            sampled: false,
            scratch: Arc::new(scratch),
        }
    }

    /// The same, started by another program: `unshare --pid -- <it>`.
    #[must_use]
    pub fn within(
        mut self,
        program: &Path,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let own = std::mem::replace(&mut self.binary, program.to_owned());
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        self.args = words.chain([own.into()]).chain(self.args).collect();
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Sets several variables.
    #[must_use]
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        self,
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        vars.into_iter().fold(self, |run, (name, value)| run.env(name, value))
    }

    /// Takes a variable away, one of the defaults too.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.env.remove(name.as_ref());
        self
    }

    /// The arguments of the next runs, in place of earlier ones; none at first.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args = args.into_iter().map(|a| a.as_ref().to_owned()).collect();
        self
    }

    /// How long what is left behind may take to end by itself; a second unless told.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Samples the process table during the run; see [`Finished::samples`].
    #[must_use]
    pub fn sampled(mut self) -> Self {
        self.sampled = true;
        self
    }

    /// The state directory of these runs. The product makes it.
    pub fn state_dir(&self) -> PathBuf {
        self.scratch.path().join("state")
    }

    /// Runs it to its end; panics, with all it said, when it takes longer than `timeout`.
    pub fn run(&self, timeout: Duration) -> Finished {
        self.spawn().wait(timeout)
    }

    /// Starts it.
    pub fn spawn(&self) -> Running {
        let report = Scratch::new("report");
        let report_file = report.path().join("report");
        let mut command = Command::new(bins::reaper());
        command
            .arg(&report_file)
            .arg(self.grace.as_millis().to_string())
            .arg(&self.binary)
            .args(&self.args)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for the test, which then closes the life line.
            .process_group(0);
        let mut reaper = command.spawn().unwrap();
        let life_line = reaper.stdin.take();
        let stdout = Captured::of(reaper.stdout.take().unwrap());
        let stderr = Captured::of(reaper.stderr.take().unwrap());
        let sampler = self.sampled.then(|| Sampler::start(i32::try_from(reaper.id()).unwrap()));
        let pid_file = report.path().join("report.pid");
        let mut pid = None;
        eventually(Duration::from_secs(10), || {
            pid = read_pid(&pid_file);
            pid.is_some() || reaper.try_wait().is_ok_and(|status| status.is_some())
        });
        let Some(pid) = pid else {
            let _ = reaper.kill();
            panic!("did not start: {}", stderr.join());
        };
        Running {
            pid,
            reaper,
            life_line,
            report,
            stdout,
            stderr,
            sampler,
            _scratch: Arc::clone(&self.scratch),
        }
    }
}

/// A run that goes on. Dropped, it is killed with all it started.
#[derive(Debug)]
pub struct Running {
    pid: Pid,
    reaper: Child,
    life_line: Option<ChildStdin>,
    report: Scratch,
    stdout: Captured,
    stderr: Captured,
    sampler: Option<Sampler>,
    _scratch: Arc<Scratch>,
}

impl Running {
    /// The product's own process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Sends the product a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// The same, unless it has ended.
    pub fn signal_if_alive(&self, signal: Signal) {
        let _ = kill_process(self.pid, signal);
    }

    /// The living process of a tool that it has started, by its name.
    pub fn child(&self, tool: &str) -> Option<Process> {
        let children = crate::procs::descendants(self.pid.as_raw_nonzero().get());
        let called = |process: &Process| {
            process.args().first().is_some_and(|name| name.rsplit('/').next() == Some(tool))
        };
        children.into_iter().find(called)
    }

    /// What it has said so far, stdout and then stderr.
    pub fn output(&self) -> String {
        format!("{}{}", self.stdout.so_far(), self.stderr.so_far())
    }

    /// Returns as soon as `done` is true; panics, with all that was said, when it is not in time or
    /// the run is over.
    pub fn wait_until(&mut self, patience: Duration, mut done: impl FnMut(&Self) -> bool) {
        let mut is_done = false;
        eventually(patience, || {
            is_done = done(self);
            is_done || self.reaper.try_wait().is_ok_and(|status| status.is_some())
        });
        assert!(is_done, "did not come to pass: {}", self.output());
    }

    /// Waits for the end; panics, with all it said, when that takes longer than `timeout`.
    pub fn wait(mut self, timeout: Duration) -> Finished {
        let in_time =
            eventually(timeout, || self.reaper.try_wait().is_ok_and(|status| status.is_some()));
        assert!(
            in_time,
            "still running after {timeout:?}:\n{}\n{}",
            self.output(),
            self.process_list()
        );
        let report = fs::read(self.report.path().join("report"))
            .unwrap_or_else(|error| panic!("no report: {error}\n{}", self.output()));
        let report: Value = serde_json::from_slice(&report).unwrap();
        let number = |name: &str| report[name].as_i64().map(|n| i32::try_from(n).unwrap());
        let stdout = self.stdout.join();
        let stderr = self.stderr.join();
        Finished {
            code: number("code"),
            signal: number("signal"),
            events: stderr
                .lines()
                .chain(stdout.lines())
                .filter(|line| line.starts_with('{'))
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
            stdout,
            stderr,
            leftovers: report["leftovers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|line| line.as_str().unwrap().to_owned())
                .collect(),
            samples: self.sampler.take().map(Sampler::finish),
        }
    }

    fn process_list(&self) -> String {
        let reaper = i32::try_from(self.reaper.id()).unwrap();
        let lines: Vec<String> = crate::procs::descendants(reaper)
            .iter()
            .map(|process| {
                let (pid, state) = (process.pid, process.state);
                format!("{pid} {state} {}", process.command_line())
            })
            .collect();
        lines.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.life_line.take());
        let _ = self.reaper.wait();
    }
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code, unless a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub stderr: String,
    /// The lines of both that are JSON objects, stderr's first.
    pub events: Vec<Value>,
    /// The command lines of processes which outlived the product by more than the grace.
    pub leftovers: Vec<String>,
    /// What the process table showed, if that was asked for.
    pub samples: Option<Samples>,
}

impl Finished {
    /// Panics, with all that was said, unless it ended with this exit code.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Panics if it left a process behind.
    #[track_caller]
    pub fn expect_no_leftovers(&self) -> &Self {
        assert!(self.leftovers.is_empty(), "{self}");
        self
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "code {:?}, signal {:?}, left behind {:?}\n--- stdout\n{}\n--- stderr\n{}",
            self.code, self.signal, self.leftovers, self.stdout, self.stderr
        )
    }
}

/// A stream that is read on a thread, and can be looked at meanwhile.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

impl Captured {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { bytes, reader: Mutex::new(Some(reader)) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }

    /// The whole, once every process that could write has ended.
    fn join(&self) -> String {
        if let Some(reader) = self.reader.lock().unwrap().take() {
            reader.join().unwrap();
        }
        self.so_far()
    }
}

fn read_pid(file: &Path) -> Option<Pid> {
    Pid::from_raw(fs::read_to_string(file).ok()?.parse().ok()?)
}
