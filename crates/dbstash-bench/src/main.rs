//! `make bench`: dbstash beside the shell pipe, on the same dumps, in the same minutes.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench starts programs, reads its own environment, and prints"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a bench that cannot do its work ends; no figure is better than a wrong one"
)]

mod abort;
mod archive;
mod data;
mod idle;
mod instant;
mod list;
mod machine;
mod measure;
mod memory;
mod options;
mod pairs;
mod proc;
mod report;
mod restore;
mod scene;
mod start;
mod stats;
mod stream;
mod turns;
mod variant;

use std::process::ExitCode;

use dbstash_testkit::PgServer;

use self::data::Data;
use self::options::Options;
use self::report::Report;
use self::scene::Scene;

/// Measures one thing, and says how it compares to our goals.
type Part = fn(&Scene, &mut Report);

fn main() -> ExitCode {
    if let Some(code) = instant::run() {
        return code;
    }
    let scene = match Options::read().and_then(Scene::new) {
        Ok(scene) => scene,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::from(2);
        }
    };
    let options = &scene.options;
    let head = machine::describe(options);
    println!("{head:#}");
    let mut report = Report::default();
    let parts = [
        ("start", start::run as Part),
        ("idle", idle::run),
        ("abort", abort::run),
        ("memory", memory::run),
        ("stream", streams),
        ("pairs", pairs::run),
        ("redis", pairs::redis::run),
        ("counts", pairs::counts::run),
        ("restore", restore::run),
        ("list", list::run),
    ];
    for (name, part) in parts {
        if options.wants(name) {
            part(&scene, &mut report);
        }
    }
    report.print_goals();
    if options.quick {
        println!(
            "BENCH_QUICK: what a run costs however small it is weighs most; no word on the goals"
        );
    }
    match report.write(&options.out, &head) {
        Ok(()) => {
            println!("\nfigures: {}", options.out.display());
            if report.has_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("bench: {}: {error}", options.out.display());
            ExitCode::FAILURE
        }
    }
}

fn streams(scene: &Scene, report: &mut Report) {
    let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
    for data in [Data::Mixed, Data::Dense] {
        if stream::CELLS.iter().any(|cell| cell.data == data && scene.options.wants_cell(*cell)) {
            eprintln!("loading {data}: {} MiB", scene.options.bytes >> 20);
            data.load(&server, scene.options.bytes);
        }
    }
    stream::run(scene, report, &server);
}
