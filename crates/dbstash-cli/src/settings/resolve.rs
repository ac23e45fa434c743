//! One pass over all settings. It looks at nothing but the layers and the [`Machine`].

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use dbstash_core::job::JobId;
use dbstash_core::run::TOLD;
use dbstash_core::secret::SecretString;

use super::complaints::{Complaints, Mistakes, Remarks};
use super::later::{NOT_YET, PREFIXES};
use super::layers::{Environment, Layers};
use super::machine::Machine;
use super::nearest::nearest;
use super::pass::Pass;
use super::reader::Reader;
use super::remotes::Remotes;
use super::table::{
    BACKUP_TEMP_DIR, DBSTASH_JOB, DBSTASH_STATE_DIR, DRY_RUN, Group, RESTORE_TO, Setting, TZ,
};
use super::{
    Fleet, JobSettings, Place, Places, Shown, drill, job, modes, parse, process, remote, shown,
    table,
};

/// Makes settings of what was given, or tells every mistake at once.
pub fn resolve(layers: &Layers, machine: &dyn Machine) -> Result<Fleet, Mistakes> {
    look(layers, machine, &mut |_, _| {})
}

/// As [`resolve()`], with every setting of each job as `dbstash config` shows it.
pub fn explain(
    layers: &Layers,
    machine: &dyn Machine,
) -> Result<(Fleet, Vec<Vec<Shown>>), Mistakes> {
    let mut values = Vec::new();
    let fleet = look(layers, machine, &mut |reader, job| values.push(shown::all(reader, job)))?;
    Ok((fleet, values))
}

/// Resolves, and lets each job that could be resolved be seen with what was given for it.
fn look(
    layers: &Layers,
    machine: &dyn Machine,
    see: &mut dyn FnMut(&Reader<'_>, &JobSettings),
) -> Result<Fleet, Mistakes> {
    let mut pass = Pass::begin(layers, machine, |_| true);
    names(&layers.environment, &mut pass.complaints);
    let once = pass.process(process::once);
    let mut remotes = Remotes::default();
    let jobs = pass.jobs(|reader| {
        let job = job::job(reader, machine, &mut remotes)?;
        see(reader, &job);
        Some(job)
    });
    let file = pass.file().map(PathBuf::from);
    let secrets = kept(&pass.complaints);
    let remarks = pass.complaints.close()?;
    match once {
        Some(once) => Ok(Fleet { process: once.with(file, remarks, secrets), jobs }),
        None => Err(unusable(remarks)),
    }
}

/// As [`resolve()`], for commands that only look at what is on the remotes: nothing is asked or
/// said about a database, nor are its secrets read.
pub fn resolve_places(layers: &Layers, machine: &dyn Machine) -> Result<Places, Mistakes> {
    let wanted = |setting: &Setting| {
        let others = [TZ.name, DBSTASH_STATE_DIR.name, BACKUP_TEMP_DIR.name, DRY_RUN.name];
        setting.group == Group::Rclone
            || others.contains(&setting.name)
            || setting.name.starts_with("DRILL_")
    };
    let mut pass = Pass::begin(layers, machine, wanted);
    let state_dir = pass.process(|reader| reader.given(&DBSTASH_STATE_DIR).map(PathBuf::from));
    let dry_run = pass.process(|reader| reader.value(&DRY_RUN, parse::boolean));
    let chosen = pass.file().is_some() && !layers.selection.jobs.is_empty();
    let mut remotes = Remotes::default();
    let found = pass.jobs(|reader| {
        let remote = remote::remote(reader, machine);
        let zone = reader.value(&TZ, parse::zone);
        let id = reader.given(&DBSTASH_JOB).and_then(|text| text.parse::<JobId>().ok());
        let temp_dir = modes::temp_dir(reader, machine);
        let trial = drill::trial(reader, machine);
        Some((remotes.shared(remote?), zone?, id, temp_dir, trial))
    });
    let mut places: Vec<Place> = Vec::new();
    for (remote, zone, id, temp_dir, trial) in found {
        let known = places.iter().position(|known| Arc::ptr_eq(&known.remote, &remote));
        let number = known.unwrap_or_else(|| {
            let jobs = chosen.then(Vec::new);
            let trials = Vec::new();
            places.push(Place { remote, zone, jobs, temp_dir, trials });
            places.len() - 1
        });
        places[number].trials.push((id.clone(), trial));
        if let Some(jobs) = &mut places[number].jobs {
            jobs.extend(id);
        }
    }
    let secrets = kept(&pass.complaints);
    let warnings = pass.complaints.close()?.warnings;
    Ok(Places { places, state_dir, dry_run: dry_run.unwrap_or_default(), warnings, secrets })
}

/// The state directory, when it was chosen: all that it takes to ask a running scheduler.
pub fn resolve_state_dir(
    layers: &Layers,
    machine: &dyn Machine,
) -> Result<Option<PathBuf>, Mistakes> {
    let mut pass = Pass::begin(layers, machine, |setting| setting.name == DBSTASH_STATE_DIR.name);
    let state_dir = pass.process(|reader| reader.given(&DBSTASH_STATE_DIR).map(PathBuf::from));
    pass.complaints.close().map(|_| state_dir)
}

/// Where to restore to, if that is said: and what is secret in it.
pub fn resolve_target(
    layers: &Layers,
    machine: &dyn Machine,
) -> Result<(Option<SecretString>, Vec<SecretString>), Mistakes> {
    let mut pass = Pass::begin(layers, machine, |setting| setting.name == RESTORE_TO.name);
    let to = pass.process(|reader| reader.given(&RESTORE_TO).map(SecretString::from));
    let secrets = kept(&pass.complaints);
    pass.complaints.close().map(|_| (to, secrets))
}

fn kept(complaints: &Complaints) -> Vec<SecretString> {
    let once: BTreeSet<&str> = complaints.secrets.iter().map(String::as_str).collect();
    once.into_iter().map(SecretString::from).collect()
}

/// A mistake was made, and nobody told it.
fn unusable(remarks: Remarks) -> Mistakes {
    let mistakes = vec!["the settings cannot be used".to_owned()];
    Mistakes { mistakes, warnings: remarks.warnings }
}

/// Remarks on variables that have no effect although they look like ours.
fn names(environment: &Environment, complaints: &mut Complaints) {
    let known: Vec<String> = table::variables().collect();
    for (name, value) in environment.iter() {
        // A dbstash that a hook starts finds set what that hook was told.
        if value.is_empty() || TOLD.contains(&name) || known.iter().any(|k| k == name) {
            continue;
        }
        if NOT_YET.contains(&name) {
            complaints
                .warn(format!("{name} is not supported by this version yet and has no effect"));
        } else if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            let all = known.iter().map(String::as_str).chain(NOT_YET.iter().copied());
            let hint = nearest(name, all).map_or(String::new(), |n| format!("; did you mean {n}?"));
            complaints.warn(format!("{name} is unknown and has no effect{hint}"));
        }
    }
}
