//! PostgreSQL beyond the conformance suite: its newest version, large data, roles, failures.

mod conformance;
mod failures;
mod large;
mod many;
mod roles;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use dbstash_testkit::{Dbstash, PgServer, Scratch, TestRemote};

use crate::modes::fetched;
use crate::scene::dbstash;

/// The program with the clients of this server, for this remote.
fn product(server: &PgServer, remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("PATH", server.path())
}

/// Restores a stored backup into a database with the server's own stock tools, stopping at the
/// first error.
fn restore(server: &PgServer, database: &str, remote: &TestRemote, object: &str, mode: &str) {
    let scratch = Scratch::new("fetched");
    if mode != "stream" {
        let files = fetched(remote, object, &scratch);
        // The tool may be somebody else's.
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(&files));
        let mut tool = server.client("pg_restore");
        run(tool.args(["--exit-on-error", "--jobs=2", "-d", database]).arg(&files));
        return;
    }
    let from = format!("{}/{object}", remote.root().trim_end_matches('/'));
    let dump = scratch.path().join("dump");
    run(&mut remote.rclone(&["copyto", &from, dump.to_str().unwrap()]));
    let (name, dump) = match object.rsplit_once('.').unwrap() {
        (name, "zst") => (name, unpacked("zstd", &dump)),
        (name, "gz") => (name, unpacked("gzip", &dump)),
        _ => (object, dump.clone()),
    };
    let dump = File::open(dump).unwrap();
    if name.ends_with(".sql") {
        let mut psql = server.client("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", "-"]);
        run(psql.stdin(dump).stdout(Stdio::null()));
    } else {
        let mut tool = server.client("pg_restore");
        run(tool.args(["--exit-on-error", "-d", database]).stdin(dump));
    }
}

fn unpacked(tool: &str, file: &Path) -> std::path::PathBuf {
    let plain = file.with_extension("plain");
    let out = File::create(&plain).unwrap();
    run(Command::new(tool).arg("-dc").stdin(File::open(file).unwrap()).stdout(out));
    fs::remove_file(file).unwrap();
    plain
}

/// It has to succeed.
fn run(command: &mut Command) {
    let out = command.stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
}

/// Of two long texts that should be one, what is not in the other.
#[track_caller]
pub(crate) fn expect_same(found: &str, expected: &str, case: &str) {
    let only = |a: &str, b: &str| {
        let there: std::collections::BTreeSet<_> = b.lines().collect();
        let lines: Vec<_> = a.lines().filter(|line| !there.contains(line)).take(20).collect();
        lines.join("\n")
    };
    assert!(
        found == expected,
        "{case}: found\n{}\ninstead of\n{}",
        only(found, expected),
        only(expected, found)
    );
}
