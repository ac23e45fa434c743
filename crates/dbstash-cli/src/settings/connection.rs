//! Where the database is: a URI, a file, or the parts of a server's address.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use dbstash_core::job::{Databases, EngineKey, Host, Server, Source};
use dbstash_core::secret::{ExposeSecret as _, SecretString};
use dbstash_engines::conn::{self, Connection};
use glob::Pattern;

use super::machine::Machine;
use super::reader::Reader;
use super::table::{
    BACKUP_ALL_DATABASES, BACKUP_SPLIT_DATABASES, DB_AUTH_SOURCE, DB_EXCLUDE, DB_HOST, DB_NAME,
    DB_PASSWORD, DB_PATH, DB_PORT, DB_URI, DB_USER, DBSTASH_ENGINE, Kind, Setting,
};
use super::{parse, redis};

/// A connection, and which databases to back up through it.
pub(super) struct Connected {
    pub(super) engine: EngineKey,
    pub(super) source: Source,
    pub(super) databases: Databases,
    pub(super) exclude: Vec<Pattern>,
}

/// What the connection settings say; `None` when they are wrong, and then it is known why.
pub(super) fn connect(reader: &mut Reader<'_>, machine: &dyn Machine) -> Option<Connected> {
    let chosen = reader.value(&DBSTASH_ENGINE, engine);
    let wrong_engine = reader.is_set(&DBSTASH_ENGINE) && chosen.is_none();
    let connection = if reader.is_set(&DB_URI) {
        from_uri(reader, chosen)
    } else if reader.is_set(&DB_PATH) && reader.is_set(&DB_HOST) {
        let both = "DB_PATH and DB_HOST are both set: a file and a server; unset one of them";
        reader.complaints.mistake(both.to_owned());
        None
    } else if reader.is_set(&DB_PATH) {
        from_path(reader, chosen)
    } else if reader.is_set(&DB_HOST) {
        from_parts(reader, chosen, wrong_engine)
    } else {
        let way_out = match chosen {
            Some(EngineKey::Sqlite) => "set DB_PATH or DB_URI",
            Some(EngineKey::Redis) => "set DB_URI, or DB_HOST",
            Some(_) => "set DB_URI, or DB_HOST and DB_NAME",
            None => "set DB_URI, or DBSTASH_ENGINE with DB_HOST and DB_NAME, or DB_PATH for sqlite",
        };
        reader.complaints.mistake(format!("no connection: {way_out}"));
        None
    };
    // Also without a connection, so that a bad name is told along with a bad host.
    let databases = databases(reader, connection.as_ref());
    let exclude = reader.value(&DB_EXCLUDE, parse::patterns);
    if let (Some(_), Some(Databases::Named(_))) = (&exclude, &databases) {
        reader.complaints.warn("DB_EXCLUDE has no effect on databases that are named".to_owned());
    }
    let mut connection = connection.filter(|_| !wrong_engine)?;
    if let (EngineKey::Redis, Source::Server(server)) = (connection.engine, &mut connection.source)
    {
        redis::encryption(reader, machine, server);
    }
    let databases = databases?;
    if let (Databases::All | Databases::Each, Some(login), Source::Server(server)) =
        (&databases, connection.database.take(), &mut connection.source)
    {
        server.params.push(("dbname".to_owned(), login));
    }
    Some(Connected {
        engine: connection.engine,
        source: connection.source,
        databases,
        exclude: exclude.unwrap_or_default(),
    })
}

fn engine(text: &str) -> Result<EngineKey, String> {
    let Kind::OneOf(words) = DBSTASH_ENGINE.kind else {
        return Err(String::new());
    };
    let word = parse::one_of(text, words)?;
    let found = EngineKey::ALL.into_iter().find(|key| key.as_str() == word);
    found.ok_or_else(|| format!("accepted are {}", words.join(", ")))
}

fn from_uri(reader: &mut Reader<'_>, chosen: Option<EngineKey>) -> Option<Connection> {
    // Unreadable: told already.
    let uri = reader.given(&DB_URI)?;
    let connection = match conn::parse_uri(uri) {
        Ok(connection) => connection,
        Err(error) => {
            // Not understood, so nobody knows where in it the secrets are.
            let before_host = uri.rsplit_once('@').map_or("", |(start, _)| start);
            let password = before_host.rsplit(':').next().unwrap_or_default();
            reader.complaints.secrets.extend([uri.to_owned(), password.to_owned()]);
            reader.mistake(&DB_URI, &error.to_string());
            return None;
        }
    };
    if let Source::Server(server) = &connection.source {
        // A tool says a password as it is, not as the URI spells it.
        let params = server.secret_params.iter().map(|(_, value)| value);
        let decoded = server.password.iter().chain(params);
        reader.complaints.secrets.extend(decoded.map(|secret| secret.expose_secret().to_owned()));
    }
    let mut parts: Vec<&Setting> =
        vec![&DB_HOST, &DB_PORT, &DB_USER, &DB_PASSWORD, &DB_AUTH_SOURCE, &DB_PATH];
    if connection.database.is_some() || connection.engine == EngineKey::Sqlite {
        parts.push(&DB_NAME);
    }
    parts.retain(|part| reader.is_set(part));
    if !parts.is_empty() {
        let names: Vec<&str> = parts.iter().map(|part| part.name).collect();
        reader.complaints.note(format!("DB_URI is set, so ignored: {}", names.join(", ")));
    }
    match chosen {
        // The two families share a scheme.
        Some(key @ EngineKey::Mariadb) if connection.engine == EngineKey::Mysql => {
            Some(Connection { engine: key, ..connection })
        }
        Some(key) if key != connection.engine => {
            let scheme = connection.engine;
            let disagree =
                format!("the scheme of DB_URI says {scheme}; change or unset one of them");
            reader.mistake(&DBSTASH_ENGINE, &disagree);
            None
        }
        _ => Some(connection),
    }
}

fn from_path(reader: &mut Reader<'_>, chosen: Option<EngineKey>) -> Option<Connection> {
    if chosen.is_some_and(|key| key != EngineKey::Sqlite) {
        reader.mistake(&DBSTASH_ENGINE, "DB_PATH is for sqlite; a server needs DB_URI or DB_HOST");
        return None;
    }
    for part in [&DB_PORT, &DB_USER, &DB_PASSWORD, &DB_AUTH_SOURCE, &DB_NAME] {
        if reader.is_set(part) {
            let name = part.name;
            reader.complaints.warn(format!("{name} has no effect for sqlite"));
        }
    }
    let path = reader.value(&DB_PATH, |text| {
        if text.contains("://") {
            Err("accepted is a file's path; a URI goes into DB_URI".to_owned())
        } else {
            Ok(PathBuf::from(text))
        }
    })?;
    Some(Connection { engine: EngineKey::Sqlite, database: None, source: Source::File(path) })
}

fn from_parts(
    reader: &mut Reader<'_>,
    chosen: Option<EngineKey>,
    wrong_engine: bool,
) -> Option<Connection> {
    match chosen {
        Some(EngineKey::Sqlite) => {
            reader.mistake(&DBSTASH_ENGINE, "sqlite has no host; set DB_PATH in place of DB_HOST");
        }
        Some(_) => {}
        None if wrong_engine => {}
        None => reader.complaints.mistake(
            "DBSTASH_ENGINE is not set: DB_HOST does not say which database system it is; \
             accepted are pg, mongo, mysql, mariadb, redis"
                .to_owned(),
        ),
    }
    let port = reader.value(&DB_PORT, parse::port);
    let names = reader.given(&DB_HOST)?.split(',');
    let mut hosts = Vec::new();
    for name in names {
        match host(name.trim()) {
            Ok(name) => hosts.push(Host { name, port }),
            Err(reason) => {
                // The value is kept back: a URI in the wrong variable may hold a password.
                reader.complaints.mistake(format!("DB_HOST: {reason}"));
                return None;
            }
        }
    }
    let mut server = Server {
        hosts,
        user: reader.given(&DB_USER).map(str::to_owned),
        password: reader.given(&DB_PASSWORD).map(SecretString::from),
        ..Server::default()
    };
    let engine = chosen.filter(|key| *key != EngineKey::Sqlite)?;
    if engine == EngineKey::Mongo {
        conn::mongo::settle_auth_source(&mut server, reader.text(&DB_AUTH_SOURCE));
    } else if reader.is_set(&DB_AUTH_SOURCE) {
        reader.complaints.warn(format!("DB_AUTH_SOURCE has no effect for {engine}"));
    }
    Some(Connection { engine, database: None, source: Source::Server(server) })
}

fn host(text: &str) -> Result<String, &'static str> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let address = bare.split('%').next().unwrap_or(bare);
    if bare.is_empty() {
        Err("a host name is missing; accepted are a name, an address or a socket directory")
    } else if bare.contains(['@', '/', '?']) {
        Err("accepted are a name, an address or a socket directory; a URI goes into DB_URI")
    } else if bare.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Err("a host has no blanks; accepted are a name, an address or a socket directory")
    } else if bare.contains(':') && address.parse::<Ipv6Addr>().is_err() {
        Err("accepted are a name, an address or a socket directory; a port goes into DB_PORT")
    } else {
        Ok(bare.to_owned())
    }
}

fn databases(reader: &mut Reader<'_>, connection: Option<&Connection>) -> Option<Databases> {
    let all = reader.value(&BACKUP_ALL_DATABASES, parse::boolean);
    let split = reader.value(&BACKUP_SPLIT_DATABASES, parse::boolean);
    if let Some(Connection { source: Source::File(path), database, .. }) = connection {
        for (name, set) in [("BACKUP_ALL_DATABASES", all), ("BACKUP_SPLIT_DATABASES", split)] {
            if set == Some(true) {
                reader.complaints.warn(format!("{name} has no effect for sqlite"));
            }
        }
        let name = database.clone().unwrap_or_else(|| conn::file_stem(path));
        return Some(Databases::Named(vec![name]));
    }
    if let Some(Connection { engine: EngineKey::Redis, database, .. }) = connection {
        let (_, split) = (all?, split?);
        return redis::databases(reader, database.as_deref(), split);
    }
    let in_uri = connection.and_then(|c| c.database.clone());
    // A set DB_NAME that is a mistake is not also a missing one.
    let in_settings = match reader.given(&DB_NAME) {
        Some(_) if in_uri.is_none() => Some(reader.value(&DB_NAME, parse::names)?),
        _ => None,
    };
    let (all, split) = (all?, split?);
    let every = if split { Databases::Each } else { Databases::All };
    match (all || split, in_settings, in_uri) {
        (true, Some(Some(_)), _) => {
            let both = "BACKUP_ALL_DATABASES and BACKUP_SPLIT_DATABASES cover every database; unset \
                        them, or set DB_NAME=*";
            reader.mistake(&DB_NAME, both);
            None
        }
        (true, ..) | (_, Some(None), _) => Some(every),
        (_, Some(Some(names)), _) => Some(Databases::Named(names)),
        (_, None, Some(name)) => Some(Databases::Named(vec![name])),
        (_, None, None) => {
            if connection.is_some() && !reader.is_set(&DB_NAME) {
                reader.complaints.mistake(
                    "no database name: set DB_NAME, name it in DB_URI, or set \
                     BACKUP_ALL_DATABASES=true or BACKUP_SPLIT_DATABASES=true"
                        .to_owned(),
                );
            }
            None
        }
    }
}
