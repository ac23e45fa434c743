//! What a dump tool can do wrong, one line each: told, with the tool's last words, and nothing is left.

mod degraded;
mod flood;
mod ground;
pub mod held;
mod minute;
mod real_pg;
mod real_sqlite;

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, tools};

use self::ground::Ground;
use crate::scene::PATIENCE;

/// Name; what the tool does, after a setting, if there is one; what must be told: the cause, and the stderr with it.
/// `HEAD`, `FOOTER` and `TOOL` are the engine's own.
#[rustfmt::skip]
const ENDS: [(&str, &str, &str); 18] = [
    ("at the start",         "err no route; exit 1",                            "code 1 | no route"),
    ("in the middle",        "HEAD; out-bytes 3MiB; err disk on fire; exit 1",  "code 1 | disk on fire"),
    ("after all",            "HEAD; out-bytes 20MiB; FOOTER; err late; exit 3", "code 3 | late"),
    ("killed at the start",  "err hm; kill KILL",                               "signal 9 | hm"),
    ("killed in the middle", "HEAD; out-bytes 3MiB; kill KILL",                 "signal 9 |"),
    ("killed after all",     "HEAD; FOOTER; err bye; kill TERM",                "signal 15 | bye"),
    ("crashes",              "HEAD; out-bytes 1MiB; kill SEGV",                 "signal 11 |"),
    ("missing",              "MISSING",                                         "TOOL is not installed |"),
    ("not executable",       "NOT EXECUTABLE",                                  "TOOL may not be executed |"),
    ("not a program",        "NO PROGRAM",                                      "TOOL exited with code | ELF"),
    ("no footer",            "HEAD; out-bytes 3MiB; err odd; exit 0",           "not complete | odd"),
    ("no head",              "out-bytes 1MiB; FOOTER",                          "it does not begin as |"),
    ("nothing",              "exit 0",                                          "it is empty |"),
    ("only a complaint",     "err cannot; exit 0",                              "it is empty | cannot"),
    ("too small",            "BACKUP_MIN_SIZE=2MiB; HEAD; FOOTER",              "fewer than BACKUP_MIN_SIZE |"),
    ("garbage",              "out-bytes 3MiB",                                  "not complete |"),
    ("garbage, then a dump", "out Password:; HEAD; out-bytes 1MiB; FOOTER",     "it does not begin as |"),
    ("a dump, then garbage", "HEAD; out-bytes 1MiB; FOOTER; out bye",           "not complete |"),
];

/// What has to be waited for; third is the phase.
#[rustfmt::skip]
const HANGS: [(&str, &str, &str, &str); 7] = [
    ("a child holds the output",    "HEAD; FOOTER; err hm; grandchild-holds-stdout 300s",               "dump",    "keeps its output open | hm"),
    ("fails, and a child holds it", "HEAD; err gone; grandchild-holds-stdout 300s; exit 1",             "dump",    "code 1 | gone"),
    ("stalls",                      "BACKUP_STALL_TIMEOUT=2s; HEAD; err a lock; sleep 300s",            "stall",   "moved no byte | a lock"),
    ("silent",                      "BACKUP_TIMEOUT=6s; err a lock; sleep 300s",                        "timeout", "BACKUP_TIMEOUT | a lock"),
    ("too slow",                    "BACKUP_TIMEOUT=6s; HEAD; out-bytes 3MiB; err slow; sleep 300s",    "timeout", "BACKUP_TIMEOUT | slow"),
    ("ignores TERM",                "BACKUP_TIMEOUT=6s; ignore TERM; HEAD; err deaf; sleep 300s",       "timeout", "BACKUP_TIMEOUT | deaf"),
    ("closes its output, lives",    "BACKUP_TIMEOUT=6s; HEAD; FOOTER; close-out; err idle; sleep 300s", "timeout", "BACKUP_TIMEOUT | idle"),
];

/// An engine whose tool is faked.
#[derive(Clone, Copy)]
struct Engine {
    tool: &'static str,
    uri: &'static str,
    head: &'static str,
    footer: &'static str,
}

const PG: Engine = Engine {
    tool: "pg_dump",
    uri: "postgresql://u:canary-3141@127.0.0.1:1/shop",
    head: "pg-head",
    footer: "pg-footer",
};

const SQLITE: Engine = Engine {
    tool: "sqlite3",
    uri: "sqlite:///no/such/shop.db",
    head: "out PRAGMA foreign_keys=OFF;\nout BEGIN TRANSACTION;",
    footer: "out COMMIT;",
};

impl Engine {
    fn script(self, script: &str) -> String {
        script.replace("; ", "\n").replace("HEAD", self.head).replace("FOOTER", self.footer)
    }

    /// A run that meets this tool.
    fn run(self, ground: &Ground, fakes: &FakeTools, tool: &str) -> Dbstash {
        let run = ground.run().env("DB_URI", self.uri);
        let place = fakes.file(self.tool);
        match tool {
            "MISSING" => {}
            "NOT EXECUTABLE" => fs::write(&place, "#!/bin/sh\n").unwrap(),
            "NO PROGRAM" => {
                tools::write_program(&place, "\u{7f}ELF\0");
            }
            script => {
                let (setting, script) = match script.split_once("; ") {
                    Some((setting, rest)) if setting.contains('=') => (setting, rest),
                    _ => ("", script),
                };
                fakes.script(self.tool, &self.script(script));
                return with(run, setting).env("PATH", fakes.path());
            }
        }
        // The real tool is not to be found instead.
        let rclone = tools::find("rclone").unwrap().canonicalize().unwrap();
        symlink(rclone, fakes.file("rclone")).unwrap();
        run.env("PATH", fakes.dir())
    }

    fn cell(self, ground: &Ground, name: &str, tool: &str, phase: &str, told: &str) {
        let case = format!("{} {name} on {}", self.tool, ground.remote.kind());
        let fakes = FakeTools::new();
        let done = self.run(ground, &fakes, tool).run(PATIENCE);
        ground.failed(&case, &done, phase, &told.replace("TOOL", self.tool));
        assert!(!done.stderr.contains("canary-3141"), "{case}: {done}");
    }
}

/// With a `NAME=value`, if there is one.
fn with(run: Dbstash, setting: &str) -> Dbstash {
    match setting.split_once('=') {
        Some((name, value)) => run.env(name, value),
        None => run,
    }
}

fn every_end(kind: RemoteKind) {
    let Some(ground) = Ground::on(kind) else { return };
    for engine in [PG, SQLITE] {
        for (name, tool, told) in ENDS {
            engine.cell(&ground, name, tool, "dump", told);
        }
    }
    ground.over();
}

#[test]
fn ends_on_local() {
    every_end(RemoteKind::Local);
}

#[test]
fn ends_on_webdav() {
    every_end(RemoteKind::Webdav);
}

#[test]
fn ends_on_s3() {
    every_end(RemoteKind::S3);
}

#[test]
fn ends_on_another_s3() {
    every_end(RemoteKind::Moto);
}

#[test]
fn ends_on_crypt() {
    every_end(RemoteKind::CryptLocal);
}

#[test]
fn ends_on_crypt_over_s3() {
    every_end(RemoteKind::CryptS3);
}

/// All at once: nearly all of it is waiting.
#[test]
fn hangs_on_every_remote() {
    thread::scope(|scope| {
        for (kind, engine) in
            RemoteKind::MATRIX.into_iter().flat_map(|kind| [(kind, PG), (kind, SQLITE)])
        {
            scope.spawn(move || {
                let Some(ground) = Ground::on(kind) else { return };
                for (name, tool, phase, told) in HANGS {
                    engine.cell(&ground, name, tool, phase, told);
                }
                ground.over();
            });
        }
    });
}
