//! How to reach the server, and as whom: a URI, and what stands beside it in mongodump's configuration file.

use std::fmt::Write as _;

use dbstash_core::engine::PlanError;
use dbstash_core::job::Server;
use dbstash_core::secret::{ExposeSecret, SecretString};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::conn::mongo::{SRV, is_srv, param};

/// How long to look for a server that can be asked. An election takes some ten seconds; the drivers' own 30 s are for
/// programs that nobody waits for.
const SELECTION: (&str, &str) = ("serverSelectionTimeoutMS", "15000");
/// What a part of a URI may hold as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same for values: drivers look for these before they decode, or after.
const VALUE: &AsciiSet = &PLAIN.remove(b',').remove(b':').remove(b'/');
/// The driver's parameters that a question for names can have a use for; it refuses what it does not know.
const OF_DRIVER: [&str; 24] = [
    "appname",
    "authmechanism",
    "authmechanismproperties",
    "authsource",
    "connecttimeoutms",
    "directconnection",
    "heartbeatfrequencyms",
    "loadbalanced",
    "localthresholdms",
    "maxstalenessseconds",
    "readpreference",
    "readpreferencetags",
    "replicaset",
    "retryreads",
    "serverselectiontimeoutms",
    "sockettimeoutms",
    "srvmaxhosts",
    "srvservicename",
    "ssl",
    "tls",
    "tlsallowinvalidcertificates",
    "tlscafile",
    "tlscertificatekeyfile",
    "tlsinsecure",
];

/// What is written before the question mark, with this much of the user.
fn authority(server: &Server, with_password: bool) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let scheme = if is_srv(server) { "mongodb+srv" } else { "mongodb" };
    let mut uri = format!("{scheme}://");
    if let Some(user) = &server.user {
        uri.push_str(&encoded(user));
        if let Some(password) = server.password.as_ref().filter(|_| with_password) {
            let _ = write!(uri, ":{}", encoded(password.expose_secret()));
        }
        uri.push('@');
    }
    let hosts = server.hosts.iter().map(|host| {
        let name = match host.name.as_str() {
            "" => "localhost".to_owned(),
            address if address.contains(':') => format!("[{}]", address.replace('%', "%25")),
            name => encoded(name),
        };
        host.port.map_or(name.clone(), |port| format!("{name}:{port}"))
    });
    uri.push_str(&hosts.collect::<Vec<_>>().join(","));
    uri.push('/');
    uri
}

/// The parameters that `wanted` takes by their names in lower case, secret ones too, after a question mark.
fn query(server: &Server, bounded: bool, wanted: impl Fn(&str) -> bool) -> String {
    let open = server.params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let secret =
        server.secret_params.iter().map(|(name, value)| (name.as_str(), value.expose_secret()));
    // The database to log in to means nothing here but the authSource that was made of it.
    let ours = |name: &str| name == SRV || name == "dbname";
    let all =
        open.chain(secret).filter(|(name, _)| !ours(name) && wanted(&name.to_ascii_lowercase()));
    let bound = (!bounded && param(server, SELECTION.0).is_none()).then_some(SELECTION);
    let pairs = all.chain(bound).map(|(name, value)| {
        format!("{}={}", utf8_percent_encode(name, PLAIN), utf8_percent_encode(value, VALUE))
    });
    format!("?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// Whether a parameter is the password of a client's key, which the file has a place of its own for.
fn is_key_password(name: &str) -> bool {
    name.eq_ignore_ascii_case("tlsCertificateKeyFilePassword")
        || name.eq_ignore_ascii_case("sslClientCertificateKeyPassword")
}

/// mongodump's `--config`: it takes `uri`, `password` and `sslPEMKeyPassword`, and nothing else. The password is not in
/// the URI, for mongodump repeats that when it cannot connect.
pub(super) fn config(server: &Server, bounded: bool) -> SecretString {
    let uri = authority(server, false) + &query(server, bounded, |name| !is_key_password(name));
    let mut yaml = format!("uri: {}\n", quoted(&uri));
    let of_key = server.secret_params.iter().find(|(name, _)| is_key_password(name));
    let secrets = [
        ("password", server.password.as_ref()),
        ("sslPEMKeyPassword", of_key.map(|(_, secret)| secret)),
    ];
    for (name, secret) in secrets {
        if let Some(secret) =
            secret.map(ExposeSecret::expose_secret).filter(|text| !text.is_empty())
        {
            let _ = writeln!(yaml, "{name}: {}", quoted(secret));
        }
    }
    yaml.into()
}

/// The whole URI for the driver that asks for names. As mongodump does, a single host is taken at its word.
pub(super) fn for_driver(server: &Server) -> Result<SecretString, PlanError> {
    unable(server)?;
    let mut uri = authority(server, true);
    if is_srv(server) {
        uri.push_str(
            &utf8_percent_encode(param(server, "dbname").unwrap_or_default(), PLAIN).to_string(),
        );
    }
    uri.push_str(&query(server, false, |name| OF_DRIVER.contains(&name)));
    let told = ["replicaSet", "directConnection", "loadBalanced"]
        .iter()
        .any(|name| param(server, name).is_some());
    if server.hosts.len() == 1 && !is_srv(server) && !told {
        uri.push_str("&directConnection=true");
    }
    Ok(uri.into())
}

/// What mongodump can do and the driver, as it is built into dbstash, cannot.
fn unable(server: &Server) -> Result<(), PlanError> {
    let mechanism = param(server, "authMechanism").map(str::to_ascii_uppercase);
    let what = match mechanism.as_deref() {
        Some(word @ ("MONGODB-AWS" | "MONGODB-OIDC" | "GSSAPI")) => format!("authMechanism={word}"),
        _ if server.secret_params.iter().any(|(name, _)| is_key_password(name)) => {
            "tlsCertificateKeyFilePassword".to_owned()
        }
        _ => return Ok(()),
    };
    Err(PlanError(format!(
        "with {what} in DB_URI dbstash cannot ask the server for its databases: name them in DB_NAME, or set \
         BACKUP_ALL_DATABASES=true"
    )))
}

/// A YAML text in double quotes, in plain ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            ' '..='~' => write!(quoted, "{c}"),
            c if u32::from(c) <= 0xffff => write!(quoted, "\\u{:04X}", u32::from(c)),
            c => write!(quoted, "\\U{:08X}", u32::from(c)),
        };
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conn::parse_uri;
    use dbstash_core::job::Source;

    fn server(uri: &str) -> Server {
        match parse_uri(uri).unwrap().source {
            Source::Server(server) => server,
            Source::File(path) => panic!("{path:?}"),
        }
    }

    fn yaml(uri: &str) -> String {
        config(&server(uri), false).expose_secret().to_owned()
    }

    #[test]
    fn what_mongodump_reads() {
        assert_eq!(
            yaml(
                "mongodb://us%40er:p%22%5C%F0%9F%98%80%0A%25@a:1,b/shop?replicaSet=rs0&readPreferenceTags=dc:ny,r:1"
            ),
            "uri: \"mongodb://us%40er@a:1,b/?replicaSet=rs0&readPreferenceTags=dc:ny,r:1&authSource=shop\
             &serverSelectionTimeoutMS=15000\"\npassword: \"p\\\"\\\\\\U0001F600\\u000A%\"\n"
        );
        assert_eq!(
            yaml("mongodb://u:p@h?authSource=x&serverSelectionTimeoutMs=1"),
            "uri: \"mongodb://u@h/?authSource=x&serverSelectionTimeoutMs=1\"\npassword: \"p\"\n"
        );
        // Nobody logs in, so nothing knows anybody.
        assert_eq!(
            yaml("mongodb://[fe80::1]:1,%2Ftmp%2Fmongodb-27017.sock/shop"),
            "uri: \"mongodb://[fe80::1]:1,%2Ftmp%2Fmongodb-27017.sock/?serverSelectionTimeoutMS=15000\"\n"
        );
        assert!(yaml("mongodb://u:p@h/").contains("authSource=admin"));
        assert!(!yaml("mongodb://u:p@h/?authMechanism=plain").contains("authSource"));
        // The zone may say it.
        assert!(
            yaml("mongodb+srv://u:p@h.example/shop")
                .starts_with("uri: \"mongodb+srv://u@h.example/?server")
        );
        let key = yaml(
            "mongodb://h/?tls=true&tlsCertificateKeyFile=/k.pem&tlsCertificateKeyFilePassword=s%40",
        );
        assert!(
            key.ends_with("\"\nsslPEMKeyPassword: \"s@\"\n") && !key.contains("FilePassword"),
            "{key}"
        );
    }

    #[test]
    fn what_the_driver_reads() {
        let uri = |uri: &str| for_driver(&server(uri)).unwrap().expose_secret().to_owned();
        assert_eq!(
            uri("mongodb://u:p%2F@h:2/shop?compressors=zlib&w=1"),
            "mongodb://u:p%2F@h:2/?authSource=shop&serverSelectionTimeoutMS=15000&directConnection=true"
        );
        assert!(!uri("mongodb://a,b/?replicaSet=r").contains("directConnection"));
        for unable in ["authMechanism=mongodb-aws", "tlsCertificateKeyFilePassword=x"] {
            let error = for_driver(&server(&format!("mongodb://h/?{unable}"))).unwrap_err();
            assert!(error.to_string().contains("DB_NAME"), "{error}");
        }
    }
}
