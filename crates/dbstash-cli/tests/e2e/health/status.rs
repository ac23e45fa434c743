//! `dbstash status`: for a HEALTHCHECK, and for people.

use dbstash_testkit::{RemoteKind, Signal, TestRemote};
use serde_json::{Value, json};

use super::Watched;
use crate::scene::{PATIENCE, dbstash, shop_file};

#[test]
fn status_knows_who_is_at_work_and_who_is_gone() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(9)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("DBSTASH_JOB", "orders");
    let status = |wanted: i32| {
        let text = run.clone().args(["status"]).run(PATIENCE);
        text.expect_code(wanted);
        let json = run.clone().args(["status", "--json"]).run(PATIENCE);
        json.expect_code(wanted);
        let json: Value = serde_json::from_str(&json.stdout).unwrap();
        assert_eq!(json["healthy"], json!(wanted == 0));
        (text.stdout, json["schedulers"].as_array().unwrap().clone())
    };
    assert!(status(1).0.contains("no scheduler is at work here"));
    run.run(PATIENCE).expect_code(0);
    assert!(status(1).0.contains("no scheduler is at work here"));

    let one = Watched::start(&run);
    let (text, json) = status(0);
    let line = text.lines().nth(1).unwrap();
    assert!(line.starts_with("orders  shop") && line.contains("  ok  "), "{text}");
    assert!(line.contains("-01-01 00:00:00 UTC"), "{text}");
    assert_eq!(json[0]["jobs"][0]["job"], "orders");
    let two = Watched::start(&run.clone().env("DBSTASH_JOB", "users"));
    let (text, json) = status(0);
    assert!(text.contains("users") && json.len() == 2, "{text}");
    two.end();
    assert_eq!(status(0).1.len(), 1);

    one.running.signal(Signal::KILL);
    let pid = one.running.pid().as_raw_nonzero();
    one.running.wait(PATIENCE);
    let (text, _) = status(1);
    assert!(text.contains(&format!("process {pid}, does not answer")), "{text}");
    let next = Watched::start(&run);
    let (_, json) = status(0);
    assert_eq!(json.len(), 1);
    // Stopped, it does not answer: that is not well either.
    next.running.signal(Signal::STOP);
    status(1);
    next.running.signal(Signal::CONT);
    next.end();
    assert!(status(1).0.contains("no scheduler is at work here"));
}
