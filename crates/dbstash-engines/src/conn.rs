//! Connection URIs.

pub mod mongo;
pub mod redis;

use std::path::{Path, PathBuf};

use dbstash_core::job::{EngineKey, Host, JobId, Server, Source};
use percent_encoding::percent_decode_str;

/// What a connection URI says.
#[derive(Debug, Clone)]
pub struct Connection {
    /// From the scheme.
    pub engine: EngineKey,
    /// Where the database is.
    pub source: Source,
    /// The database it names, if any.
    pub database: Option<String>,
}

/// Why a text is no connection URI. Never holds a part of the URI that could be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UriError(pub String);

/// The schemes, and what they stand for.
pub const SCHEMES: [(&str, EngineKey); 11] = [
    ("postgresql", EngineKey::Pg),
    ("postgres", EngineKey::Pg),
    ("mongodb", EngineKey::Mongo),
    ("mongodb+srv", EngineKey::Mongo),
    ("mysql", EngineKey::Mysql),
    ("mariadb", EngineKey::Mariadb),
    ("redis", EngineKey::Redis),
    ("rediss", EngineKey::Redis),
    ("redis+unix", EngineKey::Redis),
    ("sqlite", EngineKey::Sqlite),
    ("file", EngineKey::Sqlite),
];

/// Parameters whose value is a secret.
const SECRET_PARAMS: [&str; 4] =
    ["sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"];

/// The engine's usual port; 0 for a file.
pub fn default_port(engine: EngineKey) -> u16 {
    match engine {
        EngineKey::Pg => 5432,
        EngineKey::Mongo => 27017,
        EngineKey::Mysql | EngineKey::Mariadb => 3306,
        EngineKey::Redis => 6379,
        EngineKey::Sqlite => 0,
    }
}

/// Takes a connection URI apart. Errors never repeat the user part or a parameter's value.
pub fn parse_uri(uri: &str) -> Result<Connection, UriError> {
    let (scheme, rest) = uri
        .split_once(':')
        .filter(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || c == '+'))
        .ok_or_else(|| fail(format!("it does not start with a scheme; known are {}", known())))?;
    if uri.contains('\0') || uri.contains(['\n', '\r']) {
        return Err(fail("it holds a control character; write it percent-encoded"));
    }
    let engine = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
    match engine {
        Some((_, EngineKey::Sqlite)) => sqlite(scheme, rest),
        Some((name, EngineKey::Mongo)) => {
            mongo::settle(server(EngineKey::Mongo, rest)?, name.ends_with("srv"))
        }
        Some((name, EngineKey::Redis)) => redis::parse(name, rest),
        Some((_, engine)) => server(*engine, rest),
        // What is not followed by slashes may be no scheme but a user's name.
        None if !rest.starts_with("//") && scheme != "jdbc" => {
            Err(fail(format!("it does not start with a scheme; known are {}", known())))
        }
        None => Err(fail(format!(
            "unknown scheme {scheme}{}; known are {}{}",
            if scheme == "jdbc" { ":" } else { "://" },
            known(),
            meant(scheme, rest)
        ))),
    }
}

/// The scheme that somebody had in mind: other programs' URIs name a driver, too.
fn meant(scheme: &str, rest: &str) -> String {
    let word = if scheme == "jdbc" { rest } else { scheme }.to_ascii_lowercase();
    let scheme = match word.get(..2) {
        Some("po" | "pg" | "ps") => "postgresql://",
        Some("sq") => "sqlite://",
        Some("mo") => "mongodb://",
        Some("my") => "mysql://",
        Some("ma") => "mariadb://",
        Some("re" | "va") => "redis://",
        _ => return String::new(),
    };
    format!("; did you mean {scheme}?")
}

fn fail(text: impl Into<String>) -> UriError {
    UriError(text.into())
}

fn known() -> String {
    SCHEMES.map(|(name, _)| format!("{name}://")).join(" ")
}

/// `//user:password@host:port,host:port/database?key=value&...`, as libpq reads it.
fn server(engine: EngineKey, rest: &str) -> Result<Connection, UriError> {
    let rest = rest.strip_prefix("//").ok_or_else(|| fail("'//' has to follow the scheme"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let unencoded = "in a user, password or database name, '/', '?', '#' and '@' are written %2F, %3F, %23 and %40";
    // After a '?' an '@' is a parameter's only when the user is through.
    if authority.contains('#')
        || database.contains(['/', '@'])
        || authority.matches('@').count() > 1
        || !authority.contains('@') && query.contains('@')
        // Or it is the password's, and the host comes after it.
        || query.rsplit_once('@').is_some_and(|(_, host)| host.contains('/'))
    {
        return Err(fail(unencoded));
    }
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (Some(user), hosts),
        None => (None, authority),
    };
    let mut server = Server::default();
    if let Some(user) = user {
        let (user, password) = user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)));
        server.user = Some(decoded(user, "the user")?).filter(|u| !u.is_empty());
        if let Some(password) = password {
            server.password = Some(decoded(password, "the password")?.into());
        }
    }
    for host in hosts.split(',').filter(|_| !hosts.is_empty()) {
        server.hosts.push(self::host(host)?);
    }
    let mut database = Some(decoded(database, "the database")?).filter(|d| !d.is_empty());
    let mut names: Option<Vec<String>> = None;
    let mut ports = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| fail("a parameter lacks its '='"))?;
        let key = decoded(key, "a parameter's name")?;
        // Not by its name, which may be a part of a password with a bare '&'.
        let value = decoded(value, "a parameter's value")?;
        let mongo = engine == EngineKey::Mongo;
        match key.as_str() {
            key if mongo && mongo::SECRET_PARAMS.contains(&key.to_ascii_lowercase().as_str()) => {
                server.secret_params.push((key.to_owned(), value.into()));
            }
            key if mongo => server.params.push((key.to_owned(), value)),
            "user" => server.user = Some(value).filter(|user| !user.is_empty()),
            "password" => server.password = Some(value.into()),
            "dbname" => database = Some(value).filter(|name| !name.is_empty()),
            "host" => names = Some(value.split(',').map(str::to_owned).collect()),
            "port" => ports = Some(value),
            // As libpq has it, for the sake of JDBC's URIs.
            "ssl" if value == "true" && engine == EngineKey::Pg => {
                server.params.push(("sslmode".into(), "require".into()));
            }
            key if SECRET_PARAMS.contains(&key) => {
                server.secret_params.push((key.to_owned(), value.into()));
            }
            _ => server.params.push((key, value)),
        }
    }
    let ports = match ports {
        Some(ports) => {
            let given = |text: &str| (!text.is_empty()).then(|| port(text)).transpose();
            ports.split(',').map(given).collect::<Result<_, _>>()?
        }
        None => server.hosts.iter().map(|host| host.port).collect(),
    };
    let names = names.unwrap_or_else(|| server.hosts.into_iter().map(|host| host.name).collect());
    server.hosts = paired(names, ports)?;
    Ok(Connection { engine, source: Source::Server(server), database })
}

/// As libpq has it: one port for all hosts, or one for each.
fn paired(mut names: Vec<String>, ports: Vec<Option<u16>>) -> Result<Vec<Host>, UriError> {
    if names.is_empty() && ports.iter().any(Option::is_some) {
        names.push(String::new());
    }
    let ports = match ports[..] {
        _ if ports.iter().all(Option::is_none) => vec![None; names.len()],
        [port] => vec![port; names.len()],
        _ => ports,
    };
    if names.len() != ports.len() {
        return Err(fail("there are not as many ports as hosts"));
    }
    let pairs = names.into_iter().zip(ports);
    Ok(pairs.map(|(name, port)| Host { name, port }).collect())
}

/// `name`, `name:port`, `[::1]:port`, `%2Fsocket%2Fdirectory`.
fn host(text: &str) -> Result<Host, UriError> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) =
                rest.split_once(']').ok_or_else(|| fail("an IPv6 address lacks its ']'"))?;
            match port.strip_prefix(':') {
                None if !port.is_empty() => {
                    return Err(fail("after an IPv6 address's ']' comes ':port' or nothing"));
                }
                port => (name, port),
            }
        }
        None if text.matches(':').count() > 1 => {
            return Err(fail("an IPv6 address is written in brackets: [::1]"));
        }
        None => text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port))),
    };
    let port = port.filter(|p| !p.is_empty()).map(self::port).transpose()?;
    Ok(Host { name: decoded(name, "the host")?, port })
}

fn port(text: &str) -> Result<u16, UriError> {
    match text.parse() {
        Ok(port @ 1..) => Ok(port),
        _ => Err(fail(
            "a port is a number from 1 to 65535; in a password, '/', '?' and '#' are written %2F, %3F and %23",
        )),
    }
}

/// `///path`, `/path`, `path`; `//path` is anyone's guess.
fn sqlite(scheme: &str, rest: &str) -> Result<Connection, UriError> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !matches!(query, "" | "mode=ro") {
        return Err(fail("the only parameter known is mode=ro, which is always so"));
    }
    let path = match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(path) if path.starts_with("localhost/") => path.trim_start_matches("localhost"),
        Some(_) => {
            return Err(fail(format!(
                "after {scheme}:// comes a path that starts with '/': {scheme}:///data/app.db; \
                 a relative one is {scheme}:data/app.db"
            )));
        }
        None => path,
    };
    let path = PathBuf::from(decoded(path, "the path")?);
    if path.file_name().is_none() {
        return Err(fail("it names no file"));
    }
    let database = Some(file_stem(&path));
    Ok(Connection { engine: EngineKey::Sqlite, source: Source::File(path), database })
}

/// The name under which a database file is known: its own, without the extension.
pub fn file_stem(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn decoded(text: &str, what: &str) -> Result<String, UriError> {
    let bad = || {
        fail(format!(
            "{what} has a '%' that is not followed by two hex digits: a '%' itself is written %25"
        ))
    };
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3).ok_or_else(bad)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad());
        }
    }
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| fail(format!("{what} is not UTF-8")))?;
    if decoded.contains('\0') {
        return Err(fail(format!("{what} holds a NUL byte")));
    }
    Ok(decoded.into_owned())
}

/// The identity of a job that was given none: `<engine>-<host>-<port>`, or `sqlite-<path as words>`.
pub fn default_job_id(engine: EngineKey, source: &Source) -> JobId {
    let words = match source {
        Source::File(path) => {
            let path = path.to_string_lossy();
            let id = JobId::from_words(&format!("{engine}-{path}"));
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._".contains(c);
            // Other characters become dashes, as slashes do, and long paths are cut: another file could get the same.
            let is_plain = path.chars().all(plain) && path.len() < 80;
            return if is_plain { id } else { id.told_apart_by(&path) };
        }
        Source::Server(server) => {
            let first = server.hosts.first();
            let param = |key: &str| server.params.iter().find(|(k, _)| k == key);
            let elsewhere = || param("hostaddr").or_else(|| param("service"));
            let name = first.map(|h| h.name.as_str()).filter(|n| !n.is_empty());
            let name = name.or_else(|| Some(elsewhere()?.1.as_str())).unwrap_or("localhost");
            let port = first.and_then(|h| h.port).unwrap_or(default_port(engine));
            format!("{engine}-{}-{port}", name.trim_start_matches('/'))
        }
    };
    let id = JobId::from_words(&words);
    if words.is_ascii() && words.len() < 90 { id } else { id.told_apart_by(&words) }
}

#[cfg(test)]
mod tests;
