//! From a command line and an environment to an exit code.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use chrono::Utc;
use dbstash_core::confinement;
use dbstash_core::hook::Shell;
use dbstash_core::launch::Local;
use dbstash_core::secret::{ExposeSecret, Redactor};
use dbstash_core::state::{StateDir, StateError};
use dbstash_core::zone::Zone;

use crate::app::{App, complain, print};
use crate::args::{self, Args, Command, Target};
use crate::commands::pin::Change;
use crate::commands::remove::Removal;
use crate::commands::site::Sites;
use crate::commands::{self, config, doctor, plan};
use crate::exit::Exit;
use crate::health::socket;
use crate::init;
use crate::logging;
use crate::notify::Notifiers;
use crate::places::{Destination, open_state};
use crate::scheduler::{self, Ground};
use crate::settings::children::{child_environment, tool_environment};
use crate::settings::{
    Environment, Fleet, Here, Layers, LogFormat, LogSettings, Mistakes, Place, changes, explain,
    resolve, resolve_places, resolve_state_dir, schema, secrets,
};
use crate::signals::Signals;
use crate::text;

/// Open files that a run may need at once; rclone, which is under the same limit, needs fewer.
const DESCRIPTORS: u64 = 32;

/// Runs the program.
pub fn main(
    args: impl Iterator<Item = OsString>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    if let Some(error) = confinement::enter(&args) {
        let program = args.get(5).map_or("?".into(), |program| program.to_string_lossy());
        complain(&format!("{program}: {error}"));
        return ExitCode::from(127);
    }
    let parsed = Args::bare(&args).map_or_else(|| args::parse(args.clone()), Ok);
    let Args { command, flags, selection, target } = match parsed {
        Ok(args) => args,
        Err(error) => return usage(&error, &args),
    };
    // Who asks a question, or only looks, has no children that matter, and may need the terminal.
    if matches!(command, Command::Run | Command::Backup)
        && let Some(ended) = init::run(&args)
    {
        return ended.unwrap_or_else(|error| {
            complain(&format!("error: as the first process, dbstash cannot start itself: {error}"));
            Exit::Failed.into()
        });
    }
    let layers = Layers { environment: Environment::new(environment), flags, selection };
    let mut redactor = Redactor::default();
    let done = match command {
        Command::Schema => print(&schema::text()).map(|()| Exit::Done).map_err(Into::into),
        Command::List(_)
        | Command::Show { .. }
        | Command::Remove { .. }
        | Command::Collect { .. } => with_sites(&layers, &command, &target, &mut redactor),
        Command::Pin | Command::Unpin => pin(&layers, &command, &target, &mut redactor),
        Command::Verify { ref wanted, level } => {
            commands::verify::all(&layers, wanted, level, &mut redactor)
        }
        Command::Restore(ref wanted) => {
            commands::restore::one(&layers, &command, wanted, &target, &mut redactor)
        }
        Command::Status { json } => status(&layers, json),
        _ => with_job(&layers, &command, &mut redactor),
    };
    done.map_or_else(|error| failed(&error, &command, &redactor), ExitCode::from)
}

/// What clap says of a command line. A URI that was given as a bare word is repeated without its password.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    if error.use_stderr() {
        let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
        let secrets: Vec<_> = words.iter().flat_map(|word| secrets::in_uri(word)).collect();
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        complain(redactor.redact(&error.render().to_string()).trim_end());
    } else {
        let _ = error.print();
    }
    ExitCode::from(code)
}

/// A failure outside any run: told where runs are told of.
fn failed(error: &anyhow::Error, command: &Command, redactor: &Redactor) -> ExitCode {
    match command {
        Command::Run | Command::Backup => tracing::error!(status = "failure", "{error:#}"),
        _ => complain(&format!("error: {}", redactor.redact(&format!("{error:#}")))),
    }
    Exit::Failed.into()
}

/// The commands that need a database and a remote.
fn with_job(layers: &Layers, command: &Command, redactor: &mut Redactor) -> Result<Exit> {
    if let Command::Config { json } = *command {
        return match explain(layers, &Here) {
            Ok((fleet, values)) => {
                tell(&fleet.process.warnings);
                print(&config::shown(&fleet, &values, json))?;
                Ok(Exit::Done)
            }
            Err(mistakes) => Ok(refuse(&mistakes, layers, command)),
        };
    }
    let Fleet { process, mut jobs } = match resolve(layers, &Here) {
        Ok(fleet) => fleet,
        Err(mistakes) => return Ok(refuse(&mistakes, layers, command)),
    };
    *redactor = process.redactor();
    logging::start(&process.log, variable(layers, "RUST_LOG"), redactor.clone());
    process.warnings.iter().for_each(|text| tracing::warn!("{text}"));
    process.notes.iter().for_each(|text| tracing::info!("{text}"));
    if *command == Command::Backup {
        jobs = jobs.into_iter().map(scheduler::at_once).collect();
    }
    let fleet = Fleet { process, jobs };
    if fleet.jobs.is_empty() {
        return Ok(Exit::Done);
    }
    if let Command::Doctor { json, notify } = *command {
        if fleet.process.dry_run {
            complain(
                "error: DRY_RUN: the doctor starts the tools and writes a probe to the remote; `dbstash config` only reads \
                 the settings",
            );
            return Ok(Exit::Usage);
        }
        let state = state_dir(layers, fleet.process.state_dir.as_deref());
        let ground = doctor::Ground { layers, fleet: &fleet, redactor, json, notify };
        return block_on(doctor::all(&ground, state));
    }
    if let Command::Prune { yes } = *command {
        return prune(layers, &fleet, yes, redactor);
    }
    let mut text = Vec::new();
    for settings in &fleet.jobs {
        match plan::all(&settings.job) {
            Ok(_) if !fleet.process.dry_run => {}
            Ok(plans) => text.push(plan::text(settings, &plans, *command == Command::Backup)),
            Err(error) => {
                tracing::error!(phase = "settings", job = settings.job.id.as_str(), "{error}");
                return Ok(Exit::Usage);
            }
        }
    }
    if fleet.process.dry_run {
        print(&redactor.redact(&text.join("\n")))?;
        return Ok(Exit::Done);
    }
    let state = state_dir(layers, fleet.process.state_dir.as_deref());
    let environment =
        tool_environment(&layers.environment, std::env::current_exe().ok().as_deref());
    let notifiers = Notifiers::new(redactor);
    notifiers.update(&fleet.jobs, Utc::now());
    block_on(async {
        let work = async {
            let ground = Ground {
                state: &state?,
                environment: &layers.environment,
                launcher: &Local { environment },
                shell: &Shell {
                    environment: layers.environment.whole(),
                    redactor: redactor.clone(),
                },
                redactor,
                notifiers: &notifiers,
            };
            scheduler::run(fleet, &ground, &|old| reread(layers, old, redactor)).await
        };
        let done = work.await;
        // A failure before any run is one that nobody else tells of.
        if let Err(error) = &done {
            notifiers.broken(&format!("{error:#}"));
            notifiers.settle(&Signals::listen()?.cancel).await;
        }
        done
    })
}

/// Each job by itself: one that fails stops no other.
fn prune(layers: &Layers, fleet: &Fleet, yes: bool, redactor: &Redactor) -> Result<Exit> {
    let mut worst = Exit::Done;
    for settings in &fleet.jobs {
        let job = &settings.job;
        if fleet.process.file.is_some() {
            print(&format!("== {}\n", job.id))?;
        }
        let one = || {
            let set = fleet.process.state_dir.as_deref();
            let state = state_dir(layers, set)?;
            let env = child_environment(&layers.environment, &settings.remote);
            let destination = Destination::open(&settings.remote, env, &state)?;
            let app = App { state, destination, zone: job.naming.zone };
            block_on(app.prune(job, fleet.process.dry_run, yes))
        };
        let done = one().unwrap_or_else(|error| {
            complain(&format!("error: job {}: {}", job.id, redactor.redact(&format!("{error:#}"))));
            Exit::Failed
        });
        worst = if worst == Exit::Done { done } else { worst };
    }
    Ok(worst)
}

/// The settings as they are now, after a HUP. Mistakes are told, and change nothing.
fn reread(layers: &Layers, old: &Fleet, redactor: &Redactor) -> Option<Fleet> {
    match resolve(layers, &Here) {
        Ok(new) if new.jobs.is_empty() => {
            tracing::error!(phase = "settings", "no job is left: nothing has changed");
            None
        }
        Ok(new) => {
            redactor.learn(new.process.secrets.iter().map(ExposeSecret::expose_secret));
            new.process.warnings.iter().for_each(|text| tracing::warn!("{text}"));
            for text in changes(old, &new) {
                tracing::info!("{text}");
            }
            if !new.process.health.is_as(&old.process.health) {
                tracing::warn!(
                    "HEALTH_ADDR, METRICS_* and STATUS_AUTH change when dbstash starts again"
                );
            }
            Some(new)
        }
        Err(mistakes) => {
            for text in &mistakes.mistakes {
                tracing::error!(phase = "settings", "{text}: nothing has changed");
            }
            None
        }
    }
}

/// `dbstash status` needs nothing but the state directory.
fn status(layers: &Layers, json: bool) -> Result<Exit> {
    let zone = variable(layers, "TZ").and_then(|name| name.parse().ok()).unwrap_or(Zone::UTC);
    let set = match resolve_state_dir(layers, &Here) {
        Ok(set) => set,
        Err(mistakes) => return Ok(refuse(&mistakes, layers, &Command::Status { json })),
    };
    let state = state_dir(layers, set.as_deref())?;
    let schedulers = block_on(async { Ok(socket::ask(&state).await?) })?;
    print(&if json {
        text::json(&commands::status::as_json(&schedulers))
    } else {
        commands::status::as_text(&schedulers, zone, Utc::now())
    })?;
    Ok(if commands::status::is_well(&schedulers) { Exit::Done } else { Exit::Failed })
}

/// The commands that look at backups, and need no database.
fn with_sites(
    layers: &Layers,
    command: &Command,
    target: &Target,
    redactor: &mut Redactor,
) -> Result<Exit> {
    let sites = match Sites::open(layers, command, redactor)? {
        Ok(sites) => sites,
        Err(exit) => return Ok(exit),
    };
    block_on(async {
        match command {
            Command::List(query) => commands::list::all(&sites, query, redactor).await,
            Command::Show { json } => commands::show::one(&sites, target, *json).await,
            Command::Collect { yes } => commands::collect::all(&sites, *yes, redactor).await,
            Command::Remove { ids, yes, even_last } => {
                let database = target.database.as_deref();
                let (yes, even_last) = (*yes, *even_last);
                Removal { ids, database, yes, even_last }.carry_out(&sites).await
            }
            _ => Ok(Exit::Usage),
        }
    })
}

/// `dbstash pin` and `dbstash unpin` need no database either. The backup may be in any of the places.
fn pin(
    layers: &Layers,
    command: &Command,
    target: &Target,
    redactor: &mut Redactor,
) -> Result<Exit> {
    let found = match resolve_places(layers, &Here) {
        Ok(found) => found,
        Err(mistakes) => return Ok(refuse(&mistakes, layers, command)),
    };
    *redactor = Redactor::new(found.secrets.iter().map(ExposeSecret::expose_secret));
    tell(&found.warnings);
    let open = |place: &Place| {
        let set = found.state_dir.as_deref();
        let state = state_dir(layers, set)?;
        let env = child_environment(&layers.environment, &place.remote);
        let destination = Destination::open(&place.remote, env, &state)?;
        anyhow::Ok((App { state, destination, zone: place.zone }, place.jobs.clone()))
    };
    let change = Change {
        target,
        job: variable(layers, "DBSTASH_JOB").and_then(|text| text.parse().ok()),
        pin: *command == Command::Pin,
        dry_run: found.dry_run,
    };
    block_on(change.carry_out(&found.places.iter().map(open).collect::<Result<Vec<_>>>()?))
}

/// One thread is enough for pipes, and costs the least while nothing happens.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let allowed = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    // What follows would panic without some of them.
    if let Some(allowed) = allowed.filter(|&allowed| allowed < DESCRIPTORS) {
        anyhow::bail!(
            "only {allowed} open files are allowed: raise the limit (ulimit -n) to {DESCRIPTORS} or more"
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // Nobody waits for a name server that does not answer, or for the rest of a file that is read.
    runtime.shutdown_background();
    done
}

/// Says every mistake: to people in lines, to a log in the form of a log.
pub(crate) fn refuse(mistakes: &Mistakes, layers: &Layers, command: &Command) -> Exit {
    let unattended = matches!(command, Command::Run | Command::Backup);
    let text = variable(layers, "LOG_FORMAT").is_some_and(|f| f.eq_ignore_ascii_case("text"));
    if unattended && !text && !std::io::stderr().is_terminal() {
        let log = LogSettings { level: tracing::Level::INFO, format: LogFormat::Json };
        logging::start(&log, None, Redactor::default());
        mistakes.warnings.iter().for_each(|text| tracing::warn!("{text}"));
        mistakes.mistakes.iter().for_each(|text| tracing::error!(phase = "settings", "{text}"));
    } else {
        tell(&mistakes.warnings);
        for text in &mistakes.mistakes {
            complain(&format!("error: {text}"));
        }
    }
    Exit::Usage
}

pub(crate) fn tell(warnings: &[String]) {
    for text in warnings {
        complain(&format!("warning: {text}"));
    }
}

/// The state directory: the one that is set, or the first that can be used.
pub(crate) fn state_dir(layers: &Layers, set: Option<&Path>) -> Result<StateDir, StateError> {
    open_state(set, variable(layers, "XDG_RUNTIME_DIR"))
}

/// A variable or flag that is looked at before, or beside, the settings.
pub(crate) fn variable<'a>(layers: &'a Layers, name: &str) -> Option<&'a str> {
    let flag = layers.flags.get(name).map(String::as_str);
    let value =
        flag.or_else(|| layers.environment.iter().find(|(n, _)| *n == name).map(|(_, v)| v));
    value.filter(|text| !text.is_empty())
}
