//! A database file made anew beside its place, and put there by a rename: what is there is whole at any time.

use std::path::{Path, PathBuf};

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::Invocation;
use dbstash_core::job::Source;
use dbstash_core::load::{Load, Script, Stage, Survey, Target, Wish, beside};

/// What SQLite keeps beside a database: applied to another one, it would be damaged.
const BESIDE: [&str; 3] = ["-journal", "-wal", "-shm"];

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    Ok(Survey::File(path(wish)?.to_owned()))
}

pub(super) fn load(wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    let path = path(wish)?;
    let new = beside(path);
    let object = wish.dump()?;
    wish.refuse_parts("sqlite")?;
    let first = match object.format.as_str() {
        "plain" => {
            // An error ends it; nothing of ~/.sqliterc is read. A script that is not proven yet may hold any command of
            // the shell: in safe mode none reaches beyond the file.
            let args = ["-safe", "-batch", "-bail", "-init", "/dev/null"];
            let mut args = args.map(str::to_owned).to_vec();
            args.push(new.to_string_lossy().into_owned());
            Stage::Script(Script::of(0, Invocation::new("sqlite3", args)))
        }
        "file" => Stage::Write { object: 0, to: new.clone() },
        other => {
            return Err(PlanError(format!(
                "a dump of the format {other} is not known to this version"
            )));
        }
    };
    let stale: Vec<PathBuf> = BESIDE.iter().map(|end| with_end(path, end)).collect();
    let mut scraps = vec![new.clone()];
    scraps.extend(BESIDE.iter().map(|end| with_end(&new, end)));
    let notes = if target.exists {
        vec!["stop what uses the file first: it would go on with the old one".to_owned()]
    } else {
        Vec::new()
    };
    let rename = Stage::Rename { from: new, to: path.to_owned(), stale };
    Ok(Load { atomic: true, stages: vec![first, rename], scraps, notes, ..Load::default() })
}

fn path<'a>(wish: &Wish<'a>) -> Result<&'a Path, PlanError> {
    match wish.source {
        Source::File(path) => Ok(path),
        Source::Server(_) => {
            Err(PlanError("sqlite is restored into a file: --to sqlite:///path".to_owned()))
        }
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
