//! The list for people.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use chrono::format::StrftimeItems;
use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::job::JobId;
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

fn job<'a>(line: &Line<'a>) -> &'a JobId {
    &line.backup.manifest.job
}

fn table(lines: &[Line<'_>], zone: Zone, now: DateTime<Utc>) -> String {
    let jobs = lines.windows(2).any(|two| job(&two[0]) != job(&two[1]));
    let utc = zone.name() == Zone::UTC.name();
    let mut headings = vec!["ID", "JOB", "DATABASE", "STARTED", "UTC", "AGE", "SIZE", "RAW"];
    headings.extend(["ENGINE", "VERIFIED", "RETENTION"]);
    headings.retain(|&heading| (jobs || heading != "JOB") && (!utc || heading != "UTC"));
    let mut table = Table::new(&headings);
    // Read once, and not for every cell.
    let [local, universal] =
        ["%F %T %Z", "%d %H:%MZ"].map(|form| StrftimeItems::new(form).collect::<Vec<_>>());
    for Line { backup, retention } in lines {
        let manifest = &backup.manifest;
        table.cell(&shown(&manifest.id));
        if jobs {
            table.cell(manifest.job.as_str());
        }
        table.cell(&shown(&manifest.database));
        let started = manifest.started;
        let shown = started.with_timezone(&zone).format_with_items(local.iter());
        table.written(|cell| shown.write_to(cell));
        if !utc {
            let shown = started.format_with_items(universal.iter());
            table.written(|cell| shown.write_to(cell));
        }
        table.cell(&age(now - started));
        table.cell(&size(manifest.bytes()));
        table.cell(&size(manifest.raw_bytes()));
        table.written(|cell| engine(backup, cell));
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
fn engine(backup: &Backup, cell: &mut String) -> fmt::Result {
    let dump = backup.manifest.dump();
    let version = dump.and_then(|dump| dump.passed.server_version.as_deref());
    let version = version.and_then(|version| version.split_whitespace().next());
    cell.write_str(backup.manifest.engine.as_str())?;
    version.map_or(Ok(()), |version| write!(cell, " {}", shown(version)))
}

fn verified(backup: &Backup, now: DateTime<Utc>) -> Cow<'static, str> {
    backup.verified().map_or(Cow::Borrowed("never"), |mark| {
        format!("{} {} ago", mark.outcome.as_str(), age(now - mark.at)).into()
    })
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
