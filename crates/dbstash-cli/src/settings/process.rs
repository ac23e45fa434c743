//! What a process has once, however many jobs it runs.

use std::path::PathBuf;

use dbstash_core::secret::SecretString;
use dbstash_core::zone::Zone;

use super::complaints::Remarks;
use super::marks::{self, Marks};
use super::pass;
use super::reader::Reader;
use super::scope::Scope;
use super::table::{
    BACKUP_PARALLEL, DBSTASH_STATE_DIR, DRY_RUN, Kind, LOG_FORMAT, LOG_LEVEL, Setting,
};
use super::{LogFormat, LogSettings, Process, health, parse};
use crate::health::HealthSettings;

/// More jobs at once than this would be a mistake.
const MOST_PARALLEL: usize = 256;

/// A [`Process`] before it is known what there is to say about the settings.
pub(super) struct Once {
    log: LogSettings,
    state_dir: Option<PathBuf>,
    dry_run: bool,
    zone: Zone,
    parallel: usize,
    health: HealthSettings,
    marks: Marks,
}

/// What the settings say of the process; `None` when they are wrong, and then it is known why.
pub(super) fn once(reader: &mut Reader<'_>) -> Option<Once> {
    let log = log(reader);
    let health = health::health(reader);
    let dry_run = reader.value(&DRY_RUN, parse::boolean);
    let parallel = reader.value(&BACKUP_PARALLEL, |text| match parse::count(text) {
        Ok(jobs @ 1..=MOST_PARALLEL) => Ok(jobs),
        _ => Err(format!("accepted are whole numbers from 1 to {MOST_PARALLEL}")),
    });
    Some(Once {
        log: log?,
        state_dir: reader.given(&DBSTASH_STATE_DIR).map(PathBuf::from),
        dry_run: dry_run?,
        zone: pass::zone(reader),
        marks: marks::marks(reader, Scope::Process),
        parallel: parallel?,
        health,
    })
}

impl Once {
    /// With what there is to say, and to keep secret.
    pub(super) fn with(
        self,
        file: Option<PathBuf>,
        remarks: Remarks,
        secrets: Vec<SecretString>,
    ) -> Process {
        let Self { log, state_dir, dry_run, zone, parallel, health, marks } = self;
        let Remarks { warnings, notes } = remarks;
        Process {
            file,
            log,
            state_dir,
            dry_run,
            zone,
            parallel,
            health,
            warnings,
            notes,
            secrets,
            marks,
        }
    }
}

fn log(reader: &mut Reader<'_>) -> Option<LogSettings> {
    let mut word = |setting: &'static Setting| match setting.kind {
        Kind::OneOf(words) => reader.value(setting, |text| parse::one_of(text, words)),
        _ => None,
    };
    let (level, format) = (word(&LOG_LEVEL), word(&LOG_FORMAT));
    Some(LogSettings {
        level: level?.parse().ok()?,
        format: match format? {
            "text" => LogFormat::Text,
            _ => LogFormat::Json,
        },
    })
}
