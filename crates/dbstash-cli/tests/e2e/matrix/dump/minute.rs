//! What is waited for a minute, without any limit set by the user: all of it at once.

use std::thread;

use dbstash_testkit::{FakeTools, RemoteKind, Scratch, sqlite};

use super::ground::Ground;
use super::{Engine, PG, SQLITE, real_sqlite};
use crate::scene::PATIENCE;

fn a_file_that_stays_locked() {
    let Some(ground) = Ground::on(RemoteKind::Local) else { return };
    let scratch = Scratch::new("sqlite");
    let busy = real_sqlite::database(&scratch, "busy.db", 1);
    let _held = real_sqlite::locked(&busy);
    let done = ground.run().env("DB_URI", real_sqlite::uri(&busy)).run(PATIENCE);
    ground.failed("locked", &done, "dump", "stayed locked by a writer for 60 s | is locked");
    ground.over();
}

fn a_tool_that_lives_on(engine: Engine, kind: RemoteKind) {
    let Some(ground) = Ground::on(kind) else { return };
    let (fakes, tool) = (FakeTools::new(), "HEAD; FOOTER; close-out; err idle; sleep 300s");
    let done = engine.run(&ground, &fakes, tool).run(PATIENCE);
    let told = format!("{} closed its output but did not exit within 60s | idle", engine.tool);
    ground.failed("lives on", &done, "dump", &told);
    ground.over();
}

#[test]
fn a_minute_is_enough() {
    if !sqlite::available() {
        return;
    }
    thread::scope(|scope| {
        scope.spawn(a_file_that_stays_locked);
        for (engine, kind) in [(PG, RemoteKind::Local), (SQLITE, RemoteKind::S3)] {
            scope.spawn(move || a_tool_that_lives_on(engine, kind));
        }
    });
}
