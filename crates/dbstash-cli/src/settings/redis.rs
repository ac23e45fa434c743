//! What is Redis's own: how its dump is got, and how the connection is encrypted.

use dbstash_core::job::{Databases, EngineKey, RedisMethod, Replication, Server, SyncMode};
use dbstash_engines::conn::redis::TLS;

use super::machine::Machine;
use super::parse;
use super::reader::Reader;
use super::table::{
    DB_NAME, Kind, REDIS_METHOD, REDIS_SYNC_MODE, REDIS_TLS_CACERT, REDIS_TLS_CERT,
    REDIS_TLS_ENABLED, REDIS_TLS_KEY, REDIS_TLS_SNI, SPOOL_MAX, Setting,
};

/// Of no effect on any other engine.
const OWN: [&Setting; 8] = [
    &REDIS_METHOD,
    &REDIS_SYNC_MODE,
    &SPOOL_MAX,
    &REDIS_TLS_ENABLED,
    &REDIS_TLS_CACERT,
    &REDIS_TLS_CERT,
    &REDIS_TLS_KEY,
    &REDIS_TLS_SNI,
];

/// How a dump is got.
pub(super) fn replication(reader: &mut Reader<'_>) -> Replication {
    let defaults = Replication::default();
    let method = match word(reader, &REDIS_METHOD) {
        Some("cli") => RedisMethod::Cli,
        Some("auto") => RedisMethod::Auto,
        _ => defaults.method,
    };
    let sync = match word(reader, &REDIS_SYNC_MODE) {
        Some("disk") => SyncMode::Disk,
        Some("diskless") => SyncMode::Diskless,
        _ => defaults.sync,
    };
    let spool_max = reader.value(&SPOOL_MAX, parse::size).unwrap_or(defaults.spool_max);
    if method == RedisMethod::Cli && sync != SyncMode::Auto {
        let idle = "REDIS_SYNC_MODE has no effect with REDIS_METHOD=cli: redis-cli leaves it to the server";
        reader.complaints.warn(idle.to_owned());
    }
    Replication { method, sync, spool_max }
}

/// The one dump that there is, whatever the number of a database.
pub(super) fn databases(
    reader: &mut Reader<'_>,
    in_uri: Option<&str>,
    split: bool,
) -> Option<Databases> {
    if split {
        let idle =
            "BACKUP_SPLIT_DATABASES has no effect for redis: its dump always holds all databases";
        reader.complaints.warn(idle.to_owned());
    }
    let (place, name) = match in_uri {
        Some(name) => ("DB_URI", Some(name.to_owned())),
        None => ("DB_NAME", reader.given(&DB_NAME).map(str::to_owned)),
    };
    match name.as_deref() {
        // The number that everyone writes says nothing.
        None | Some("*" | "0") => {}
        Some(name) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => {
            reader.complaints.warn(format!(
                "the database number of {place} has no effect: a redis dump always holds all databases"
            ));
        }
        Some(_) => {
            reader.complaints.mistake(format!(
                "{place} names a database, and redis only has numbers: its dump always holds all of them; leave the \
                 name out"
            ));
            return None;
        }
    }
    Some(Databases::Named(vec!["redis".to_owned()]))
}

/// Adds what the settings say of TLS to what the URI says, which wins.
pub(super) fn encryption(reader: &mut Reader<'_>, machine: &dyn Machine, server: &mut Server) {
    let said = |server: &Server, key: &str| server.params.iter().any(|(known, _)| known == key);
    let on = reader.value(&REDIS_TLS_ENABLED, parse::boolean);
    if on == Some(true) && !said(server, TLS) {
        server.params.push((TLS.to_owned(), "true".to_owned()));
    }
    let parts: [(&'static Setting, [&str; 2]); 4] = [
        (&REDIS_TLS_CACERT, ["cacert", "ssl_ca_certs"]),
        (&REDIS_TLS_CERT, ["cert", "ssl_certfile"]),
        (&REDIS_TLS_KEY, ["key", "ssl_keyfile"]),
        (&REDIS_TLS_SNI, ["sni", "sni"]),
    ];
    for (setting, keys) in parts {
        let Some(text) = reader.given(setting).map(str::to_owned) else { continue };
        if !said(server, TLS) {
            let name = setting.name;
            reader.complaints.mistake(format!(
                "{name} is set and the connection is not encrypted: write rediss:// in DB_URI, or set \
                 REDIS_TLS_ENABLED=true"
            ));
        } else if !keys.iter().any(|key| said(server, key)) {
            let value = match setting.kind {
                Kind::Path => machine.absolute(text.as_ref()).to_string_lossy().into_owned(),
                _ => text,
            };
            server.params.push((keys[0].to_owned(), value));
        }
    }
}

/// What was set for nothing.
pub(super) fn remarks(reader: &mut Reader<'_>, engine: EngineKey) {
    for setting in OWN.iter().filter(|_| engine != EngineKey::Redis) {
        if reader.is_set(setting) {
            reader.complaints.warn(format!("{} has no effect on {engine}", setting.name));
        }
    }
}

fn word(reader: &mut Reader<'_>, setting: &'static Setting) -> Option<&'static str> {
    match setting.kind {
        Kind::OneOf(words) => reader.value(setting, |text| parse::one_of(text, words)),
        _ => None,
    }
}
