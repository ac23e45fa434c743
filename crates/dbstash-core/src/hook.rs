//! A command of the user's around a backup: `sh -c`, in a process group of its own, with what it says told as it comes.

mod lines;

use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::lines::Heard;
use crate::process::{self, Exit, LaunchError, Running, Spawn};
use crate::secret::Redactor;

/// How long a hook that has to end may take to.
const GRACE: Duration = Duration::from_secs(10);
/// How long the output of a hook that is gone is waited for; what it left in the background may hold it open for ever.
const LEAK: Duration = Duration::from_millis(200);

/// What hooks are run with.
#[derive(Default)]
pub struct Shell {
    /// The whole environment in which dbstash was started: nothing that came in another way.
    pub environment: Vec<(OsString, OsString)>,
    /// Knows what must not be told of a hook, nor to it.
    pub redactor: Redactor,
}

/// Which hook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before the backup.
    Pre,
    /// After it, however it ended.
    Post,
}

impl When {
    /// The short word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::Post => "post",
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pre => "HOOK_PRE_BACKUP",
            Self::Post => "HOOK_POST_BACKUP",
        })
    }
}

/// A line of a hook's, without secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// What it says; never empty.
    pub text: &'a str,
    /// Whether it came on stderr.
    pub is_stderr: bool,
}

/// Why a hook has not done its work.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It was not started.
    #[error("{when} could not be run: {source}")]
    Launch {
        /// Which one.
        when: When,
        /// Why.
        source: LaunchError,
    },
    /// It said no.
    #[error("{when} {exit}")]
    Exit {
        /// Which one.
        when: When,
        /// How it ended.
        exit: String,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// It took too long.
    #[error("{when} was not finished within {limit:?} (HOOK_TIMEOUT)")]
    TimedOut {
        /// Which one.
        when: When,
        /// The limit.
        limit: Duration,
        /// The last lines of its stderr.
        stderr: String,
    },
    /// A signal asked for the end of everything.
    #[error("{when} was ended, {allowed:?} after the signal")]
    Interrupted {
        /// Which one.
        when: When,
        /// How long it could go on after the signal.
        allowed: Duration,
        /// The last lines of its stderr.
        stderr: String,
    },
}

impl HookError {
    /// The last lines of the hook's stderr; empty when there are none.
    pub fn stderr(&self) -> &str {
        match self {
            Self::Launch { .. } => "",
            Self::Exit { stderr, .. }
            | Self::TimedOut { stderr, .. }
            | Self::Interrupted { stderr, .. } => stderr,
        }
    }
}

/// When a hook has to end.
#[derive(Clone, Copy)]
pub(crate) struct Bounds<'a> {
    /// Its own limit; `None` is none.
    pub(crate) timeout: Option<Duration>,
    /// Cancelled by the first signal.
    pub(crate) cancel: &'a CancellationToken,
    /// How long it may go on once that is cancelled, or its start when it was before.
    pub(crate) allowed: Duration,
    /// After that, how long it may take to end.
    pub(crate) grace: Duration,
}

/// Runs a hook to its end, and with it everything in its process group. `tell` is told each line, up to a bound.
pub(crate) async fn run(
    when: When,
    command: &str,
    env: Vec<(OsString, OsString)>,
    redactor: &Redactor,
    bounds: Bounds<'_>,
    tell: &(dyn Fn(Line<'_>) + Sync),
) -> Result<(), HookError> {
    let failed = |source| HookError::Launch { when, source };
    // After `--`, a command may begin with a dash.
    let args = vec!["-c".to_owned(), "--".to_owned(), command.to_owned()];
    let spec = Spawn { program: "sh".to_owned(), args, env, feed: false, confined: None };
    let (mut running, stderr) = process::spawn_heard(&spec).map_err(failed)?;
    let stdout = running.stdout.take();
    let heard = Heard::new(redactor, tell);
    let listening = async { tokio::join!(heard.listen(stdout, false), heard.listen(stderr, true)) };
    let ended = both(ended(&mut running, bounds), listening).await;
    // What it left in its group has no business any more.
    running.stop(Duration::ZERO).await;
    let stderr = heard.finish();
    let exit = match ended
        .map_err(|source| failed(LaunchError::Other { program: spec.program, source }))?
    {
        Ended::Itself(exit) => exit,
        Ended::Limit(limit) => return Err(HookError::TimedOut { when, limit, stderr }),
        Ended::Signal => {
            let allowed = bounds.allowed;
            return Err(HookError::Interrupted { when, allowed, stderr });
        }
    };
    if exit.success() {
        return Ok(());
    }
    Err(HookError::Exit { when, exit: exit.to_string(), stderr })
}

/// Why a hook is over.
enum Ended {
    Itself(Exit),
    Limit(Duration),
    Signal,
}

/// Waits for the hook's end, and brings it about when it is time.
async fn ended(running: &mut Running, bounds: Bounds<'_>) -> std::io::Result<Ended> {
    let Bounds { timeout, cancel, allowed, grace } = bounds;
    let after_signal = |wait: Duration| async move {
        cancel.cancelled().await;
        tokio::time::sleep(wait).await;
    };
    let expired = async {
        match timeout {
            Some(limit) => {
                tokio::time::sleep(limit).await;
                limit
            }
            None => std::future::pending().await,
        }
    };
    let (why, grace_of_it) = tokio::select! {
        biased;
        exit = running.wait() => return exit.map(Ended::Itself),
        () = after_signal(allowed) => (Ended::Signal, grace),
        limit = expired => (Ended::Limit(limit), GRACE),
    };
    tokio::select! {
        biased;
        () = running.stop(grace_of_it) => {}
        () = after_signal(allowed + grace) => running.stop(Duration::ZERO).await,
    }
    Ok(why)
}

/// The first one's result, and of the second what it does until then, and a moment longer.
async fn both<T>(first: impl Future<Output = T>, second: impl Future) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let mut is_done = false;
    loop {
        tokio::select! {
            biased;
            done = &mut first => {
                if !is_done {
                    let _ = tokio::time::timeout(LEAK, second).await;
                }
                return done;
            }
            _ = &mut second, if !is_done => is_done = true,
        }
    }
}

#[cfg(test)]
mod tests;
