//! Which of our own variables libpq may see.
//!
//! To libpq `PGHOSTADDR` beats a host that was asked for by name, and the values of `PGSERVICE` beat `PGPASSWORD`. A
//! job that says where its server is must not be sent elsewhere by what happens to be set around it.

use dbstash_core::job::Server;

macro_rules! with_how {
    ($($more:literal),*) => {
        &[
            "KRB5*", "PGAPPNAME", "PGCHANNELBINDING", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT", "PGDATESTYLE", "PGGSS*",
            "PGKRBSRVNAME", "PGLOADBALANCEHOSTS", "PGMAXPROTOCOLVERSION", "PGMINPROTOCOLVERSION", "PGOPTIONS",
            "PGPASSFILE", "PGPASSWORD", "PGREQUIRE*", "PGSSL*", "PGSYSCONFDIR", "PGTARGETSESSIONATTRS", "PGTZ",
            "PGUSER", "SSL_CERT_*", $($more),*
        ]
    };
}

/// How to connect, never where.
const HOW: &[&str] = with_how!();
const HOW_AND_SERVICE_FILE: &[&str] = with_how!("PGSERVICEFILE");
const AND_WHERE: &[&str] = with_how!("PGHOST", "PGHOSTADDR", "PGPORT");
const AND_SERVICE: &[&str] =
    with_how!("PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGSERVICEFILE");

/// What is handed down to a client of this server. A variable that we set ourselves wins over it.
pub(super) fn inherited(server: &Server) -> &'static [&'static str] {
    let has = |name: &str| server.params.iter().any(|(key, _)| key == name);
    if server.is_ours {
        &[]
    } else if has("service") {
        HOW_AND_SERVICE_FILE
    } else if has("hostaddr") || server.hosts.iter().any(|host| !host.name.is_empty()) {
        HOW
    } else if server.password.is_some() {
        AND_WHERE
    } else {
        AND_SERVICE
    }
}

#[cfg(test)]
mod tests {
    use dbstash_core::job::Source;

    use super::*;
    use crate::conn::parse_uri;

    #[test]
    fn a_server_that_is_named_stays_that_server() {
        let seen = |uri: &str, name: &str| {
            let Source::Server(server) = parse_uri(uri).unwrap().source else { panic!("{uri}") };
            inherited(&server).contains(&name)
        };
        for uri in [
            "postgres://h/d",
            "postgres:///d?host=/run/pg",
            "postgres:///d?hostaddr=::1",
            "postgres:///d?service=s",
        ] {
            for name in ["PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGDATABASE"] {
                assert!(!seen(uri, name), "{uri} {name}");
            }
            assert!(seen(uri, "PGPASSFILE") && seen(uri, "PGSSL*"));
        }
        let ours = Server { is_ours: true, ..Server::default() };
        assert!(inherited(&ours).is_empty());
        assert!(seen("postgres:///d", "PGSERVICE") && seen("postgres:///d", "PGHOST"));
        assert!(seen("postgres:///d?service=s", "PGSERVICEFILE"));
        assert!(!seen("postgres://u:pw@/d", "PGSERVICE") && seen("postgres://u:pw@/d", "PGHOST"));
    }
}
