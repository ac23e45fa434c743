//! `dbstash list`: what can be restored, and apart from it what cannot.

mod lines;
mod values;

use std::collections::HashSet;

use anyhow::Result;
use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::JobId;
use dbstash_core::remote::Remote as _;
use dbstash_core::retention::{Policy, Reason, Verdict};
use dbstash_core::secret::Redactor;
use dbstash_core::zone::Zone;

use super::site::{Site, Sites};
use crate::app::{complain, print};
use crate::args::Query;
use crate::exit::Exit;

pub use self::values::backup as as_json;

/// Lists each place. One that fails stops no other.
pub async fn all(sites: &Sites, query: &Query, redactor: &Redactor) -> Result<Exit> {
    let several = sites.sites.len() + sites.closed.len() > 1;
    if query.json && several {
        complain("error: the jobs have several remotes; for JSON, choose with --job NAME");
        return Ok(Exit::Usage);
    }
    let mut worst = Exit::Done;
    let mut failed = |error: &anyhow::Error| {
        complain(&format!("error: {}", redactor.redact(&format!("{error:#}"))));
        worst = Exit::Failed;
    };
    for site in &sites.sites {
        if !several {
            return one(site, query).await;
        }
        print(&format!("== {}\n", site.root))?;
        if let Err(error) = one(site, query).await {
            failed(&error);
        }
    }
    for (root, error) in &sites.closed {
        print(&format!("== {root}\n"))?;
        failed(error);
    }
    Ok(worst)
}

async fn one(site: &Site, query: &Query) -> Result<Exit> {
    let now = SystemClock.now();
    let catalog = site.app.catalog().await?;
    let there = catalog.backups.len();
    // Retention looks at all of them, whichever are asked for.
    let said = judge(&catalog, &site.policies, now);
    let wanted = wanted(&catalog, query, site.jobs.as_deref(), (site.app.zone, now));
    let shown: Vec<Line<'_>> = catalog
        .backups
        .iter()
        .zip(&said)
        .zip(wanted)
        .filter_map(|((backup, retention), wanted)| wanted.then_some(Line { backup, retention }))
        .collect();
    if query.json {
        values::write(&catalog, &shown, site.app.zone)?;
        return Ok(Exit::Done);
    }
    let label = site.app.destination.remote.label();
    print(&lines::text(&catalog, &shown, (&label, there), query.all, (site.app.zone, now)))?;
    // The end of the process is near, and gives it all back at once.
    std::mem::forget(catalog);
    Ok(Exit::Done)
}

/// A backup to be listed, with what retention says, if that is known here.
struct Line<'a> {
    backup: &'a Backup,
    retention: &'a Option<String>,
}

/// What retention says of each backup, where the settings of its job are known.
pub fn judge(
    catalog: &Catalog,
    policies: &[(JobId, Policy)],
    now: DateTime<Utc>,
) -> Vec<Option<String>> {
    let said = catalog.judge(policies, now).into_iter();
    let unlimited = |backup: &Backup| {
        let of = policies.iter().find(|(job, _)| *job == backup.manifest.job);
        of.is_some_and(|(_, policy)| policy.keeps_everything())
    };
    said.zip(&catalog.backups)
        .map(|(verdict, backup)| match verdict? {
            Verdict::Keep(Reason::Newest | Reason::WithinLimits) if unlimited(backup) => {
                Some("keep: no retention is set".to_owned())
            }
            verdict => Some(verdict.to_string()),
        })
        .collect()
}

/// Whether each backup is asked for.
fn wanted(
    catalog: &Catalog,
    query: &Query,
    jobs: Option<&[JobId]>,
    (zone, now): (Zone, DateTime<Utc>),
) -> Vec<bool> {
    let since = query.since.map(|moment| moment.begin(zone, now));
    let until = query.until.map(|moment| moment.end(zone, now));
    let mut newest = HashSet::new();
    let mut asked = |backup: &'_ Backup| {
        let manifest = &backup.manifest;
        jobs.is_none_or(|jobs| jobs.contains(&manifest.job))
            && query.database.as_ref().is_none_or(|database| *database == manifest.database)
            && query.engine.is_none_or(|engine| engine == manifest.engine)
            && since.is_none_or(|since| manifest.started >= since)
            && until.is_none_or(|until| manifest.started <= until)
            && (!query.latest || newest.insert((manifest.job.clone(), manifest.database.clone())))
    };
    catalog.backups.iter().map(&mut asked).collect()
}
