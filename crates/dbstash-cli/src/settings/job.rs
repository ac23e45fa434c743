//! What the settings say of one job.

use std::sync::Arc;
use std::time::Duration;

use dbstash_core::compression::{Compression, Method};
use dbstash_core::job::{Databases, Globals, Job, JobId, Limits, Naming, Source};
use dbstash_core::name::Template;
use dbstash_core::retention::Policy;
use dbstash_core::schedule::{BadSchedule, Schedule};
use dbstash_core::timetable::Timetable;
use dbstash_core::verify::Rounds;
use dbstash_core::zone::Zone;
use dbstash_engines::conn::default_job_id;

use super::connection::Connected;
use super::machine::Machine;
use super::reader::Reader;
use super::remotes::Remotes;
use super::scope::Scope;
use super::table::{
    BACKUP_CATCH_UP, BACKUP_COMPRESS, BACKUP_COMPRESSION, BACKUP_COUNTS, BACKUP_EXTENSION,
    BACKUP_INTERVAL, BACKUP_JITTER, BACKUP_LOCK, BACKUP_MIN_SIZE, BACKUP_NAME_TEMPLATE,
    BACKUP_ON_START, BACKUP_RETRIES, BACKUP_SCHEDULE, BACKUP_STALL_TIMEOUT, BACKUP_TIMEOUT,
    COMPRESSION_THREADS, DBSTASH_JOB, DRIFT_WARN, DUMP_EXTRA_ARGS, INITIAL_DELAY, Kind, PG_GLOBALS,
    Setting, TZ,
};
use super::{
    JobSettings, connection, drill, health, hooks, marks, modes, notify, parse, redis, remote,
    retention, secrets, verify,
};

/// A job; `None` when the settings are wrong, and then it is known why.
pub(super) fn job(
    reader: &mut Reader<'_>,
    machine: &dyn Machine,
    remotes: &mut Remotes,
) -> Option<JobSettings> {
    let mut connected = connection::connect(reader, machine);
    if let Some(Connected { source: Source::File(path), .. }) = &mut connected {
        *path = machine.absolute(path);
    }
    let remote = remote::remote(reader, machine);
    let modes = modes::modes(reader, machine);
    let schedule = schedule(reader);
    let naming = naming(reader, machine);
    let limits = limits(reader);
    let retries = reader.value(&BACKUP_RETRIES, |text| match parse::count(text) {
        Ok(retries @ ..=MOST_RETRIES) => Ok(u32::try_from(retries).unwrap_or(0)),
        _ => Err(format!("accepted are whole numbers up to {MOST_RETRIES}")),
    });
    let retention = retention::retention(reader);
    let (verify_after, rounds) = (verify::after(reader), verify::rounds(reader));
    let (trial, drill_after) = (drill::trial(reader, machine), drill::after(reader));
    let drills = drill::rounds(reader);
    let expected = health::expected(reader);
    let notify = notify::notify(reader);
    let extra_args = words(reader, &DUMP_EXTRA_ARGS);
    let id = reader.value(&DBSTASH_JOB, |text| text.parse::<JobId>().map_err(|e| e.to_string()));
    let switch = |reader: &mut Reader<'_>, setting| reader.value(setting, parse::boolean);
    let native_compression = switch(reader, &BACKUP_COMPRESS).unwrap_or_default();
    let compression = compression(reader, machine);
    let globals = globals(reader);
    let replication = redis::replication(reader);
    let hooks = hooks::hooks(reader);
    let exclusive = switch(reader, &BACKUP_LOCK).unwrap_or(true);
    let counts = switch(reader, &BACKUP_COUNTS).unwrap_or(true);
    let drift = reader.value(&DRIFT_WARN, parse::percent).unwrap_or(40);
    let on_start = switch(reader, &BACKUP_ON_START).unwrap_or_default();
    let catch_up = switch(reader, &BACKUP_CATCH_UP).unwrap_or_default();
    let jitter = reader.value(&BACKUP_JITTER, parse::duration).unwrap_or_default();
    let initial_delay = reader.value(&INITIAL_DELAY, parse::duration).unwrap_or_default();

    // What is missing has been told, and what follows has only remarks to add.
    let (connected, remote) = (connected?, remote?);
    let (schedule, naming) = (schedule?, naming?);
    template(reader, &naming.template, &connected.databases);
    modes::remarks(reader, connected.engine);
    redis::remarks(reader, connected.engine);
    if let (Some(compression), Some(given)) = (compression, &naming.extension) {
        let wanted = compression.extension();
        if given != wanted && !given.ends_with(&format!(".{wanted}")) {
            reader.complaints.warn(format!(
                "BACKUP_EXTENSION does not tell that the backup is compressed; let it end with .{wanted}"
            ));
        }
    }
    for (name, set) in [
        ("BACKUP_ON_START", on_start),
        ("BACKUP_CATCH_UP", catch_up),
        ("BACKUP_JITTER", !jitter.is_zero()),
        ("VERIFY_SCHEDULE", rounds.is_some()),
        ("DRILL_SCHEDULE", drills.is_some()),
    ] {
        if schedule == Schedule::Once && set {
            reader.complaints.warn(format!("{name} has no effect with a schedule of once"));
        }
    }
    let job = Job {
        id: id.unwrap_or_else(|| default_job_id(connected.engine, &connected.source)),
        engine: connected.engine,
        source: connected.source,
        databases: connected.databases,
        exclude: connected.exclude,
        native_compression,
        compression,
        globals,
        extra_args,
        limits,
        retries: retries.unwrap_or(0),
        verify_after,
        drill_after,
        trial,
        retention: Policy { zone: naming.zone, ..retention },
        naming,
        exclusive,
        mode: modes.mode,
        sqlite_format: modes.sqlite_format,
        jobs: modes.jobs,
        temp_dir: modes.temp_dir,
        replication,
        hooks,
        counts,
        drift,
    };
    let zone = job.naming.zone;
    let timetable = Timetable { schedule, zone, on_start, initial_delay, jitter, catch_up };
    let not_once = !timetable.is_once();
    let in_zone = |rounds: Rounds| {
        let timetable = Timetable { zone, ..rounds.timetable };
        Box::new(Rounds { timetable, ..rounds })
    };
    let rounds = rounds.filter(|_| not_once).map(in_zone);
    let drills = drills.filter(|_| not_once).map(in_zone);
    let marks = marks::marks(reader, Scope::Job);
    let remote = remotes.shared(remote);
    let job = Arc::new(job);
    Some(JobSettings { job, remote, timetable, rounds, drills, expected, notify, marks })
}

/// More is a schedule of its own.
const MOST_RETRIES: usize = 100;
/// More threads than this help no dump tool we know.
const MOST_THREADS: usize = 4;

fn compression(reader: &mut Reader<'_>, machine: &dyn Machine) -> Option<Compression> {
    let method = reader.value(&BACKUP_COMPRESSION, |text| match text.trim() {
        none if none.eq_ignore_ascii_case("none") => Ok(None),
        method => method.parse::<Method>().map(Some).map_err(|e| e.to_string()),
    });
    let threads = reader.value(&COMPRESSION_THREADS, |text| match parse::count(text) {
        Ok(threads @ 1..=64) => Ok(threads),
        _ => Err("accepted are whole numbers from 1 to 64".to_owned()),
    });
    let method = method.flatten();
    if threads.is_some() && !matches!(method, Some(Method::Zstd(_))) {
        let idle = "COMPRESSION_THREADS has no effect without BACKUP_COMPRESSION=zstd";
        reader.complaints.warn(idle.to_owned());
    }
    let threads = threads.unwrap_or_else(|| machine.cores().min(MOST_THREADS));
    method.map(|method| method.with_threads(u32::try_from(threads).unwrap_or(1)))
}

fn globals(reader: &mut Reader<'_>) -> Globals {
    let word = match PG_GLOBALS.kind {
        Kind::OneOf(words) => reader.value(&PG_GLOBALS, |text| parse::one_of(text, words)),
        _ => None,
    };
    match word {
        Some("on") => Globals::On,
        Some("off") => Globals::Off,
        _ => Globals::Auto,
    }
}

fn schedule(reader: &mut Reader<'_>) -> Option<Schedule> {
    let interval = reader.value(&BACKUP_INTERVAL, |text| match parse::duration(text)? {
        Duration::ZERO => {
            Err("an interval cannot be 0; accepted are durations such as 1h".to_owned())
        }
        interval => Ok(interval),
    });
    let cron = reader.value(&BACKUP_SCHEDULE, |text| {
        text.parse::<Schedule>().map_err(|e| format!("{e}; accepted are {}", BadSchedule::ACCEPTED))
    });
    if !reader.is_set(&BACKUP_INTERVAL) {
        return cron;
    }
    if reader.is_set(&BACKUP_SCHEDULE) {
        let both = "BACKUP_SCHEDULE and BACKUP_INTERVAL are both set; unset one of them";
        reader.complaints.mistake(both.to_owned());
    }
    interval.map(Schedule::Every)
}

fn naming(reader: &mut Reader<'_>, machine: &dyn Machine) -> Option<Naming> {
    let template = reader
        .value(&BACKUP_NAME_TEMPLATE, |text| text.parse::<Template>().map_err(|e| e.to_string()));
    let extension = reader.value(&BACKUP_EXTENSION, parse::extension);
    let zone = reader.value(&TZ, parse::zone).unwrap_or(Zone::UTC);
    Some(Naming { template: template?, extension, zone, host: machine.host_name() })
}

fn template(reader: &mut Reader<'_>, template: &Template, databases: &Databases) {
    if !template.is_unique() {
        reader.complaints.warn(
            "BACKUP_NAME_TEMPLATE does not give each run a name of its own, so later backups get \
             -2, -3, ...; add {date} and {time}, or {ts} or {uuid}"
                .to_owned(),
        );
    }
    let several = match databases {
        Databases::Named(names) => names.len() > 1,
        Databases::All => false,
        Databases::Each => true,
    };
    if several && !template.tells_databases_apart() {
        reader.complaints.warn(
            "BACKUP_NAME_TEMPLATE does not tell several databases apart; add {db}".to_owned(),
        );
    }
}

fn limits(reader: &mut Reader<'_>) -> Limits {
    let mut limit = |setting| {
        let limit = reader.value(setting, parse::duration);
        limit.filter(|limit| !limit.is_zero())
    };
    Limits {
        timeout: limit(&BACKUP_TIMEOUT),
        stall: limit(&BACKUP_STALL_TIMEOUT),
        min_size: reader.value(&BACKUP_MIN_SIZE, parse::size).unwrap_or(1),
    }
}

/// Arguments; a secret among them is no mistake, but shows to everyone on the machine.
pub(super) fn words(reader: &mut Reader<'_>, setting: &'static Setting) -> Vec<String> {
    let words = reader.value(setting, parse::words).unwrap_or_default();
    for (flag, secret) in secrets::in_words(&words) {
        reader.complaints.secrets.push(secret.to_owned());
        let held = if flag.is_empty() { "in a URL" } else { flag };
        let name = setting.name;
        reader.complaints.warn(format!(
            "{name} holds a secret ({held}), which shows in the process list; use the variables \
             meant for it"
        ));
    }
    words
}
