//! What is news, and that it arrives.

use std::time::{Duration, Instant};

use dbstash_testkit::{Answer, Signal};

use super::{AWAY, HANGS, Scene, WHOLE, only, undelivered};
use crate::scene::{PATIENCE, backups, shop_file, summary};

const EVERY_SECOND: &str = "* * * * * *";

#[test]
fn of_a_real_backup() {
    let (Some(scene), Some(file)) = (Scene::new(AWAY), shop_file(100)) else { return };
    let inbox = &scene.inbox;
    let urls = [
        inbox.url("/news"),
        format!("slack+{}", inbox.url("/slack")),
        format!("discord+{}", inbox.url("/discord")),
        inbox.url("/mattermost/hooks/abc"),
    ];
    let run = scene.quiet().env("DB_URI", file.uri()).env("DBSTASH_JOB", "app & <b>");
    let run = run.env_remove("DBSTASH_JOB").env("NOTIFY_WEBHOOK_URL", urls.join(","));
    let run = run.env("BACKUP_COMPRESSION", "zstd");
    let done = run.clone().env("NOTIFY_ON", "always").run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    assert_eq!(undelivered(&done), [""; 0], "{done}");
    let event = summary(&done);
    let news = only(&inbox.of("/news")).json();
    for field in
        ["status", "job", "database", "engine", "backup_id", "object", "bytes", "raw_bytes"]
    {
        assert_eq!(news[field], event[field], "{field}: {news}");
    }
    assert_eq!(news["object"], backups(&run)[0].as_str());
    assert!(news["duration"].is_number() && news["attempts"] == 1 && news["host"].is_string());
    assert!(news["time"].as_str().unwrap().ends_with('Z') && news.get("error").is_none(), "{news}");
    let discord = only(&inbox.of("/discord")).clone();
    let slack = only(&inbox.of("/slack")).clone();
    let mattermost = only(&inbox.of("/mattermost/hooks/abc")).clone();
    assert_eq!((discord.status, slack.status, mattermost.status), (204, 200, 200));
    assert_eq!(slack.json(), mattermost.json());
    for told in [&discord, &slack] {
        assert!(told.body.contains(news["object"].as_str().unwrap()), "{}", told.body);
    }

    // A success is no news to those who want failures, nor the other way round.
    run.run(PATIENCE).expect_code(0);
    let broken = run.env("DB_URI", "sqlite:///nonexistent/app.db");
    broken.clone().env("NOTIFY_ON", "success").run(PATIENCE).expect_code(1);
    assert_eq!(inbox.requests().len(), 4);

    let done = broken.run(PATIENCE);
    done.expect_code(1);
    assert_eq!(undelivered(&done), [""; 0], "{done}");
    let cause = summary(&done)["error"].as_str().unwrap().to_owned();
    let told = inbox.of("/news").pop().unwrap().json();
    assert!(told["status"] == "failure" && told.get("object").is_none(), "{told}");
    assert!(told["error"].as_str().unwrap().starts_with(&cause), "{told}");
    let embed = inbox.of("/discord").pop().unwrap().json()["embeds"][0].clone();
    let first = cause.lines().next().unwrap();
    assert!(embed["description"].as_str().unwrap().contains(first), "{embed}");
    let of = |path: &str| inbox.of(path).iter().map(|told| told.status).collect::<Vec<_>>();
    assert_eq!((of("/slack"), of("/discord")), (vec![200, 200], vec![204, 204]));
}

#[test]
fn of_a_recovery() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let mut running = scene.run("failure").env("BACKUP_SCHEDULE", EVERY_SECOND).spawn();
    running.wait_until(PATIENCE, |_| scene.of("failure") > 0);
    scene.fakes.script("pg_dump", WHOLE);
    running.wait_until(PATIENCE, |running| {
        scene.of("recovery") > 0 && running.output().matches("backup stored").count() > 2
    });
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    let (recoveries, successes) = (scene.of("recovery"), scene.of("success"));
    assert_eq!((recoveries, successes), (1, 0), "{:?} {done}", scene.news());
    let told = scene.inbox.of("/news");
    let recovery = told.iter().map(dbstash_testkit::inbox::Request::json);
    let recovery = recovery.into_iter().find(|news| news["status"] == "recovery").unwrap();
    assert!(recovery["title"].as_str().unwrap().starts_with("backup stored again: shop"));
    assert!(recovery["bytes"].as_u64().unwrap() > 1 << 20, "{recovery}");
}

#[test]
fn of_a_run_that_is_skipped_again() {
    let Some(scene) = Scene::new(HANGS) else { return };
    let run = scene.run("failure");
    let mut first = run.spawn();
    first.wait_until(PATIENCE, |_| !scene.fakes.calls_of("pg_dump").is_empty());
    let mut second = run.clone().env("BACKUP_SCHEDULE", EVERY_SECOND).spawn();
    second.wait_until(PATIENCE, |_| scene.of("skipped") > 1);
    second.signal(Signal::TERM);
    let done = second.wait(PATIENCE);
    let skipped = done.events.iter().filter(|event| event["status"] == "skipped").count();
    assert_eq!(scene.news().len(), skipped - 1, "{done}");
    let titles: Vec<_> =
        scene.inbox.of("/news").iter().map(|news| news.json()["title"].clone()).collect();
    assert_eq!(titles[0], "backup skipped 2 times in a row: shop (shop-job)");
    assert_eq!(titles[1], "backup skipped 3 times in a row: shop (shop-job)");
    // One alone is no news.
    run.run(PATIENCE).expect_code(3);
    assert_eq!(scene.news().len(), skipped - 1);
}

#[test]
fn of_a_run_that_took_too_long() {
    let Some(scene) = Scene::new(HANGS) else { return };
    scene.run("failure").env("BACKUP_TIMEOUT", "1s").run(PATIENCE).expect_code(1);
    let news = only(&scene.inbox.of("/news")).json();
    assert!(news["error"].as_str().unwrap().contains("BACKUP_TIMEOUT"), "{news}");
}

#[test]
fn of_a_run_that_stands_still() {
    let Some(scene) = Scene::new("wait-for /nowhere/at/all") else { return };
    let mut running = scene.run("failure").env("BACKUP_STALL_TIMEOUT", "1s").spawn();
    running.wait_until(PATIENCE, |_| !scene.inbox.of("/news").is_empty());
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(143);
    let news = scene.inbox.of("/news")[0].json();
    assert_eq!(news["status"], "stuck", "{news}");
    assert!(news["error"].as_str().unwrap().contains("first byte"), "{news}");
}

#[test]
fn of_a_run_that_a_signal_ended() {
    let Some(scene) = Scene::new(HANGS) else { return };
    let mut running = scene.run("failure").spawn();
    running.wait_until(PATIENCE, |_| !scene.fakes.calls_of("pg_dump").is_empty());
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < Duration::from_secs(10), "{:?} {done}", told.elapsed());
    done.expect_code(143).expect_no_leftovers();
    let news = only(&scene.inbox.of("/news")).json();
    assert_eq!(news["error"], "ended by a signal", "{news}");
}

#[test]
fn a_signal_is_not_waited_out_by_who_does_not_answer() {
    let Some(scene) = Scene::new(HANGS) else { return };
    scene.inbox.answer("/news", vec![Answer::Silence; 99]);
    let mut running = scene.run("failure").spawn();
    running.wait_until(PATIENCE, |_| !scene.fakes.calls_of("pg_dump").is_empty());
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    assert!(told.elapsed() < Duration::from_secs(10), "{:?} {done}", told.elapsed());
    done.expect_code(143);
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("before the program had to end"), "{done}");
}

#[test]
fn a_second_signal_takes_no_message_back() {
    let Some(scene) = Scene::new(HANGS) else { return };
    scene.inbox.answer("/news", [Answer::Status(503, &[])]);
    let mut running = scene.run("failure").spawn();
    running.wait_until(PATIENCE, |_| !scene.fakes.calls_of("pg_dump").is_empty());
    running.signal(Signal::TERM);
    running.wait_until(PATIENCE, |_| !scene.news().is_empty());
    running.signal_if_alive(Signal::INT);
    running.wait(PATIENCE).expect_code(143);
    assert_eq!(scene.news(), ["failure", "failure"], "once refused, once taken");
}

#[test]
fn of_a_silence() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let run = scene.run("failure").env("NOTIFY_SILENCE_AFTER", "1s");
    // Comes only when nobody waits for it.
    let mut running = run.env("BACKUP_SCHEDULE", "0 0 1 1 *").spawn();
    running.wait_until(PATIENCE, |_| scene.of("silence") > 0);
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    done.expect_code(0);
    let news = only(&scene.inbox.of("/news")).json();
    assert_eq!((&news["database"], &news["job"]), (&"shop".into(), &"shop-job".into()));
    assert!(news["error"].as_str().unwrap().starts_with("no good backup is known"), "{news}");
    let said =
        done.events.iter().any(|event| event["level"] == "ERROR" && event["job"] == "shop-job");
    assert!(said, "{done}");
}

#[test]
fn of_a_silence_that_began_before_the_start() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    scene.quiet().run(PATIENCE).expect_code(0);
    let name = scene.remote.names().into_iter().find(|name| name.ends_with(".json")).unwrap();
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&scene.remote.read(&name)).unwrap();
    manifest["ended"] = "2019-02-07T02:00:00Z".into();
    scene.remote.write(&name, manifest.to_string().as_bytes());
    let run = scene.run("always").env("NOTIFY_SILENCE_AFTER", "2d");
    let mut running = run.env("BACKUP_SCHEDULE", "0 0 1 1 *").spawn();
    running.wait_until(PATIENCE, |_| scene.of("silence") > 0);
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(0);
    let news = only(&scene.inbox.of("/news")).json();
    assert_eq!(news["error"], "the last good backup is of 2019-02-07T02:00:00Z");
}

#[test]
fn those_whom_the_settings_name_after_a_hup() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let file = scene.fakes.file("url");
    std::fs::write(&file, scene.inbox.url("/news")).unwrap();
    let run = scene.quiet().env("NOTIFY_WEBHOOK_URL_FILE", &file);
    let mut running = run.env("BACKUP_SCHEDULE", EVERY_SECOND).spawn();
    running.wait_until(PATIENCE, |_| scene.of("failure") > 0);
    std::fs::write(&file, scene.inbox.url("/others")).unwrap();
    scene.fakes.script("pg_dump", WHOLE);
    running.signal(Signal::HUP);
    // Whatever failed before the settings were read again is over for these, too.
    running.wait_until(PATIENCE, |running| {
        running.output().contains("reading the settings once more")
            && running.output().matches("backup stored").count() > 2
    });
    running.signal(Signal::TERM);
    running.wait(PATIENCE);
    let of = |path: &str| {
        let told = scene.inbox.of(path).into_iter();
        told.filter(|news| news.json()["status"] == "recovery").count()
    };
    assert_eq!(of("/news") + of("/others"), 1, "{:#?}", scene.inbox.requests());
}

#[test]
fn of_runs_that_are_missed_again_and_again() {
    let slow = "pg-head\nout-bytes 1MiB\nsleep 1500ms\npg-footer";
    let Some(scene) = Scene::new(slow) else { return };
    let mut running = scene.run("failure").env("BACKUP_SCHEDULE", EVERY_SECOND).spawn();
    running.wait_until(PATIENCE, |_| scene.of("skipped") > 1);
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    let loud = |event: &&serde_json::Value| event["level"] == "ERROR" && event["skipped"].is_u64();
    assert!(done.events.iter().filter(loud).count() > 1, "{done}");
    let told = scene.inbox.of("/news");
    let first = told[0].json();
    assert_eq!(first["title"], "backup skipped 2 times in a row: shop (shop-job)", "{done}");
    assert!(first["error"].as_str().unwrap().contains("while the last one was still at work"));
    assert_eq!(told[1].json()["title"], "backup skipped 3 times in a row: shop (shop-job)");
}

#[test]
fn of_a_hook_that_failed() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    let run = scene.run("failure").env("NOTIFY_PING_URL", scene.inbox.url("/uuid"));
    let done = run.env("HOOK_PRE_BACKUP", "echo disk on fire >&2; exit 3").run(PATIENCE);
    done.expect_code(1);
    let news = only(&scene.inbox.of("/news")).json();
    assert_eq!(news["status"], "failure", "{news}");
    assert!(news["error"].as_str().unwrap().contains("HOOK_PRE_BACKUP"), "{news}");
    assert_eq!(scene.inbox.of("/uuid/fail").len(), 1, "{done}");
}

#[test]
fn of_a_job_that_could_not_even_begin() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    let run = scene.run("failure").env("DBSTASH_STATE_DIR", "/dev/null/state");
    let done = run.run(PATIENCE);
    done.expect_code(1);
    let news = only(&scene.inbox.of("/news")).json();
    assert!(news["error"].as_str().unwrap().contains("/dev/null/state"), "{news} {done}");
}
