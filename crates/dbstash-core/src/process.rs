//! The only place that starts a program.
//!
//! Every child leads its own process group, sees only the environment it is given, and has its stderr drained into
//! a bounded tail. Dropping a [`Running`] child kills its group, and [`hurry`] kills all of them.

mod live;
mod tail;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use self::live::Live;
use self::tail::{TAIL, Tail};
use crate::confinement::Confinement;

/// Bigger pipes mean fewer wake-ups on both sides of a stream.
const PIPE: usize = 1024 * 1024;
/// How much of an answer is read at once.
const PIECE: usize = 128 * 1024;
/// A long answer that comes in small writes is let pile up for so long: a wake-up for each would cost both sides more
/// than what is in it.
const GATHER: Duration = Duration::from_millis(2);
/// How long a child's stderr is waited for once it is gone; a grandchild may hold it open for ever.
const STDERR_LEAK: Duration = Duration::from_millis(200);

static ALL: Live = Live::new();

/// A program ready to be started: argv and the whole environment.
#[derive(Clone)]
pub struct Spawn {
    /// Found on the `PATH` of `env` unless it holds a `/`.
    pub program: String,
    /// Everyone on the machine can read these.
    pub args: Vec<String>,
    /// The child's environment, whole.
    pub env: Vec<(OsString, OsString)>,
    /// Whether stdin is a pipe of ours; otherwise it is `/dev/null`.
    pub feed: bool,
    /// What it may be and take, where that is less than what we may.
    pub confined: Option<Confinement>,
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// No such file on `PATH`.
    #[error("{0} is not installed, or not on PATH")]
    NotFound(String),
    /// Found, but no permission to run it.
    #[error("{0} may not be executed: check its permissions")]
    NotExecutable(String),
    /// Everything has to end: see [`hurry`].
    #[error("{0} is not started any more: a signal has ended everything")]
    Hurried(String),
    /// What it needs could not be prepared.
    #[error("{program} could not be started: {source}")]
    Other {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
}

/// A child process, its group, and its pipes.
pub struct Running {
    program: String,
    child: Child,
    group: Option<Pid>,
    live: &'static Live,
    stderr: Option<JoinHandle<()>>,
    tail: Arc<Mutex<Tail>>,
    /// Held here and not in `child`: tokio's `wait` would close it, and EOF is a commit signal.
    pub stdin: Option<ChildStdin>,
    /// The child's output.
    pub stdout: Option<ChildStdout>,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(ExitStatus);

impl Exit {
    /// Exit code 0.
    pub fn success(self) -> bool {
        self.0.success()
    }

    /// The exit code; `None` when a signal ended it.
    pub fn code(self) -> Option<i32> {
        self.0.code()
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "exited with code {code}"),
            (None, Some(signal)) => {
                write!(f, "was killed by signal {signal}{}", signal_name(signal))
            }
            (None, None) => f.write_str("ended for an unknown reason"),
        }
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        6 => " (ABRT)",
        9 => " (KILL: out of memory?)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        15 => " (TERM)",
        2 => " (INT)",
        _ => "",
    }
}

/// Kills every group that was started here, at once, and lets no program start from now on: whoever waits for one goes
/// on, and whoever still wants one fails. Idempotent, and for the whole process.
pub fn hurry() {
    ALL.end();
}

/// Starts a program in a process group of its own.
pub fn spawn(spec: &Spawn) -> Result<Running, LaunchError> {
    spawn_among(&ALL, spec)
}

/// The same, for a caller that reads stderr: [`Running`] then knows nothing of it.
pub fn spawn_heard(spec: &Spawn) -> Result<(Running, Option<ChildStderr>), LaunchError> {
    start_among(&ALL, spec)
}

fn spawn_among(live: &'static Live, spec: &Spawn) -> Result<Running, LaunchError> {
    let (mut running, stderr) = start_among(live, spec)?;
    running.stderr = stderr.map(|pipe| tokio::spawn(drain(pipe, Arc::clone(&running.tail))));
    Ok(running)
}

#[expect(clippy::disallowed_methods, reason = "this is the place that starts programs")]
fn start_among(
    live: &'static Live,
    spec: &Spawn,
) -> Result<(Running, Option<ChildStderr>), LaunchError> {
    let around = spec.confined.map(|confined| confined.around(&spec.program, &spec.args));
    let start = || {
        let (program, args) = match &around {
            Some((program, args)) => (*program, args),
            None => (spec.program.as_str(), &spec.args),
        };
        let child = Command::new(program)
            .args(args)
            .env_clear()
            .envs(spec.env.iter().map(|(name, value)| (name, value)))
            .stdin(if spec.feed { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Ok(((child, group), group))
    };
    let started = live.start(start).ok_or_else(|| LaunchError::Hurried(spec.program.clone()))?;
    let (mut child, group) = started.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => LaunchError::NotFound(spec.program.clone()),
        io::ErrorKind::PermissionDenied => LaunchError::NotExecutable(spec.program.clone()),
        _ => LaunchError::Other { program: spec.program.clone(), source },
    })?;
    let stderr = child.stderr.take();
    let stdin = child.stdin.take();
    let stdout = child.stdout.take();
    widen(stdin.as_ref());
    widen(stdout.as_ref());
    let (program, tail) = (spec.program.clone(), Arc::default());
    Ok((Running { program, child, group, live, stderr: None, tail, stdin, stdout }, stderr))
}

/// Starts `program` with our own environment, input and output, in a process group of its own. Nothing here waits for
/// it: that is for whoever started it.
#[expect(clippy::disallowed_methods, reason = "this is the place that starts programs")]
pub fn spawn_alike(program: &Path, args: &[OsString]) -> io::Result<Pid> {
    use std::os::unix::process::CommandExt as _;
    let child = std::process::Command::new(program).args(args).process_group(0).spawn()?;
    Ok(Pid::from_child(&child))
}

/// Becomes another program, with our environment; returns only when that fails.
#[expect(clippy::disallowed_methods, reason = "this is the place that starts programs")]
pub(crate) fn become_another(program: &OsStr, args: &[OsString]) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    std::process::Command::new(program).args(args).exec()
}

fn widen(pipe: Option<&impl AsFd>) {
    if let Some(pipe) = pipe {
        // An unprivileged user may be over the pipe quota; the default size is only slower.
        let _ = rustix::pipe::fcntl_setpipe_size(pipe, PIPE);
    }
}

impl Running {
    /// The program's name, for messages.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// Waits for the child to end; can be called again, and can be dropped half-way.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        self.child.wait().await.map(Exit)
    }

    /// Ends the child and its whole group: TERM, then KILL after `grace`. Idempotent.
    pub async fn stop(&mut self, grace: Duration) {
        if self.child.id().is_some() {
            self.signal(Signal::TERM);
            if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
                self.signal(Signal::KILL);
                let _ = self.child.wait().await;
            }
        }
        // Whatever it left behind in its group has no business any more.
        self.signal(Signal::KILL);
        self.forget();
    }

    /// The end of the child's stderr so far.
    pub fn stderr(&self) -> String {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    /// The end of the stderr of a child that has ended, waiting a moment for what is still in the pipe.
    pub async fn last_words(&mut self) -> String {
        if let Some(task) = self.stderr.take() {
            let abort = task.abort_handle();
            if tokio::time::timeout(STDERR_LEAK, task).await.is_err() {
                abort.abort();
            }
        }
        self.stderr()
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // ESRCH: nobody left, which is what was wanted.
            let _ = kill_process_group(group, signal);
        }
    }

    fn forget(&mut self) {
        if let Some(group) = self.group.take() {
            self.live.forget(group);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Also when the child itself has ended: somebody else may have killed it, and its own children live on.
        self.signal(Signal::KILL);
        self.forget();
        if let Some(task) = self.stderr.take() {
            task.abort();
        }
    }
}

/// Runs a program that answers and ends, and returns its exit, stdout (at most `limit` bytes) and stderr tail.
pub async fn output(spec: &Spawn, input: &[u8], limit: usize) -> Result<Output, LaunchError> {
    let mut all = Vec::new();
    let (exit, stderr) =
        answer(spec, input, limit, &mut |bytes| all.extend_from_slice(bytes)).await?;
    Ok(Output { exit, stdout: all, stderr })
}

/// The same for one whose stdout is better not kept whole: `take` gets it piece by piece.
pub async fn answer(
    spec: &Spawn,
    input: &[u8],
    limit: usize,
    take: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<(Exit, String), LaunchError> {
    let failed = |source| LaunchError::Other { program: spec.program.clone(), source };
    let mut running = spawn(spec)?;
    let (stdin, stdout) = (running.stdin.take(), running.stdout.take());
    let feed = async move {
        if let Some(mut stdin) = stdin {
            // A program that ends without reading its input says why by its exit code.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, input).await;
        }
    };
    let collect = async move {
        let Some(mut stdout) = stdout else { return Ok(()) };
        let (mut most, mut piece) = (limit, vec![0; PIECE]);
        loop {
            match stdout.read(&mut piece).await? {
                0 => return Ok(()),
                n if n > most => {
                    let text = format!("it printed more than {limit} bytes");
                    return Err(io::Error::other(text));
                }
                n => {
                    most -= n;
                    take(&piece[..n]);
                    if n < PIECE && limit - most > PIECE {
                        tokio::time::sleep(GATHER).await;
                    }
                }
            }
        }
    };
    let ((), collected) = tokio::join!(feed, collect);
    collected.map_err(failed)?;
    let exit = running.wait().await.map_err(failed)?;
    let stderr = running.last_words().await;
    Ok((exit, stderr))
}

/// What a program answered.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub exit: Exit,
    /// All of its stdout.
    pub stdout: Vec<u8>,
    /// The end of its stderr.
    pub stderr: String,
}

async fn drain(mut pipe: impl AsyncRead + Unpin, tail: Arc<Mutex<Tail>>) {
    let mut chunk = vec![0; TAIL];
    while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
        tail.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk[..n]);
    }
}

#[cfg(test)]
mod tests;
