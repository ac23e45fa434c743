//! A backup whose rows are counted as they pass beside the same one without: what counting costs.

use std::fs;

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use super::{Pair, Way, printed_archive};
use crate::data::{self, Data};
use crate::report::Report;
use crate::scene::Scene;

/// In streams that are compressed on their way, as they mostly are, and in one that a program only prints.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    let both = |name, uri: &str, path| {
        let way = |counts: &str| {
            let settings =
                [("DB_URI", uri), ("BACKUP_COMPRESSION", "zstd"), ("BACKUP_COUNTS", counts)];
            Way::Dbstash(settings.map(|(name, value)| (name, value.to_owned())).into())
        };
        Pair { name, at_most: 1.05, ours: way("true"), theirs: way("false"), path }
    };

    let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
    eprintln!("loading pg");
    Data::Mixed.load(&server, scene.options.bytes);
    both("counts, pg: wall vs the same without", &server.uri("mixed"), None)
        .measure(scene, report, &remote);
    drop(server);

    let file = scene.scratch.path().join("counted.db");
    eprintln!("loading sqlite");
    data::sqlite(&file, scene.options.bytes);
    let uri = format!("sqlite://{}", file.display());
    both("counts, sqlite: wall vs the same without", &uri, None).measure(scene, report, &remote);
    let _ = fs::remove_file(file);

    let (dir, path) = printed_archive(scene);
    let uri = "mongodb://127.0.0.1:1/bench";
    both("counts, mongo, an archive from a file: wall vs the same without", uri, path)
        .measure(scene, report, &remote);
    let _ = fs::remove_dir_all(dir);
}
