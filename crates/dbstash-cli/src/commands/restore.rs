//! `dbstash restore`: the plan first, and then the target.

mod audit;
mod plan;
mod progress;
mod target;

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use dbstash_core::catalog::{Broken, LATEST};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::drill::Trial;
use dbstash_core::job::{EngineKey, Source};
use dbstash_core::launch::Local;
use dbstash_core::load::{Extent, Load, OnExisting, Target as There, Wish};
use dbstash_core::recipe::{Subject, recipe};
use dbstash_core::remote::Remote as _;
use dbstash_core::restore::{RestoreError, Scene, named_by};
use dbstash_core::secret::Redactor;
use dbstash_core::spool::Spool;
use dbstash_core::state::LockError;
use dbstash_core::store::Progress;
use dbstash_core::verify::Context;

use self::audit::Audit;
use self::plan::{look, plan};
use self::progress::Bar;
use self::target::Goal;
use super::site::{Found, Sites, named, whose};
use crate::app::{complain, confirmed, print};
use crate::args::{Command, Restoration, Target};
use crate::entry::block_on;
use crate::exit::Exit;
use crate::settings::children::tool_environment;
use crate::settings::{Here, Layers, Machine as _};
use crate::signals::Signals;
use crate::text::{age, shown};

/// Restores the one that is meant.
pub fn one(
    layers: &Layers,
    command: &Command,
    wanted: &Restoration,
    meant: &Target,
    redactor: &mut Redactor,
) -> Result<Exit> {
    let sites = match Sites::open(layers, command, redactor)? {
        Ok(sites) => sites,
        Err(exit) => return Ok(exit),
    };
    // Whose backup it is says nothing of the target.
    let layers = &whose(layers).0;
    block_on(async {
        let mut catalogs = sites.catalogs().await?;
        if let Some(moment) = wanted.at {
            for (site, catalog) in &mut catalogs {
                let until = moment.end(site.app.zone, SystemClock.now());
                catalog.backups.retain(|backup| backup.manifest.started <= until);
                catalog.broken.retain(|broken| {
                    broken.manifest.as_ref().is_some_and(|of| of.started <= until)
                });
            }
        }
        let id = if meant.id.is_empty() { LATEST } else { &meant.id };
        let meant = Target { id: id.to_owned(), database: meant.database.clone() };
        let Some(found) = sites.one(&catalogs, &meant) else { return Ok(Exit::Failed) };
        if meant.id == LATEST {
            for Broken { manifest_name, why, manifest, .. } in found.later_ones_that_are_broken() {
                let told = match manifest {
                    Some(_) => "this is not the latest that was stored",
                    None => "this may not be the latest that was stored",
                };
                complain(&format!("warning: {told}: {}: {}", shown(manifest_name), shown(why)));
            }
        }
        if wanted.print_command && wanted.extent != Extent::default() {
            complain(
                "error: --print-command shows how all of a backup is restored: leave out what asks for a part",
            );
            return Ok(Exit::Usage);
        }
        if wanted.print_command && wanted.to.is_none() && wanted.to_file.is_none() {
            return by_hand(&found, None);
        }
        let goal = match Goal::find(layers, command, wanted, found.backup, redactor) {
            Ok(goal) => goal,
            Err(exit) => return Ok(exit),
        };
        if wanted.print_command {
            return by_hand(&found, Some((&goal.source, &goal.database)));
        }
        Attempt { layers, wanted, found, goal, redactor, dry: sites.dry_run }.carry_out().await
    })
}

/// Prints how it is done without dbstash: the target's password is never in it.
fn by_hand(found: &Found<'_>, goal: Option<(&Source, &str)>) -> Result<Exit> {
    let Found { site, backup, .. } = found;
    let subject = Subject { goal, ..Subject::under(&backup.manifest_name, &backup.manifest) };
    let engine = dbstash_engines::engine(backup.manifest.engine);
    match recipe(subject, engine, &site.app.destination.remote.label()) {
        Ok(text) => {
            print(&text)?;
            Ok(Exit::Done)
        }
        Err(why) => {
            complain(&format!("error: {why}"));
            Ok(Exit::Failed)
        }
    }
}

/// One backup on its way to one target.
struct Attempt<'a> {
    layers: &'a Layers,
    wanted: &'a Restoration,
    found: Found<'a>,
    goal: Goal,
    redactor: &'a Redactor,
    dry: bool,
}

impl Attempt<'_> {
    async fn carry_out(&self) -> Result<Exit> {
        let Found { site, backup, .. } = &self.found;
        let engine = dbstash_engines::engine(backup.manifest.engine);
        let environment =
            tool_environment(&self.layers.environment, std::env::current_exe().ok().as_deref());
        let now = SystemClock.now();
        let random = uuid::Uuid::new_v4().simple().to_string();
        let run = format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8]);
        let cx = Context {
            remote: &site.app.destination.remote,
            engine,
            launcher: &Local { environment },
            state: &site.app.state,
            trial: &Trial::default(),
            temp_dir: &site.temp_dir,
            run: &run,
            progress: &Progress::default(),
        };
        let wish = Wish {
            manifest: &backup.manifest,
            engine: self.goal.engine,
            source: &self.goal.source,
            database: &self.goal.database,
            extent: &self.wanted.extent,
            clean: self.wanted.clean,
            jobs: self.wanted.jobs,
        };
        if self.goal.engine != backup.manifest.engine && !engine.is_kin(self.goal.engine) {
            let (of, to) = (backup.manifest.engine, self.goal.engine);
            complain(&format!(
                "error: the backup is of {of}, and the target is {to}: name a target of {of} by --to"
            ));
            return Ok(Exit::Failed);
        }
        if let Some(what) = self.misplaced() {
            complain(&format!("error: {what}"));
            return Ok(Exit::Usage);
        }
        // Before the target is looked at: it stays as it is seen, as far as we have a say in it.
        let into = self.goal.named(&backup.manifest.database);
        let alone = (!self.dry).then(|| site.app.state.claim("restore", &self.goal.place()));
        let _alone = match alone.transpose()? {
            Some(None) => {
                let into = self.redactor.redact(&into);
                complain(&format!("error: another restore into {into} is at work"));
                return Ok(Exit::Skipped);
            }
            alone => alone,
        };
        let planned = plan(engine, &wish, cx).await;
        let (there, load) = match planned {
            Ok(planned) => planned,
            Err(error) => return Ok(self.failed(&error)),
        };
        print(&self.redactor.redact(&self.text(&wish, &there, &load)))?;
        if let Some(why) = self.refusal(&there) {
            complain(&format!("error: {}", self.redactor.redact(&why)));
            return Ok(Exit::Failed);
        }
        if self.dry {
            return Ok(Exit::Done);
        }
        let question = format!("restore into {}?", self.redactor.redact(&into));
        if !self.wanted.yes && !confirmed(&question)? {
            complain("nothing was restored; --yes restores without asking");
            return Ok(Exit::Failed);
        }
        // Whoever is asked may take a while to answer.
        if !self.wanted.yes && there.is_empty() {
            let why = match look(engine, &wish, cx).await {
                Ok(now) => self.refusal(&now),
                Err(error) => return Ok(self.failed(&error)),
            };
            if let Some(why) = why {
                complain(&format!("error: meanwhile, {}", self.redactor.redact(&why)));
                return Ok(Exit::Failed);
            }
        }
        let _held = match self.lock() {
            Ok(held) => held,
            Err(refused @ LockError::Held(_)) => {
                complain(&refused.to_string());
                return Ok(Exit::Skipped);
            }
            Err(error) => return Err(error.into()),
        };
        self.restore(load, cx).await
    }

    /// A flag that means nothing to what is restored: left out, it would not do what it says.
    fn misplaced(&self) -> Option<String> {
        let (extent, manifest) = (&self.wanted.extent, &self.found.backup.manifest);
        if extent.bare && manifest.engine == EngineKey::Pg && manifest.database == "*" {
            return Some("--no-owner: a dump of a whole server brings its roles".to_owned());
        }
        let flags = [
            ("--globals", extent.globals, EngineKey::Pg),
            ("--no-owner", extent.bare, EngineKey::Pg),
            ("--on-existing", extent.on_existing.is_some(), EngineKey::Redis),
        ];
        let (flag, _, of) =
            flags.into_iter().find(|(_, asked, of)| *asked && *of != manifest.engine)?;
        Some(format!("{flag} is for backups of {of}, and this one is of {}", manifest.engine))
    }

    /// Why nothing is written to this target.
    fn refusal(&self, there: &There) -> Option<String> {
        let existing = self.wanted.extent.on_existing;
        // What is there stays, or is replaced key by key.
        let is_same = there.mark.as_ref() == Some(&self.found.backup.manifest.id);
        let goes_on = is_same && existing.is_some_and(|how| how != OnExisting::Fail);
        let beside = existing.is_some() && there.mark.is_none();
        if there.is_empty() || self.wanted.clean || beside || goes_on {
            return None;
        }
        Some(match &there.mark {
            Some(of) => {
                format!("the target holds an interrupted restore of {of}: --clean replaces it")
            }
            None => format!(
                "the target is not empty ({}): --clean replaces what is there, --to names another",
                there.holds.join(", ")
            ),
        })
    }

    /// Where a job's own database is written to, no backup of it is taken meanwhile.
    fn lock(&self) -> Result<Option<dbstash_core::state::Lock>, LockError> {
        if !self.goal.own {
            return Ok(None);
        }
        let manifest = &self.found.backup.manifest;
        let state = &self.found.site.app.state;
        let (host, now) = (Here.host_name(), SystemClock.now());
        state.lock(&manifest.job, &manifest.database, &host, now).map(Some)
    }

    async fn restore(&self, load: Load, cx: Context<'_>) -> Result<Exit> {
        let Found { backup, .. } = &self.found;
        let signals = Signals::listen()?;
        Spool::sweep(cx.temp_dir);
        // What is being read is not deleted by a run on this machine.
        let object = backup.objects().next().unwrap_or_default();
        let reading = cx.state.claim(&cx.remote.label(), &object);
        let audit = Audit {
            layers: self.layers,
            backup,
            target: self.redactor.redact(&self.goal.named(&backup.manifest.database)).into_owned(),
            replaced: self.wanted.clean,
        };
        audit.begun(self.redactor);
        let bar = Bar::new(backup.manifest.bytes());
        let begun = Instant::now();
        let scene = Scene {
            backup,
            cx,
            cancel: &signals.cancel,
            moved: &|bytes| bar.moved(bytes),
            tell: &|text| complain(text),
        };
        let atomic = load.atomic;
        let done = scene.restore(load).await;
        bar.done();
        drop(reading);
        match done {
            Ok(restored) => {
                for line in &restored.remarks {
                    complain(&format!("warning: {}", self.redactor.redact(line)));
                }
                audit.ended("restored", begun.elapsed(), None);
                let took = age(chrono::TimeDelta::from_std(begun.elapsed()).unwrap_or_default());
                complain(&format!("restored {} in {took}", named(backup)));
                Ok(Exit::Done)
            }
            Err(error) => {
                audit.ended("failed", begun.elapsed(), Some(&error.to_string()));
                let exit = self.failed(&error);
                let manifest = &self.found.backup.manifest;
                let (engine, database) = (manifest.engine, &*manifest.database);
                let has_databases =
                    matches!(engine, EngineKey::Pg | EngineKey::Mysql | EngineKey::Mariadb);
                complain(match &error {
                    RestoreError::Left(_) => {
                        "nothing was restored: an empty database is left, which was made for it"
                    }
                    RestoreError::Before(_) => "nothing was restored: the target is as it was",
                    _ if atomic => "nothing was restored: the target is as it was",
                    RestoreError::Unmarked(_) if self.wanted.clean => {
                        "nothing was restored, and what the target held may be gone"
                    }
                    RestoreError::Unmarked(_) => {
                        "nothing was restored: the target is as it was, or empty"
                    }
                    _ if database == "*" && has_databases => {
                        "the restore is not complete: the target is marked as such; drop the databases that it has \
                         made, and then restore with --clean"
                    }
                    _ => {
                        "the restore is not complete: the target is marked as such, and another restore of it needs --clean"
                    }
                });
                if self.wanted.extent.globals {
                    complain("--globals: roles that were made for it stay");
                }
                Ok(signals.caught().map_or(exit, Exit::Signal))
            }
        }
    }

    fn failed(&self, error: &RestoreError) -> Exit {
        let engine = dbstash_engines::engine(self.found.backup.manifest.engine);
        let mut text = format!("error: {error}");
        // Of a program of its own it is told already.
        if let Some(what) = engine.explain(error.stderr()).filter(|what| !text.contains(what)) {
            let _ = write!(text, ": {what}");
        }
        if !self.goal.own {
            text = named_by("--to or RESTORE_TO", &text);
        }
        for line in error.stderr().lines() {
            let _ = write!(text, "\n  {line}");
        }
        complain(&self.redactor.redact(&text));
        Exit::Failed
    }
}
