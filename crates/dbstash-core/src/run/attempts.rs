//! One backup of one database, tried again while its failure may pass.

use std::time::Duration;

use tokio::time::Instant;

use super::hooks::Hooks;
use super::{Context, Run};
use crate::chance::{backoff, chance};
use crate::error::RunError;
use crate::job::{Database, Job};
use crate::report::{Outcome, Report, RunEvent};
use crate::state::LockError;

/// How long to wait before the first further attempt: each later one is waited for twice as long, but no longer than
/// the second of these.
const WAITS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// The backup, unless another run is already at it, with the hooks around it. The lock is held through all of that.
pub(super) async fn all(job: &Job, database: &Database, cx: Context<'_>) -> Report {
    let hooks = Hooks::new(job, cx);
    let run = Run::new(job, database, cx);
    let host = &job.naming.host;
    let held =
        job.exclusive.then(|| cx.state.lock(&run.id.job, &run.id.database, host, run.started));
    let _held = match held.transpose() {
        Ok(held) => held,
        Err(refused @ LockError::Held(_)) => return run.refused(refused).told(cx),
        Err(refused) => return hooks.after(run.refused(refused)).await.told(cx),
    };
    let work = async {
        match hooks.before(&run).await {
            // The hook's time is not the backup's.
            Ok(()) => Box::pin(attempts(Run { begun: Instant::now(), ..run })).await,
            Err(error) => run.failed(error),
        }
    };
    let report = hooks.around(work).await;
    hooks.after(report).await.told(cx)
}

/// One attempt, and more while its failure may pass.
async fn attempts(run: Run<'_>) -> Report {
    let Run { job, database, cx, .. } = run;
    let mut report = run.backup().await;
    for attempt in 1..=job.retries {
        let passing = match &report.outcome {
            Outcome::Failed { error, .. } => error.may_pass(cx.engine),
            _ => false,
        };
        if !passing {
            break;
        }
        let wait = backoff(attempt, WAITS, chance());
        let again = RunEvent::Again { report: &report, wait, attempt, of: job.retries };
        cx.observer.on(&report.run, again);
        let run = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => return Run::new(job, database, cx).failed(RunError::Interrupted),
            () = tokio::time::sleep(wait) => Run::new(job, database, cx),
        };
        report = Report { attempts: attempt + 1, ..run.backup().await };
    }
    report
}
