//! A snapshot as OpenMetrics.
//!
//! Written here because the official crate does not escape label values, and a database may have any name.

use std::fmt::{Display, Write as _};

use chrono::{DateTime, Utc};
use dbstash_core::error::PHASES;
use dbstash_core::status::{DatabaseStatus, JobStatus, Problem, Snapshot, State};
use dbstash_core::verify::Level;

/// What a scraper is told it gets.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of all jobs. Counters begin at 0 with the process; the last success and the last verification are read
/// from the remote.
pub fn text(snapshot: &Snapshot) -> String {
    let mut out = Exposition::default();
    out.family("dbstash_build", "info", "The version of dbstash.");
    out.sample(&[("version", &snapshot.version)], 1);
    out.family("dbstash_start_timestamp_seconds", "gauge", "When the process began.");
    out.sample(&[], seconds(snapshot.since));
    let next = "dbstash_next_run_timestamp_seconds";
    out.family(next, "gauge", "When the next run of a job starts.");
    for job in &snapshot.jobs {
        if let Some(at) = job.next_run {
            out.sample(&of_job(job), seconds(at));
        }
    }
    let next = "dbstash_next_verification_timestamp_seconds";
    out.family(next, "gauge", "When a job verifies what is stored next.");
    for job in &snapshot.jobs {
        if let Some(at) = job.next_verification {
            out.sample(&of_job(job), seconds(at));
        }
    }
    let missed = "Runs that were due while one of the job was at work.";
    out.family("dbstash_missed", "counter", missed);
    for job in &snapshot.jobs {
        out.sample(&of_job(job), job.missed);
    }
    for (name, help, value) in GAUGES {
        out.family(name, "gauge", help);
        for (job, status) in each(snapshot) {
            if let Some(value) = value(status) {
                out.sample(&of_database(job, status), value);
            }
        }
    }
    for (kind, name, help) in [
        (State::Overdue, "dbstash_overdue", "1 when a backup was due and is not there."),
        (State::Stuck, "dbstash_stuck", "1 when a run stands still."),
        (State::Corrupt, "dbstash_corrupt", "1 when the newest backup is known to be corrupt."),
    ] {
        out.family(name, "gauge", help);
        for (job, status) in each(snapshot) {
            let so = |p: &Problem| p.kind == kind && p.database == status.database;
            out.sample(&of_database(job, status), u8::from(job.problems.iter().any(so)));
        }
    }
    for (name, help, value) in COUNTERS {
        out.family(name, "counter", help);
        for (job, status) in each(snapshot) {
            out.sample(&of_database(job, status), value(status));
        }
    }
    let failures = "Runs that left no backup, by the phase that failed.";
    out.family("dbstash_failures", "counter", failures);
    for (job, status) in each(snapshot) {
        let [job, engine, database] = of_database(job, status);
        for phase in PHASES {
            let count = status.tally.failures.get(phase).copied().unwrap_or(0);
            out.sample(&[job, engine, database, ("phase", phase)], count);
        }
    }
    let verified = "Backups that were verified, by how far that was to go and what came out.";
    out.family("dbstash_verifications", "counter", verified);
    for (job, status) in each(snapshot) {
        let [job, engine, database] = of_database(job, status);
        for level in Level::ALL.map(Level::as_str) {
            let verdicts = status.tally.verifications.get(level).copied().unwrap_or_default();
            for (result, count) in verdicts.each() {
                let labels = [job, engine, database, ("level", level), ("result", result)];
                out.sample(&labels, count);
            }
        }
    }
    let untold = "Notices that could not be delivered, by target.";
    out.family("dbstash_undelivered", "counter", untold);
    for one in &snapshot.undelivered {
        out.sample(&[("target", &one.target)], one.count);
    }
    out.text.push_str("# EOF\n");
    out.text
}

type Gauge = (&'static str, &'static str, fn(&DatabaseStatus) -> Option<String>);

const GAUGES: [Gauge; 9] = [
    ("dbstash_last_success_timestamp_seconds", "When the newest good backup was whole.", |s| {
        s.last_success.as_ref().map(|past| seconds(past.ended))
    }),
    ("dbstash_last_success_duration_seconds", "How long the newest good backup took.", |s| {
        s.last_success
            .as_ref()
            .map(|past| thousandths((past.ended - past.started).num_milliseconds()))
    }),
    ("dbstash_last_success_size_bytes", "Its size on the remote.", |s| {
        s.last_success.as_ref().map(|past| past.bytes.to_string())
    }),
    ("dbstash_last_success_raw_size_bytes", "The size of its dump, before any compression.", |s| {
        s.last_success.as_ref().map(|past| past.raw_bytes.to_string())
    }),
    (
        "dbstash_last_verification_timestamp_seconds",
        "When a backup was found good or corrupt last.",
        |s| s.tested.map(seconds),
    ),
    (
        "dbstash_last_verified_timestamp_seconds",
        "When the newest backup that was verified and is good was whole.",
        |s| s.proven.map(seconds),
    ),
    ("dbstash_last_drill_restore_seconds", "How long the last restore on trial took.", |s| {
        s.restored_in_ms.and_then(|ms| i64::try_from(ms).ok()).map(thousandths)
    }),
    ("dbstash_backup_due_timestamp_seconds", "When the next good backup is due.", |s| {
        s.due.map(seconds)
    }),
    ("dbstash_running", "1 while a run is at work.", |s| {
        Some(u8::from(s.running.is_some()).to_string())
    }),
];

type Counter = (&'static str, &'static str, fn(&DatabaseStatus) -> u64);

const COUNTERS: [Counter; 4] = [
    ("dbstash_successes", "Runs that left a good backup.", |s| s.tally.successes),
    ("dbstash_skipped", "Runs that found another one at work.", |s| s.tally.skipped),
    ("dbstash_retries", "Further attempts of runs.", |s| s.tally.retries),
    ("dbstash_retention_deletions", "Old backups that retention deleted.", |s| s.tally.deleted),
];

fn each(snapshot: &Snapshot) -> impl Iterator<Item = (&JobStatus, &DatabaseStatus)> {
    snapshot.jobs.iter().flat_map(|job| job.databases.iter().map(move |status| (job, status)))
}

type Label<'a> = (&'static str, &'a str);

fn of_job(job: &JobStatus) -> [Label<'_>; 2] {
    [("job", job.job.as_str()), ("engine", job.engine.as_str())]
}

fn of_database<'a>(job: &'a JobStatus, status: &'a DatabaseStatus) -> [Label<'a>; 3] {
    let [name, engine] = of_job(job);
    [name, engine, ("database", &status.database)]
}

/// The text, and what a sample of the family at its end is called.
#[derive(Default)]
struct Exposition {
    text: String,
    name: String,
}

impl Exposition {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        self.name = format!("{name}{suffix}");
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        for unit in ["seconds", "bytes"].into_iter().filter(|unit| name.ends_with(unit)) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.text.push_str(&self.name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let before = if n == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(at: DateTime<Utc>) -> String {
    thousandths(at.timestamp_millis())
}

fn thousandths(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", millis.unsigned_abs() / 1000, millis.unsigned_abs() % 1000)
}
