//! A snapshot as OpenMetrics.
//!
//! Written here because the official crate does not escape label values, and a database may have any name.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use dbstash_core::error::PHASES;
use dbstash_core::status::{DatabaseStatus, JobStatus, Snapshot, State};

/// What a scraper is told it gets.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of all jobs. Counters begin at 0 with the process; the last success is read from the manifests.
pub fn text(snapshot: &Snapshot) -> String {
    let mut out = Exposition::default();
    out.family("dbstash_build", "info", "The version of dbstash.");
    out.sample("_info", &[("version", &snapshot.version)], 1);
    out.family("dbstash_start_timestamp_seconds", "gauge", "When the process began.");
    out.sample("", &[], seconds(snapshot.since));
    out.jobs(
        snapshot,
        "dbstash_next_run_timestamp_seconds",
        "gauge",
        "When the next run of a job starts.",
        |job| vec![("", job.next_run.map(seconds))],
    );
    out.jobs(
        snapshot,
        "dbstash_missed",
        "counter",
        "Runs that were due while one of the job was at work.",
        |job| vec![("_total", Some(job.missed.to_string()))],
    );
    for (name, help, value) in GAUGES {
        out.databases(snapshot, name, "gauge", help, |_, status| vec![("", value(status))]);
    }
    for (kind, name, help) in [
        (State::Overdue, "dbstash_overdue", "1 when a backup was due and is not there."),
        (State::Stuck, "dbstash_stuck", "1 when a run stands still."),
    ] {
        out.databases(snapshot, name, "gauge", help, |job, status| {
            let is = |p: &_| problem_of(p, kind, &status.database);
            vec![("", Some(u8::from(job.problems.iter().any(is)).to_string()))]
        });
    }
    for (name, help, value) in COUNTERS {
        out.databases(snapshot, name, "counter", help, |_, status| {
            vec![("_total", Some(value(status).to_string()))]
        });
    }
    out.family(
        "dbstash_failures",
        "counter",
        "Runs that left no backup, by the phase that failed.",
    );
    for (job, status) in each(snapshot) {
        for phase in PHASES {
            let labels = labels(job, status);
            let count = status.tally.failures.get(phase).copied().unwrap_or(0);
            out.sample("_total", &[labels[0], labels[1], labels[2], ("phase", phase)], count);
        }
    }
    out.text.push_str("# EOF\n");
    out.text
}

type Gauge = (&'static str, &'static str, fn(&DatabaseStatus) -> Option<String>);

const GAUGES: [Gauge; 6] = [
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

fn problem_of(problem: &dbstash_core::status::Problem, kind: State, database: &str) -> bool {
    problem.kind == kind && problem.database == database
}

fn each(snapshot: &Snapshot) -> impl Iterator<Item = (&JobStatus, &DatabaseStatus)> {
    snapshot.jobs.iter().flat_map(|job| job.databases.iter().map(move |status| (job, status)))
}

fn labels<'a>(job: &'a JobStatus, status: &'a DatabaseStatus) -> [(&'static str, &'a str); 3] {
    [("job", job.job.as_str()), ("engine", job.engine.as_str()), ("database", &status.database)]
}

/// Samples that a job or database has: what they add to the family's name, and their values.
type Samples = Vec<(&'static str, Option<String>)>;

#[derive(Default)]
struct Exposition {
    text: String,
    name: &'static str,
}

impl Exposition {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        for unit in ["seconds", "bytes"].into_iter().filter(|unit| name.ends_with(unit)) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name} {help}");
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let _ = write!(self.text, "{}{suffix}", self.name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let _ = write!(
                self.text,
                "{}{label}=\"{}\"",
                if n == 0 { '{' } else { ',' },
                escaped(text)
            );
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    fn jobs(
        &mut self,
        snapshot: &Snapshot,
        name: &'static str,
        kind: &str,
        help: &str,
        samples: impl Fn(&JobStatus) -> Samples,
    ) {
        self.family(name, kind, help);
        for job in &snapshot.jobs {
            let labels = [("job", job.job.as_str()), ("engine", job.engine.as_str())];
            for (suffix, value) in samples(job) {
                value.into_iter().for_each(|value| self.sample(suffix, &labels, value));
            }
        }
    }

    fn databases(
        &mut self,
        snapshot: &Snapshot,
        name: &'static str,
        kind: &str,
        help: &str,
        samples: impl Fn(&JobStatus, &DatabaseStatus) -> Samples,
    ) {
        self.family(name, kind, help);
        for (job, status) in each(snapshot) {
            for (suffix, value) in samples(job, status) {
                value
                    .into_iter()
                    .for_each(|value| self.sample(suffix, &labels(job, status), value));
            }
        }
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
