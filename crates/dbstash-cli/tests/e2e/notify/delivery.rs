//! Targets that are slow, away, refuse, or are somebody else.

use std::time::{Duration, Instant};

use dbstash_testkit::certificates::Certificates;
use dbstash_testkit::{Answer, Inbox, Signal, WebServer};

use super::{AWAY, Scene, WHOLE, only, undelivered};
use crate::scene::{PATIENCE, backups};

/// Nobody listens there.
const NOBODY: &str = "http://127.0.0.1:1/0123456789abcdef0123";

#[test]
fn who_is_away_for_a_moment_is_told_later() {
    let Some(scene) = Scene::new(AWAY) else { return };
    scene.inbox.answer("/news", [Answer::Status(503, &[]), Answer::HangUp]);
    let done = scene.run("failure").run(PATIENCE);
    done.expect_code(1);
    let told: Vec<_> = scene.inbox.of("/news").iter().map(|request| request.status).collect();
    assert_eq!((told, undelivered(&done)), (vec![503, 0, 200], vec![]), "{done}");
}

#[test]
fn who_asks_for_patience_gets_it() {
    let Some(scene) = Scene::new(AWAY) else { return };
    scene.inbox.answer("/news", [Answer::Status(429, &[("Retry-After", "3")])]);
    scene.inbox.answer("/late", [Answer::Status(429, &[("Retry-After", "3600")])]);
    let urls = format!("{},{}", scene.inbox.url("/news"), scene.inbox.url("/late"));
    let done = scene.run("failure").env("NOTIFY_WEBHOOK_URL", urls).run(PATIENCE);
    done.expect_code(1);
    let told = scene.inbox.of("/news");
    assert_eq!(told.len(), 2, "{done}");
    let waited = told[1].at - told[0].at;
    assert!(waited >= Duration::from_secs(3), "{waited:?}");
    // Longer than there is time for.
    let lost = undelivered(&done);
    assert!(lost.len() == 1 && lost[0].contains("json webhook 2 (127.0.0.1)"), "{done}");
    assert!(lost[0].contains("429") && scene.inbox.of("/late").len() == 1, "{done}");
}

#[test]
fn who_refuses_is_not_asked_again_and_nothing_else_changes() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    for status in [401, 403, 404, 410] {
        let path = format!("/gone/{status}");
        scene.inbox.answer(&path, vec![Answer::Status(status, &[]); 9]);
        let run = scene.run("always").env("NOTIFY_WEBHOOK_URL", scene.inbox.url(&path));
        let done = run.run(PATIENCE);
        done.expect_code(0);
        assert_eq!(scene.inbox.of(&path).len(), 1, "{done}");
        let lost = undelivered(&done);
        assert!(lost.len() == 1 && lost[0].contains(&status.to_string()), "{done}");
    }
}

#[test]
fn who_does_not_understand_the_form_gets_plain_text() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let urls = ["slack", "discord"].map(|name| {
        let path = format!("/{name}");
        scene.inbox.answer(&path, [Answer::Status(400, &[])]);
        format!("{name}+{}", scene.inbox.url(&path))
    });
    let done = scene.run("failure").env("NOTIFY_WEBHOOK_URL", urls.join(",")).run(PATIENCE);
    done.expect_code(1);
    assert_eq!(undelivered(&done), [""; 0], "{done}");
    for (path, text) in [("/slack", "text"), ("/discord", "content")] {
        let told = scene.inbox.of(path);
        assert_eq!(told.len(), 2, "{told:#?}");
        let plain = told[1].json();
        assert!(plain.get("blocks").is_none() && plain.get("embeds").is_none(), "{plain}");
        assert!(
            plain[text].as_str().unwrap().contains("backup failed: shop (shop-job)"),
            "{plain}"
        );
    }
}

#[test]
fn one_that_is_dead_and_one_that_hangs_keep_nobody_waiting_for_long() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    scene.inbox.answer("/hangs", vec![Answer::Silence; 99]);
    let urls = [NOBODY.to_owned(), scene.inbox.url("/hangs"), scene.inbox.url("/news")];
    let run = scene.run("always").env("NOTIFY_WEBHOOK_URL", urls.join(","));
    let begun = Instant::now();
    let mut running = run.env("LOG_LEVEL", "trace").env("RUST_LOG", "trace").spawn();
    running.wait_until(PATIENCE, |_| scene.news() == ["success"]);
    let done = running.wait(PATIENCE);
    // A minute for the targets; the rest is the backup, and a busy machine.
    assert!(begun.elapsed() < Duration::from_secs(100), "{:?}", begun.elapsed());
    done.expect_code(0);
    assert_eq!(backups(&scene.quiet()).len(), 1);
    let mut lost = undelivered(&done);
    lost.sort();
    assert_eq!(lost.len(), 2, "{done}");
    assert!(
        lost[0].contains("json webhook 1 (127.0.0.1)") && lost[0].contains("refused"),
        "{lost:?}"
    );
    assert!(
        lost[1].contains("json webhook 2 (127.0.0.1)") && lost[1].contains("no answer"),
        "{lost:?}"
    );
    assert!(scene.inbox.of("/hangs").len() >= 4, "it was tried again");
    assert!(!done.to_string().contains("0123456789abcdef"), "{done}");
}

/// A signal shortens the wait for one that hangs, and a second one ends it; how the run ended stays.
#[test]
fn one_that_hangs_keeps_no_signal_waiting() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    scene.inbox.answer("/hangs", vec![Answer::Silence; 99]);
    let run = scene.run("always").env("NOTIFY_WEBHOOK_URL", scene.inbox.url("/hangs"));
    for signals in [&[Signal::TERM][..], &[Signal::TERM, Signal::INT]] {
        let before = scene.inbox.of("/hangs").len();
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| scene.inbox.of("/hangs").len() > before);
        let told = Instant::now();
        for signal in signals {
            running.signal(*signal);
        }
        let done = running.wait(PATIENCE);
        assert!(told.elapsed() < Duration::from_secs(8), "{:?}: {done}", told.elapsed());
        done.expect_code(0).expect_no_leftovers();
        assert_eq!(done.stderr.contains("a second signal"), signals.len() == 2, "{done}");
        assert_eq!(undelivered(&done).len(), 1, "{done}");
    }
}

#[test]
fn nobody_is_followed_elsewhere() {
    let (Some(scene), elsewhere) = (Scene::new(AWAY), Inbox::start()) else { return };
    let to: &'static str = Box::leak(elsewhere.url("/thief").into_boxed_str());
    let moved: &'static [_] = Box::leak(Box::new([("Location", to)]));
    for status in [301, 302, 307, 308] {
        scene.inbox.answer("/news", vec![Answer::Status(status, moved); 9]);
        let done = scene.run("failure").run(PATIENCE);
        let lost = undelivered(&done);
        assert!(lost.len() == 1 && lost[0].contains("points to 127.0.0.1"), "{done}");
    }
    assert_eq!((scene.inbox.of("/news").len(), elsewhere.requests().len()), (4, 0));
}

#[test]
fn by_a_proxy_of_the_environment() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let away = "http://hooks.example.invalid/news";
    let run = scene.run("failure").env("NOTIFY_WEBHOOK_URL", away);
    let done = run.env("http_proxy", scene.inbox.url("")).run(PATIENCE);
    done.expect_code(1);
    assert_eq!(only(&scene.inbox.of(away)).json()["status"], "failure", "{done}");
}

#[test]
fn in_the_form_that_the_user_wants() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let template = r#"{"key": "k", "summary": "{status}: {database}", "severity": "critical",
                       "more": {"why": "{error}", "tries": "{attempts}", "size": "{bytes}"}}"#;
    let done = scene.run("failure").env("NOTIFY_WEBHOOK_TEMPLATE", template).run(PATIENCE);
    done.expect_code(1);
    let news = only(&scene.inbox.of("/news")).json();
    assert_eq!(
        (&news["summary"], &news["severity"]),
        (&"failure: shop".into(), &"critical".into())
    );
    assert_eq!(
        (&news["more"]["tries"], &news["more"]["size"]),
        (&1.into(), &serde_json::Value::Null)
    );
    assert!(news["more"]["why"].as_str().unwrap().contains("Connection refused"), "{news}");
}

#[test]
fn over_tls_to_whom_the_machine_trusts() {
    let (Some(scene), Some(certificates)) = (Scene::new(WHOLE), Certificates::make()) else {
        return;
    };
    let Some(server) = WebServer::start(&certificates) else { return };
    let run = scene.quiet().env("NOTIFY_PING_URL", server.url("/x"));
    let done = run.clone().env("SSL_CERT_FILE", certificates.path("ca.pem")).run(PATIENCE);
    done.expect_code(0);
    assert_eq!(undelivered(&done), [""; 0], "{done}");
    let run = run.env("SSL_CERT_FILE", certificates.path("stranger.pem"));
    let done = run.run(PATIENCE);
    done.expect_code(0);
    let lost = undelivered(&done);
    assert!(lost.len() == 2 && lost[0].contains("UnknownIssuer"), "{done}");
}
