//! Logs on stderr: JSON lines, or text for people; never a secret.

use std::io::{self, IsTerminal as _, Write};

use dbstash_core::engine::Passed;
use dbstash_core::manifest::Object;
use dbstash_core::report::{Observer, Outcome, Report, RunEvent, RunId};
use dbstash_core::secret::Redactor;
use dbstash_core::verify::{Occasion, Verdict, Verification};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogFormat, LogSettings};

/// Starts logging. `directives` (from `RUST_LOG`: `debug`, `warn,dbstash_core=trace`) win over the level of the settings.
pub fn start(settings: &LogSettings, directives: Option<&str>, redactor: Redactor) {
    let ours =
        ["dbstash_cli", "dbstash_core", "dbstash_engines"].map(|name| (name, settings.level));
    let ours = Targets::new().with_default(Level::WARN).with_targets(ours);
    let theirs = directives.filter(|text| !text.is_empty()).map(str::parse::<Targets>);
    let odd = matches!(theirs, Some(Err(_)));
    let filter = theirs.and_then(Result::ok).unwrap_or(ours);
    let log = layer().with_target(false).with_writer(Redacting(redactor));
    match settings.format {
        LogFormat::Json => {
            let log = log.json().flatten_event(true).with_current_span(false).with_span_list(false);
            registry().with(filter).with(log).init();
        }
        LogFormat::Text => {
            let log = log.with_ansi(io::stderr().is_terminal());
            registry().with(filter).with(log).init();
        }
    }
    if odd {
        tracing::warn!(
            "RUST_LOG is not understood, and LOG_LEVEL stands: accepted is a level, or target=level,..."
        );
    }
}

/// Stderr without secrets: the last line of defence.
struct Redacting(Redactor);

struct Line<'a>(&'a Redactor);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        // A log that cannot be written must not end backups: its failure would be a panic one floor up.
        let _ = io::stderr().write_all(self.0.redact(&text).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Redacting {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

/// Writes what happens in a run into the log.
pub struct LogObserver;

macro_rules! of_run {
    ($level:ident, $run:expr, $($field:tt)*) => {
        tracing::$level!(
            engine = $run.engine.as_str(),
            database = $run.database.as_str(),
            backup_id = $run.id.as_str(),
            job = $run.job.as_str(),
            $($field)*
        )
    };
}

impl Observer for LogObserver {
    fn on(&self, run: &RunId, event: RunEvent<'_>) {
        match event {
            RunEvent::Started { command, remote, .. } => {
                of_run!(info, run, remote, "backup started");
                of_run!(debug, run, command, "dump command");
            }
            RunEvent::Warning(text) => of_run!(warn, run, "{text}"),
            RunEvent::Still(_) => {}
            RunEvent::Note(text) => of_run!(info, run, "{text}"),
            RunEvent::Hook { when, line } if line.is_stderr => {
                of_run!(warn, run, hook = when.as_str(), "{}", line.text);
            }
            RunEvent::Hook { when, line } => {
                of_run!(info, run, hook = when.as_str(), "{}", line.text);
            }
            RunEvent::Again { report, wait, attempt, of } => of_run!(
                warn,
                run,
                attempt,
                retries = of,
                wait = seconds(wait),
                "attempt failed: {}; again in {:.0} s ({attempt} of {of})",
                report.outcome.cause().unwrap_or_default(),
                wait.as_secs_f64()
            ),
            RunEvent::Verified(told) => verified(run, told),
            RunEvent::Finished(report) => summary(run, report),
        }
    }
}

/// What a backup is. Of one that was just stored, its run says what is wrong.
fn verified(run: &RunId, told: &Verification) {
    let (asked, duration) = (told.asked.as_str(), seconds(told.duration));
    let object = told.backup.as_ref().map_or("", |past| &*past.object);
    match &told.verdict {
        Verdict::Good { level, objects } => {
            let dump = objects.first();
            let check = dump.and_then(|dump| dump.check.as_deref());
            let degraded = dump.and_then(|dump| dump.degraded.as_deref());
            let found = level.as_str();
            of_run!(
                info,
                run,
                object,
                asked,
                found,
                check,
                degraded,
                duration,
                "backup verified: good ({found})"
            );
        }
        Verdict::Restored(drilled) => {
            let (rows, restored_in_ms) = (drilled.things, drilled.restored_in_ms);
            let told = drilled.told(run.engine);
            of_run!(
                info,
                run,
                object,
                asked,
                found = asked,
                rows,
                restored_in_ms,
                duration,
                "backup restored on trial: {told}"
            );
        }
        _ if told.occasion == Occasion::Stored => {}
        Verdict::Corrupt(what) => {
            of_run!(error, run, object, asked, duration, "backup is corrupt: {what}");
        }
        Verdict::Untested(why) => {
            of_run!(warn, run, object, asked, duration, "backup not verified: {why}");
        }
        Verdict::Gone => {}
    }
}

/// The one event that ends a run.
fn summary(run: &RunId, report: &Report) {
    let duration = seconds(report.duration);
    match &report.outcome {
        Outcome::Stored { manifest, object, pruned } => {
            let Some(Object { bytes, raw_bytes, sha256, passed, .. }) = manifest.dump() else {
                return;
            };
            let Passed { check, degraded, .. } = passed;
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let throughput = (*raw_bytes as f64 / report.duration.as_secs_f64().max(0.001)).round();
            of_run!(
                info,
                run,
                status = "success",
                object = object.as_str(),
                bytes,
                raw_bytes,
                sha256 = sha256.as_str(),
                check = check.as_str(),
                degraded = degraded.as_deref(),
                duration,
                throughput,
                pruned,
                warnings = report.warnings.len(),
                attempts = report.attempts,
                "backup stored"
            );
        }
        Outcome::Failed { error, .. } => of_run!(
            error,
            run,
            status = "failure",
            phase = error.phase(),
            error = report.outcome.cause().unwrap_or_default().as_str(),
            stderr = error.stderr(),
            duration,
            attempts = report.attempts,
            "backup failed: {}",
            report.outcome.cause().unwrap_or_default()
        ),
        Outcome::Skipped { .. } => of_run!(
            warn,
            run,
            status = "skipped",
            duration,
            "backup skipped: {}",
            report.outcome.cause().unwrap_or_default()
        ),
    }
}

/// Seconds, to the millisecond.
fn seconds(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
