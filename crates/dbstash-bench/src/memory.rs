//! dbstash's own memory, which the size of a dump must not change.

use std::collections::BTreeMap;

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote};
use serde_json::json;

use crate::measure;
use crate::report::Report;
use crate::scene::{Scene, empty};
use crate::stats::Spread;
use crate::stream::mib;

/// What two peaks may differ by and still be the same, in MiB.
const SAME: f64 = 1.0;

/// Dumps of very different sizes, by a fake tool: only their size matters.
pub(crate) fn run(scene: &Scene, report: &mut Report) {
    let sizes: &[u64] = match (scene.options.quick, scene.options.full) {
        (true, _) => &[100, 300],
        (false, false) => &[100, 1024],
        (false, true) => &[100, 1024, 10 * 1024],
    };
    println!("\ndbstash's own peak memory, MiB, for dumps of {sizes:?} MiB");
    for (name, compression, at_most) in [("plain", None, 8.0), ("zstd:1", Some("zstd:1"), 24.0)] {
        let goal = format!("memory: {name}, MiB");
        let found: Result<BTreeMap<u64, f64>, String> =
            sizes.iter().map(|&size| Ok((size, peak(scene, size, compression)?))).collect();
        let peaks = match found {
            Ok(peaks) => peaks,
            Err(why) => {
                println!("{name:<8} {why}");
                report.no_goal(goal, at_most, &why);
                continue;
            }
        };
        let spread = Spread::of(peaks.values().copied());
        println!("{name:<8} {:>5.1?}", peaks.values().collect::<Vec<_>>());
        report.goal(goal, at_most, Spread::of([spread.max]));
        let grown = Spread::of([spread.max - spread.min]);
        report.goal(format!("memory: {name}, MiB between sizes"), SAME, grown);
        report.keep(&format!("memory: {name}"), json!(peaks));
    }
}

fn peak(scene: &Scene, size: u64, compression: Option<&str>) -> Result<f64, String> {
    let script = format!("pg-head\nout-bytes {size}MiB\npg-footer");
    let fakes = FakeTools::new().tool("pg_dump", &script);
    let remote = TestRemote::start(RemoteKind::Local).expect("rclone is needed");
    let uri = "postgresql://nobody@127.0.0.1:1/none";
    let mut dbstash = scene.dbstash(uri, &remote);
    dbstash.env("PATH", fakes.path()).env("PG_GLOBALS", "off");
    if let Some(compression) = compression {
        dbstash.env("BACKUP_COMPRESSION", compression);
    }
    let cost = measure::run(&mut dbstash, &scene.log())
        .unwrap_or_else(|why| panic!("{size} MiB, {compression:?}: {why}"));
    let listed = scene.listed(uri, &remote)?;
    empty(&remote);
    let [backup] = &listed[..] else {
        panic!("{size} MiB, {compression:?}: {} backups are listed", listed.len());
    };
    if compression.is_some() {
        backup.expect_zstd()?;
    }
    assert!(backup.raw_bytes >= size << 20, "{size} MiB, {compression:?}: it is smaller");
    Ok(mib(cost.own_peak))
}
