//! What there is to tell, before any platform's form of it.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use dbstash_core::report::{Outcome, Report, RunId};
use dbstash_core::secret::Redactor;
use dbstash_core::verify::{Verdict, Verification};
use serde_json::{Map, Value, json};

use super::words::{line, plain};
use crate::text::{age, size};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A backup failed.
    Failed,
    /// A backup is there.
    Stored,
    /// One is there again, after something else was told.
    Recovered,
    /// So many runs in a row found another one at work.
    Skipped(u32),
    /// A run stands still.
    Stuck,
    /// For a long time there was no good backup.
    Silent,
    /// A backup is not what was stored.
    Corrupt,
    /// So many rounds of verifications in a row left something untested.
    Untested(u32),
    /// The newest is good, after one was found corrupt.
    GoodAgain,
    /// Nothing: somebody tries whether a notice arrives.
    Trial,
}

/// One piece of news about one database. No text in it holds a secret.
#[derive(Debug, Clone)]
pub struct Notice {
    /// What happened.
    pub kind: Kind,
    /// The job.
    pub job: String,
    /// The database's label.
    pub database: String,
    /// The engine, when a run has told.
    pub engine: Option<&'static str>,
    /// The run's id.
    pub backup_id: Option<String>,
    /// The stored object, in words.
    pub object: Option<String>,
    /// Bytes on the remote, and of the dump itself.
    pub bytes: Option<(u64, u64)>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// How many attempts there were.
    pub attempts: Option<u32>,
    /// Why, of one or more lines.
    pub error: Option<String>,
    /// What did not go as it should, and did not stop it.
    pub warnings: Vec<String>,
    /// This machine.
    pub host: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// Something about it, for a line of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// Whether it is somebody's own word, to be shown letter by letter.
    pub(super) verbatim: bool,
}

impl Notice {
    /// Of a run that is over.
    pub(super) fn of_run(kind: Kind, report: &Report, host: &str, time: DateTime<Utc>) -> Self {
        let error = report.outcome.cause().map(|cause| match &report.outcome {
            Outcome::Failed { error, .. } => with_last_words(cause, error.stderr()),
            _ => cause,
        });
        let (object, bytes) = match &report.outcome {
            Outcome::Stored { manifest, object, .. } => {
                (Some(object.clone()), Some((manifest.bytes(), manifest.raw_bytes())))
            }
            _ => (None, None),
        };
        Self {
            kind,
            job: report.run.job.as_str().to_owned(),
            database: report.run.database.clone(),
            engine: Some(report.run.engine.as_str()),
            backup_id: Some(report.run.id.clone()),
            object,
            bytes,
            duration: Some(report.duration),
            attempts: Some(report.attempts),
            error,
            warnings: report.warnings.clone(),
            host: host.to_owned(),
            time,
        }
    }

    /// Of a backup that was verified.
    pub(super) fn of_verification(
        kind: Kind,
        (run, told): (&RunId, &Verification),
        host: &str,
    ) -> Self {
        let past = told.backup.as_ref();
        Self {
            kind,
            job: run.job.as_str().to_owned(),
            database: run.database.clone(),
            engine: Some(run.engine.as_str()),
            backup_id: past.map(|past| past.id.clone()),
            object: past.map(|past| past.object.clone()),
            bytes: past.map(|past| (past.bytes, past.raw_bytes)),
            duration: Some(told.duration),
            attempts: None,
            error: match &told.verdict {
                Verdict::Corrupt(what) | Verdict::Untested(what) => Some(what.clone()),
                Verdict::Good { .. } | Verdict::Restored(_) | Verdict::Gone => None,
            },
            warnings: Vec::new(),
            host: host.to_owned(),
            time: told.at,
        }
    }

    /// The same without any known secret. What a platform cuts is cut later: half a secret is not known as one.
    pub(super) fn redacted(self, redactor: &Redactor) -> Self {
        let clean = |text: String| line(&redactor.redact(&text));
        Self {
            job: clean(self.job),
            database: clean(self.database),
            object: self.object.map(clean),
            error: self.error.map(|text| plain(&redactor.redact(&text))),
            warnings: self.warnings.into_iter().map(clean).collect(),
            host: clean(self.host),
            ..self
        }
    }

    /// One word for it.
    pub fn status(&self) -> &'static str {
        match self.kind {
            Kind::Failed => "failure",
            Kind::Stored => "success",
            Kind::Recovered | Kind::GoodAgain => "recovery",
            Kind::Corrupt => "corrupt",
            Kind::Untested(_) => "untested",
            Kind::Skipped(_) => "skipped",
            Kind::Stuck => "stuck",
            Kind::Silent => "silence",
            Kind::Trial => "test",
        }
    }

    /// Whether it is good news.
    pub fn is_good(&self) -> bool {
        matches!(self.kind, Kind::Stored | Kind::Recovered | Kind::GoodAgain | Kind::Trial)
    }

    /// One line for it.
    pub fn title(&self) -> String {
        let what = match self.kind {
            Kind::Failed => "backup failed".to_owned(),
            Kind::Stored => "backup stored".to_owned(),
            Kind::Recovered => "backup stored again".to_owned(),
            Kind::Skipped(times) => format!("backup skipped {times} times in a row"),
            Kind::Stuck => "backup stands still".to_owned(),
            Kind::Silent => "no backup for too long".to_owned(),
            Kind::Corrupt => "backup is corrupt".to_owned(),
            Kind::Untested(times) => format!("backup not verified {times} times in a row"),
            Kind::GoodAgain => "backup found good again".to_owned(),
            Kind::Trial => "test notice, no backup was made".to_owned(),
        };
        format!("{what}: {} ({})", self.subject(), self.job)
    }

    fn subject(&self) -> &str {
        if self.database == "*" { "all databases" } else { &self.database }
    }

    /// Everything but the error, ten at most; no value is empty.
    pub(super) fn facts(&self) -> Vec<Fact> {
        let mut facts = Vec::new();
        let mut add = |name, value: Option<String>, verbatim| {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                facts.push(Fact { name, value, verbatim });
            }
        };
        add("Database", Some(self.subject().to_owned()), true);
        add("Job", Some(self.job.clone()), true);
        add("Engine", self.engine.map(str::to_owned), false);
        add("Object", self.object.clone(), true);
        add("Size", self.bytes.map(sizes), false);
        add("Duration", self.duration.map(lasted), false);
        let attempts = self.attempts.filter(|&n| n > 1);
        add("Attempts", attempts.map(|n| n.to_string()), false);
        add("Warnings", self.warnings.first().map(|_| self.warnings.len().to_string()), false);
        add("Host", Some(self.host.clone()), true);
        add("Time", Some(self.time.to_rfc3339_opts(SecondsFormat::Secs, true)), false);
        facts
    }

    /// All of it, for programs. What there is none of is left out.
    pub fn json(&self) -> Map<String, Value> {
        let all = json!({
            "status": self.status(),
            "title": self.title(),
            "job": self.job,
            "database": self.database,
            "engine": self.engine,
            "backup_id": self.backup_id,
            "object": self.object,
            "bytes": self.bytes.map(|(bytes, _)| bytes),
            "raw_bytes": self.bytes.map(|(_, raw)| raw),
            "duration": self.duration.map(|d| (d.as_secs_f64() * 1000.0).round() / 1000.0),
            "attempts": self.attempts,
            "error": self.error,
            "warnings": self.warnings,
            "host": self.host,
            "time": self.time.to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        match all {
            Value::Object(map) => map.into_iter().filter(|(_, value)| !value.is_null()).collect(),
            _ => Map::new(),
        }
    }

    /// All of it, for people: lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.title());
        for fact in self.facts() {
            let _ = writeln!(text, "{}: {}", fact.name, fact.value);
        }
        if let Some(error) = &self.error {
            let _ = writeln!(text, "\n{}", error.trim());
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "\nwarning: {warning}");
        }
        text
    }
}

/// The cause and what the tool said of it.
fn with_last_words(cause: String, stderr: &str) -> String {
    let stderr = stderr.trim();
    if stderr.is_empty() || cause.contains(stderr) { cause } else { format!("{cause}\n\n{stderr}") }
}

fn sizes((bytes, raw): (u64, u64)) -> String {
    if bytes == raw { size(bytes) } else { format!("{} ({} raw)", size(bytes), size(raw)) }
}

fn lasted(duration: Duration) -> String {
    match duration.as_secs() {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        _ => age(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)),
    }
}
