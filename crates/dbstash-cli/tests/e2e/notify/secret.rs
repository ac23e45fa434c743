//! Secrets of a database are in no message; those of a target are nowhere.

use dbstash_testkit::Answer;

use super::{AWAY, Scene, WHOLE, undelivered};
use crate::scene::PATIENCE;

const CANARY: &str = "kanarie27182818";

#[test]
fn a_password_that_a_tool_repeats_is_in_no_message() {
    let Some(scene) = Scene::new(AWAY) else { return };
    let password = format!("p%41+ it's\\ é😀&-{CANARY}-&😀é");
    let uri =
        format!("postgresql://u:{}@127.0.0.1:1/shop", dbstash_testkit::percent_encoded(&password));
    // Before and after what a platform cuts.
    for before in [0, 900, 1500, 2900] {
        let padding = "x".repeat(before);
        let script = format!("err {padding}password \"{password}\" of {uri} is wrong\nexit 1");
        scene.fakes.script("pg_dump", &script);
        let inbox = &scene.inbox;
        let urls = [
            inbox.url("/news"),
            format!("slack+{}", inbox.url("/slack")),
            format!("discord+{}", inbox.url("/discord")),
        ];
        let run = scene.quiet().env("DB_URI", &uri).env("NOTIFY_WEBHOOK_URL", urls.join(","));
        let done = run.env("NOTIFY_PING_URL", inbox.url("/uuid")).run(PATIENCE);
        done.expect_code(1);
        assert_eq!(undelivered(&done), [""; 0], "{done}");
    }
    let requests = scene.inbox.requests();
    assert_eq!(requests.len(), 4 * 5);
    for request in requests {
        assert!(!request.body.contains("kanarie"), "{request:#?}");
    }
    assert!(scene.inbox.of("/news")[0].body.contains("***"));
}

#[test]
fn the_address_of_a_target_is_nowhere() {
    let Some(scene) = Scene::new(WHOLE) else { return };
    let path = format!("/services/T0000/B0000/{CANARY}{CANARY}");
    scene.inbox.answer(&path, vec![Answer::Status(404, &[]); 99]);
    let ping = format!("/{CANARY}-{CANARY}");
    scene.inbox.answer(&ping, vec![Answer::Status(404, &[]); 99]);
    let run = scene.run("always").env("NOTIFY_WEBHOOK_URL", scene.inbox.url(&path));
    let run = run.env("NOTIFY_PING_URL", scene.inbox.url(&ping));
    let run = run.env("LOG_LEVEL", "trace").env("RUST_LOG", "trace");
    let done = run.run(PATIENCE);
    done.expect_code(0);
    assert_eq!(undelivered(&done).len(), 2, "{done}");
    let mut said = done.to_string();
    for args in
        [&["config"][..], &["config", "--json"], &["list"], &["backup", "--dry-run", "true"]]
    {
        said.push_str(&run.clone().args(args).run(PATIENCE).to_string());
    }
    assert!(!said.contains("kanarie"), "{said}");
    // Nor does a dump tool see it.
    let calls = scene.fakes.calls();
    assert!(!calls.is_empty());
    for call in calls {
        assert!(!call.env.values().any(|value| value.contains("kanarie")), "{call:?}");
    }
}
