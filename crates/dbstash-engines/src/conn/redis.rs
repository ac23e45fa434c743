//! What is Redis's own about a connection URI.

use std::borrow::Cow;

use dbstash_core::job::{EngineKey, Server, Source};
use percent_encoding::percent_decode_str;

use super::{Connection, UriError, fail, server};

/// A password that is no text, as the URI spells it: a parameter of our own, of no URI.
pub const RAW_PASSWORD: &str = "(password)";
/// Whether the connection is encrypted: a parameter of our own, of no URI.
pub const TLS: &str = "tls";

/// `redis://user:password@host:port/db?key=value`, `rediss://` for TLS, `redis+unix://user:password@/path?db=0`.
pub(super) fn parse(scheme: &str, rest: &str) -> Result<Connection, UriError> {
    let rest = rest.strip_prefix("//").ok_or_else(|| fail("'//' has to follow the scheme"))?;
    let (rest, raw) = without_raw_password(rest);
    let rest = if scheme == "redis+unix" { socket(&rest)? } else { rest };
    let Connection { engine, source: Source::Server(mut server), mut database } =
        server(EngineKey::Redis, &format!("//{rest}"))?
    else {
        return Err(fail("it names no server"));
    };
    // A host that a variable should have held: this machine's own server was hardly meant.
    if server.hosts.iter().any(|host| host.name.is_empty()) || server.hosts.is_empty() {
        return Err(fail("it names no host: redis://host:port"));
    }
    if let Some((_, number)) = taken(&mut server, "db") {
        database = Some(number);
    }
    // Where the path is the socket's, the user has no other place in some URIs.
    if let Some((_, user)) = taken(&mut server, "username") {
        server.user = Some(user);
    }
    if scheme == "rediss" {
        server.params.push((TLS.to_owned(), "true".to_owned()));
    }
    server.secret_params.extend(raw.map(|raw| (RAW_PASSWORD.to_owned(), raw.into())));
    Ok(Connection { engine, source: Source::Server(server), database })
}

fn taken(server: &mut Server, key: &str) -> Option<(String, String)> {
    let at = server.params.iter().position(|(known, _)| known == key)?;
    Some(server.params.remove(at))
}

/// The URI without a password that is no text, and that password: Redis takes any bytes.
fn without_raw_password(rest: &str) -> (Cow<'_, str>, Option<String>) {
    let authority = rest.find(['/', '?', '#']).map_or(rest, |end| &rest[..end]);
    let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
    let Some((user, password)) = password else { return (rest.into(), None) };
    let is_raw = match percent_decode_str(password).decode_utf8() {
        Ok(text) => text.contains('\0'),
        Err(_) => true,
    };
    if !is_raw {
        return (rest.into(), None);
    }
    let after = &rest[user.len() + 1 + password.len()..];
    (format!("{user}{after}").into(), Some(password.to_owned()))
}

/// With the socket's path as the host that it stands for.
fn socket(rest: &str) -> Result<Cow<'static, str>, UriError> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let slash = rest.find('/').ok_or_else(|| fail("it names no socket: redis+unix:///path"))?;
    let (login, path) = rest.split_at(slash);
    if !login.is_empty() && !login.ends_with('@') {
        return Err(fail(
            "a socket has no host: after redis+unix:// comes a path that starts with '/', or user:password@ and the path",
        ));
    }
    let path = path.replace('/', "%2F").replace(':', "%3A");
    Ok(format!("{login}{path}?{query}").into())
}
