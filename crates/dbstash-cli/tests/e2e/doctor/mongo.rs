//! MongoDB: login and roles, told by our own program.

use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{FakeTools, MongoServer, Mongodump, RemoteKind, TestRemote};

use super::{Line, each, finds, nowhere, tells, well};
use crate::scene::dbstash;

#[test]
fn a_server_and_its_roles() {
    let (Some(server), Some(remote)) =
        (MongoServer::start("right-canary"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.seed("shop", 10);
    server.keep(&["user", "reader", "read", "other"]);
    let old = FakeTools::new().tool("mongodump", "out mongodump version: 100.1.0");
    let run = dbstash(&remote).env("PATH", server.path(Mongodump::Fake).unwrap());
    let found = well(&run.clone().env("DB_URI", server.uri("shop")));
    tells(&found, ("login", "ok", &["stash of admin is let in"]));
    tells(&found, ("privileges", "ok", &["may read shop"]));
    tells(&found, ("server", "ok", &["MongoDB "]));
    let with = |uri: &str| nowhere(&run).env("DB_URI", uri);
    let reader = server.uri("shop").replace("stash:", "reader:").replace("=admin", "=other");
    let closed = free_port();
    let shop = with(&server.uri("shop"));
    let cases: [(_, Line<'_>); 9] = [
        (
            shop.clone().env("DRILL_AFTER_BACKUP", "every"),
            ("drill", "fail", &["DRILL_URI names a server for drills"]),
        ),
        (
            shop.clone().env("DRILL_URI", server.root_uri("")),
            ("drill", "ok", &["may make a scratch database on MongoDB"]),
        ),
        (
            shop.env("DRILL_URI", reader.replace("/shop", "/")),
            ("drill", "fail", &["reader may write no scratch", "readWriteAnyDatabase"]),
        ),
        (
            with(&server.uri("shop").replace("right", "wrong")),
            ("login", "fail", &["refuses the user or its password", "authSource"]),
        ),
        (
            with(&server.uri("nonesuch")),
            ("database", "fail", &["no database 'nonesuch'", "DB_NAME"]),
        ),
        (
            with(&reader),
            (
                "privileges",
                "fail",
                &["reader may not read shop", "grantRolesToUser", "db: \"shop\""],
            ),
        ),
        (
            with(&format!("mongodb://u:p@127.0.0.1:{closed}/shop")),
            ("address", "fail", &["refused", "check host and port"]),
        ),
        (
            with("mongodb://u:p@no-such-host.invalid/shop"),
            ("address", "fail", &["cannot be resolved"]),
        ),
        (
            with(&server.uri("shop")).env("PATH", old.path()),
            ("tool", "fail", &["version 100.1", "100.3 or newer"]),
        ),
    ];
    each(&cases, |(run, line)| finds(run, *line, &["remote", "database"]));
    assert_eq!(remote.names(), [""; 0]);
}
