//! Redis: login and rules, and that no dump is begun to find out.

use dbstash_testkit::redis::Family;
use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{RedisServer, RemoteKind, TestRemote};

use super::{Line, each, finds, nowhere, tells, well};
use crate::scene::dbstash;

#[test]
fn rules_of_access() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    each(&Family::ALL, |&family| {
        if let Some(server) = RedisServer::start(family) {
            rules(&server, &remote);
        }
    });
}

fn rules(server: &RedisServer, remote: &TestRemote) {
    for (name, rules) in [
        ("least", "+psync +replconf"),
        ("older", "+sync +replconf"),
        ("mute", "+psync"),
        ("default", "~* +@all"),
    ] {
        let mut words = vec!["ACL", "SETUSER", name, "reset", "on", ">right-canary"];
        words.extend(rules.split(' '));
        server.client().ask(&words).unwrap();
    }
    let (port, closed) = (server.port(), free_port());
    let run = dbstash(remote).env("PATH", server.path());
    let at = |rest: &str| nowhere(&run).env("DB_URI", format!("redis://{rest}"));
    let user = |login: &str| at(&format!("{login}127.0.0.1:{port}"));
    let least = format!("redis://least:right-canary@127.0.0.1:{port}");
    let found = well(&run.clone().env("DB_URI", least));
    tells(&found, ("privileges", "ok", &["the user least may ask for the data set"]));
    let all = well(&run.clone().env("DB_URI", format!("redis://:right-canary@127.0.0.1:{port}")));
    tells(&all, ("clock", "ok", &["of the server agrees"]));
    let cases: [(_, Line<'_>); 7] = [
        (user(""), ("login", "fail", &["asks for a password and none is set", "DB_PASSWORD"])),
        (user(":wrong-canary@"), ("login", "fail", &["refuses the user or the password"])),
        (
            user("older:right-canary@"),
            ("login", "fail", &["may not run PSYNC", "ACL SETUSER older +psync +replconf"]),
        ),
        (
            user("mute:right-canary@"),
            ("login", "fail", &["may not run REPLCONF", "ACL SETUSER mute"]),
        ),
        (
            user("least:right-canary@").env("REDIS_METHOD", "cli"),
            ("login", "fail", &["may not run SYNC", "+sync"]),
        ),
        (
            at(&format!("127.0.0.1:{closed}")),
            ("address", "fail", &["refused", "check host and port"]),
        ),
        (at("no-such-host.invalid"), ("address", "fail", &["cannot be resolved", "DB_HOST"])),
    ];
    // What an address is, and how redis-cli says no, is the same of each.
    let some = if server.family() == Family::Redis7 { &cases[..] } else { &cases[2..4] };
    for (run, line) in some {
        finds(run, *line, &["remote"]);
    }
    // Asking did not make it begin a dump.
    assert_eq!(server.info("sync_full"), "0");
}
