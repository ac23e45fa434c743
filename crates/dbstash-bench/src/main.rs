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

mod data;
mod machine;
mod measure;
mod options;
mod proc;
mod report;
mod scene;
mod stats;
mod stream;
mod variant;

use std::process::ExitCode;

use dbstash_testkit::PgServer;

use self::data::Data;
use self::options::Options;
use self::report::Report;
use self::scene::Scene;

fn main() -> ExitCode {
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
    if options.wants("stream") {
        let server = PgServer::start("bench-password").expect("PostgreSQL is needed");
        for data in [Data::Mixed, Data::Dense] {
            eprintln!("loading {data}: {} MiB", options.bytes >> 20);
            data.load(&server, options.bytes);
        }
        stream::run(&scene, &mut report, &server);
    }
    report.print_goals();
    match report.write(&options.out, &head) {
        Ok(()) => {
            println!("\nfigures: {}", options.out.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {}: {error}", options.out.display());
            ExitCode::FAILURE
        }
    }
}
