//! Local disk: the state directory, and room for dumps that have to be files first.

use std::fs;

use super::{Context, works};
use crate::catalog::Catalog;
use crate::checkup::Finding;
use crate::engine::{self, Dump};
use crate::job::{Database, Job};
use crate::spool::Spool;
use crate::state::{StateDir, StateError};

/// Whether private files and locks can be made.
pub fn state(opened: Result<&StateDir, &StateError>) -> Finding {
    let works = match opened {
        Ok(state) => works(state).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match works {
        Ok(()) => Finding::ok("state", "the state directory takes private files and locks"),
        Err(error) => Finding::failed("state", error),
    }
}

/// Room for a dump of files as large as the last one; `None` for a job that needs none.
pub fn disk(cx: Context<'_>, job: &Job, catalog: Option<&Catalog>) -> Option<Finding> {
    let first = job.subjects().and_then(|all| all.into_iter().next());
    let first = first.unwrap_or_else(|| Database::One(String::new()));
    let plan = engine::plan(cx.engine, job, &first).ok()?;
    if !matches!(plan.dump, Dump::Tree(_)) {
        return None;
    }
    let backups = catalog.map(|catalog| &*catalog.backups).unwrap_or_default();
    let ours = backups.iter().filter(|backup| backup.manifest.job == job.id);
    let needed = ours.take(1).map(|backup| backup.manifest.raw_bytes()).max();
    let there = job.temp_dir.exists();
    let made = Spool::make(&job.temp_dir, &super::run(cx.clock), needed.unwrap_or(0)).map(drop);
    let usable = made.is_ok();
    let finding = match made {
        Ok(()) => {
            let shown = job.temp_dir.display();
            let enough = match needed {
                Some(bytes) => format!("has room for the {bytes} bytes of the last backup"),
                None => "can be written; how much a backup needs is not known yet".to_owned(),
            };
            Finding::ok("disk", format!("{shown} {enough}"))
        }
        Err(error) => Finding::failed("disk", error.to_string()),
    };
    if usable && !there {
        // Only what was made here, and is empty.
        let _ = fs::remove_dir(&job.temp_dir);
    }
    Some(finding)
}
