//! Redis: login and rules, and that no dump is begun to find out.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use dbstash_testkit::redis::Family;
use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{RedisServer, RemoteKind, Scratch, TestRemote};

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
    let drills = user("least:right-canary@").env("DRILL_AFTER_BACKUP", "every 10th");
    let inner = Scratch::new("closed");
    fs::set_permissions(inner.path(), fs::Permissions::from_mode(0o700)).unwrap();
    // Whoever runs them: root gives the server to somebody else.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let closed_folder = drills.clone().env("BACKUP_TEMP_DIR", inner.dir("work"));
    let told: Line<'_> = if is_root {
        ("drill", "fail", &["is closed to DRILL_USER", "chmod o+x"])
    } else {
        ("drill", "ok", &["private server"])
    };
    let cases: [(_, Line<'_>); 10] = [
        (
            drills.clone(),
            ("drill", "ok", &["in a private server", "redis-server 7", "redis-cli 7"]),
        ),
        (
            drills.env("DRILL_URI", "redis://127.0.0.1"),
            ("drill", "fail", &["DRILL_URI is not for redis"]),
        ),
        (closed_folder, told),
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
    let some = if server.family() == Family::Redis7 { &cases[..] } else { &cases[5..7] };
    for (run, line) in some {
        finds(run, *line, &["remote"]);
    }
    // Asking did not make it begin a dump.
    assert_eq!(server.info("sync_full"), "0");
}
