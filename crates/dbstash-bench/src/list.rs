//! `dbstash list` beside the one listing it needs, of 100,000 objects.

use std::fs;
use std::path::Path;

use chrono::{TimeDelta, TimeZone as _, Utc};
use dbstash_testkit::{RemoteKind, TestRemote};
use serde_json::json;

use crate::measure::{self, Cost};
use crate::report::Report;
use crate::scene::Scene;
use crate::stats::Spread;
use crate::stream::mib;

/// Each has an object and a manifest.
const BACKUPS: i64 = 50_000;

/// Pairs in turn: what slows one down slows the other.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    let backups = if scene.options.quick { BACKUPS / 10 } else { BACKUPS };
    eprintln!("laying down {backups} backups");
    lay(Path::new(remote.root()), backups);
    let listing = |flags: &[&str]| {
        let mut rclone = scene.command("rclone", &remote);
        rclone.args(["lsjson", "-R"]).args(flags).arg(remote.root());
        measure::run(&mut rclone, &scene.log()).unwrap()
    };
    let list = |words: &[&str]| {
        let mut list = scene.dbstash("sqlite:///nowhere.db", &remote);
        let cost = measure::run(list.arg("list").args(words), &scene.log()).unwrap();
        assert!(fs::metadata(scene.log()).unwrap().len() > 50 * backups.unsigned_abs());
        cost
    };
    let cold = list(&[]);
    let lean = ["--files-only", "--no-modtime", "--no-mimetype"];
    let mut costs: [Vec<Cost>; 4] = Default::default();
    for _ in 0..=scene.options.rounds {
        costs[0].push(listing(&[]));
        costs[1].push(list(&[]));
        costs[2].push(listing(&lean));
        costs[3].push(list(&["--json"]));
    }
    let names =
        ["rclone lsjson -R", "list, warm", "the listing list asks for", "list --json, warm"];
    println!("\n{backups} backups on a local remote: wall s (min-max), CPU s, own peak MiB");
    println!(
        "{:<28} {:>7.2} {:>17} {:>6.2} {:>7.0}",
        "list, cold",
        cold.wall,
        "",
        cold.cpu,
        mib(cold.own_peak)
    );
    for (name, costs) in names.iter().zip(&mut costs) {
        // The first is a warm-up.
        costs.remove(0);
        let wall = Spread::of(walls(costs));
        let cpu = Spread::of(costs.iter().map(|cost| cost.cpu));
        println!(
            "{name:<28} {:>7.2} ({:>6.2}-{:>6.2}) {:>6.2} {:>7.0}",
            wall.median,
            wall.min,
            wall.max,
            cpu.median,
            peak(costs).median
        );
        report.keep(
            &format!("list: {name}"),
            json!({ "wall": wall.json(), "cpu": cpu.json(), "own_peak_mib": peak(costs).json() }),
        );
    }
    report.keep("list: cold", json!({ "wall": cold.wall, "cpu": cold.cpu }));
    let ratio = Spread::of_ratios(&walls(&costs[1]), &walls(&costs[0]));
    report.goal("list: warm, wall / lsjson -R", 1.3, ratio);
    report.goal("list: own peak, MiB", 150.0, peak(&costs[1]));
}

fn walls(costs: &[Cost]) -> Vec<f64> {
    costs.iter().map(|cost| cost.wall).collect()
}

fn peak(costs: &[Cost]) -> Spread {
    Spread::of(costs.iter().map(|cost| mib(cost.own_peak)))
}

/// As a job of ten databases would have left them in a month.
fn lay(root: &Path, backups: i64) {
    let newest = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    for n in 0..backups {
        let started = newest - TimeDelta::minutes(n);
        let (database, stamp) = (n % 10, started.format("%Y%m%dT%H%M%SZ"));
        let folder = root.join(format!("db{database}"));
        if n < 10 {
            fs::create_dir_all(&folder).unwrap();
        }
        let id = format!("{stamp}-{n:08x}");
        let name = format!("shop-{id}.sql.zst");
        let version = "16.3 (Debian 16.3-1.pgdg120+1)";
        let manifest = json!({
            "format": 1, "id": id, "job": "pg-db.example.org-5432", "engine": "pg",
            "database": format!("shop{database}"), "mode": "stream",
            "objects": [{
                "name": name, "format": "plain", "bytes": 5, "raw_bytes": 5,
                "sha256": "ab".repeat(32), "encodings": ["zstd"], "check": "footer",
                "server_version": version, "tool_version": version,
            }],
            "started": started, "ended": started, "host": "backup-host-1", "dbstash": "0.1.0",
        });
        fs::write(folder.join(&name), "bytes").unwrap();
        let manifest_name = format!("{name}.dbstash.json");
        fs::write(folder.join(manifest_name), format!("{manifest:#}\n")).unwrap();
    }
}
