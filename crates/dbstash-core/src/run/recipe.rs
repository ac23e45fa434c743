//! After a run: how the newest backups of its job are restored without dbstash, told beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Context;
use crate::catalog::Catalog;
use crate::job::Job;
use crate::manifest::{Manifest, name_for};
use crate::recipe::{SUFFIX, Subject, recipe};
use crate::report::{Outcome, Report, RunEvent};

/// It is a convenience: no run waits for it for long.
const LIMIT: Duration = Duration::from_secs(60);

/// Writes it, in the place of the one before. What keeps it from being written is a warning.
pub(super) async fn write(job: &Job, reports: &[Report], cx: Context<'_>) {
    let Some(last) = reports.iter().rev().find(|report| stored(report).is_some()) else { return };
    let work = async {
        let text = text(reports, job, cx).await?;
        let name = format!("{}{SUFFIX}", job.id);
        cx.remote.put(&name, text.as_bytes()).await.map_err(|error| error.to_string())
    };
    let done = tokio::select! {
        biased;
        () = cx.cancel.cancelled() => return,
        done = tokio::time::timeout(LIMIT, work) => done,
    };
    if let Err(why) = done.unwrap_or_else(|_| Err(format!("not done within {LIMIT:?}"))) {
        let text = format!("{}{SUFFIX} was not written: {why}", job.id);
        cx.observer.on(&last.run, RunEvent::Warning(&text));
    }
}

fn stored(report: &Report) -> Option<(&Manifest, &str)> {
    match &report.outcome {
        Outcome::Stored { manifest, object, .. } => Some((manifest, object)),
        _ => None,
    }
}

async fn text(reports: &[Report], job: &Job, cx: Context<'_>) -> Result<String, String> {
    let mut newest: BTreeMap<String, (String, Manifest)> = BTreeMap::new();
    for (manifest, object) in reports.iter().filter_map(stored) {
        newest.insert(manifest.database.clone(), (name_for(object), manifest.clone()));
    }
    // Of those that have no new one, the last one stands.
    if newest.len() < reports.len() {
        let (cache, now) = (cx.state.cache(&cx.remote.label()), cx.clock.now());
        let catalog = Catalog::load(cx.remote, &cache, now).await.map_err(|e| e.to_string())?;
        for backup in catalog.backups.into_iter().filter(|one| one.manifest.job == job.id) {
            let database = backup.manifest.database.clone();
            newest.entry(database).or_insert((backup.manifest_name, *backup.manifest));
        }
    }
    let root = cx.remote.label();
    let one = |(name, manifest): &(String, Manifest)| {
        recipe(Subject::under(name, manifest), cx.engine, &root)
            .unwrap_or_else(|why| format!("# Backup {}: {why}\n", manifest.id))
    };
    let recipes: Vec<String> = newest.values().map(one).collect();
    let mut text = format!(
        "# How the newest backup of each database that the last run of job {} was for\n\
         # is restored without dbstash, with bash, rclone and the database's own tools.\n",
        job.id
    );
    match recipes.as_slice() {
        [one] => text.push_str(one),
        several => {
            // Each by itself: what one sets is not the next one's.
            for one in several {
                text.push_str("(\n");
                text.push_str(one);
                text.push_str(")\n");
            }
        }
    }
    Ok(text)
}
