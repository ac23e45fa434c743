//! The places of the settings, as the commands need them that look at backups and know no database.

use std::path::PathBuf;

use anyhow::Result;
use dbstash_core::catalog::{Among, Backup, Broken, Catalog, LATEST};
use dbstash_core::job::JobId;
use dbstash_core::manifest::SUFFIX;
use dbstash_core::retention::Policy;
use dbstash_core::secret::{ExposeSecret, Redactor};

use crate::app::{App, complain};
use crate::args::{Command, Target};
use crate::entry::{refuse, state_dir, tell, variable};
use crate::exit::Exit;
use crate::places::Destination;
use crate::settings::children::child_environment;
use crate::settings::{Here, JobSettings, Layers, Place, resolve, resolve_places};
use crate::text::shown;

/// All of them.
pub struct Sites {
    /// Each remote once.
    pub sites: Vec<Site>,
    /// What could not be opened, by its name, and why.
    pub closed: Vec<(String, anyhow::Error)>,
    /// Whether only to show what would be done.
    pub dry_run: bool,
    /// The one job that the settings name, whose newest one `latest` is.
    job: Option<JobId>,
}

/// One place.
pub struct Site {
    /// What looks at it.
    pub app: App,
    /// Its name, for people.
    pub root: String,
    /// Where copies are made.
    pub temp_dir: PathBuf,
    /// The jobs that were asked for; `None` for all.
    pub jobs: Option<Vec<JobId>>,
    /// What is kept of those jobs of the settings that go there.
    pub policies: Vec<(JobId, Policy)>,
}

/// Without a job file there is nothing to choose from, but there may be backups of the jobs that are named: the
/// settings without these, and whose backups are meant.
pub fn whose(layers: &Layers) -> (Layers, Option<Vec<JobId>>) {
    let mut layers = layers.clone();
    if variable(&layers, "DBSTASH_CONFIG").is_some() {
        return (layers, None);
    }
    let words = std::mem::take(&mut layers.selection.jobs);
    let ids = words.iter().filter_map(|word| word.parse().ok()).collect();
    (layers, (!words.is_empty()).then_some(ids))
}

/// A backup, and where it is.
pub struct Found<'a> {
    /// There.
    pub site: &'a Site,
    /// With all that is there.
    pub catalog: &'a Catalog,
    /// Itself.
    pub backup: &'a Backup,
}

impl Found<'_> {
    /// What was stored of its database after it, and is no backup any more; or may have been, for nobody can read what
    /// its manifest says.
    pub fn later_ones_that_are_broken(&self) -> impl Iterator<Item = &Broken> {
        let this = &self.backup.manifest;
        self.catalog.broken.iter().filter(|broken| {
            broken.manifest.as_ref().is_none_or(|of| {
                of.job == this.job && of.database == this.database && of.started > this.started
            })
        })
    }
}

impl Sites {
    /// Opens each place; the exit is that of wrong settings. Starts nothing.
    pub fn open(
        layers: &Layers,
        command: &Command,
        redactor: &mut Redactor,
    ) -> Result<Result<Self, Exit>> {
        let (layers, named) = whose(layers);
        let found = match resolve_places(&layers, &Here) {
            Ok(found) => found,
            Err(mistakes) => return Ok(Err(refuse(&mistakes, &layers, command))),
        };
        *redactor = Redactor::new(found.secrets.iter().map(ExposeSecret::expose_secret));
        tell(&found.warnings);
        // Whoever only looks need not know a database; who does is told why backups stay.
        let fleet = resolve(&layers, &Here).ok();
        if let Some(fleet) = &fleet {
            redactor.learn(fleet.process.secrets.iter().map(ExposeSecret::expose_secret));
        }
        let jobs = fleet.as_ref().map(|fleet| &*fleet.jobs).unwrap_or_default();
        let open = |place: &Place| {
            let set = found.state_dir.as_deref();
            let state = state_dir(&layers, set)?;
            let env = child_environment(&layers.environment, &place.remote);
            let destination = Destination::open(&place.remote, env, &state)?;
            let here = |job: &&JobSettings| job.remote.is_as(&place.remote);
            let policy = |one: &JobSettings| (one.job.id.clone(), one.job.retention);
            anyhow::Ok(Site {
                app: App { state, destination, zone: place.zone },
                root: redactor.redact(&place.remote.root).into_owned(),
                temp_dir: place.temp_dir.clone(),
                jobs: place.jobs.clone().or_else(|| named.clone()),
                policies: jobs.iter().filter(here).map(policy).collect(),
            })
        };
        let (mut sites, mut closed) = (Vec::new(), Vec::new());
        for place in &found.places {
            match open(place) {
                Ok(site) => sites.push(site),
                Err(error) => {
                    let root = redactor.redact(&place.remote.root).into_owned();
                    closed.push((root, error));
                }
            }
        }
        // One alone is said as it is.
        if sites.is_empty() && closed.len() == 1 {
            return Err(closed.remove(0).1);
        }
        Ok(Ok(Self {
            sites,
            closed,
            dry_run: found.dry_run,
            job: variable(&layers, "DBSTASH_JOB").and_then(|text| text.parse().ok()),
        }))
    }

    /// What is in each place now.
    pub async fn catalogs(&self) -> Result<Vec<(&Site, Catalog)>> {
        if let Some((root, error)) = self.closed.first() {
            anyhow::bail!("{root}: {error:#}");
        }
        let mut all = Vec::new();
        for site in &self.sites {
            all.push((site, site.app.catalog().await?));
        }
        Ok(all)
    }

    /// The one backup that is meant; where it is none or several, that is said.
    pub fn one<'a>(
        &self,
        catalogs: &'a [(&'a Site, Catalog)],
        target: &Target,
    ) -> Option<Found<'a>> {
        let own = self.job.as_slice();
        let own = (target.id == LATEST && !own.is_empty()).then_some(own);
        let mut found = Vec::new();
        for (site, catalog) in catalogs {
            let jobs = site.jobs.as_deref().or(own);
            let among = Among { jobs, database: target.database.as_deref() };
            let meant = catalog.meant(&target.id, among).into_iter();
            found.extend(meant.map(|backup| Found { site, catalog, backup }));
        }
        if found.len() > 1 {
            let backups: Vec<&Backup> = found.iter().map(|found| found.backup).collect();
            complain(&ambiguous(&target.id, &backups));
            return None;
        }
        if found.is_empty() {
            let id = &target.id;
            let is_it = |broken: &&Broken| {
                let object = broken.manifest_name.strip_suffix(SUFFIX);
                let of = broken.manifest.as_ref().is_some_and(|of| of.id.starts_with(id.as_str()));
                of || object == Some(id.as_str()) || broken.manifest_name == *id
            };
            let broken = catalogs.iter().find_map(|(_, catalog)| catalog.broken.iter().find(is_it));
            let why = match broken {
                Some(Broken { manifest_name, why, .. }) => format!("{manifest_name}: {why}"),
                None => "dbstash list shows their ids, and with --all what is broken".to_owned(),
            };
            complain(&format!("error: {id} is no backup here: {}", shown(&why)));
        }
        found.pop()
    }
}

/// Several candidates are enough to choose among.
const SHOWN: usize = 20;

/// A text that means several.
pub fn ambiguous(id: &str, several: &[&Backup]) -> String {
    let mut text = format!("error: {id} may be any of {} backups:", several.len());
    for backup in several.iter().take(SHOWN) {
        text.push_str("\n  ");
        text.push_str(&named(backup));
    }
    if several.len() > SHOWN {
        text.push_str("\n  ...");
    }
    text.push_str("\nname one by its id, or add --db NAME or --job NAME");
    text
}

/// Enough to know a backup by.
pub fn named(backup: &Backup) -> String {
    let object = backup.objects().next().unwrap_or_default();
    let manifest = &backup.manifest;
    let (id, database) = (shown(&manifest.id), shown(&manifest.database));
    format!("{id} {} (database {database} of job {})", shown(&object), manifest.job)
}
