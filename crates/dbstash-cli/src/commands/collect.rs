//! `dbstash gc`: what is ours and no backup, the plan first.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Result;
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::garbage::Garbage;
use dbstash_core::remote::Remote as _;
use dbstash_core::secret::Redactor;

use super::site::{Site, Sites};
use crate::app::{complain, confirmed, print};
use crate::exit::Exit;
use crate::text::shown;

/// Shows what would go of each place, asks, deletes. A place that fails stops no other.
pub async fn all(sites: &Sites, yes: bool, redactor: &Redactor) -> Result<Exit> {
    let mut worst = Exit::Done;
    let mut failed = |root: &str, error: &anyhow::Error| {
        complain(&format!("error: {root}: {}", redactor.redact(&format!("{error:#}"))));
        worst = Exit::Failed;
    };
    let mut plans = Vec::new();
    for site in &sites.sites {
        let several = sites.sites.len() > 1;
        match look(site).await {
            Ok(garbage) => {
                print(&as_text(&garbage, &site.app.destination.remote.label(), several))?;
                plans.push((site, garbage));
            }
            Err(error) => failed(&site.root, &error),
        }
    }
    sites.closed.iter().for_each(|(root, error)| failed(root, error));
    let count: usize = plans.iter().map(|(_, garbage)| garbage.len()).sum();
    if sites.dry_run || count == 0 {
        return Ok(worst);
    }
    if !yes && !confirmed(&format!("delete {count} of them?"))? {
        complain("nothing was deleted; --yes deletes without asking");
        return Ok(Exit::Failed);
    }
    let mut gone = 0;
    for (site, seen) in plans.into_iter().filter(|(_, garbage)| !garbage.is_empty()) {
        match collect(site, &seen).await {
            Ok(count) => gone += count,
            Err(error) => failed(&site.root, &error),
        }
    }
    complain(&format!("{gone} deleted"));
    Ok(worst)
}

async fn look(site: &Site) -> Result<Garbage> {
    let app = &site.app;
    let remote = &app.destination.remote;
    let cache = app.state.cache(&remote.label());
    Ok(Garbage::find(remote, &app.state, &cache, SystemClock.now()).await?)
}

/// Only what was seen before, and still is what it was.
async fn collect(site: &Site, seen: &Garbage) -> Result<usize> {
    let mut now = look(site).await?;
    let shown: HashSet<&str> = seen.names().map(|(_, name)| name).collect();
    now.retain(&|name| shown.contains(name));
    Ok(now.delete(&site.app.destination.remote, &site.app.state).await?)
}

fn as_text(garbage: &Garbage, label: &str, several: bool) -> String {
    let mut text = if several { format!("== {}\n", shown(label)) } else { String::new() };
    for (what, name) in garbage.names() {
        let _ = writeln!(text, "{:<24}{}", what.as_str(), shown(name));
    }
    let _ = match garbage.len() {
        0 => writeln!(text, "nothing of dbstash's own is left in {} to collect", shown(label)),
        count => writeln!(text, "{count} to delete"),
    };
    if let Some(why) = &garbage.parts_unknown {
        let _ = writeln!(text, "parts of unfinished uploads were not looked for: {}", shown(why));
    }
    text
}
