//! `dbstash doctor` against set-ups that are broken in one place: that place is named, with the way out, and nothing is
//! left behind.

mod mongo;
mod mysql;
mod notify;
mod pg;
mod redis;
mod remote;
mod sqlite;

use std::thread;

use dbstash_testkit::Dbstash;
use serde_json::Value;

use crate::scene::PATIENCE;

/// In every password of these tests, and in nothing that is told.
const CANARY: &str = "canary";

/// A line: its topic, its verdict, and words of it.
type Line<'a> = (&'a str, &'a str, &'a [&'a str]);

/// Everything that was found, of the only job.
#[track_caller]
fn findings(run: &Dbstash, words: &[&str]) -> Vec<Value> {
    let args = ["doctor", "--json"].into_iter().chain(words.iter().copied());
    let done = run.clone().args(args).run(PATIENCE);
    let told: Value = serde_json::from_str(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done}"));
    let found = told["jobs"][0]["findings"].as_array().unwrap().clone();
    let fails = found.iter().any(|finding| finding["verdict"] == "fail");
    done.expect_code(i32::from(fails)).expect_no_leftovers();
    assert!(!done.to_string().contains(CANARY), "{done}");
    assert_eq!(told["verdict"] == "fail", fails, "{done}");
    found
}

/// It is found, and nothing else is wrong: every other line that fails is of the topics in `besides`.
#[track_caller]
fn finds(run: &Dbstash, line: Line<'_>, besides: &[&str]) {
    let found = findings(run, &[]);
    tells(&found, line);
    let others = found.iter().filter(|finding| finding["verdict"] == "fail");
    for other in others {
        let topic = other["topic"].as_str().unwrap();
        assert!(topic == line.0 || besides.contains(&topic), "{line:?}: {other}");
    }
}

/// One of the lines says this.
#[track_caller]
fn tells(found: &[Value], (topic, verdict, words): Line<'_>) {
    let says = |finding: &Value| {
        let way_out = finding["way_out"].as_str().unwrap_or_default();
        let text = format!("{} {way_out}", finding["what"].as_str().unwrap());
        finding["topic"] == topic
            && finding["verdict"] == verdict
            && words.iter().all(|word| text.contains(word))
    };
    let lines: Vec<_> = found.iter().map(Value::to_string).collect();
    let lines = lines.join("\n");
    assert!(found.iter().any(says), "no {verdict} {topic} with {words:?} in\n{lines}");
}

/// Nothing is wrong.
#[track_caller]
fn well(run: &Dbstash) -> Vec<Value> {
    let found = findings(run, &[]);
    let wrong: Vec<_> = found.iter().filter(|finding| finding["verdict"] == "fail").collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    found
}

/// What is wrong with the database is told whatever the remote is: one that is nowhere takes no time.
fn nowhere(run: &Dbstash) -> Dbstash {
    run.clone().env("RCLONE_REMOTE", "nonesuch:")
}

/// Each set-up, in any order.
fn each<T: Sync>(cases: &[T], look: impl Fn(&T) + Sync) {
    thread::scope(|scope| {
        for half in cases.chunks(cases.len().div_ceil(2)) {
            let look = &look;
            scope.spawn(move || half.iter().for_each(look));
        }
    });
}
