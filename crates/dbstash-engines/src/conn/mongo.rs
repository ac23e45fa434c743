//! What is MongoDB's own about a connection URI.

use dbstash_core::job::{Server, Source};

use super::{Connection, UriError, fail};

/// Our own parameter, of no URI: the hosts are to be asked of DNS (`mongodb+srv`).
pub const SRV: &str = "(srv)";
/// Parameters whose value is a secret, in lower case.
pub(super) const SECRET_PARAMS: [&str; 3] =
    ["tlscertificatekeyfilepassword", "sslclientcertificatekeypassword", "authmechanismproperties"];
/// Mechanisms that know no database of users.
const EXTERNAL: [&str; 5] = ["MONGODB-X509", "MONGODB-AWS", "MONGODB-OIDC", "GSSAPI", "PLAIN"];

/// The value of a parameter, whose name may be written in any case.
pub fn param<'a>(server: &'a Server, name: &str) -> Option<&'a str> {
    let found = server.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

/// Whether the hosts are to be asked of DNS.
pub fn is_srv(server: &Server) -> bool {
    param(server, SRV).is_some()
}

/// Says which database knows the user (`admin` unless the URI says another), for without a word each client would
/// guess its own.
pub fn settle_auth_source(server: &mut Server, login: Option<&str>) {
    let external = param(server, "authMechanism")
        .is_some_and(|word| EXTERNAL.iter().any(|known| known.eq_ignore_ascii_case(word)));
    // With SRV, the zone may say it.
    let known_by_another = external || is_srv(server) || param(server, "authSource").is_some();
    if server.user.is_some() && !known_by_another {
        server.params.push(("authSource".into(), login.unwrap_or("admin").to_owned()));
    }
}

/// A URI of this scheme, taken apart like any other.
pub(super) fn settle(connection: Connection, srv: bool) -> Result<Connection, UriError> {
    let Connection { engine, source: Source::Server(mut server), database } = connection else {
        return Ok(connection);
    };
    if server.hosts.iter().any(|host| host.name.is_empty()) || server.hosts.is_empty() {
        return Err(fail("it names no host"));
    }
    if srv {
        if server.hosts.len() > 1 || server.hosts.iter().any(|host| host.port.is_some()) {
            return Err(fail("mongodb+srv:// takes one host name, without a port"));
        }
        server.params.push((SRV.to_owned(), String::new()));
    }
    settle_auth_source(&mut server, database.as_deref());
    Ok(Connection { engine, source: Source::Server(server), database })
}
