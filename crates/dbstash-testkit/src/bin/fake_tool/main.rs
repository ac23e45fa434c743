//! A tool that does what its script says; the steps are described at `dbstash_testkit::FakeTools`.
//!
//! It is known by the name it is started under: beside the symbolic link `pg_dump` lies
//! `pg_dump.script`. Every start adds a line to `calls.jsonl` there.
#![allow(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "it stands for tools that read their environment and choose their exit code"
)]
#![allow(clippy::unwrap_used, reason = "a fake that cannot play its part is a failed test")]

mod script;
mod steps;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let mut args = env::args();
    let called = PathBuf::from(args.next().unwrap());
    let args: Vec<String> = args.collect();
    let name = called.file_name().unwrap().to_str().unwrap().to_owned();
    let dir = home(&called, &name);
    record(&dir, &name, &args);
    let script = fs::read_to_string(dir.join(format!("{name}.script"))).unwrap();
    for step in script::select(&script, &args) {
        steps::take(step, &args);
    }
}

/// Where the script is: the place we were called at, or the first one on `PATH` that has it.
fn home(called: &Path, name: &str) -> PathBuf {
    let script = format!("{name}.script");
    let at = called.parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    std::iter::once(at)
        .filter(|dir| !dir.as_os_str().is_empty())
        .chain(env::split_paths(&path))
        .find(|dir| dir.join(&script).is_file())
        .unwrap_or_else(|| panic!("no {script} on PATH"))
}

fn record(dir: &Path, name: &str, args: &[String]) {
    let environment: serde_json::Map<String, serde_json::Value> = env::vars_os()
        .map(|(name, value)| {
            let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
            (text(name), text(value).into())
        })
        .collect();
    let call = serde_json::json!({
        "tool": name,
        "pid": std::process::id(),
        "args": args,
        "env": environment,
    });
    let mut calls =
        OpenOptions::new().create(true).append(true).open(dir.join("calls.jsonl")).unwrap();
    // In one write, so that calls at the same time do not mix.
    calls.write_all(format!("{call}\n").as_bytes()).unwrap();
}
