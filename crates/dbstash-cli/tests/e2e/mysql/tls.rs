//! The TLS settings of a URI, against accounts that insist.

use std::fs;
use std::path::Path;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, RemoteKind, TestRemote};

use super::product;
use crate::scene::{PATIENCE, summary};

const FILES: [&str; 5] =
    ["ca.pem", "server-cert.pem", "server-key.pem", "client-cert.pem", "client-key.pem"];

/// A server with keys, which MySQL makes for itself, and for MariaDB here.
fn with_keys(family: Family) -> Option<MysqlServer> {
    let maker = MysqlServer::start_mysql("pw")?;
    if family == Family::Mysql {
        return Some(maker);
    }
    let mut server = MysqlServer::start_mariadb("pw")?;
    let keys = server.dir("data");
    for file in FILES {
        fs::copy(maker.dir("data").join(file), keys.join(file)).unwrap();
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(keys.join(file), readable).unwrap();
    }
    for (name, file) in [("ssl-ca", 0), ("ssl-cert", 1), ("ssl-key", 2)] {
        let option = server.option(name, &keys.join(FILES[file]));
        server.add_option(option);
    }
    server.stop();
    server.restart();
    Some(server)
}

#[test]
fn accounts_that_insist_on_tls() {
    for family in Family::ALL {
        let Some(server) = with_keys(family) else { continue };
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        server.createdb("shop");
        for (user, insists) in [("safe", "SSL"), ("known", "X509")] {
            server.sql(
                "",
                &format!(
                    "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'pw' REQUIRE {insists}; \
                     GRANT ALL ON shop.* TO {user}@'127.0.0.1'"
                ),
            );
        }
        let keys = server.dir("data");
        let path = |name: &str| Path::new(&keys).join(name).display().to_string();
        let ca = format!("ssl-ca={}", path("ca.pem"));
        let own =
            format!("ssl-cert={}&ssl-key={}", path("client-cert.pem"), path("client-key.pem"));
        let other = format!("ssl-ca={}", path("client-cert.pem"));
        // MariaDB's way to verify looks at the name, which these keys do not have.
        let verified = if family == Family::Mysql { "VERIFY_CA" } else { "REQUIRED" };
        let refused = "refuses the user or its password";
        let broken = "the TLS connection to the server failed";
        for (user, params, told) in [
            ("stash", "ssl-mode=DISABLED".to_owned(), None),
            ("safe", "ssl-mode=DISABLED".to_owned(), Some(refused)),
            ("safe", "ssl-mode=REQUIRED".to_owned(), None),
            ("safe", "ssl=true".to_owned(), None),
            ("safe", format!("ssl-mode={verified}&{ca}"), None),
            ("safe", format!("ssl-mode=VERIFY_IDENTITY&{ca}"), Some(broken)),
            ("safe", format!("ssl-mode=VERIFY_CA&{other}"), Some(broken)),
            ("known", "ssl-mode=REQUIRED".to_owned(), Some(refused)),
            ("known", format!("ssl-mode=REQUIRED&{own}"), None),
            ("known", format!("ssl_mode={verified}&{ca}&{own}"), None),
        ] {
            // Nothing that an earlier login has left at the server helps a later one.
            server.sql("", "FLUSH PRIVILEGES");
            let uri =
                format!("{}?{params}", server.uri("shop").replace("stash:", &format!("{user}:")));
            let done = product(&server, &remote).env("DB_URI", uri).run(PATIENCE);
            let Some(told) = told else {
                done.expect_code(0);
                continue;
            };
            done.expect_code(1);
            let error = summary(&done)["error"].as_str().unwrap();
            assert!(error.contains(told), "{user} {params}: {done}");
        }
    }
}
