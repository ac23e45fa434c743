use dbstash_core::secret::ExposeSecret as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn server(uri: &str) -> (Server, Option<String>) {
    let connection = parse_uri(uri).unwrap_or_else(|e| panic!("{uri}: {e}"));
    match connection.source {
        Source::Server(server) => (server, connection.database),
        Source::File(path) => panic!("{path:?}"),
    }
}

fn hosts(uri: &str) -> Vec<(String, Option<u16>)> {
    server(uri).0.hosts.into_iter().map(|h| (h.name, h.port)).collect()
}

fn error(uri: &str) -> String {
    parse_uri(uri).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn every_part_of_a_pg_uri() {
    let (server, database) = server(
        "postgresql://us%40er:p%3Ass%2Fw%25@db.example:5433/sh%20op?sslmode=require&options=-c%20a%3Db+c",
    );
    assert_eq!(server.user.as_deref(), Some("us@er"));
    assert_eq!(server.password.unwrap().expose_secret(), "p:ss/w%");
    assert_eq!(server.hosts, [Host { name: "db.example".into(), port: Some(5433) }]);
    assert_eq!(database.as_deref(), Some("sh op"));
    let params = [("sslmode", "require"), ("options", "-c a=b+c")];
    assert_eq!(server.params, params.map(|(k, v)| (k.to_owned(), v.to_owned())));
}

#[test]
fn hosts_of_every_kind() {
    let host = |name: &str, port| (name.to_owned(), port);
    assert_eq!(hosts("postgres:///db"), []);
    assert_eq!(hosts("postgres://h/db"), [host("h", None)]);
    assert_eq!(hosts("postgres://[::1]:1/db"), [host("::1", Some(1))]);
    assert_eq!(hosts("postgres://[fe80::1]/db"), [host("fe80::1", None)]);
    assert_eq!(
        hosts("postgres://a:1,b,[::1]:3/db"),
        [host("a", Some(1)), host("b", None), host("::1", Some(3))]
    );
    assert_eq!(hosts("postgres://%2Frun%2Fpg:2/db"), [host("/run/pg", Some(2))]);
    assert_eq!(hosts("postgres:///db?host=/run/pg&port=2"), [host("/run/pg", Some(2))]);
    assert_eq!(
        hosts("postgres://x/db?host=a,b&port=1,2"),
        [host("a", Some(1)), host("b", Some(2))]
    );
    assert_eq!(hosts("postgres:///db?port=7"), [host("", Some(7))]);
    assert_eq!(hosts("postgres://a,b/db?host=c"), [host("c", None)]);
    assert_eq!(hosts("postgres://:7/db?host=/run/pg"), [host("/run/pg", Some(7))]);
    assert_eq!(hosts("postgres://x:7/db?host=a,b"), [host("a", Some(7)), host("b", Some(7))]);
    assert_eq!(hosts("postgres:///db?host=a%2Cb&port=,2"), [host("a", None), host("b", Some(2))]);
}

#[test]
fn the_query_wins_and_keeps_secrets_apart() {
    let (server, database) =
        server("postgres://a:b@h/db?user=u&password=p&dbname=d&sslpassword=canary-1");
    assert_eq!((server.user.as_deref(), database.as_deref()), (Some("u"), Some("d")));
    assert_eq!(server.password.as_ref().unwrap().expose_secret(), "p");
    assert!(server.params.is_empty() && server.secret_params[0].0 == "sslpassword");
    let (jdbc, database) = self::server("postgres://u@h/db?user=&dbname=&ssl=true&options=a@b");
    assert_eq!((jdbc.user, database), (None, None));
    assert_eq!(jdbc.params[0], ("sslmode".to_owned(), "require".to_owned()));
    assert!(!format!("{server:?}").contains("canary"));
}

#[test]
fn redis_servers() {
    for (uri, host, port, user, password, tls, number) in [
        ("redis://h", "h", None, None, None, false, None),
        ("redis://:p%40@h:6380/5", "h", Some(6380), None, Some("p@"), false, Some("5")),
        ("rediss://u:@[::1]/0?sni=x", "::1", None, Some("u"), Some(""), true, Some("0")),
        ("redis+unix:///run/r.sock?db=2", "/run/r.sock", None, None, None, false, Some("2")),
        ("redis+unix://u:p@/a:b/r?password=q", "/a:b/r", None, Some("u"), Some("q"), false, None),
        ("redis+unix:///r?username=x", "/r", None, Some("x"), None, false, None),
    ] {
        let (server, database) = server(uri);
        let first = &server.hosts[0];
        assert_eq!((first.name.as_str(), first.port), (host, port), "{uri}");
        assert_eq!((server.user.as_deref(), database.as_deref()), (user, number), "{uri}");
        let found = server.password.as_ref().map(|p| p.expose_secret().to_owned());
        assert_eq!(found.as_deref(), password, "{uri}");
        assert_eq!(server.params.iter().any(|(key, _)| key == redis::TLS), tls, "{uri}");
    }
    let (server, _) = server("redis://u:a%FF%00b@h");
    assert_eq!((server.user.as_deref(), server.password.is_some()), (Some("u"), false));
    let (key, raw) = &server.secret_params[0];
    assert_eq!((key.as_str(), raw.expose_secret()), (redis::RAW_PASSWORD, "a%FF%00b"));
    assert!(error("redis+unix://host/r").contains("no host"));
    for uri in ["redis://", "redis://:6379", "rediss://u:p@", "redis:///3"] {
        assert!(error(uri).contains("names no host"), "{uri}");
    }
    assert!(error("redis+unix://host").contains("names no socket"));
    assert!(error("valkey://h").contains("did you mean redis://?"));
}

#[test]
fn sqlite_paths() {
    for (uri, path) in [
        ("sqlite:///data/app.db", "/data/app.db"),
        ("sqlite:/data/app.db", "/data/app.db"),
        ("sqlite:data/app.db", "data/app.db"),
        ("file:///data/my%20app%3F.db?mode=ro", "/data/my app?.db"),
        ("file:/data/app.db", "/data/app.db"),
        ("file://localhost/data/app.db", "/data/app.db"),
    ] {
        let connection = parse_uri(uri).unwrap();
        assert!(matches!(&connection.source, Source::File(p) if p.as_os_str() == path), "{uri}");
        assert!(connection.database.is_some());
    }
    assert!(error("sqlite://data/app.db").contains("sqlite:///data/app.db"));
    assert!(
        error("sqlite:").contains("names no file") && error("file:///").contains("names no file")
    );
    assert!(error("file:/a?vfs=x").contains("mode=ro"));
}

#[test]
fn mistakes_are_named_and_tell_no_secret() {
    for (uri, told) in [
        ("", "scheme"),
        ("canary", "scheme"),
        ("mysqlx://u:canary@h/db", "unknown scheme mysqlx://; known are postgresql://"),
        ("postgres:u:canary@h/db", "'//'"),
        ("postgres://u:canary@h:99999/db", "1 to 65535"),
        ("postgres://u:canary@h:0/db", "1 to 65535"),
        ("postgres://u:can@ary@h/db", "%40"),
        ("postgres://u:x@canary?a=b@h/db", "%40"),
        ("postgres://u:can/ary@h/db", "%2F"),
        ("postgres://u:can#ary@h/db", "%23"),
        ("postgres://u:can?ary@h/db", "%3F"),
        ("postgres://u:12?can=ary@h/db", "%3F"),
        ("postgres://u:12?can%zz=ary@h/db", "%3F"),
        ("postgres://u:can/ary", "%2F"),
        ("can:ary@h/db", "does not start with a scheme"),
        ("postgresql+asyncpg://u:canary@h/db", "did you mean postgresql://?"),
        ("jdbc:postgresql://h/db?password=canary", "did you mean postgresql://?"),
        ("sqlite3:///data/app.db", "did you mean sqlite://?"),
        ("postgres://u:canary%zz@h/db", "%25"),
        ("postgres://u:canary%00@h/db", "NUL"),
        ("postgres://u:canary%ff@h/db", "UTF-8"),
        ("postgres://u:canary@::1/db", "[::1]"),
        ("postgres://u:canary@[::1/db", "']'"),
        ("postgres://u:canary@h/db?sslmode", "'='"),
        ("postgres://u:canary@a,b/db?port=1,2,3", "ports"),
        ("postgres://u:canary@h/db\n", "control"),
    ] {
        let error = error(uri);
        assert!(error.contains(told), "{uri}: {error}");
        assert!(!error.contains("can"), "{uri}: {error}");
    }
}

#[test]
fn job_ids() {
    let id = |uri: &str| {
        let connection = parse_uri(uri).unwrap();
        default_job_id(connection.engine, &connection.source).to_string()
    };
    assert_eq!(id("postgres://db.example/x"), "pg-db.example-5432");
    assert_eq!(id("postgres://a:1,b:2/x"), "pg-a-1");
    assert_eq!(id("postgres:///x"), "pg-localhost-5432");
    assert_eq!(id("postgres:///x?host=/run/pg"), "pg-run-pg-5432");
    assert_eq!(id("postgres:///x?hostaddr=10.0.0.7"), "pg-10.0.0.7-5432");
    assert_eq!(id("postgres:///x?service=main"), "pg-main-5432");
    assert_eq!(id("postgres://[::1]/x"), "pg-1-5432");
    assert_eq!(id("sqlite:///data/app.db"), "sqlite-data-app.db");
    assert!(id("sqlite:///data/my app.db").starts_with("sqlite-data-my-app.db-"));
    let long = "x".repeat(200);
    for (one, other) in [
        ("/c/a-b/app.db".to_owned(), "/c/a/b/app.db".to_owned()),
        ("/c/%C3%A4/app.db".to_owned(), "/c/%C3%B6/app.db".to_owned()),
        (format!("/{long}/1.db"), format!("/{long}/2.db")),
    ] {
        assert_ne!(id(&format!("sqlite:{one}")), id(&format!("sqlite:{other}")));
    }
}

#[test]
fn a_password_cut_at_an_ampersand_is_no_name_to_repeat() {
    let error = parse_uri("postgresql://h/d?password=ab&c4n4ry=%").unwrap_err().to_string();
    assert!(error.contains("a parameter's value") && !error.contains("c4n4ry"), "{error}");
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC{0,60}", scheme in "(postgres://|sqlite:|file://|)") {
        let _ = parse_uri(&format!("{scheme}{text}"));
    }

    #[test]
    fn no_error_repeats_a_password(
        scheme in "(postgres|postgresql|jdbc:postgresql|mysql|[a-z]{0,5})", slashes in "(://|:/|:|)", user in "[a-z@:/?#%]{0,4}",
        before in "[a-z@:/?#%&=]{0,4}", after in "[a-z@:/?#%&= ]{0,4}", rest in "[a-z0-9@:/?#%&=,\\[\\]-]{0,16}",
        key in "(password|sslpassword|oauth_client_secret|dbname|x)",
    ) {
        let canary = "c4n4ry";
        for uri in [
            format!("{scheme}{slashes}{user}:{before}{canary}{after}@h{rest}"),
            format!("postgresql://{user}h/d?{key}={before}{canary}{after}&{rest}"),
        ] {
            if let Err(error) = parse_uri(&uri) {
                prop_assert!(!error.to_string().contains(canary), "{uri}: {error}");
            }
        }
    }

    #[test]
    fn structure_never_panics(text in "(postgres|sqlite|file|x)?:?/{0,4}[a-z0-9@:/?#%&=,\\[\\]. \\\\-]{0,40}") {
        if let Ok(connection) = parse_uri(&text) {
            let id = default_job_id(connection.engine, &connection.source);
            prop_assert!(id.as_str().parse::<dbstash_core::job::JobId>().is_ok(), "{id}");
        }
    }

    #[test]
    fn encoded_parts_come_back(user in "[^\\x00]{1,20}", password in "[^\\x00]{0,20}", database in "[^\\x00]{1,20}") {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let uri = format!("postgres://{}:{}@h/{}", encoded(&user), encoded(&password), encoded(&database));
        let (server, found) = server(&uri);
        prop_assert_eq!(server.user, Some(user));
        let kept = server.password.unwrap();
        prop_assert_eq!(kept.expose_secret(), password.as_str());
        prop_assert_eq!(found, Some(database));
    }
}
