//! Who may, and who may not; and that nobody learns the password.

use std::thread;

use dbstash_testkit::redis::{Family, Reply};
use dbstash_testkit::{RedisServer, RemoteKind, Scratch, TestRemote, percent_encoded};

use super::{fails, loads, product, stored, warnings};
use crate::matrix::place::Place;
use crate::secrets::watch::{OF_DATABASE, nothing_on, odd, watched};

/// Gives the server a user with these rules.
fn user(server: &RedisServer, name: &str, password: &str, rules: &str) {
    let password = format!(">{password}");
    let mut words = vec!["ACL", "SETUSER", name, "reset", "on", &password];
    words.extend(rules.split(' '));
    let reply = server.client().ask(&words).unwrap();
    assert_eq!(reply, Reply::Simple("OK".into()), "{name}");
}

#[test]
fn rules_of_access() {
    thread::scope(|scope| {
        for family in Family::ALL {
            scope.spawn(move || {
                let place = Place::on(TestRemote::start(RemoteKind::Local)?)?;
                rules(&place, &RedisServer::start(family)?);
                Some(())
            });
        }
    });
}

fn rules(place: &Place, server: &RedisServer) {
    let family = server.family();
    server.fill(1);
    user(server, "least", "pw", "+psync +replconf");
    user(server, "older", "pw", "+sync +replconf");
    user(server, "mute", "pw", "+psync");
    user(server, "nobody", "pw", "+ping");
    user(server, "default", "master key", "~* &* +@all");
    let run = |login: &str| {
        let uri = format!("redis://{login}127.0.0.1:{}", server.port());
        product(server, &place.remote).env("DB_URI", uri)
    };
    for (login, told) in [
        ("", "asks for a password and none is set"),
        (":wrong@", "refuses the user or the password"),
        ("least:wrong@", "refuses the user or the password"),
        ("older:pw@", "the user older may not run PSYNC"),
        ("mute:pw@", "the user mute may not run REPLCONF"),
        ("nobody:pw@", "ACL SETUSER nobody +psync +replconf"),
    ] {
        let done = fails(place, &run(login), told);
        assert!(!done.to_string().contains("wrong@"), "{done}");
    }
    for (login, told) in [
        ("", "the server asks for a password"),
        (":wrong@", "refuses the user or the password"),
        ("least:pw@", "the user may not run SYNC"),
    ] {
        fails(place, &run(login).env("REDIS_METHOD", "cli"), told);
    }
    let digest = server.digest();
    for (login, method) in [
        ("least:pw@", "replication"),
        ("least:pw@", "auto"),
        ("older:pw@", "cli"),
        ("older:pw@", "auto"),
        (":master%20key@", "replication"),
        (":master%20key@", "cli"),
    ] {
        let case = format!("{family:?} {login} {method}");
        let (done, dump) = stored(&run(login).env("REDIS_METHOD", method), &place.remote);
        loads(family, &dump, &digest, &case);
        let warned = warnings(&done).concat();
        let falls_back = (login, method) == ("older:pw@", "auto");
        assert_eq!(warned.contains("redis-cli"), falls_back, "{case}: {warned}");
        assert_eq!(warned.is_empty(), !falls_back, "{case}: {warned}");
        for name in place.remote.names() {
            if !place.older.has(&name) {
                place.remote.delete(&name);
            }
        }
    }
}

#[test]
fn passwords_of_all_sorts_stay_secret() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let Some(server) = RedisServer::start(Family::Redis7) else { return };
    let files = Scratch::new("files");
    server.fill(1);
    let broken = format!("{}\r\n*1\r\n$4\r\nPING", odd(OF_DATABASE));
    for (name, password) in [("default", odd(OF_DATABASE)), ("us@er/%ü", broken)] {
        user(&server, name, &password, "~* &* +@all");
        let at = format!("127.0.0.1:{}", server.port());
        let uri = match name {
            "default" => format!("redis://:{}@{at}", percent_encoded(&password)),
            name => {
                format!("redis://{}:{}@{at}", percent_encoded(name), percent_encoded(&password))
            }
        };
        let file = files.path().join("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let run = product(&server, &remote).env("LOG_LEVEL", "trace");
        let parts = run.clone().env_remove("DB_URI").env("DBSTASH_ENGINE", "redis");
        let parts = parts.env("DB_HOST", "127.0.0.1").env("DB_PORT", server.port().to_string());
        let parts = if name == "default" { parts } else { parts.env("DB_USER", name) };
        let wrong = uri.replace(OF_DATABASE, &format!("{OF_DATABASE}x"));
        for method in ["replication", "cli", "auto"] {
            for (way, run) in [
                ("DB_URI", run.clone().env("DB_URI", &uri)),
                ("DB_PASSWORD_FILE", parts.clone().env("DB_PASSWORD_FILE", &file)),
            ] {
                let case = format!("{name} {way} {method}");
                let done = watched(&run.env("REDIS_METHOD", method), &case);
                done.expect_code(0).expect_no_leftovers();
                let tool = done.samples.as_ref().unwrap().programs().contains(&"redis-cli");
                assert_eq!(tool, method == "cli", "{case}");
            }
            let run = run.clone().env("DB_URI", &wrong).env("REDIS_METHOD", method);
            watched(&run, "wrong").expect_code(1).expect_no_leftovers();
        }
        for args in [vec!["config"], vec!["config", "--json"], vec!["list"]] {
            watched(&run.clone().env("DB_URI", &uri).args(args), "a command").expect_code(0);
        }
        let plan =
            run.clone().env("DB_URI", &uri).env("DRY_RUN", "true").env("REDIS_METHOD", "auto");
        watched(&plan, "a dry run").expect_code(0);
    }
    let manifests = TestRemote::start(RemoteKind::Local).unwrap();
    for name in remote.names().iter().filter(|name| name.ends_with(".json")) {
        manifests.write(name, &remote.read(name));
    }
    nothing_on(&manifests);
}
