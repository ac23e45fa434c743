//! What stands behind the question mark of a Redis URI: redis-cli's words for TLS, and redis-py's.

use std::path::PathBuf;

use dbstash_core::dialogue::Tls;
use dbstash_core::engine::PlanError;
use dbstash_core::job::Server;

/// What other clients need and a dump does not.
const IGNORED: [&str; 22] = [
    "client_name",
    "clientname",
    "connection_timeout",
    "connect_timeout",
    "db",
    "decode_responses",
    "encoding",
    "encoding_errors",
    "health_check_interval",
    "lib_name",
    "lib_version",
    "max_connections",
    "pool_size",
    "protocol",
    "read_timeout",
    "retry_on_error",
    "retry_on_timeout",
    "single_connection_client",
    "socket_connect_timeout",
    "socket_keepalive",
    "socket_timeout",
    "timeout",
];
/// What means something here.
const KNOWN: [&str; 12] = [
    "tls",
    "cacert",
    "cert",
    "key",
    "sni",
    "insecure",
    "ssl",
    "ssl_ca_certs",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
];

/// How to encrypt the connection, if at all; a warning for each parameter without effect.
pub(super) fn tls(server: &Server, warnings: &mut Vec<String>) -> Result<Option<Tls>, PlanError> {
    let mut given = Given::default();
    for (name, value) in &server.params {
        given.take(name, value, warnings)?;
    }
    if let Some((name, _)) = server.secret_params.first() {
        return Err(unknown(name));
    }
    let Given { on, tls, cert, key, first } = given;
    if on != Some(true) {
        return match first {
            None => Ok(None),
            Some(name) => Err(PlanError(format!(
                "{name} in DB_URI is of TLS, and the connection is not encrypted: write rediss://, or leave it out"
            ))),
        };
    }
    if server.hosts.iter().any(|host| host.name.starts_with('/')) {
        return Err(PlanError(
            "there is no TLS over a unix socket: leave out rediss:// and tls, or name a host"
                .into(),
        ));
    }
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (cert, _) => {
            let (there, missing) = if cert.is_some() { ("cert", "key") } else { ("key", "cert") };
            return Err(PlanError(format!(
                "DB_URI has {there} and no {missing}: a client certificate needs both files"
            )));
        }
    };
    Ok(Some(Tls { identity, ..tls }))
}

/// What the parameters say, one after the other.
#[derive(Default)]
struct Given {
    on: Option<bool>,
    tls: Tls,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    /// The first one that needs TLS.
    first: Option<String>,
}

impl Given {
    fn take(
        &mut self,
        name: &str,
        value: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), PlanError> {
        let of_tls = !matches!(name, "tls" | "ssl");
        match name {
            "tls" | "ssl" => self.on = Some(switch(name, value)?),
            "cacert" | "ssl_ca_certs" => self.tls.authorities = Some(path(name, value)?),
            "cert" | "ssl_certfile" => self.cert = Some(path(name, value)?),
            "key" | "ssl_keyfile" => self.key = Some(path(name, value)?),
            "sni" if value.is_empty() => return Err(bad(name, "a host name")),
            "sni" => self.tls.server_name = Some(value.to_owned()),
            "insecure" => self.tls.unverified |= switch(name, value)?,
            "ssl_cert_reqs" => match value.to_ascii_lowercase().as_str() {
                "none" | "cert_none" => self.tls.unverified = true,
                "required" | "cert_required" => {}
                _ => return Err(bad(name, "none or required")),
            },
            "ssl_check_hostname" => {
                if !switch(name, value)? && !self.tls.unverified {
                    self.tls.unverified = true;
                    warnings.push(
                        "ssl_check_hostname=false in DB_URI: the server's certificate is not looked at; sni=NAME names \
                         the one that it is for"
                            .into(),
                    );
                }
            }
            name if IGNORED.contains(&name) => {
                warnings.push(format!("{name} in DB_URI has no effect on a dump"));
                return Ok(());
            }
            name => return Err(unknown(name)),
        }
        if of_tls && self.first.is_none() {
            self.first = Some(name.to_owned());
        }
        Ok(())
    }
}

fn switch(name: &str, value: &str) -> Result<bool, PlanError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(bad(name, "true or false")),
    }
}

fn path(name: &str, value: &str) -> Result<PathBuf, PlanError> {
    if value.is_empty() { Err(bad(name, "a file's path")) } else { Ok(value.into()) }
}

fn bad(name: &str, wanted: &str) -> PlanError {
    PlanError(format!("{name} in DB_URI has to be {wanted}"))
}

/// The name may be a part of a password with a bare `&`: it is shown only when it looks like a name.
fn unknown(name: &str) -> PlanError {
    let near = KNOWN.iter().min_by_key(|known| strsim::damerau_levenshtein(known, name));
    let near = near.filter(|known| {
        let far = strsim::damerau_levenshtein(known, &name.to_ascii_lowercase());
        far <= 1 + known.len() / 4
    });
    match near {
        Some(near) => {
            PlanError(format!("unknown parameter {name} in DB_URI: did you mean {near}?"))
        }
        None => PlanError(format!(
            "a parameter of DB_URI is unknown: known are {}; in a password, '&' and '?' are written %26 and %3F",
            KNOWN.join(", ")
        )),
    }
}
