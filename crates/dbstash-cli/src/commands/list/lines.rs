//! The list for people.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::zone::Zone;

use super::Line;
use crate::table::Table;
use crate::text::{age, shown, size};

/// Backups as a table, the newest first; then what lies there beside them, by name where `all` is asked for.
pub(super) fn text(
    catalog: &Catalog,
    lines: &[Line<'_>],
    (remote, there): (&str, usize),
    all: bool,
    (zone, now): (Zone, DateTime<Utc>),
) -> String {
    let mut text = match (lines.is_empty(), there) {
        (true, 0) => format!(
            "no backups in {}: nothing has been stored there, or it is another place\n",
            shown(remote)
        ),
        (true, _) => format!("none of the {there} backups in {} is meant\n", shown(remote)),
        _ => table(lines, zone, now),
    };
    if all {
        everything(catalog, &mut text);
    } else {
        briefly(catalog, &mut text);
    }
    text
}

fn table(lines: &[Line<'_>], zone: Zone, now: DateTime<Utc>) -> String {
    let job = |line: &Line<'_>| line.backup.manifest.job.clone();
    let jobs = lines.windows(2).any(|two| job(&two[0]) != job(&two[1]));
    let utc = zone.name() == Zone::UTC.name();
    let mut headings = vec!["ID", "JOB", "DATABASE", "STARTED", "UTC", "AGE", "SIZE", "RAW"];
    headings.extend(["ENGINE", "VERIFIED", "RETENTION"]);
    headings.retain(|&heading| (jobs || heading != "JOB") && (!utc || heading != "UTC"));
    let mut table = Table::new(&headings);
    for Line { backup, retention } in lines {
        let manifest = &backup.manifest;
        table.cell(&shown(&manifest.id));
        if jobs {
            table.cell(manifest.job.as_str());
        }
        table.cell(&shown(&manifest.database));
        table.cell(&manifest.started.with_timezone(&zone).format("%F %T %Z").to_string());
        if !utc {
            table.cell(&manifest.started.format("%d %H:%MZ").to_string());
        }
        table.cell(&age(now - manifest.started));
        table.cell(&size(manifest.bytes()));
        table.cell(&size(manifest.raw_bytes()));
        table.cell(&engine(backup));
        table.cell(&verified(backup, now));
        table.cell(match retention {
            Some(verdict) => verdict,
            None if backup.notes.pinned => "pinned",
            None => "",
        });
    }
    table.text()
}

/// `pg 16.3`: of the server's words for its version, the first.
fn engine(backup: &Backup) -> String {
    let dump = backup.manifest.dump();
    let version = dump.and_then(|dump| dump.passed.server_version.as_deref());
    let version = version.and_then(|version| version.split_whitespace().next());
    let key = backup.manifest.engine.as_str();
    version.map_or_else(|| key.to_owned(), |version| format!("{key} {}", shown(version)))
}

fn verified(backup: &Backup, now: DateTime<Utc>) -> String {
    backup.verified().map_or_else(
        || "never".to_owned(),
        |mark| format!("{} {} ago", mark.outcome.as_str(), age(now - mark.at)),
    )
}

/// That there is something else, in a line for each kind.
fn briefly(catalog: &Catalog, text: &mut String) {
    let kinds = [
        (catalog.broken.len(), "manifests that vouch for nothing"),
        (catalog.others.len(), "files without a manifest"),
        (catalog.stale.len(), "temporaries of runs that are long over"),
    ];
    let told: Vec<String> = kinds
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if !told.is_empty() {
        let _ = writeln!(text, "not backups: {} (--all names them)", told.join(", "));
    }
}

fn everything(catalog: &Catalog, text: &mut String) {
    for broken in &catalog.broken {
        let (name, why) = (shown(&broken.manifest_name), shown(&broken.why));
        let _ = writeln!(text, "not a backup: {name}: {why}");
    }
    for name in &catalog.others {
        let _ = writeln!(text, "without a manifest: {}", shown(name));
    }
    for name in &catalog.stale {
        let _ = writeln!(text, "a temporary of a run that is long over: {}", shown(name));
    }
}
