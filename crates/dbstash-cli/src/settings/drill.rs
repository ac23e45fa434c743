//! What the settings say of backups that are restored on trial.

use std::time::Duration;

use dbstash_core::drill::{Scratch, Trial};
use dbstash_core::job::{EngineKey, Source};
use dbstash_core::secret::{ExposeSecret as _, SecretString};
use dbstash_core::verify::{Level, Rounds, Sample};
use dbstash_engines::conn::{self, Connection};

use super::machine::Machine;
use super::reader::Reader;
use super::table::{
    DBSTASH_ENGINE, DRILL_AFTER_BACKUP, DRILL_MEMORY, DRILL_SCHEDULE, DRILL_SQL, DRILL_TIMEOUT,
    DRILL_URI, DRILL_USER,
};
use super::{parse, secrets, verify};

/// Below this no server starts.
const LEAST_MEMORY: u64 = 256 * 1024 * 1024;

/// How drills are held.
pub(super) fn trial(reader: &mut Reader<'_>, machine: &dyn Machine) -> Trial {
    let usual = Trial::default();
    let timeout = reader.value(&DRILL_TIMEOUT, |text| match parse::duration(text)? {
        Duration::ZERO => Err("a drill takes some time; accepted are durations such as 1h".into()),
        timeout => Ok(timeout),
    });
    let memory = reader.value(&DRILL_MEMORY, |text| match parse::size(text)? {
        0..LEAST_MEMORY => Err("no server starts with less than 256MiB".into()),
        memory => Ok(memory),
    });
    let given = reader.is_set(&DRILL_USER);
    let user = reader.value(&DRILL_USER, |name| match machine.other_user(name) {
        // Nobody has asked for a drill yet.
        Err(_) if !given => Ok(None),
        found => found,
    });
    let assertions = reader.given(&DRILL_SQL).unwrap_or_default();
    let assertions = assertions.lines().map(str::trim).filter(|line| !line.is_empty());
    Trial {
        scratch: scratch(reader),
        assertions: assertions.map(str::to_owned).collect(),
        timeout: timeout.unwrap_or(usual.timeout),
        memory: memory.unwrap_or(usual.memory),
        user: user.flatten(),
    }
}

fn scratch(reader: &mut Reader<'_>) -> Option<Scratch> {
    let uri = reader.given(&DRILL_URI)?.to_owned();
    reader.complaints.secrets.extend(secrets::in_uri(&uri));
    let mariadb = reader.text(&DBSTASH_ENGINE) == Some("mariadb") || uri.starts_with("mariadb:");
    let found = reader.value(&DRILL_URI, |uri| conn::parse_uri(uri).map_err(|e| e.to_string()));
    let Connection { engine, source, .. } = found?;
    let Source::Server(server) = &source else {
        reader.mistake(
            &DRILL_URI,
            "it has to name a server; without it, sqlite has a file of its own",
        );
        return None;
    };
    let params = server.secret_params.iter().map(|(_, value)| value);
    let kept = server.password.iter().chain(params).map(|one| one.expose_secret().to_owned());
    reader.complaints.secrets.extend(kept);
    let engine = if mariadb && engine == EngineKey::Mysql { EngineKey::Mariadb } else { engine };
    Some(Scratch { engine, source, uri: SecretString::from(uri) })
}

/// Which backups are restored on trial as soon as they are stored: every so many.
pub(super) fn after(reader: &mut Reader<'_>) -> Option<usize> {
    reader.value(&DRILL_AFTER_BACKUP, |text| every(&text.trim().to_ascii_lowercase()))?
}

fn every(text: &str) -> Result<Option<usize>, String> {
    let number = match text {
        "none" => return Ok(None),
        "every" => Some(1),
        text => text.strip_prefix("every").and_then(|number| {
            let number = number.trim_start();
            let number = ["st", "nd", "rd", "th"].iter().find_map(|end| number.strip_suffix(end));
            number?.parse().ok().filter(|number| (1..=10_000).contains(number))
        }),
    };
    let accepted = || "accepted are none, every, and such as every 10th".to_owned();
    number.map(Some).ok_or_else(accepted)
}

/// What is restored on trial by a schedule, whose zone is UTC for now.
pub(super) fn rounds(reader: &mut Reader<'_>) -> Option<Rounds> {
    let now = "dbstash verify --level restore holds one now";
    let timetable = verify::timetable(reader, &DRILL_SCHEDULE, now)?;
    Some(Rounds { timetable, level: Level::Restore, sample: Sample::Latest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_so_many() {
        for (text, wanted) in
            [("none", 0), ("every", 1), ("every 10th", 10), ("every 1st", 1), ("every 2nd", 2)]
        {
            assert_eq!(every(text), Ok((wanted > 0).then_some(wanted)), "{text}");
        }
        for text in ["every 0th", "10", "every x", "10th"] {
            assert!(every(text).is_err(), "{text}");
        }
    }
}
