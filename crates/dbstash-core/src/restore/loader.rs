//! A program that reads a backup: it is never shown the end of its input unless that is meant.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::JoinHandle;

use super::{Context, RestoreError};
use crate::invocation::Invocation;
use crate::load::Excuse;
use crate::process::{Exit, Running};
use crate::state::RunDir;

/// Lines of stderr that are kept, of each kind, the first ones and as many of the last ones: some programs say what they
/// were at, however long that is, before they say what was wrong with it.
const KEPT: usize = 10;
/// Bytes of a line that are kept.
const LONGEST: usize = 2000;
/// How long it may take to end once it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long its stderr is waited for when it is gone.
const LEAK: Duration = Duration::from_millis(500);

/// The program at work.
pub(super) struct Loader {
    running: Running,
    stdin: Option<ChildStdin>,
    said: Arc<Mutex<Said>>,
    hearing: Option<JoinHandle<()>>,
    ignoring: Option<JoinHandle<()>>,
    lenient: bool,
}

/// What it said on stderr.
#[derive(Default)]
struct Said {
    line: Vec<u8>,
    failures: Lines,
    told: Lines,
}

/// The first lines and the last ones.
#[derive(Default)]
struct Lines {
    first: Vec<String>,
    last: VecDeque<String>,
    between: usize,
}

impl Lines {
    fn push(&mut self, line: String) {
        if self.first.len() < KEPT {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > KEPT {
            self.last.pop_front();
            self.between += 1;
        }
    }

    fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    fn all(self) -> Vec<String> {
        let mut all = self.first;
        if self.between > 0 {
            all.push(format!("... {} more lines ...", self.between));
        }
        all.extend(self.last);
        all
    }
}

impl Said {
    fn push(&mut self, bytes: &[u8], excuse: Option<fn(&str) -> Excuse>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                self.end(excuse);
            }
        }
    }

    fn end(&mut self, excuse: Option<fn(&str) -> Excuse>) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim_end().to_owned();
        if line.is_empty() {
            return;
        }
        let kept = match excuse.map_or(Excuse::None, |excuse| excuse(&line)) {
            Excuse::Quiet => return,
            Excuse::Told => &mut self.told,
            Excuse::None => &mut self.failures,
        };
        kept.push(line);
    }
}

impl Loader {
    /// Starts it.
    pub(super) fn start(
        invocation: &Invocation,
        private: &RunDir,
        excuse: Option<fn(&str) -> Excuse>,
        cx: Context<'_>,
    ) -> Result<Self, RestoreError> {
        let (mut running, stderr) = cx.launcher.feed(invocation, private)?;
        let said = Arc::<Mutex<Said>>::default();
        let hearing = stderr.map(|pipe| tokio::spawn(hear(pipe, Arc::clone(&said), excuse)));
        let stdin = running.stdin.take();
        Ok(Self { running, stdin, said, hearing, ignoring: None, lenient: excuse.is_some() })
    }

    /// Its output is nobody's business, and must not fill its pipe.
    pub(super) fn ignore_output(&mut self) {
        if let Some(mut stdout) = self.running.stdout.take() {
            self.ignoring = Some(tokio::spawn(async move {
                let mut buffer = vec![0; 16 * 1024];
                while let Ok(1..) = stdout.read(&mut buffer).await {}
            }));
        }
    }

    /// Its output, for somebody else.
    pub(super) fn output(&mut self) -> Option<ChildStdout> {
        self.running.stdout.take()
    }

    /// Hands on bytes, all of them. One that has ended says why.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        match stdin.write_all(bytes).await {
            Ok(()) => Ok(()),
            // It reads no more: soon it is gone, or it is stuck.
            Err(_) => Err(self.gone().await),
        }
    }

    /// Hands on bytes to one that may have had enough before their end, as a reader of tar has at its last entry: how it
    /// ends says whether that was right. One that fails meanwhile says why.
    pub(super) async fn offer(&mut self, bytes: &[u8]) -> Result<(), RestoreError> {
        let Some(stdin) = &mut self.stdin else { return Ok(()) };
        if stdin.write_all(bytes).await.is_ok() {
            return Ok(());
        }
        match tokio::time::timeout(GRACE, self.exit()).await {
            Ok(Ok(exit)) if !exit.success() => return Err(self.gone().await),
            Ok(Err(error)) => return Err(error),
            // It may have a lot to say yet of what it has read.
            Ok(Ok(_)) | Err(_) => {}
        }
        self.stdin = None;
        Ok(())
    }

    /// Shows it the end of its input, and waits until it has ended well; what it had to remark.
    pub(super) async fn end(&mut self) -> Result<Vec<String>, RestoreError> {
        if let Some(mut stdin) = self.stdin.take() {
            // Whoever has ended already says how.
            let _ = stdin.flush().await;
        }
        let exit = self.exit().await?;
        self.hush().await;
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        match (exit.success(), self.lenient && !said.failures.is_empty()) {
            (true, false) => {
                // Of one that stops at its first error, what it says and goes on is a remark.
                let mut told = said.told.all();
                if !self.lenient {
                    told.extend(said.failures.all());
                }
                Ok(told)
            }
            _ => Err(self.failure(said, exit)),
        }
    }

    /// Why it reads no more.
    async fn gone(&mut self) -> RestoreError {
        let exit = match tokio::time::timeout(GRACE, self.exit()).await {
            Ok(Ok(exit)) => exit,
            Ok(Err(error)) => return error,
            Err(_) => {
                return RestoreError::Loader {
                    what: format!("{} closed its input and goes on", self.running.program()),
                    stderr: String::new(),
                };
            }
        };
        self.hush().await;
        let said = std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner));
        self.failure(said, exit)
    }

    async fn exit(&mut self) -> Result<Exit, RestoreError> {
        let program = self.running.program().to_owned();
        self.running.wait().await.map_err(|error| RestoreError::Loader {
            what: format!("{program}: {error}"),
            stderr: String::new(),
        })
    }

    async fn hush(&mut self) {
        if let Some(hearing) = self.hearing.take() {
            let abort = hearing.abort_handle();
            if tokio::time::timeout(LEAK, hearing).await.is_err() {
                abort.abort();
            }
        }
    }

    fn failure(&self, said: Said, exit: Exit) -> RestoreError {
        let what = if exit.success() {
            format!("{} reported errors", self.running.program())
        } else {
            format!("{} {exit}", self.running.program())
        };
        RestoreError::Loader { what, stderr: said.failures.all().join("\n") }
    }

    /// Ends it, and only then lets go of its input: it never takes that for the end.
    pub(super) async fn kill(mut self) {
        self.running.stop(GRACE).await;
        drop(self.stdin.take());
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        for task in [self.hearing.take(), self.ignoring.take()].into_iter().flatten() {
            task.abort();
        }
    }
}

async fn hear(mut pipe: ChildStderr, said: Arc<Mutex<Said>>, excuse: Option<fn(&str) -> Excuse>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        said.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..n], excuse);
    }
    said.lock().unwrap_or_else(PoisonError::into_inner).end(excuse);
}
