//! The list for programs.

use std::io::{self, BufWriter, Write};

use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::zone::Zone;
use serde_json::{Value, json};

use super::Line;
use crate::text;

/// Writes it to stdout, one backup after the other: all of them at once would be many times as big as what they say.
pub(super) fn write(catalog: &Catalog, lines: &[Line<'_>], zone: Zone) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let done = everything(&mut out, catalog, lines, zone).and_then(|()| out.flush());
    match done {
        // A reader that has seen enough is no failure.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

fn everything(
    out: &mut impl Write,
    catalog: &Catalog,
    lines: &[Line<'_>],
    zone: Zone,
) -> io::Result<()> {
    write!(out, "{{\n  \"backups\": [")?;
    for (n, Line { backup, retention }) in lines.iter().enumerate() {
        let value = text::json(&self::backup(backup, retention.as_deref(), zone));
        let comma = if n == 0 { "" } else { "," };
        write!(out, "{comma}\n    {}", value.trim_end().replace('\n', "\n    "))?;
    }
    let broken: Vec<Value> = catalog
        .broken
        .iter()
        .map(|broken| json!({ "manifest": broken.manifest_name, "why": broken.why }))
        .collect();
    let end = if lines.is_empty() { "" } else { "\n  " };
    writeln!(out, "{end}],")?;
    let rest = [
        ("broken", Value::Array(broken)),
        ("without_manifest", json!(catalog.others)),
        ("stale_temporaries", json!(catalog.stale)),
    ];
    for (n, (name, value)) in rest.iter().enumerate() {
        let comma = if n + 1 == rest.len() { "" } else { "," };
        let value = text::json(value).trim_end().replace('\n', "\n  ");
        writeln!(out, "  \"{name}\": {value}{comma}")?;
    }
    writeln!(out, "}}")
}

/// A backup: its manifest, and what is known beside it.
pub fn backup(backup: &Backup, retention: Option<&str>, zone: Zone) -> Value {
    let mut value = json!(backup.manifest);
    value["pinned"] = backup.notes.pinned.into();
    value["manifest"] = json!(backup.manifest_name);
    value["paths"] = backup.objects().collect();
    value["bytes"] = backup.manifest.bytes().into();
    value["raw_bytes"] = backup.manifest.raw_bytes().into();
    let local = backup.manifest.started.with_timezone(&zone);
    value["started_local"] = local.format("%FT%T%:z").to_string().into();
    value["verified"] = backup
        .verified()
        .map_or(Value::Null, |mark| json!({ "at": mark.at, "result": mark.outcome.as_str() }));
    value["retention"] = json!(retention);
    value
}
