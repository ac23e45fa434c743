//! dbstash as a replica beside the server's own client.

use dbstash_testkit::redis::Family;
use dbstash_testkit::{RedisServer, RemoteKind, TestRemote};

use super::{Pair, Way};
use crate::data;
use crate::report::Report;
use crate::scene::{NOT_AVAILABLE, Scene};

/// Each server without the wait for further replicas, which is the same for both ways.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    for (name, family, more) in [
        ("redis 7.0: wall vs redis-cli", Family::Redis7, &[][..]),
        (
            "redis 7.0, rdbcompression no: wall vs redis-cli",
            Family::Redis7,
            &["--rdbcompression", "no"],
        ),
        ("valkey 9.1: wall vs valkey-cli", Family::Valkey9, &[]),
    ] {
        let delay = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"];
        let arguments = [&delay[..], more].concat();
        let Some(server) = RedisServer::start_with(family, &arguments) else {
            report.no_goal(name, 0.95, NOT_AVAILABLE);
            continue;
        };
        eprintln!("loading {family:?}");
        data::redis(&server, scene.options.bytes);
        let tool = if family == Family::Valkey9 { "valkey-cli" } else { "redis-cli" };
        let login = [("DB_USER", "kit"), ("DB_PASSWORD", "kit"), ("DB_HOST", "127.0.0.1")];
        let port = server.port().to_string();
        let settings = [("DBSTASH_ENGINE", "redis"), ("DB_PORT", &port)];
        let settings = login.into_iter().chain(settings).map(|(n, v)| (n, v.to_owned()));
        let dump = format!("REDISCLI_AUTH=kit {tool} -p {port} --user kit --rdb -");
        let pair = Pair {
            name,
            at_most: 0.95,
            ours: Way::Dbstash(settings.collect()),
            theirs: Way::bare(&dump),
            path: Some(server.path()),
        };
        pair.measure(scene, report, &remote);
    }
}
