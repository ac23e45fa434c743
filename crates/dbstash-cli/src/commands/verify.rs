//! `dbstash verify`: reads backups back, and says of each what it is.

use std::path::Path;

use anyhow::Result;
use dbstash_core::catalog::{Backup, Broken, Catalog};
use dbstash_core::clock::{Clock as _, SystemClock};
use dbstash_core::job::JobId;
use dbstash_core::launch::Local;
use dbstash_core::manifest::{self, Manifest};
use dbstash_core::remote::Remote as _;
use dbstash_core::secret::{ExposeSecret, Redactor};
use dbstash_core::spool::Spool;
use dbstash_core::state::StateDir;
use dbstash_core::store::Progress;
use dbstash_core::verify::{self, Context, Level, Looked, Sample, Target, Verdict, Witness};

use crate::app::{complain, print};
use crate::args::{Command, Wanted};
use crate::entry::{block_on, refuse, state_dir, tell};
use crate::exit::Exit;
use crate::places::Destination;
use crate::settings::children::{child_environment, tool_environment};
use crate::settings::machine::Machine as _;
use crate::settings::{Environment, Here, Layers, Place, resolve_places};
use crate::signals::Signals;
use crate::text::shown;

/// Every remote of the settings; needs no database.
pub fn all(
    layers: &Layers,
    wanted: &Wanted,
    level: Level,
    redactor: &mut Redactor,
) -> Result<Exit> {
    let found = match resolve_places(layers, &Here) {
        Ok(found) => found,
        Err(mistakes) => {
            let command = Command::Verify { wanted: wanted.clone(), level };
            return Ok(refuse(&mistakes, layers, &command));
        }
    };
    *redactor = Redactor::new(found.secrets.iter().map(ExposeSecret::expose_secret));
    tell(&found.warnings);
    let state = match state_dir(layers, found.state_dir.as_deref()) {
        Ok(state) => state,
        Err(error) => {
            complain(&format!("error: {}", redactor.redact(&format!("{error:#}"))));
            return Ok(Exit::Untested);
        }
    };
    let mut done = Tally::default();
    block_on(async {
        let signals = Signals::listen()?;
        for place in &found.places {
            if found.places.len() > 1 {
                print(&format!("== {}\n", redactor.redact(&place.remote.root)))?;
            }
            let (environment, dry) = (&layers.environment, found.dry_run);
            let ground = Ground { place, state: &state, environment, dry };
            let one = ground.verify(wanted, level, &signals, &mut done);
            if let Err(error) = one.await {
                done.untested += 1;
                complain(&format!("error: {}", redactor.redact(&format!("{error:#}"))));
            }
        }
        if let Some(signal) = signals.caught() {
            return Ok(Exit::Signal(signal));
        }
        if done.nothing() {
            complain(match wanted {
                Wanted::One(_) => {
                    "error: no backup of that name or id: what has no manifest is none"
                }
                Wanted::Some(_) => "error: there are no backups to verify",
            });
        }
        Ok(done.exit())
    })
}

/// How many came out how.
#[derive(Default)]
struct Tally {
    good: usize,
    corrupt: usize,
    untested: usize,
}

impl Tally {
    fn nothing(&self) -> bool {
        self.good + self.corrupt + self.untested == 0
    }

    /// Nothing found is nothing tested.
    fn exit(&self) -> Exit {
        match self {
            Self { corrupt: 1.., .. } => Exit::Failed,
            Self { untested: 0, good: 1.., .. } => Exit::Done,
            _ => Exit::Untested,
        }
    }
}

struct Ground<'a> {
    place: &'a Place,
    state: &'a StateDir,
    environment: &'a Environment,
    /// Only tell what would be read.
    dry: bool,
}

impl Ground<'_> {
    async fn verify(
        &self,
        wanted: &Wanted,
        level: Level,
        signals: &Signals,
        done: &mut Tally,
    ) -> Result<()> {
        let env = child_environment(self.environment, &self.place.remote);
        let destination = Destination::open(&self.place.remote, env, self.state)?;
        let remote = &destination.remote;
        let cache = self.state.cache(&remote.label());
        let catalog = Catalog::load(remote, &cache, SystemClock.now()).await?;
        Spool::sweep(&self.place.temp_dir);
        let environment =
            tool_environment(self.environment, std::env::current_exe().ok().as_deref());
        let launcher = Local { environment };
        for target in chosen(&catalog, wanted, self.place.jobs.as_deref()) {
            if signals.cancel.is_cancelled() {
                return Ok(());
            }
            let backup = match target {
                Target::Backup(backup) => backup,
                Target::Broken(Broken { manifest_name, why, newer, .. }) => {
                    let word = if *newer { "not tested" } else { "corrupt" };
                    *(if *newer { &mut done.untested } else { &mut done.corrupt }) += 1;
                    print(&line(word, manifest_name, why))?;
                    continue;
                }
            };
            if self.dry {
                done.good += 1;
                let name = backup.objects().next().unwrap_or_default();
                print(&line("not read", &name, &format!("--dry-run (level {})", level.as_str())))?;
                continue;
            }
            let now = SystemClock.now();
            let random = uuid::Uuid::new_v4().simple().to_string();
            let run = format!("{}-{}", now.format("%Y%m%dT%H%M%SZ"), &random[..8]);
            let engine = dbstash_engines::engine(backup.manifest.engine);
            let temp_dir: &Path = &self.place.temp_dir;
            let (state, trial) = (self.state, &self.place.trial(&backup.manifest.job));
            let progress = Progress::default();
            let cx = Context {
                remote,
                engine,
                launcher: &launcher,
                state,
                trial,
                temp_dir,
                run: &run,
                progress: &progress,
            };
            let by = Witness {
                clock: &SystemClock,
                host: &Here.host_name(),
                cancel: &signals.cancel,
                limits: [None, None],
                pace: &|_| {},
            };
            let Ok(examined) = verify::examine(backup, level, cx, by).await else { return Ok(()) };
            print(&told(backup, &examined.verdict, done))?;
            if let Some(text) = examined.warning {
                complain(&format!("warning: {text}"));
            }
        }
        Ok(())
    }
}

/// What a verdict is to people.
fn told(backup: &Backup, verdict: &Verdict, done: &mut Tally) -> String {
    let name = backup.objects().next().unwrap_or_default();
    match verdict {
        Verdict::Good { level, objects } => {
            done.good += 1;
            let words = objects.first().map_or("", |Looked { degraded, check, .. }| {
                degraded.as_deref().or(check.as_deref()).unwrap_or_default()
            });
            line(&format!("good ({})", level.as_str()), &name, words)
        }
        Verdict::Restored(drilled) => {
            done.good += 1;
            line("good (restore)", &name, &drilled.told(backup.manifest.engine))
        }
        Verdict::Corrupt(what) => {
            done.corrupt += 1;
            line("corrupt", &name, what)
        }
        Verdict::Untested(why) => {
            done.untested += 1;
            line("not tested", &name, why)
        }
        Verdict::Gone => {
            done.untested += 1;
            line("not tested", &name, "it was deleted meanwhile")
        }
    }
}

fn line(word: &str, name: &str, more: &str) -> String {
    let colon = if more.is_empty() { "" } else { ": " };
    format!("{word:<16}  {}{colon}{}\n", shown(name), shown(more))
}

/// What is meant; what is broken costs nothing, and is never left out for being so.
fn chosen<'a>(catalog: &'a Catalog, wanted: &Wanted, jobs: Option<&[JobId]>) -> Vec<Target<'a>> {
    let ours = |manifest: Option<&Manifest>| {
        jobs.is_none_or(|jobs| manifest.is_none_or(|manifest| jobs.contains(&manifest.job)))
    };
    let name = match wanted {
        Wanted::Some(sample) => return verify::chosen(catalog, *sample, ours),
        Wanted::One(name) => name.trim_end_matches('/'),
    };
    let id_begins = |manifest: Option<&Manifest>| {
        !name.is_empty() && manifest.is_some_and(|manifest| manifest.id.starts_with(name))
    };
    let is = |manifest_name: &str, manifest: Option<&Manifest>| {
        let object = manifest_name.strip_suffix(manifest::SUFFIX);
        manifest_name == name
            || object == Some(name)
            || manifest.is_some_and(|manifest| manifest.id == name)
    };
    let of = |target: &Target<'a>| match target {
        Target::Broken(broken) => (&*broken.manifest_name, broken.manifest.as_deref()),
        Target::Backup(backup) => (&*backup.manifest_name, Some(&*backup.manifest)),
    };
    let all = verify::chosen(catalog, Sample::All, ours);
    let (meant, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|target| {
        let (manifest_name, manifest) = of(target);
        is(manifest_name, manifest)
    });
    if !meant.is_empty() {
        return meant;
    }
    others.into_iter().filter(|target| id_begins(of(target).1)).collect()
}
