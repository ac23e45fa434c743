//! A dump as a stream to a remote, beside the pipes that do without dbstash.

use std::fmt::Write as _;

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};
use serde_json::{Value, json};

use crate::data::Data;
use crate::measure::{self, Cost};
use crate::report::Report;
use crate::scene::{NOT_AVAILABLE, Scene, empty};
use crate::stats::Spread;
use crate::variant::Variant;

/// A kind of remote and a kind of data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    remote: RemoteKind,
    /// What is dumped.
    pub(crate) data: Data,
}

/// All of them.
pub(crate) const CELLS: [Cell; 4] = [
    Cell { remote: RemoteKind::Local, data: Data::Mixed },
    Cell { remote: RemoteKind::Local, data: Data::Dense },
    Cell { remote: RemoteKind::S3, data: Data::Mixed },
    Cell { remote: RemoteKind::S3, data: Data::Dense },
];

impl Cell {
    /// `local/mixed`.
    pub(crate) fn name(self) -> String {
        format!("{}/{}", self.remote.to_string().to_lowercase(), self.data)
    }
}

/// The runs of a variant.
struct Row {
    variant: Variant,
    runs: Vec<Cost>,
    stored: u64,
    absent: Option<String>,
}

impl Row {
    fn figures(&self, of: impl Fn(&Cost) -> f64) -> Vec<f64> {
        self.runs.iter().map(of).collect()
    }
}

/// What a figure of a run is compared by.
type Figure = fn(&Cost) -> f64;
const WALL: Figure = |cost| cost.wall;
const CPU: Figure = |cost| cost.cpu;

#[expect(clippy::cast_precision_loss, reason = "for figures that are read")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures every cell that is asked for.
pub(crate) fn run(scene: &Scene, report: &mut Report, server: &PgServer) {
    for cell in CELLS.into_iter().filter(|cell| scene.options.wants_cell(*cell)) {
        let uri = server.uri(&cell.data.to_string());
        let remote = TestRemote::start(cell.remote).expect("rclone is needed");
        let raw = dump_size(scene, &uri, &remote);
        println!(
            "\n{}: {:.0} MiB of dump, {} rounds and a warm-up",
            cell.name(),
            mib(raw),
            scene.options.rounds
        );
        let rows = rounds(scene, &uri, &remote, raw);
        for row in &rows {
            if row.absent.as_ref().is_some_and(|why| !why.starts_with(NOT_AVAILABLE)) {
                report.fail();
            }
        }
        print(&rows);
        goals(cell, &rows, raw, report);
        report.keep(&cell.name(), json(&rows, raw));
    }
}

fn dump_size(scene: &Scene, uri: &str, remote: &TestRemote) -> u64 {
    let mut bash = scene.command("bash", remote);
    let script = "set -o pipefail; pg_dump \"$URI\" | wc -c";
    let output = bash.args(["-c", script]).env("URI", uri).output().unwrap();
    assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

/// Each round runs every variant once, and begins with another one: what drifts, drifts for all.
fn rounds(scene: &Scene, uri: &str, remote: &TestRemote, raw: u64) -> Vec<Row> {
    let possible = Variant::ALL.into_iter().filter(|v| v.is_possible(scene, remote));
    let row = |variant| Row { variant, runs: Vec::new(), stored: 0, absent: None };
    let mut rows: Vec<Row> = possible.map(row).collect();
    let count = rows.len();
    for round in 0..=scene.options.rounds {
        for turn in 0..count {
            let row = &mut rows[(round + turn) % count];
            if row.absent.is_some() {
                continue;
            }
            empty(remote);
            let mut command = row.variant.command(scene, uri, remote);
            let done = measure::run(&mut command, &scene.log()).and_then(|cost| {
                row.stored = row.variant.stored(scene, uri, remote, raw)?;
                Ok(cost)
            });
            match done {
                // The warm-up.
                Ok(_) if round == 0 => {}
                Ok(cost) => row.runs.push(cost),
                // What fails once is no figure to keep.
                Err(why) => {
                    eprintln!("{}: {why}", row.variant.name());
                    row.runs.clear();
                    row.absent = Some(why);
                }
            }
        }
        eprint!(".");
    }
    eprintln!();
    empty(remote);
    rows
}

fn print(rows: &[Row]) {
    println!(
        "{:<31} {:>20} {:>6} {:>8} {:>9} {:>9} {:>8}  {:>11} {:>11}",
        "",
        "wall s (min-max)",
        "CPU s",
        "own CPU",
        "own peak",
        "tree peak",
        "stored",
        "wall : 1 2",
        "CPU : 1 2"
    );
    for row in rows {
        if let Some(why) = &row.absent {
            println!("{:<31} {why}", row.variant.name());
            continue;
        }
        let median = |of: Figure| Spread::of(row.figures(of)).median;
        let wall = Spread::of(row.figures(WALL));
        let (own, peak) = if row.variant.is_dbstash() {
            let peak = Spread::of(row.figures(|cost| mib(cost.own_peak))).max;
            (format!("{:.2}", median(|cost| cost.own_cpu)), format!("{peak:.1} MiB"))
        } else {
            ("-".into(), "-".into())
        };
        let mut line = format!(
            "{:<31} {:>6.2} ({:>5.2}-{:>5.2}) {:>6.2} {own:>8} {peak:>9} {:>5.0} MiB {:>4.0} MiB ",
            row.variant.name(),
            wall.median,
            wall.min,
            wall.max,
            median(CPU),
            mib(row.runs.iter().map(|cost| cost.tree_peak).max().unwrap_or(0)),
            mib(row.stored),
        );
        for of in [WALL, CPU] {
            for base in [Variant::Bare, Variant::Fastest] {
                let ratio = ratio(rows, row.variant, base, of);
                let _ = write!(line, " {:>5.2}", ratio.map_or(f64::NAN, |ratio| ratio.median));
            }
        }
        println!("{line}");
    }
}

/// Of the same rounds; `None` when one of the two is not there.
fn ratio(rows: &[Row], of: Variant, to: Variant, figure: Figure) -> Option<Spread> {
    let figures = |variant| {
        let row = rows.iter().find(|row| row.variant == variant && row.absent.is_none())?;
        Some(row.figures(figure))
    };
    Some(Spread::of_ratios(&figures(of)?, &figures(to)?))
}

fn why_absent(rows: &[Row], of: Variant, to: Variant) -> &str {
    let mut absent = rows.iter().filter(|row| row.variant == of || row.variant == to);
    absent.find_map(|row| row.absent.as_deref()).unwrap_or(NOT_AVAILABLE)
}

fn goals(cell: Cell, rows: &[Row], raw: u64, report: &mut Report) {
    use Variant::{Bare, Dbstash, DbstashZstd, Fastest, Peer, Restic, ZstdPipe};
    let mut aims = match cell.remote {
        RemoteKind::Local => vec![
            ("wall vs the bare pipe", Dbstash, Bare, WALL, 0.80),
            ("CPU vs the bare pipe", Dbstash, Bare, CPU, 0.60),
            ("wall vs the fastest pipe", Dbstash, Fastest, WALL, 1.00),
            ("CPU vs the fastest pipe", Dbstash, Fastest, CPU, 1.10),
        ],
        _ => vec![
            ("wall vs the bare pipe", Dbstash, Bare, WALL, 0.92),
            ("CPU vs the bare pipe", Dbstash, Bare, CPU, 0.70),
        ],
    };
    match (cell.data, cell.remote) {
        (Data::Mixed, RemoteKind::Local) => {
            aims.push(("zstd:1, wall vs the bare pipe", DbstashZstd, Bare, WALL, 0.72));
        }
        (Data::Mixed, _) => {
            aims.push(("zstd:1, wall vs the bare pipe", DbstashZstd, Bare, WALL, 0.55));
        }
        // 0.9 of its speed.
        (Data::Dense, _) => {
            aims.push(("zstd:1, wall vs zstd -T0 -1", DbstashZstd, ZstdPipe, WALL, 1.0 / 0.9));
        }
    }
    let there = |variant| rows.iter().any(|row| row.variant == variant);
    if there(Restic) {
        aims.push(("wall vs restic, full", Dbstash, Restic, WALL, 0.60));
    }
    if there(Peer) {
        aims.push(("wall vs the peer", Dbstash, Peer, WALL, 0.70));
        aims.push(("CPU vs the peer", Dbstash, Peer, CPU, 0.45));
    }
    for (what, of, to, figure, at_most) in aims {
        let what = format!("{}: {what}", cell.name());
        match ratio(rows, of, to, figure) {
            Some(seen) => report.goal(what, at_most, seen),
            None => report.no_goal(what, at_most, why_absent(rows, of, to)),
        }
    }
    for (variant, at_most) in [(Dbstash, 8.0), (DbstashZstd, 24.0)] {
        let what = format!("{}: own peak MiB, {}", cell.name(), variant.name());
        let row = rows.iter().find(|row| row.variant == variant && row.absent.is_none());
        match row.map(|row| Spread::of(row.figures(|cost| mib(cost.own_peak)))) {
            // The worst of them: a limit that is kept half of the time is none.
            Some(peak) => report.goal(what, at_most, Spread { median: peak.max, ..peak }),
            None => report.no_goal(what, at_most, why_absent(rows, variant, variant)),
        }
    }
    let own = rows.iter().find(|row| row.variant == Dbstash && row.absent.is_none());
    if let Some(row) = own {
        let gib = mib(raw) / 1024.0;
        let own = Spread::of(row.figures(|cost| cost.own_cpu).into_iter().map(|s| s / gib));
        report.goal(format!("{}: own CPU, s/GiB", cell.name()), 0.85, own);
    }
}

fn json(rows: &[Row], raw: u64) -> Value {
    let row = |row: &Row| {
        let spread = |of: Figure| Spread::of(row.figures(of)).json();
        let vs = |to: Variant, of: Figure| ratio(rows, row.variant, to, of).map(Spread::json);
        let mut value = json!({ "what": row.variant.name(), "not_available": row.absent });
        if row.absent.is_none() {
            value["wall_s"] = spread(WALL);
            value["cpu_s"] = spread(CPU);
            value["tree_peak_mib"] = spread(|cost| mib(cost.tree_peak));
            value["stored_bytes"] = json!(row.stored);
            value["vs_bare"] = json!({
                "wall": vs(Variant::Bare, WALL), "cpu": vs(Variant::Bare, CPU),
            });
            value["vs_fastest"] = json!({
                "wall": vs(Variant::Fastest, WALL), "cpu": vs(Variant::Fastest, CPU),
            });
        }
        if row.absent.is_none() && row.variant.is_dbstash() {
            value["own_cpu_s"] = spread(|cost| cost.own_cpu);
            value["own_peak_mib"] = spread(|cost| mib(cost.own_peak));
        }
        value
    };
    json!({ "dump_bytes": raw, "rows": rows.iter().map(row).collect::<Vec<_>>() })
}
