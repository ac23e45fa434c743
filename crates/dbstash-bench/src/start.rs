//! What a backup costs however small it is.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use dbstash_testkit::{FakeTools, PgServer, RemoteKind, TestRemote, sqlite, tools};
use serde_json::json;

use crate::measure::{self, Cost};
use crate::report::Report;
use crate::scene::{Scene, empty};
use crate::stats::Spread;

/// dbstash's own share: the tool takes its time, an rclone that answers at once takes none.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let file = scene.scratch.path().join("tiny.db");
    sqlite::seed_shop(&file, 10);
    let uri = format!("sqlite://{}", file.display());
    let local = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    println!("\na tiny database, wall ms (min-max), CPU ms");

    let instant = scene.scratch.dir("instant");
    symlink(std::env::current_exe().unwrap(), instant.join("rclone")).unwrap();
    let path = first(&instant, scene.path());
    let with_instant = || {
        let mut dbstash = scene.dbstash(&uri, &local);
        dbstash.env("PATH", &path);
        dbstash
    };
    let bare = |dump: &str, remote: &TestRemote| {
        let mut bash = scene.command("bash", remote);
        bash.args(["-c", &format!("set -o pipefail; {dump} | rclone rcat \"$TARGET\"")]);
        bash.env("TARGET", format!("{}/dump.sql", remote.root()));
        bash
    };
    let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
    server.createdb("tiny");
    let pg = server.uri("tiny");
    let tool = || {
        let mut sqlite = scene.command("sqlite3", &local);
        sqlite.arg(&file).arg(".dump");
        sqlite
    };
    let version = || {
        let mut rclone = scene.command("rclone", &local);
        rclone.arg("version");
        rclone
    };
    let s3 = TestRemote::start(RemoteKind::S3).expect("rclone is needed");
    let tool = times(scene, report, &local, "the dump tool alone", tool);
    times(scene, report, &local, "rclone version", version);
    for (tool, uri, dump) in [
        ("sqlite3", &uri, format!("sqlite3 '{}' .dump", file.display())),
        ("pg_dump", &pg, format!("pg_dump '{pg}'")),
    ] {
        for remote in [&local, &s3] {
            let to = remote.kind();
            let pipe = format!("{tool} | rclone rcat, {to}");
            times(scene, report, remote, &pipe, || bare(&dump, remote));
            let ours = format!("dbstash: {tool}, {to}");
            times(scene, report, remote, &ours, || scene.dbstash(uri, remote));
            let calls = real_calls(scene, uri, remote);
            println!("  {} rclone calls: {}", calls.len(), calls.join(" "));
            report.keep(&format!("rclone calls of {ours}"), json!(calls));
        }
    }
    let own = times(scene, report, &local, "dbstash, instant rclone", with_instant);

    let own: Vec<f64> = own.iter().map(|cost| cost.wall * 1e3).collect();
    let tool = Spread::of(tool.iter().map(|cost| cost.wall * 1e3)).median;
    let above = Spread::of(own.into_iter().map(|wall| wall - tool));
    report.goal("start: ms above rclone's and the tool's own", 50.0, above);
}

/// Several runs, none of which finds anything of the one before.
fn times(
    scene: &Scene,
    report: &mut Report,
    remote: &TestRemote,
    name: &str,
    command: impl Fn() -> Command,
) -> Vec<Cost> {
    let one = || {
        empty(remote);
        let cost = measure::run(&mut command(), &scene.log());
        cost.unwrap_or_else(|why| panic!("{name} failed: {why}"))
    };
    one();
    let rounds = scene.options.rounds.max(5);
    let costs: Vec<Cost> = (0..rounds).map(|_| one()).collect();
    let wall = Spread::of(costs.iter().map(|cost| cost.wall * 1e3));
    let cpu = Spread::of(costs.iter().map(|cost| cost.cpu * 1e3));
    println!(
        "{name:<31} {:>6.1} ({:>5.1}-{:>6.1}) {:>6.0}",
        wall.median, wall.min, wall.max, cpu.median
    );
    report.keep(&format!("tiny: {name}"), json!({ "wall_ms": wall.json(), "cpu_ms": cpu.json() }));
    costs
}

/// What one backup asks of rclone, in order.
fn real_calls(scene: &Scene, uri: &str, remote: &TestRemote) -> Vec<String> {
    let rclone = tools::find("rclone").unwrap();
    let noted = FakeTools::new().tool("rclone", &format!("exec {}", rclone.display()));
    empty(remote);
    let mut dbstash = scene.dbstash(uri, remote);
    dbstash.env("PATH", first(noted.dir(), scene.path()));
    measure::run(&mut dbstash, &scene.log()).unwrap_or_else(|why| panic!("dbstash failed: {why}"));
    empty(remote);
    noted.calls().iter().map(|call| call.args[0].clone()).collect()
}

fn first(dir: &Path, path: &OsString) -> OsString {
    let rest = std::env::split_paths(path);
    std::env::join_paths(std::iter::once(dir.to_owned()).chain(rest)).unwrap()
}
