//! Whether anybody answers. rclone's own retries outlast everybody's patience, and its timeouts have to suit servers
//! that are slow; so somebody who says nothing is asked a small question beside the work.

use std::future::Future;
use std::pin::pin;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::command::{Answer, call, failure};
use super::{LONG, MISSING, Rclone, cause, log};
use crate::process::Exit;
use crate::remote::RemoteError;

/// How long silence may last.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until S3 answers a small question.
    pub s3: Duration,
    /// Until anything else does: a login may wait for somebody's DNS, a drive for its turn.
    pub others: Duration,
    /// For work in which nothing moves: after that, the remote is asked whether it is still there.
    pub still: Duration,
    /// Between two questions of which the first got no answer.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            s3: Duration::from_secs(25),
            others: Duration::from_secs(45),
            still: Duration::from_secs(60),
            pause: Duration::from_secs(10),
        }
    }
}

/// How long work may take before anybody is asked.
const HEAD_START: Duration = Duration::from_secs(2);
/// One silence may be a hiccup; in the middle of hours of work it takes more to give up.
const IN_THE_MIDDLE: u32 = 3;

/// What is known of the other side.
#[derive(Default)]
pub(super) struct Contact {
    /// Somebody has answered, and rclone has not said since that nobody does.
    answered: bool,
    /// When the last question got no answer, and how that showed.
    silent: Option<(Instant, RemoteError)>,
}

impl Rclone {
    /// A call to its end, at most for `deadline`, for as long as somebody answers.
    pub(super) async fn call(
        &self,
        args: &[&str],
        input: &[u8],
        deadline: Duration,
    ) -> Result<Answer, RemoteError> {
        let answer = self.attended(call(&self.settings, args, input, deadline)).await?;
        self.heard(answer.exit, &answer.stderr);
        Ok(answer)
    }

    /// Takes note of what the end of an rclone says about the other side.
    pub(super) fn heard(&self, exit: Exit, stderr: &str) {
        self.contact().answered = exit.success() || !log::is_silence(stderr);
    }

    /// Does work in which something should move, for as long as somebody answers.
    pub(super) async fn attended<T>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>>,
    ) -> Result<T, RemoteError> {
        let mut work = pin!(work);
        let answered = self.contact().answered;
        if !answered {
            // Nearly always the work itself hears somebody before it would be worth to ask.
            if let Ok(done) = timeout(HEAD_START, &mut work).await {
                return done;
            }
            tokio::select! {
                biased;
                done = &mut work => return done,
                present = Box::pin(self.present(1)) => present?,
            }
        }
        loop {
            if let Ok(done) = timeout(self.settings.patience.still, &mut work).await {
                return done;
            }
            tokio::select! {
                biased;
                done = &mut work => return done,
                present = Box::pin(self.present(IN_THE_MIDDLE)) => present?,
            }
        }
    }

    /// Asks until somebody answers, so many times at most.
    pub(super) async fn present(&self, times: u32) -> Result<(), RemoteError> {
        for _ in 1..times {
            if self.ask_once().await.is_ok() {
                return Ok(());
            }
            sleep(self.settings.patience.pause).await;
        }
        self.ask_once().await
    }

    /// A listing of what is hardly ever there: one request, on S3. Only silence is an error here: whatever else is
    /// wrong, the work itself will say better.
    async fn ask_once(&self) -> Result<(), RemoteError> {
        let s = &self.settings;
        if let Some((at, error)) = &self.contact().silent
            && at.elapsed() < s.patience.pause
        {
            return Err(error.clone());
        }
        let limit = match self.storage().await?.as_ref().map(|storage| &*storage.kind) {
            _ if has_own_timeouts(&s.extra_args) => return Ok(()),
            Some("local") => return Ok(()),
            Some("s3") => s.patience.s3,
            _ => s.patience.others,
        };
        // The slash and the flag save rclone the question whether this is a file.
        let path = self.path(".dbstash-tmp/");
        let args = ["lsjson", "--no-modtime", "--no-mimetype", "--s3-no-head-object", &path];
        let question = call(s, &args, b"", LONG);
        let error = match timeout(limit, question).await {
            Err(_) => {
                RemoteError::new(format!("{} (not a word within {limit:?})", cause::NO_ANSWER))
            }
            Ok(Ok(answer))
                if !answer.exit.success()
                    && !MISSING.contains(&answer.exit.code())
                    && log::is_silence(&answer.stderr) =>
            {
                failure("reach the remote", answer.exit, &answer.stderr)
            }
            Ok(_) => {
                *self.contact() = Contact { answered: true, silent: None };
                return Ok(());
            }
        };
        self.contact().silent = Some((Instant::now(), error.clone()));
        Err(error)
    }

    fn contact(&self) -> std::sync::MutexGuard<'_, Contact> {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the user has said how long to wait: then nobody else does.
fn has_own_timeouts(extra_args: &[String]) -> bool {
    let names = ["--timeout", "--contimeout"];
    extra_args.iter().any(|arg| names.contains(&arg.split('=').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_a_timeout_is_left_alone() {
        let own = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
            has_own_timeouts(&args)
        };
        assert!(own(&["--contimeout=2m"]) && own(&["--bwlimit", "1M", "--timeout", "30m"]));
        assert!(!own(&[]) && !own(&["--timeouts", "--bwlimit=1M"]));
    }
}
