//! Calls of the rclone program: flags, environment, answers.

use std::time::Duration;

use super::{Settings, cause, log};
use crate::process::{self, Exit, LaunchError, Spawn};
use crate::remote::RemoteError;

/// An answer that is kept whole is at most this big.
const ANSWER: usize = 128 * 1024 * 1024;

/// Flags of every call. Few retries: a remote that is down must be reported while somebody still looks; S3 tries twice
/// as often. rclone's own `--timeout`, 5 minutes without a byte, stays: servers that hash or assemble what they were
/// given are silent for long. Whether somebody is there at all is found out by `contact.rs`.
const COMMON: [&str; 7] = [
    "--use-json-log",
    "--stats=0",
    "--low-level-retries=3",
    "--retries=1",
    "--contimeout=10s",
    "--ask-password=false",
    "--s3-no-check-bucket",
];

/// What a finished call said.
pub(super) struct Answer {
    pub(super) exit: Exit,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

/// `rclone ARGS`, with the flags every call has; those in `args` stand after them and win.
pub(super) fn spawn(settings: &Settings, args: &[&str], feed: bool) -> Spawn {
    let (command, rest) = args.split_at(args.len().min(1));
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let mut all = owned(command);
    if let Some(path) = &settings.config {
        all.push("--config".to_owned());
        all.push(path.to_string_lossy().into_owned());
    }
    all.extend(owned(&COMMON));
    all.extend(owned(rest));
    // Last, so that the user's word stands.
    all.extend(settings.extra_args.iter().cloned());
    let env = settings.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    Spawn { program: "rclone".to_owned(), args: all, env, feed, confined: None }
}

/// Runs a call to its end, at most for `deadline`. Whatever it exits with is an answer.
pub(super) async fn call(
    settings: &Settings,
    args: &[&str],
    input: &[u8],
    deadline: Duration,
) -> Result<Answer, RemoteError> {
    let mut all = Vec::new();
    let mut take = |bytes: &[u8]| all.extend_from_slice(bytes);
    let answer = call_piecewise(settings, args, input, &mut take, (deadline, ANSWER)).await?;
    Ok(Answer { stdout: all, ..answer })
}

/// What an answer goes to, piece by piece.
pub(super) type Take<'a> = dyn FnMut(&[u8]) + Send + 'a;

/// The same for an answer of at most so many bytes that is better not kept whole: it goes, piece by piece, where `take`
/// puts it.
pub(super) async fn call_piecewise(
    settings: &Settings,
    args: &[&str],
    input: &[u8],
    take: &mut Take<'_>,
    (deadline, limit): (Duration, usize),
) -> Result<Answer, RemoteError> {
    let mut spec = spawn(settings, args, !input.is_empty());
    if is_short(args) && spec.env.iter().all(|(name, _)| name != "GOGC") {
        // It ends before its garbage matters: a third of what such a call costs.
        spec.env.push(("GOGC".into(), "off".into()));
    }
    let what = args.first().copied().unwrap_or_default();
    match tokio::time::timeout(deadline, process::answer(&spec, input, limit, take)).await {
        Ok(Ok((exit, stderr))) => Ok(Answer { exit, stdout: Vec::new(), stderr }),
        Ok(Err(error)) => Err(launch_error(&error)),
        Err(_) => {
            Err(RemoteError::new(format!("rclone {what} gave no answer within {deadline:?}")))
        }
    }
}

/// Whether a call is about one object or none, so that it needs little memory.
fn is_short(args: &[&str]) -> bool {
    let one = ["version", "config", "backend", "moveto", "deletefile"];
    let asks = args.contains(&"--stat") || args.contains(&"--no-traverse");
    args.first().is_some_and(|command| one.contains(command) || *command == "lsjson" && asks)
}

/// The error of a call that must exit with 0.
pub(super) fn failure(what: &str, exit: Exit, stderr: &str) -> RemoteError {
    let cause = log::cause(stderr);
    let what = match cause {
        Some(cause) => format!("rclone could not {what}: {cause}"),
        None => format!("rclone could not {what}: it {exit}"),
    };
    RemoteError { what, stderr: log::readable(stderr), lasting: cause::is_lasting(stderr) }
}

pub(super) fn launch_error(error: &LaunchError) -> RemoteError {
    RemoteError::new(match error {
        LaunchError::NotFound(_) => {
            "rclone is not installed, or not on PATH: install rclone 1.66 or newer".to_owned()
        }
        other => other.to_string(),
    })
    .lasting()
}
