//! `dbstash rm`: backups that people want gone, the plan first.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use anyhow::Result;
use chrono::{DateTime, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::JobId;
use dbstash_core::prune::Deletion;
use dbstash_core::state::LockError;
use dbstash_core::verify::Outcome;

use super::site::{Site, Sites, named};
use crate::app::{complain, confirmed, print};
use crate::args::Target;
use crate::exit::Exit;
use crate::settings::{Here, Machine as _};
use crate::text::{age, shown, size, table};

/// What is asked for.
pub struct Removal<'a> {
    /// The backups, as people name them.
    pub ids: &'a [String],
    /// Only among those of this database.
    pub database: Option<&'a str>,
    /// Without asking.
    pub yes: bool,
    /// Even the last good one of a database.
    pub even_last: bool,
}

impl Removal<'_> {
    /// Shows what would go, asks, deletes. All or nothing is begun.
    pub async fn carry_out(&self, sites: &Sites) -> Result<Exit> {
        let now = SystemClock.now();
        let catalogs = sites.catalogs().await?;
        let mut going: BTreeMap<usize, Vec<Backup>> = BTreeMap::new();
        for id in self.ids {
            let target = Target { id: id.clone(), database: self.database.map(str::to_owned) };
            let Some(found) = sites.one(&catalogs, &target) else { return Ok(Exit::Failed) };
            let place = sites.sites.iter().position(|site| std::ptr::eq(site, found.site));
            let going = going.entry(place.unwrap_or_default()).or_default();
            if going.iter().all(|known| known.manifest_name != found.backup.manifest_name) {
                going.push(found.backup.clone());
            }
        }
        let refused: Vec<String> = going
            .iter()
            .flat_map(|(&place, going)| self.refusals(&catalogs[place].1, going))
            .collect();
        let all: Vec<&Backup> = going.values().flatten().collect();
        print(&as_text(&all, now))?;
        if !refused.is_empty() {
            for why in &refused {
                complain(&format!("error: {why}"));
            }
            complain("nothing was deleted");
            return Ok(Exit::Failed);
        }
        if sites.dry_run {
            return Ok(Exit::Done);
        }
        if !self.yes && !confirmed(&format!("delete {} backups?", all.len()))? {
            complain("nothing was deleted; --yes deletes without asking");
            return Ok(Exit::Failed);
        }
        let mut done = Exit::Done;
        for (place, going) in &going {
            match self.delete(&sites.sites[*place], going).await? {
                Exit::Done => {}
                other => done = other,
            }
        }
        Ok(done)
    }

    /// Why some of these may not go.
    fn refusals(&self, catalog: &Catalog, going: &[Backup]) -> Vec<String> {
        let pinned = going
            .iter()
            .filter(|backup| backup.notes.pinned)
            .map(|backup| format!("{} is pinned: dbstash unpin it first", named(backup)));
        let mut refused: Vec<String> = pinned.collect();
        let names: HashSet<&str> = going.iter().map(|b| &*b.manifest_name).collect();
        let subjects: BTreeSet<_> = going.iter().filter(|b| is_good(b)).map(subject).collect();
        for (job, database) in subjects.into_iter().filter(|_| !self.even_last) {
            let stays = |b: &&Backup| {
                subject(b) == (job, database) && is_good(b) && !names.contains(&*b.manifest_name)
            };
            if !catalog.backups.iter().any(|backup| stays(&backup)) {
                refused.push(format!(
                    "no good backup of database {} of job {job} would be left: --even-last deletes it all the same",
                    shown(database)
                ));
            }
        }
        refused
    }

    /// Under the locks of their jobs and databases, after another look.
    async fn delete(&self, site: &Site, going: &[Backup]) -> Result<Exit> {
        let (now, host) = (SystemClock.now(), Here.host_name());
        let app = &site.app;
        let mut held = Vec::new();
        for (job, database) in going.iter().map(subject).collect::<BTreeSet<_>>() {
            match app.state.lock(job, database, &host, now) {
                Ok(lock) => held.push(lock),
                Err(refused @ LockError::Held(_)) => {
                    complain(&refused.to_string());
                    return Ok(Exit::Skipped);
                }
                Err(error) => return Err(error.into()),
            }
        }
        // While somebody thought it over, others may have pinned, made or deleted some.
        let catalog = app.catalog().await?;
        let same = |old: &Backup| {
            let now = catalog.backups.iter().find(|b| b.manifest_name == old.manifest_name);
            now.filter(|now| now.manifest == old.manifest)
        };
        let again: Option<Vec<Backup>> = going.iter().map(|old| same(old).cloned()).collect();
        let Some(again) = again.filter(|again| self.refusals(&catalog, again).is_empty()) else {
            complain("nothing was deleted: something has changed meanwhile; look at it again");
            return Ok(Exit::Failed);
        };
        let (mut gone, mut read, mut trouble) = (0, 0, None);
        for job in again.iter().map(|b| &b.manifest.job).collect::<BTreeSet<&JobId>>() {
            let of_job = again.iter().filter(|b| b.manifest.job == *job);
            let deletion = Deletion::new(&catalog, job, of_job);
            let pruned = deletion.carry_out(&app.destination.remote, &app.state, now).await?;
            gone += pruned.gone;
            read += pruned.read;
            trouble = trouble.or(pruned.error);
        }
        complain(&format!("{gone} backups deleted"));
        match trouble {
            Some(error) => Err(error.into()),
            None if read > 0 => {
                complain(&format!("{read} are just being verified and stay: try again later"));
                Ok(Exit::Skipped)
            }
            None => Ok(Exit::Done),
        }
    }
}

/// As far as anybody knows.
fn is_good(backup: &Backup) -> bool {
    backup.verified().is_none_or(|mark| mark.outcome != Outcome::Corrupt)
}

fn subject(backup: &Backup) -> (&JobId, &str) {
    (&backup.manifest.job, &backup.manifest.database)
}

fn as_text(going: &[&Backup], now: DateTime<Utc>) -> String {
    let rows: Vec<_> = going
        .iter()
        .map(|backup| {
            let manifest = &backup.manifest;
            [
                shown(&manifest.id).into_owned(),
                manifest.job.to_string(),
                shown(&manifest.database).into_owned(),
                age(now - manifest.started),
                size(manifest.bytes()),
                shown(&backup.objects().next().unwrap_or_default()).into_owned(),
            ]
        })
        .collect();
    let mut text = table(["ID", "JOB", "DATABASE", "AGE", "SIZE", "OBJECT"], &rows);
    let bytes = going.iter().map(|b| b.manifest.bytes()).fold(0, u64::saturating_add);
    let _ = writeln!(text, "{} to delete, {}", rows.len(), size(bytes));
    text
}
