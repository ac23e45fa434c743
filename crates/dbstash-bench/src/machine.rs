//! What the figures were taken on; nothing that tells whose machine it is.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use dbstash_testkit::tools;
use serde_json::{Value, json};

use crate::options::Options;

/// The machine, the versions, the date and what was asked for.
pub(crate) fn describe(options: &Options) -> Value {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| {
        line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    json!({
        "date": chrono::Utc::now().format("%Y-%m-%d").to_string(),
        "dbstash": env!("CARGO_PKG_VERSION"),
        "rounds": options.rounds,
        "quick": options.quick,
        "cores": available_parallelism().map_or(0, std::num::NonZero::get),
        "cpu": model.map(|(_, model)| model),
        "memory_gib": kib.map(|kib| kib.div_ceil(1 << 20)),
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(first_line),
        "load_at_start": fs::read_to_string("/proc/loadavg").ok().map(|text| {
            text.split_whitespace().next().unwrap_or_default().to_owned()
        }),
        "rclone": version("rclone", "version"),
        "postgres": version("postgres", "--version"),
        "zstd": version("zstd", "--version"),
        "restic": version("restic", "version"),
    })
}

fn version(program: &str, flag: &str) -> Option<String> {
    let output = Command::new(tools::find(program)?).arg(flag).output().ok()?;
    Some(first_line(String::from_utf8_lossy(&output.stdout).into_owned()))
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map")]
fn first_line(text: String) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}
