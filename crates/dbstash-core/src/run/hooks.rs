//! The user's commands around one backup of one database.
//!
//! What they are told is in their environment and never in their text, so that no name can be taken for a command.

use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

use super::{Context, Run};
use crate::error::RunError;
use crate::hook::{self, Bounds, HookError, When};
use crate::job::Job;
use crate::report::{Outcome, Report, RunEvent, RunId};

/// What hooks are told, each as far as it is known: a value that somebody else has set is never among them.
pub const TOLD: [&str; 10] = [
    "DBSTASH_STATUS",
    "DBSTASH_FILE",
    "DBSTASH_SIZE",
    "DBSTASH_SHA256",
    "DBSTASH_DURATION",
    "DBSTASH_ERROR",
    "DBSTASH_DATABASE",
    "DBSTASH_ENGINE",
    "DBSTASH_BACKUP_ID",
    "DBSTASH_JOB",
];

/// Characters of an error that a hook is told.
const LONGEST: usize = 1000;
/// After 8 s nothing is waited for any more, for a container has 10 s to end; what runs is ended first.
const ALL_AFTER_SIGNAL: Duration = Duration::from_millis(7500);
/// What a hook has of it: to end by itself, and then to be ended.
const AFTER_SIGNAL: (Duration, Duration) =
    (Duration::from_millis(2500), Duration::from_millis(500));
/// The same for the hook before the backup, which has no business any more.
const PRE_AFTER_SIGNAL: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3));

/// The hooks of one run.
pub(super) struct Hooks<'a> {
    job: &'a Job,
    cx: Context<'a>,
    signal: OnceLock<Instant>,
}

impl<'a> Hooks<'a> {
    pub(super) fn new(job: &'a Job, cx: Context<'a>) -> Self {
        Self { job, cx, signal: OnceLock::new() }
    }

    /// Does a run's work, with an eye on the time of a signal.
    pub(super) async fn around<T>(&self, work: impl Future<Output = T>) -> T {
        let watch = async {
            self.cx.cancel.cancelled().await;
            let _ = self.signal.set(Instant::now());
            std::future::pending::<T>().await
        };
        tokio::select! {
            biased;
            done = watch => done,
            done = work => done,
        }
    }

    /// Before the first attempt. A failure is the run's.
    pub(super) async fn before(&self, run: &Run<'_>) -> Result<(), RunError> {
        let (Some(command), false) = (&self.job.hooks.pre, self.cx.cancel.is_cancelled()) else {
            return Ok(());
        };
        match self.run(When::Pre, command, &run.id, Vec::new(), PRE_AFTER_SIGNAL).await {
            Err(HookError::Interrupted { .. }) => Err(RunError::Interrupted),
            done => Ok(done?),
        }
    }

    /// When all else is over. A failure is a warning: what is stored stays stored.
    pub(super) async fn after(&self, mut report: Report) -> Report {
        let Some(command) = &self.job.hooks.post else { return report };
        let told = self.told(&report);
        let (allowed, grace) = AFTER_SIGNAL;
        let over = self.signal.get().map_or(Duration::ZERO, Instant::elapsed);
        let left = ALL_AFTER_SIGNAL.saturating_sub(over + grace).max(grace);
        let bounds = (allowed.min(left), grace);
        if let Err(error) = self.run(When::Post, command, &report.run, told, bounds).await {
            let said = error.stderr().trim();
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            let text = format!("{error}{said}");
            self.cx.observer.on(&report.run, RunEvent::Warning(&text));
            report.warnings.push(text);
        }
        report
    }

    async fn run(
        &self,
        when: When,
        command: &str,
        run: &RunId,
        told: Vec<(&'static str, String)>,
        (allowed, grace): (Duration, Duration),
    ) -> Result<(), HookError> {
        let Context { shell, cancel, observer, .. } = self.cx;
        let tell = |line: hook::Line<'_>| observer.on(run, RunEvent::Hook { when, line });
        let bounds = Bounds { timeout: self.job.hooks.timeout, cancel, allowed, grace };
        let env = environment(&shell.environment, run, told);
        hook::run(when, command, env, &shell.redactor, bounds, &tell).await
    }

    /// How the run ended.
    fn told(&self, report: &Report) -> Vec<(&'static str, String)> {
        let status = if report.outcome.is_stored() { "success" } else { "failure" };
        let seconds = report.duration.as_secs_f64().round();
        let mut told =
            vec![("DBSTASH_STATUS", status.to_owned()), ("DBSTASH_DURATION", seconds.to_string())];
        if let Outcome::Stored { manifest, object, .. } = &report.outcome {
            told.push(("DBSTASH_FILE", below(&self.cx.remote.label(), object)));
            if let Some(dump) = manifest.dump() {
                told.push(("DBSTASH_SIZE", dump.bytes.to_string()));
                told.push(("DBSTASH_SHA256", dump.sha256.clone()));
            }
        }
        if let Some(cause) = report.outcome.cause() {
            let clean = self.cx.shell.redactor.redact(&cause);
            told.push(("DBSTASH_ERROR", clean.chars().take(LONGEST).collect()));
        }
        told
    }
}

/// The user's environment, and what a hook is told.
fn environment(
    given: &[(OsString, OsString)],
    run: &RunId,
    told: Vec<(&'static str, String)>,
) -> Vec<(OsString, OsString)> {
    let of_run = [
        ("DBSTASH_DATABASE", run.database.clone()),
        ("DBSTASH_ENGINE", run.engine.to_string()),
        ("DBSTASH_BACKUP_ID", run.id.clone()),
        ("DBSTASH_JOB", run.job.to_string()),
    ];
    let ours = |name: &OsString| TOLD.iter().any(|told| name == told);
    let given = given.iter().filter(|(name, _)| !ours(name)).cloned();
    // No variable can hold a NUL; a tool's words may.
    let told = of_run.into_iter().chain(told).map(|(n, v)| (n.into(), v.replace('\0', " ").into()));
    given.chain(told).collect()
}

/// The path of an object of a remote.
fn below(root: &str, object: &str) -> String {
    let slash = if root.ends_with([':', '/']) { "" } else { "/" };
    format!("{root}{slash}{object}")
}
