//! dbstash beside what people write, in pairs: the other engines' streams, and files.

pub(crate) mod counts;
pub(crate) mod redis;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, PgServer, RemoteKind, TestRemote};

use crate::archive;
use crate::data::{self, Data};
use crate::measure;
use crate::report::Report;
use crate::scene::{NOT_AVAILABLE, Scene, empty};
use crate::turns;

/// Two ways to store the same data.
struct Pair {
    name: &'static str,
    /// Of dbstash's wall time in the other's.
    at_most: f64,
    ours: Way,
    theirs: Way,
    /// Where their programs are, before everything else on `PATH`.
    path: Option<OsString>,
}

/// One of them.
enum Way {
    /// dbstash with these settings.
    Dbstash(Vec<(&'static str, String)>),
    /// A script for bash; `$TARGET` is on the remote, `$WORK` an empty directory on local disk.
    Script(String),
}

/// Measures every pair there is a server for.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    sqlite(scene, report, &remote);
    for family in Family::ALL {
        mysql(scene, report, &remote, family);
    }
    mongo(scene, report, &remote);
    files(scene, report, &remote);
}

fn sqlite(scene: &Scene, report: &mut Report, remote: &TestRemote) {
    let file = scene.scratch.path().join("bench.db");
    eprintln!("loading sqlite");
    data::sqlite(&file, scene.options.bytes);
    let uri = format!("sqlite://{}", file.display());
    let dump = format!("sqlite3 -readonly '{}' .dump", file.display());
    let pair = Pair {
        name: "sqlite: wall vs the bare pipe",
        at_most: 0.95,
        ours: Way::Dbstash(vec![("DB_URI", uri)]),
        theirs: Way::bare(&dump),
        path: None,
    };
    pair.measure(scene, report, remote);
    let _ = fs::remove_file(file);
}

fn mysql(scene: &Scene, report: &mut Report, remote: &TestRemote, family: Family) {
    let (name, tool) = match family {
        Family::Mysql => ("mysql: wall vs the bare pipe", "mysqldump"),
        Family::Mariadb => ("mariadb: wall vs the bare pipe", "mariadb-dump"),
    };
    let Some(server) = MysqlServer::start(family, "bench") else {
        report.no_goal(name, 0.95, NOT_AVAILABLE);
        return;
    };
    eprintln!("loading {family:?}");
    server.createdb("bench");
    data::mysql(&server, "bench", scene.options.bytes);
    let options = scene.scratch.path().join("my.cnf");
    let port = server.port();
    let text = format!("[client]\nhost=127.0.0.1\nport={port}\nuser=stash\npassword=bench\n");
    fs::write(&options, text).unwrap();
    let dump = format!(
        "{tool} --defaults-file='{}' --single-transaction --quick --routines --events --triggers \
         --hex-blob --no-tablespaces bench",
        options.display()
    );
    let pair = Pair {
        name,
        at_most: 0.95,
        ours: Way::Dbstash(vec![("DB_URI", server.uri("bench"))]),
        theirs: Way::bare(&dump),
        path: Some(server.path()),
    };
    pair.measure(scene, report, remote);
}

fn mongo(scene: &Scene, report: &mut Report, remote: &TestRemote) {
    let (dir, path) = printed_archive(scene);
    let pair = Pair {
        name: "mongo, an archive from a file: wall vs the bare pipe",
        at_most: 0.95,
        ours: Way::Dbstash(vec![("DB_URI", "mongodb://127.0.0.1:1/bench".to_owned())]),
        theirs: Way::bare("mongodump --archive"),
        path,
    };
    pair.measure(scene, report, remote);
    let _ = fs::remove_dir_all(dir);
}

/// A directory with an archive, and a `PATH` with a mongodump that prints it. There is no real one in any package
/// registry: what is measured is more than any mongodump gives.
fn printed_archive(scene: &Scene) -> (PathBuf, Option<OsString>) {
    let dir = scene.scratch.dir("mongo");
    let file = dir.join("archive");
    archive::write(&file, "bench", "event", scene.options.bytes);
    let tool = dir.join("mongodump");
    fs::write(&tool, format!("#!/bin/sh\nexec cat '{}'\n", file.display())).unwrap();
    executable(&tool);
    let rest = std::env::split_paths(scene.path()).collect::<Vec<_>>();
    let path = std::env::join_paths(std::iter::once(dir.clone()).chain(rest)).ok();
    (dir, path)
}

fn files(scene: &Scene, report: &mut Report, remote: &TestRemote) {
    let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
    eprintln!("loading pg");
    Data::Mixed.load(&server, scene.options.bytes);
    let uri = server.uri("mixed");
    let work = scene.scratch.path().join("work");
    let dbstash = |more: &[(&'static str, &str)]| {
        let ours = [("DB_URI", uri.clone()), ("BACKUP_TEMP_DIR", work.display().to_string())];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Way::Dbstash(ours.into_iter().chain(more).collect())
    };
    let directory = [("BACKUP_MODE", "directory"), ("BACKUP_JOBS", "2")];
    let compressed = [directory[0], directory[1], ("BACKUP_COMPRESS", "true")];
    let one_by_one = format!(
        "set -e; pg_dump -Fd -Z0 -f \"$WORK/tree\" '{uri}'; rclone copy \"$WORK/tree\" \"$TARGET\""
    );
    for (name, at_most, ours, theirs) in [
        (
            "pg directory, 2 jobs, compressed: wall vs the stream",
            0.75,
            dbstash(&compressed),
            dbstash(&[("BACKUP_COMPRESS", "true")]),
        ),
        ("pg directory, 2 jobs: wall vs the stream", 0.75, dbstash(&directory), dbstash(&[])),
        (
            "pg tar: wall vs pg_dump -Fd and then rclone copy",
            1.0,
            dbstash(&[("BACKUP_MODE", "tar")]),
            Way::Script(one_by_one),
        ),
    ] {
        let pair = Pair { name, at_most, ours, theirs, path: None };
        pair.measure(scene, report, remote);
    }
}

impl Way {
    fn bare(dump: &str) -> Self {
        Self::Script(format!("set -o pipefail; {dump} | rclone rcat \"$TARGET\""))
    }

    fn command(&self, scene: &Scene, remote: &TestRemote) -> Command {
        match self {
            Self::Dbstash(settings) => {
                let mut command = scene.dbstash("", remote);
                command.env_remove("DB_URI").envs(settings.iter().map(|(n, v)| (*n, v)));
                command
            }
            Self::Script(script) => {
                let work = scene.scratch.path().join("theirs");
                let _ = fs::remove_dir_all(&work);
                fs::create_dir_all(&work).unwrap();
                let mut bash = scene.command("bash", remote);
                bash.args(["-c", script]).env("WORK", work);
                bash.env("TARGET", format!("{}/theirs", remote.root()));
                bash
            }
        }
    }
}

impl Pair {
    /// In turn.
    fn measure(&self, scene: &Scene, report: &mut Report, remote: &TestRemote) {
        let mut stored = (0, 0);
        let once = |is_ours: bool| {
            let (way, stored) =
                if is_ours { (&self.ours, &mut stored.0) } else { (&self.theirs, &mut stored.1) };
            empty(remote);
            let mut command = way.command(scene, remote);
            if let Some(path) = &self.path {
                command.env("PATH", path);
            }
            let cost = measure::run(&mut command, &scene.log())?;
            *stored = remote.objects().values().sum();
            Ok(cost)
        };
        let rounds = scene.options.rounds;
        if let Some(turns) = turns::taken(self.name, self.at_most, rounds, report, once) {
            turns.tell(self.name, self.at_most, stored, report);
        }
    }
}

fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
