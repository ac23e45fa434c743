//! Who is told, and whether it would arrive.

use dbstash_testkit::{Answer, Inbox, RemoteKind, TestRemote};

use super::{findings, finds, nowhere, tells};
use crate::scene::{dbstash, shop_file};

#[test]
fn targets() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let inbox = Inbox::start();
    let run = nowhere(&dbstash(&remote).env("DB_URI", file.uri()));
    finds(
        &run,
        ("notify", "warn", &["nobody is told of a failure", "NOTIFY_WEBHOOK_URL"]),
        &["remote"],
    );
    let bad =
        run.clone().env("NOTIFY_WEBHOOK_URL", "https://no-such-host.invalid/canary-canary-canary");
    finds(
        &bad,
        ("notify", "fail", &["no-such-host.invalid cannot be resolved", "NOTIFY_WEBHOOK_URL"]),
        &["remote"],
    );

    let urls = ["/discord/api/webhooks/1/canary-canary-canary", "/any/canary-canary-canary"];
    let webhooks = format!("discord+{},{}", inbox.url(urls[0]), inbox.url(urls[1]));
    let good = run.env("NOTIFY_WEBHOOK_URL", webhooks).env("NOTIFY_PING_URL", inbox.url("/ping"));
    tells(&findings(&good, &[]), ("notify", "ok", &["(--notify sends a test)"]));
    assert!(inbox.requests().is_empty(), "nobody asked for a notice");
    inbox.answer(urls[1], [Answer::Status(404, &[])]);
    let found = findings(&good, &["--notify"]);
    tells(&found, ("notify", "ok", &["discord webhook 1", "has taken a test notice"]));
    tells(&found, ("notify", "fail", &["json webhook 2", "did not take a test notice", "404"]));
    tells(&found, ("notify", "ok", &["ping", "no ping was sent"]));
    let told = inbox.of(urls[1]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].json()["status"], "test");
    assert!(inbox.of("/ping").is_empty() && inbox.of(urls[0])[0].body.contains("test notice"));
}
