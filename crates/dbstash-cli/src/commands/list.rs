//! `dbstash list`: what can be restored, and apart from it what cannot.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::zone::Zone;
use serde_json::{Value, json};

use crate::text::{age, shown, size, table};

/// Backups as a table, the newest first; then what lies there beside them.
pub fn as_text(catalog: &Catalog, remote: &str, zone: Zone, now: DateTime<Utc>) -> String {
    let mut text = if catalog.backups.is_empty() {
        format!(
            "no backups in {}: nothing has been stored there, or it is another place\n",
            shown(remote)
        )
    } else {
        let rows: Vec<_> = catalog.backups.iter().map(|backup| row(backup, zone, now)).collect();
        let headings = [
            "ID", "OBJECT", "JOB", "DATABASE", "STARTED", "AGE", "SIZE", "CHECKED", "VERIFIED",
            "PINNED",
        ];
        table(headings, &rows)
    };
    for broken in &catalog.broken {
        let _ = writeln!(
            text,
            "not a backup: {}: {}",
            shown(&broken.manifest_name),
            shown(&broken.why)
        );
    }
    if !catalog.others.is_empty() {
        let first: Vec<_> = catalog.others.iter().take(5).map(|name| shown(name)).collect();
        let more = if catalog.others.len() > 5 { ", ..." } else { "" };
        let _ = writeln!(
            text,
            "{} without a manifest, not backups: {}{more}",
            catalog.others.len(),
            first.join(", ")
        );
    }
    text
}

fn row(backup: &Backup, zone: Zone, now: DateTime<Utc>) -> [String; 10] {
    let manifest = &backup.manifest;
    let check = manifest.dump().map_or("", |dump| dump.passed.check.as_str());
    [
        shown(&manifest.id),
        shown(&backup.objects().next().unwrap_or_default()),
        manifest.job.to_string(),
        shown(&manifest.database),
        manifest.started.with_timezone(&zone).format("%F %T %Z").to_string(),
        age(now - manifest.started),
        size(manifest.bytes()),
        shown(check),
        backup.verified().map_or_else(
            || "never".to_owned(),
            |mark| format!("{} {} ago", mark.outcome.as_str(), age(now - mark.at)),
        ),
        if backup.notes.pinned { "pinned".to_owned() } else { String::new() },
    ]
}

/// The same for programs.
pub fn as_json(catalog: &Catalog) -> Value {
    let backups: Vec<Value> = catalog
        .backups
        .iter()
        .map(|backup| {
            let mut value = json!(backup.manifest);
            value["pinned"] = backup.notes.pinned.into();
            value["manifest"] = json!(backup.manifest_name);
            value["paths"] = backup.objects().collect();
            if let Some(mark) = backup.verified() {
                value["verified"] = json!({ "at": mark.at, "result": mark.outcome.as_str() });
            }
            value
        })
        .collect();
    let broken: Vec<Value> = catalog
        .broken
        .iter()
        .map(|broken| json!({ "manifest": broken.manifest_name, "why": broken.why }))
        .collect();
    json!({ "backups": backups, "broken": broken, "without_manifest": catalog.others })
}
