//! Pings: a monitor hears of every run's start and end.

use dbstash_testkit::Signal;

use super::{AWAY, HANGS, Scene, WHOLE};
use crate::scene::PATIENCE;

fn paths(scene: &Scene) -> Vec<String> {
    let requests = scene.inbox.requests();
    requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[test]
fn of_success_and_failure_whatever_else_is_told() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    let run = scene.quiet().env("NOTIFY_PING_URL", scene.inbox.url("/uuid?x=1"));
    run.run(PATIENCE).expect_code(0);
    assert_eq!(paths(&scene), ["GET /uuid/start?x=1", "GET /uuid?x=1"]);
    scene.fakes.script("pg_dump", AWAY);
    run.clone().env("BACKUP_RETRIES", "1").run(PATIENCE).expect_code(1);
    assert_eq!(paths(&scene)[2..], ["GET /uuid/start?x=1", "POST /uuid/fail?x=1"]);
    let why = scene.inbox.requests().pop().unwrap().body;
    assert!(why.contains("backup failed: shop") && why.contains("Connection refused"), "{why}");
}

#[test]
fn of_several_databases_one_failure_counts() {
    let Some(scene) = Scene::new("when *crm*\nerr no\nexit 1") else { return };
    scene.fakes.script("pg_dump", &format!("when *crm*\n{AWAY}\notherwise\n{WHOLE}"));
    let run = scene.quiet().env("DB_URI", "postgresql://u:pw@127.0.0.1:1");
    let run = run.env("NOTIFY_PING_URL", scene.inbox.url("/uuid"));
    let done = run.env("DB_NAME", "crm,shop").run(PATIENCE);
    done.expect_code(1);
    assert_eq!(paths(&scene), ["GET /uuid/start", "POST /uuid/fail"], "{done}");
}

#[test]
fn of_a_skipped_run_there_is_nothing_to_hear() {
    let Some(scene) = Scene::new(HANGS) else { return };
    let run = scene.quiet().env("NOTIFY_PING_URL", scene.inbox.url("/uuid"));
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| !scene.fakes.calls_of("pg_dump").is_empty());
    run.run(PATIENCE).expect_code(3);
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(143);
    assert_eq!(paths(&scene), ["GET /uuid/start", "POST /uuid/fail"]);
}

#[test]
fn of_every_run_of_a_schedule() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    let run = scene.quiet().env("NOTIFY_PING_URL", scene.inbox.url("/uuid"));
    let mut running = run.env("BACKUP_SCHEDULE", "* * * * * *").spawn();
    running.wait_until(PATIENCE, |_| paths(&scene).len() >= 4);
    running.signal(Signal::TERM);
    running.wait(PATIENCE);
    let heard = paths(&scene);
    assert_eq!(heard[..4], ["GET /uuid/start", "GET /uuid", "GET /uuid/start", "GET /uuid"]);
}
