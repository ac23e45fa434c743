//! One pass over all settings. It looks at nothing but the layers and the [`Machine`].

use std::path::PathBuf;

use dbstash_core::secret::SecretString;

use super::complaints::{Complaints, Mistakes};
use super::later::{NOT_YET, PREFIXES, TOLD_TO_HOOKS};
use super::layers::{Environment, Layers};
use super::machine::Machine;
use super::nearest::nearest;
use super::reader::Reader;
use super::table::{DBSTASH_STATE_DIR, Group, Setting, TZ};
use super::{Fleet, JobSettings, Place, Shown, job, parse, process, remote, secrets, shown, table};

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
    let mut complaints = Complaints::default();
    complaints.secrets.extend(secrets::in_environment(&layers.environment));
    names(&layers.environment, &mut complaints);
    let given = layers.merge(table::ALL, machine, &mut complaints);
    let reader = &mut Reader::new(&given, &mut complaints);
    let once = process::once(reader);
    let job = job::job(reader, machine);
    // What is missing has been told.
    let (Some(once), Some(job)) = (once, job) else {
        return Err(unusable(complaints));
    };
    see(reader, &job);
    let secrets = kept(&complaints.secrets);
    let remarks = complaints.close()?;
    Ok(Fleet { process: once.with(remarks, secrets), jobs: vec![job] })
}

/// As [`resolve()`], for commands that only look at what is on the remote: nothing is asked or said
/// about a database, nor are its secrets read.
pub fn resolve_place(layers: &Layers, machine: &dyn Machine) -> Result<Place, Mistakes> {
    let mut complaints = Complaints::default();
    complaints.secrets.extend(secrets::in_environment(&layers.environment));
    let wanted = |setting: &&'static Setting| {
        setting.group == Group::Rclone || [TZ.name, DBSTASH_STATE_DIR.name].contains(&setting.name)
    };
    let settings: Vec<_> = table::ALL.iter().copied().filter(wanted).collect();
    let given = layers.merge(&settings, machine, &mut complaints);
    let reader = &mut Reader::new(&given, &mut complaints);
    let remote = remote::remote(reader, machine);
    let zone = reader.value(&TZ, parse::zone);
    let state_dir = reader.given(&DBSTASH_STATE_DIR).map(PathBuf::from);
    let (Some(remote), Some(zone)) = (remote, zone) else {
        return Err(unusable(complaints));
    };
    let secrets = kept(&complaints.secrets);
    let warnings = complaints.close()?.warnings;
    Ok(Place { remote, zone, state_dir, warnings, secrets })
}

fn kept(secrets: &[String]) -> Vec<SecretString> {
    secrets.iter().map(|secret| SecretString::from(secret.as_str())).collect()
}

fn unusable(complaints: Complaints) -> Mistakes {
    match complaints.close() {
        Err(mistakes) => mistakes,
        Ok(remarks) => Mistakes {
            mistakes: vec!["the settings cannot be used".to_owned()],
            warnings: remarks.warnings,
        },
    }
}

/// Remarks on variables that have no effect although they look like ours.
fn names(environment: &Environment, complaints: &mut Complaints) {
    let known: Vec<String> = table::variables().collect();
    for (name, value) in environment.iter() {
        if value.is_empty() || TOLD_TO_HOOKS.contains(&name) || known.iter().any(|k| k == name) {
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
