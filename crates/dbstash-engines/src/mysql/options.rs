//! The option file: how to reach the server, and as whom.

use core::net::IpAddr;

use dbstash_core::engine::PlanError;
use dbstash_core::job::Server;
use dbstash_core::secret::{ExposeSecret as _, SecretString};

use super::Dialect;

/// The parameters of a URI that mean something here, in the spelling of the clients.
const KNOWN: &str = "ssl-mode, ssl-ca, ssl-capath, ssl-cert, ssl-key, ssl-cipher, tls-version, socket, charset, \
    get-server-public-key";

/// Known to clients of 8.0 and later.
const PUBLIC_KEY: &str = "loose-get-server-public-key";

/// What the client reads in the place of every other option file.
pub(super) fn file(dialect: Dialect, server: &Server) -> Result<SecretString, PlanError> {
    let mut lines = vec!["[client]".to_owned()];
    let mut put = |name: &str, value: &str| lines.push(format!("{name}={}", quoted(value)));
    let host = match &server.hosts[..] {
        [] => None,
        [host] => Some(host),
        _ => return Err(PlanError(format!("{} takes one host, not several", dialect.name()))),
    };
    if let Some(host) = host {
        if host.name.starts_with('/') {
            put("socket", &host.name);
        } else {
            // By its name alone, localhost would mean a socket whose path nobody gave.
            put("protocol", "tcp");
            put("host", if host.name.is_empty() { "localhost" } else { &host.name });
        }
        if let Some(port) = host.port {
            put("port", &port.to_string());
        }
        // Without TLS, MySQL's passwords travel by the server's key, which only this machine's
        // server can be asked for without fear of another one in between.
        if dialect == Dialect::Mysql && is_loopback(&host.name) {
            put(PUBLIC_KEY, "1");
        }
    }
    if let Some(user) = &server.user {
        put("user", user);
    }
    if let Some(password) = &server.password {
        put("password", password.expose_secret());
    }
    for (key, value) in &server.params {
        match normal(key).as_str() {
            "ssl-mode" | "sslmode" => {
                for (name, value) in tls(dialect, value)? {
                    put(name, value);
                }
            }
            // As drivers have it.
            "ssl" | "usessl" | "tls" => {
                let mode =
                    if matches!(value.as_str(), "true" | "1") { "REQUIRED" } else { "DISABLED" };
                for (name, value) in tls(dialect, mode)? {
                    put(name, value);
                }
            }
            "socket" | "unix-socket" => put("socket", value),
            "charset" => put("default-character-set", value),
            "get-server-public-key" | "allowpublickeyretrieval" => {
                if dialect == Dialect::Mysql && matches!(value.as_str(), "true" | "1") {
                    put(PUBLIC_KEY, "1");
                }
            }
            // The database to log in to: these clients need none.
            "dbname" => {}
            name @ ("ssl-ca" | "ssl-capath" | "ssl-cert" | "ssl-key" | "ssl-cipher"
            | "tls-version") => {
                put(name, value);
            }
            _ => {
                return Err(PlanError(format!(
                    "DB_URI has a parameter that {} does not know: {key}; known are {KNOWN}",
                    dialect.client()
                )));
            }
        }
    }
    lines.push(String::new());
    Ok(lines.join("\n").into())
}

fn normal(key: &str) -> String {
    key.replace('_', "-").to_ascii_lowercase()
}

pub(super) fn is_loopback(name: &str) -> bool {
    let address = name.parse::<IpAddr>();
    matches!(name, "" | "localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// How safe the connection has to be, in the words of each family.
fn tls(dialect: Dialect, mode: &str) -> Result<Vec<(&'static str, &'static str)>, PlanError> {
    let mode = mode.to_ascii_uppercase().replace('-', "_");
    let known = match mode.as_str() {
        "DISABLED" | "DISABLE" => "DISABLED",
        "PREFERRED" | "PREFER" | "ALLOW" => "PREFERRED",
        "REQUIRED" | "REQUIRE" => "REQUIRED",
        "VERIFY_CA" => "VERIFY_CA",
        "VERIFY_IDENTITY" | "VERIFY_FULL" => "VERIFY_IDENTITY",
        _ => {
            return Err(PlanError(
                "the ssl-mode of DB_URI is unknown; accepted are DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY"
                    .into(),
            ));
        }
    };
    Ok(match (dialect, known) {
        (Dialect::Mysql, mode) => vec![("ssl-mode", mode)],
        (Dialect::Mariadb, "DISABLED") => vec![("ssl", "0")],
        (Dialect::Mariadb, "PREFERRED") => vec![],
        (Dialect::Mariadb, "REQUIRED") => vec![("ssl", "1"), ("ssl-verify-server-cert", "0")],
        // It knows one way to verify, and that looks at the name, too.
        (Dialect::Mariadb, _) => vec![("ssl", "1"), ("ssl-verify-server-cert", "1")],
    })
}

/// A value as option files have it.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        match c {
            '\\' => quoted.push_str(r"\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str(r"\n"),
            '\r' => quoted.push_str(r"\r"),
            '\t' => quoted.push_str(r"\t"),
            '\u{8}' => quoted.push_str(r"\b"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use dbstash_core::job::Host;

    use super::*;

    fn text(dialect: Dialect, params: &[(&str, &str)]) -> Result<String, PlanError> {
        let server = Server {
            hosts: vec![Host { name: "db".into(), port: Some(3307) }],
            user: Some("app".into()),
            password: Some("a\"b\\c#d 'e".into()),
            params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..Server::default()
        };
        file(dialect, &server).map(|text| text.expose_secret().to_owned())
    }

    #[test]
    fn only_this_machines_server_is_asked_for_its_key() {
        let asks = |dialect, host: &str, params: &[(&str, &str)]| {
            let server = Server {
                hosts: vec![Host { name: host.into(), port: None }],
                params: params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
                ..Server::default()
            };
            file(dialect, &server).unwrap().expose_secret().contains(PUBLIC_KEY)
        };
        assert!(["localhost", "127.0.0.1", "::1", ""].iter().all(|host| asks(
            Dialect::Mysql,
            host,
            &[]
        )));
        assert!(!asks(Dialect::Mysql, "db", &[]) && !asks(Dialect::Mariadb, "localhost", &[]));
        assert!(asks(Dialect::Mysql, "db", &[("allowPublicKeyRetrieval", "true")]));
        assert!(!asks(Dialect::Mysql, "db", &[("get-server-public-key", "false")]));
    }

    #[test]
    fn what_the_clients_read() {
        assert_eq!(
            text(Dialect::Mysql, &[("sslmode", "verify-full"), ("ssl_ca", "/ca.pem")]).unwrap(),
            "[client]\nprotocol=\"tcp\"\nhost=\"db\"\nport=\"3307\"\nuser=\"app\"\n\
             password=\"a\\\"b\\\\c#d 'e\"\nssl-mode=\"VERIFY_IDENTITY\"\nssl-ca=\"/ca.pem\"\n"
        );
        let mariadb = text(Dialect::Mariadb, &[("ssl-mode", "REQUIRED")]).unwrap();
        assert!(mariadb.ends_with("ssl=\"1\"\nssl-verify-server-cert=\"0\"\n"), "{mariadb}");
        assert!(text(Dialect::Mysql, &[("ssl-mode", "maybe")]).is_err());
        let error = text(Dialect::Mysql, &[("foo", "secret")]).unwrap_err().to_string();
        assert!(error.contains("foo") && !error.contains("secret"), "{error}");
    }
}
