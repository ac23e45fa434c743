//! Turns a plan into a running dump.

mod unmarked;

use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::process::{ChildStderr, ChildStdout};

use self::unmarked::Unmarked;
use crate::artifact::{ProduceError, Producer};
use crate::dialogue::Call;
use crate::engine::{Origin, Stream};
use crate::invocation::{Arg, Invocation, Var};
use crate::process::{self, LaunchError, Running, Spawn};
use crate::secret::{ExposeSecret as _, SecretString};
use crate::state::RunDir;
use crate::wire;

/// How long output may stay silent and open once the tool that made it is gone.
const HELD_OPEN: Duration = Duration::from_secs(5);
/// How long a tool may live on after it closed its output.
const LINGER: Duration = Duration::from_secs(60);
/// After a short read, long enough for the pipe to fill: the cost of a stream is its wake-ups.
const BATCH: Duration = Duration::from_millis(1);

/// Starts dumps.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts the tool; its private files live in `run` and go with it.
    async fn launch(
        &self,
        invocation: &Invocation,
        run: &RunDir,
    ) -> Result<Box<dyn Producer>, LaunchError>;

    /// Starts a program that reads its stdin, which is a pipe of the caller's, as are its stdout and its stderr.
    fn feed(
        &self,
        invocation: &Invocation,
        run: &RunDir,
    ) -> Result<(Running, Option<ChildStderr>), LaunchError>;

    /// Talks to a server until it sends its dump; `tell` is told what that has to wait for.
    async fn call(
        &self,
        call: &Call,
        tell: &(dyn Fn(String) + Sync),
    ) -> Result<Box<dyn Producer>, ProduceError>;
}

/// Starts a stream, in the other way if the server does not support the first.
pub async fn first(
    launcher: &dyn Launcher,
    stream: &Stream,
    run: &RunDir,
    tell: &(dyn Fn(String) + Sync),
) -> Result<Box<dyn Producer>, ProduceError> {
    match (start(launcher, &stream.origin, run, tell).await, &stream.otherwise) {
        (Err(ProduceError::Unsupported(reason)), Some(origin)) => {
            tell(format!("{reason}; taking the dump by {} instead", origin.name()));
            start(launcher, origin, run, tell).await
        }
        (started, _) => started,
    }
}

async fn start(
    launcher: &dyn Launcher,
    origin: &Origin,
    run: &RunDir,
    tell: &(dyn Fn(String) + Sync),
) -> Result<Box<dyn Producer>, ProduceError> {
    match origin {
        Origin::Tool { invocation, mark: None } => Ok(launcher.launch(invocation, run).await?),
        Origin::Tool { invocation, mark: Some(mark) } => {
            Ok(Box::new(Unmarked::new(launcher.launch(invocation, run).await?, *mark)))
        }
        Origin::Server(call) => launcher.call(call, tell).await,
    }
}

/// Starts them as children of this process.
pub struct Local {
    /// Our own environment, of which a child sees what its invocation inherits.
    pub environment: Vec<(String, String)>,
}

impl Local {
    /// The program with its whole environment; its private files are made.
    fn prepared(
        &self,
        invocation: &Invocation,
        run: &RunDir,
        feed: bool,
    ) -> Result<Spawn, LaunchError> {
        let private = |content: &SecretString| {
            let path = run.private_file(content.expose_secret()).map_err(|e| {
                let program = invocation.program.clone();
                LaunchError::Other { program, source: std::io::Error::other(e) }
            })?;
            Ok::<_, LaunchError>(path.to_string_lossy().into_owned())
        };
        let inherited = self.environment.iter().filter(|(name, _)| invocation.inherits(name));
        let mut env: Vec<_> = inherited.cloned().collect();
        for (name, var) in &invocation.env {
            let value = match var {
                Var::Plain(value) => value.clone(),
                Var::Secret(secret) => secret.expose_secret().to_owned(),
                Var::File(content) => private(content)?,
            };
            env.retain(|(known, _)| known != name);
            env.push((name.clone(), value));
        }
        let args = invocation.args.iter().map(|arg| match arg {
            Arg::Plain(arg) => Ok(arg.clone()),
            Arg::Tree { .. } => {
                let source = std::io::Error::other("it needs a temporary directory");
                Err(LaunchError::Other { program: invocation.program.clone(), source })
            }
            Arg::File { before, content } => Ok(format!("{before}{}", private(content)?)),
        });
        let args = args.collect::<Result<_, LaunchError>>()?;
        if !invocation.folders.is_empty() {
            let theirs = env.iter().position(|(name, _)| name == "PATH");
            let theirs = theirs.map(|at| env.swap_remove(at).1);
            let named = invocation.folders.iter().any(|folder| folder == Invocation::PATH);
            let last = (!named).then_some(Invocation::PATH);
            let folders = invocation.folders.iter().map(String::as_str).chain(last);
            let each = folders.filter_map(|folder| match folder {
                Invocation::PATH => theirs.as_deref(),
                folder => Some(folder),
            });
            env.push(("PATH".to_owned(), each.collect::<Vec<_>>().join(":")));
        }
        let env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let program = invocation.program.clone();
        Ok(Spawn { program, args, env, feed, confined: invocation.confined })
    }
}

#[async_trait]
impl Launcher for Local {
    async fn launch(
        &self,
        invocation: &Invocation,
        run: &RunDir,
    ) -> Result<Box<dyn Producer>, LaunchError> {
        let mut running = process::spawn(&self.prepared(invocation, run, false)?)?;
        let stdout = running.stdout.take();
        Ok(Box::new(Dump { running, stdout }))
    }

    fn feed(
        &self,
        invocation: &Invocation,
        run: &RunDir,
    ) -> Result<(Running, Option<ChildStderr>), LaunchError> {
        process::spawn_heard(&self.prepared(invocation, run, true)?)
    }

    async fn call(
        &self,
        call: &Call,
        tell: &(dyn Fn(String) + Sync),
    ) -> Result<Box<dyn Producer>, ProduceError> {
        Ok(Box::new(wire::call(call, tell).await?))
    }
}

/// A dump tool at work.
struct Dump {
    running: Running,
    stdout: Option<ChildStdout>,
}

impl Dump {
    fn read_error(&self, source: std::io::Error) -> ProduceError {
        ProduceError::Read { program: self.running.program().to_owned(), source }
    }

    /// What is wrong when the tool is gone and its output goes on: first of all a bad end of its own.
    async fn held_open(&mut self) -> ProduceError {
        match self.ended().await {
            Ok((program, stderr)) => ProduceError::HeldOpen { program, stderr },
            Err(error) => error,
        }
    }

    /// The name and the last words of a tool that ends well.
    async fn ended(&mut self) -> Result<(String, String), ProduceError> {
        let exit = self.running.wait().await.map_err(|e| self.read_error(e))?;
        let program = self.running.program().to_owned();
        let stderr = self.running.last_words().await;
        if exit.success() {
            Ok((program, stderr))
        } else {
            Err(ProduceError::Exit { program, exit: exit.to_string(), stderr })
        }
    }
}

#[async_trait]
impl Producer for Dump {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let Some(stdout) = &mut self.stdout else {
            return Ok(0);
        };
        let first = tokio::select! {
            biased;
            n = stdout.read(buf) => n,
            // Gone, yet its output is open: what is left in the pipe comes at once, or not at all.
            _ = self.running.wait() => match tokio::time::timeout(HELD_OPEN, stdout.read(buf)).await {
                Ok(n) => n,
                Err(_) => return Err(self.held_open().await),
            },
        };
        let mut filled = match first {
            Ok(0) => {
                self.stdout = None;
                return Ok(0);
            }
            Ok(n) => n,
            Err(e) => return Err(self.read_error(e)),
        };
        filled += piled_up(stdout, buf, filled).await;
        Ok(filled)
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        if tokio::time::timeout(LINGER, self.running.wait()).await.is_err() {
            let (program, stderr) = (self.running.program().to_owned(), self.running.stderr());
            return Err(ProduceError::Lingers { program, limit: LINGER, stderr });
        }
        let (_, stderr) = self.ended().await?;
        // A wrapper may have left something in the background.
        self.running.stop(Duration::ZERO).await;
        Ok(stderr)
    }

    async fn stop(&mut self, grace: Duration) -> String {
        self.running.stop(grace).await;
        self.stdout = None;
        self.running.last_words().await
    }
}

/// How much more comes at once after a read that filled so much of `buf`: where that was little, more is let pile up.
pub(crate) async fn piled_up(stdout: &mut ChildStdout, buf: &mut [u8], filled: usize) -> usize {
    let mut more = 0;
    if filled < buf.len() / 2 {
        // The thread, not the task: the runtime would be woken by each write to the pipe all the same.
        std::thread::sleep(BATCH);
        while filled + more < buf.len() {
            match read_now(stdout, &mut buf[filled + more..]).await {
                Some(Ok(n @ 1..)) => more += n,
                // Nothing more just now; an end or an error comes again with the next read.
                _ => break,
            }
        }
    }
    more
}

/// What can be read without waiting; `None` when nothing can.
async fn read_now(stdout: &mut ChildStdout, buf: &mut [u8]) -> Option<std::io::Result<usize>> {
    std::future::poll_fn(|cx| {
        let mut buf = ReadBuf::new(buf);
        match std::pin::Pin::new(&mut *stdout).poll_read(cx, &mut buf) {
            std::task::Poll::Ready(result) => {
                std::task::Poll::Ready(Some(result.map(|()| buf.filled().len())))
            }
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        }
    })
    .await
}
