//! As what a dump is stored, and where it is made when that takes files.

use std::path::PathBuf;

use dbstash_core::job::{EngineKey, Mode, SqliteFormat};

use super::machine::Machine;
use super::parse;
use super::reader::Reader;
use super::table::{
    BACKUP_EXTENSION, BACKUP_JOBS, BACKUP_MODE, BACKUP_TEMP_DIR, Kind, SQLITE_FORMAT, Setting,
};

/// What the settings say about it.
pub(super) struct Modes {
    pub(super) mode: Mode,
    pub(super) sqlite_format: SqliteFormat,
    pub(super) jobs: u32,
    pub(super) temp_dir: PathBuf,
}

/// More than this would be a mistake, or an attack on the server.
const MOST_JOBS: usize = 256;

pub(super) fn modes(reader: &mut Reader<'_>, machine: &dyn Machine) -> Modes {
    let mode = match word(reader, &BACKUP_MODE) {
        Some("directory") => Mode::Directory,
        Some("tar") => Mode::Tar,
        _ => Mode::Stream,
    };
    let sqlite_format = match word(reader, &SQLITE_FORMAT) {
        Some("file") => SqliteFormat::File,
        _ => SqliteFormat::Sql,
    };
    let jobs = reader.value(&BACKUP_JOBS, |text| match parse::count(text) {
        Ok(jobs @ 1..=MOST_JOBS) => Ok(u32::try_from(jobs).unwrap_or(1)),
        _ => Err(format!("accepted are whole numbers from 1 to {MOST_JOBS}")),
    });
    let temp_dir = temp_dir(reader, machine);
    if mode == Mode::Directory && reader.is_set(&BACKUP_EXTENSION) {
        let idle = "BACKUP_EXTENSION has no effect with BACKUP_MODE=directory: a folder has none";
        reader.complaints.warn(idle.to_owned());
    }
    if mode == Mode::Stream && reader.is_set(&BACKUP_JOBS) {
        let idle = "BACKUP_JOBS has no effect with BACKUP_MODE=stream: a stream comes from one job";
        reader.complaints.warn(idle.to_owned());
    }
    Modes { mode, sqlite_format, jobs: jobs.unwrap_or(1), temp_dir }
}

/// Where files are made on local disk.
pub(super) fn temp_dir(reader: &mut Reader<'_>, machine: &dyn Machine) -> PathBuf {
    let temp_dir = reader.value(&BACKUP_TEMP_DIR, |text| {
        // It becomes part of other programs' command languages.
        if text.contains(['\'', '"', '\\']) || text.contains(char::is_control) {
            return Err("accepted are paths without quotes and backslashes".to_owned());
        }
        Ok(machine.absolute(text.as_ref()))
    });
    temp_dir.unwrap_or_default()
}

/// What concerns one engine only.
pub(super) fn remarks(reader: &mut Reader<'_>, engine: EngineKey) {
    if engine != EngineKey::Sqlite && reader.is_set(&SQLITE_FORMAT) {
        let idle = format!("SQLITE_FORMAT has no effect on {engine}");
        reader.complaints.warn(idle);
    }
}

fn word(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<&'static str> {
    match setting.kind {
        Kind::OneOf(words) => reader.value(setting, |text| parse::one_of(text, words)),
        _ => None,
    }
}
