//! `dbstash show`: everything about one backup, and how to restore it.

use std::fmt::Write as _;

use anyhow::Result;
use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog, whole};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::manifest::{self, Object};
use dbstash_core::recipe::{Subject, recipe};
use dbstash_core::remote::{Remote, RemoteError};
use dbstash_core::tally::Counts;
use dbstash_core::verify::Record;
use dbstash_core::zone::Zone;
use serde_json::{Value, json};

use super::list::{as_json, judge};
use super::site::{Found, Site, Sites};
use crate::app::{complain, print};
use crate::args::Target;
use crate::exit::Exit;
use crate::text::{age, json as json_text, shown, size};

/// Shows the one that is meant.
pub async fn one(sites: &Sites, target: &Target, json: bool) -> Result<Exit> {
    let now = SystemClock.now();
    let catalogs = sites.catalogs().await?;
    let Some(Found { site, catalog, backup }) = sites.one(&catalogs, target) else {
        return Ok(Exit::Failed);
    };
    let retention = retention(site, catalog, backup, now);
    let record = record(backup, &site.app.destination.remote).await.unwrap_or_else(|error| {
        complain(&format!("warning: the result of its verification cannot be read: {error}"));
        None
    });
    let counts = counts(backup, &site.app.destination.remote).await.unwrap_or_else(|error| {
        complain(&format!("warning: what was counted cannot be read: {error}"));
        Vec::new()
    });
    let subject = Subject::under(&backup.manifest_name, &backup.manifest);
    let engine = dbstash_engines::engine(backup.manifest.engine);
    let by_hand = recipe(subject, engine, &site.app.destination.remote.label());
    let text = if json {
        let mut value = as_json(backup, retention.as_deref(), site.app.zone);
        for (object, counts) in counts.iter().enumerate() {
            if let (Some(object), Value::Object(counts)) =
                (value["objects"][object].as_object_mut(), json!(counts))
            {
                object.extend(counts);
            }
        }
        value["verification"] = json!(record);
        value["restore"] = json!(by_hand.ok());
        json_text(&value)
    } else {
        let told = Told { backup, retention, record, counts };
        told.text(site.app.zone, now)
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn retention(
    site: &Site,
    catalog: &Catalog,
    backup: &Backup,
    now: DateTime<Utc>,
) -> Option<String> {
    let manifest = &backup.manifest;
    let kin = catalog.backups.iter().filter(|other| {
        other.manifest.job == manifest.job && other.manifest.database == manifest.database
    });
    let kin = Catalog { backups: kin.cloned().collect(), ..Catalog::default() };
    let said = judge(&kin, &site.policies, now);
    let at = kin.backups.iter().position(|one| one.manifest_name == backup.manifest_name)?;
    said.into_iter().nth(at).flatten()
}

/// What was counted of each object, which a list does not know.
async fn counts(backup: &Backup, remote: &dyn Remote) -> Result<Vec<Counts>, RemoteError> {
    let manifest = whole(remote, &backup.manifest_name).await?;
    let objects = manifest.into_iter().flat_map(|manifest| manifest.objects);
    Ok(objects.map(|object| object.counts).collect())
}

/// No result of ours is bigger.
const LONGEST: usize = 1024 * 1024;

/// What was found out last, in words.
async fn record(backup: &Backup, remote: &dyn Remote) -> Result<Option<Record>, RemoteError> {
    let Some(mark) = backup.verified() else { return Ok(None) };
    let object = backup.manifest_name.strip_suffix(manifest::SUFFIX).unwrap_or_default();
    let mut download = remote.read(&mark.name_for(object)).await?;
    let (mut text, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
    let failed = |why: String| RemoteError::new(why);
    loop {
        match download.read(&mut piece).await.map_err(|e| failed(e.to_string()))? {
            0 => break,
            n => text.extend_from_slice(&piece[..n]),
        }
        if text.len() > LONGEST {
            return Err(failed("it is too big to be one".to_owned()));
        }
    }
    serde_json::from_slice(&text).map(Some).map_err(|e| failed(format!("it is none: {e}")))
}

/// All there is to say.
struct Told<'a> {
    backup: &'a Backup,
    retention: Option<String>,
    record: Option<Record>,
    /// Of each object.
    counts: Vec<Counts>,
}

impl Told<'_> {
    fn text(&self, zone: Zone, now: DateTime<Utc>) -> String {
        let manifest = &self.backup.manifest;
        let local = |at: DateTime<Utc>| {
            let there = at.with_timezone(&zone).format("%F %T %Z");
            let utc = at.format("%FT%TZ");
            if zone.name() == Zone::UTC.name() {
                there.to_string()
            } else {
                format!("{there} ({utc})")
            }
        };
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            if !value.is_empty() {
                let _ = writeln!(text, "{name:<14}{}", shown(value));
            }
        };
        line("id", &manifest.id);
        line("job", manifest.job.as_str());
        line("database", &manifest.database);
        line("engine", manifest.engine.as_str());
        line("mode", &manifest.mode);
        line(
            "started",
            &format!("{}, {} ago", local(manifest.started), age(now - manifest.started)),
        );
        line("ended", &local(manifest.ended));
        line("stored", &bytes(manifest.bytes()));
        line("raw", &bytes(manifest.raw_bytes()));
        line("made on", &manifest.host);
        line("made by", &format!("dbstash {}", manifest.dbstash));
        line("manifest", &self.backup.manifest_name);
        line("verified", &self.verified(&local));
        line("pinned", if self.backup.notes.pinned { "yes" } else { "no" });
        let unknown = "unknown here: the settings do not name this job";
        line("retention", self.retention.as_deref().unwrap_or(unknown));
        let mut counts = self.counts.iter();
        for (object, name) in manifest.objects.iter().zip(self.backup.objects()) {
            text.push('\n');
            object_lines(&mut text, object, &name);
            count_lines(&mut text, counts.next().unwrap_or(&Counts::Untold));
        }
        let id = &manifest.id;
        let _ = writeln!(text, "\nrestore       dbstash restore {id}");
        let _ = writeln!(text, "without it    dbstash restore {id} --print-command");
        text
    }

    fn verified(&self, local: &dyn Fn(DateTime<Utc>) -> String) -> String {
        let Some(mark) = self.backup.verified() else { return "never".to_owned() };
        let mut text = format!("{}, {}", mark.outcome.as_str(), local(mark.at));
        if let Some(Record { host, dbstash, corrupt, .. }) = &self.record {
            let _ = write!(text, ", on {host} by dbstash {dbstash}");
            if let Some(what) = corrupt {
                let _ = write!(text, ": {what}");
            }
        }
        text
    }
}

fn object_lines(text: &mut String, object: &Object, name: &str) {
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "{name:<14}{}", shown(value));
        }
    };
    let passed = &object.passed;
    line("object", name);
    line("  format", &object.format);
    line("  encodings", &object.encodings.join(", "));
    line("  files", &object.files.map(|files| files.to_string()).unwrap_or_default());
    line("  stored", &bytes(object.bytes));
    line("  raw", &bytes(object.raw_bytes));
    line("  sha256", &object.sha256);
    line("  check", &passed.check);
    line("  less checked", passed.degraded.as_deref().unwrap_or_default());
    line("  server", passed.server_version.as_deref().unwrap_or_default());
    line("  tool", passed.tool_version.as_deref().unwrap_or_default());
}

fn count_lines(text: &mut String, counts: &Counts) {
    let total = counts.total().map(|total| format!("{total} in all"));
    let (said, counts) = match counts {
        Counts::Untold => return,
        Counts::Of(counts) => (total.unwrap_or_default(), Some(counts)),
        Counts::Without { why, .. } => {
            let total = total.map(|total| format!("{total}, ")).unwrap_or_default();
            (format!("{total}nothing by name: {why}"), None)
        }
    };
    let _ = writeln!(text, "{:<14}{}", "  counts", shown(&said));
    for (name, count) in counts.into_iter().flatten() {
        let _ = writeln!(text, "{:<14}{count:>12}  {}", "", shown(name));
    }
}

/// `1.5 KiB (1536 bytes)`.
fn bytes(count: u64) -> String {
    if count < 1024 { size(count) } else { format!("{} ({count} bytes)", size(count)) }
}
