//! One backup of one database, tried again while its failure may pass.

use std::time::Duration;

use super::{Context, Run};
use crate::chance::chance;
use crate::error::RunError;
use crate::job::{Database, Job};
use crate::report::{Outcome, Report, RunEvent};

/// How long to wait before the first further attempt: each later one is waited for twice as long, but no longer than
/// the second of these.
const WAITS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(300)];

/// The backup, unless another run is already at it. The lock is held through all attempts.
pub(super) async fn all(job: &Job, database: &Database, cx: Context<'_>) -> Report {
    let run = Run::new(job, database, cx);
    let host = &job.naming.host;
    let held =
        job.exclusive.then(|| cx.state.lock(&run.id.job, &run.id.database, host, run.started));
    let _held = match held.transpose() {
        Ok(held) => held,
        Err(refused) => return run.refused(refused).told(cx),
    };
    let mut report = run.backup().await;
    for attempt in 1..=job.retries {
        let passing = match &report.outcome {
            Outcome::Failed { error, .. } => error.may_pass(cx.engine),
            _ => false,
        };
        if !passing {
            break;
        }
        let wait = wait(attempt, chance());
        let again = RunEvent::Again { report: &report, wait, attempt, of: job.retries };
        cx.observer.on(&report.run, again);
        let run = tokio::select! {
            biased;
            () = cx.cancel.cancelled() => {
                report = Run::new(job, database, cx).failed(RunError::Interrupted);
                break;
            }
            () = tokio::time::sleep(wait) => Run::new(job, database, cx),
        };
        report = Report { attempts: attempt + 1, ..run.backup().await };
    }
    report.told(cx)
}

/// `random` spreads it from half of the time to one and a half: jobs that failed together do not come again together.
fn wait(attempt: u32, random: f64) -> Duration {
    let steps = 2_u32.saturating_pow(attempt.saturating_sub(1));
    WAITS[0].saturating_mul(steps).min(WAITS[1]).mul_f64(0.5 + random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_spread() {
        let millis = |attempt, random| wait(attempt, random).as_millis();
        assert_eq!([millis(1, 0.0), millis(1, 0.5), millis(1, 1.0)], [2500, 5000, 7500]);
        assert_eq!(
            [millis(2, 0.5), millis(7, 0.5), millis(u32::MAX, 0.5)],
            [10_000, 300_000, 300_000]
        );
    }
}
