//! A drill: the file is made in a folder of its own, and asked how many rows its tables have.

use std::fmt::Write as _;
use std::path::Path;

use dbstash_core::checkup::Tool;
use dbstash_core::drill::{Census, Drill, Found, Goal, Ground, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{EngineKey, Source};
use dbstash_core::load::Extent;
use dbstash_core::tally::Counts;

/// Tables of SQLite's own, whose rows are not those of the dump.
const OWN: [&str; 2] = ["sqlite_master", "sqlite_schema"];

pub(super) fn drill(ground: &Ground<'_>) -> Result<Drill, PlanError> {
    let Place::Private(dir) = ground.place else {
        return Err(PlanError("DRILL_URI is not for sqlite, whose drills have a file".to_owned()));
    };
    let path = dir.join("drill.db");
    let mut drill = Drill {
        census: Some(Census { question: asked(&path, &question(ground)), read: Box::new(read) }),
        tools: vec![Tool::any("sqlite3", "--version", "sqlite3")],
        ..Drill::new()
    };
    drill.assertions.extend(ground.assertions.iter().map(|query| {
        let path = path.to_string_lossy();
        Invocation::new(
            "sqlite3",
            ["-safe", "-batch", "-readonly", "-bail", "-init", "/dev/null", &path, query],
        )
    }));
    drill.goal = Some(Goal {
        engine: EngineKey::Sqlite,
        source: Source::File(path),
        database: ground.manifest.database.clone(),
        extent: Extent::default(),
    });
    Ok(drill)
}

/// A script of ours instead of ~/.sqliterc. A question that fails leaves the next ones.
fn asked(path: &Path, script: &str) -> Invocation {
    let mut invocation = Invocation::new("sqlite3", ["-batch", "-readonly", "-init"]);
    let content = format!("{script}\n").into();
    invocation.args.push(Arg::File { before: String::new(), content });
    invocation.args.push(Arg::Plain(path.to_string_lossy().into_owned()));
    invocation
}

/// How many rows each table has: those that were counted, or without a number all that are there.
fn question(ground: &Ground<'_>) -> String {
    let mut script = String::new();
    match ground.manifest.dump().map(|dump| &dump.counts) {
        Some(Counts::Of(counts)) => {
            for name in counts.keys() {
                let (value, table) = (name.replace('\'', "''"), name.replace('"', "\"\""));
                let count = if OWN.contains(&name.as_str()) { "'?'" } else { "count(*)" };
                let _ = writeln!(script, "SELECT {count} || ' {value}' FROM \"{table}\" LIMIT 1;");
            }
        }
        _ => script.push_str("SELECT '? ' || name FROM sqlite_master WHERE type = 'table';\n"),
    }
    script.push_str("SELECT '! ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok';\n");
    script
}

fn read(said: &str) -> Result<Found, String> {
    let mut found = Found::new();
    for line in said.lines() {
        match line.split_once(' ') {
            Some(("!", what)) => return Err(format!("what came back is damaged: {what}")),
            Some((count, name)) => {
                found.insert(name.to_owned(), count.parse().ok());
            }
            None => {}
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let found = read("3 orders\n? sqlite_schema\n0 a b\n").unwrap();
        let wanted = [("orders", Some(3)), ("sqlite_schema", None), ("a b", Some(0))];
        assert_eq!(found, wanted.map(|(name, count)| (name.to_owned(), count)).into());
        assert!(read("! row 3 missing from index\n").unwrap_err().contains("row 3"));
    }
}
