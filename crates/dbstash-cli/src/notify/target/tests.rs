//! Whatever there is to tell, each platform takes it.

use std::time::Duration;

use chrono::DateTime;
use dbstash_core::secret::Redactor;
use dbstash_testkit::platforms;
use proptest::prelude::*;

use super::super::notice::{Kind, Notice};
use super::*;

const CANARY: &str = "canary-27182818284";

fn notice(text: &str, error: Option<String>, kind: Kind) -> Notice {
    Notice {
        kind,
        job: text.to_owned(),
        database: text.to_owned(),
        engine: Some("pg"),
        backup_id: Some("20260207T020000Z-0a1b2c3d".to_owned()),
        object: Some(text.to_owned()),
        bytes: Some((1 << 20, 5 << 20)),
        duration: Some(Duration::from_millis(1234)),
        attempts: Some(2),
        error,
        warnings: vec![text.to_owned()],
        host: text.to_owned(),
        time: DateTime::from_timestamp(1_770_429_600, 0).unwrap(),
    }
}

fn accepted(notice: &Notice) {
    for (platform, rules) in [
        (Platform::Slack, platforms::slack as fn(&[u8]) -> _),
        (Platform::Discord, platforms::discord),
    ] {
        for body in bodies(platform, None, notice) {
            let text = body.to_string();
            assert_eq!(rules(text.as_bytes()), Ok(()), "{platform:?}: {text}");
        }
    }
    let template =
        Template::parse(r#"{"a": "{text} {error}", "b": ["{job}", "{bytes}"]}"#).unwrap();
    for template in [None, Some(&template)] {
        let text = bodies(Platform::Json, template, notice)[0].to_string();
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
}

#[test]
fn the_longest_and_the_shortest() {
    for c in ["x", "&", "<", "`", "😀", "\u{202e}", "\n", "*", "\"", "@everyone "] {
        let (text, long) = (c.repeat(3000), c.repeat(30_000));
        accepted(&notice(&text, Some(long), Kind::Failed).redacted(&Redactor::default()));
    }
    for error in [None, Some(String::new()), Some(" \n".to_owned())] {
        accepted(&notice("", error, Kind::Stored).redacted(&Redactor::default()));
    }
}

#[test]
fn nobody_is_called_by_an_error() {
    let calls = "@everyone <!channel> <@U1> @here ``` @all";
    let notice = notice(calls, Some(calls.to_owned()), Kind::Failed);
    for body in bodies(Platform::Discord, None, &notice) {
        assert_eq!(body["allowed_mentions"], serde_json::json!({ "parse": [] }));
    }
    let body = &bodies(Platform::Slack, None, &notice)[0];
    // Mattermost: names count nowhere but in code.
    let text = body["text"].as_str().unwrap();
    let outside: String = text.split("```").step_by(2).collect();
    let outside: String = outside.split('`').step_by(2).collect();
    assert!(!outside.contains('@') && !text.contains("<!"), "{text}");
}

#[test]
fn what_a_message_says() {
    let notice = notice("shop", Some("it <broke>".to_owned()), Kind::Skipped(3));
    let body = &bodies(Platform::Discord, None, &notice)[0];
    let embed = &body["embeds"][0];
    assert_eq!(embed["title"], "backup skipped 3 times in a row: shop (shop)");
    assert_eq!(embed["description"], "```\nit <broke>\n```");
    let field = |name: &str| {
        let fields = embed["fields"].as_array().unwrap();
        let field = fields.iter().find(|field| field["name"] == name);
        field.unwrap_or_else(|| panic!("{name}: {embed}"))["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        (field("Database"), field("Size")),
        ("`shop`".into(), "1.0 MiB (5.0 MiB raw)".into())
    );
    assert_eq!((field("Duration"), field("Attempts")), ("1.2 s".into(), "2".into()));
    assert_eq!((field("Warnings"), field("Time")), ("1".into(), "2026-02-07T02:00:00Z".into()));
    let body = &bodies(Platform::Json, None, &notice)[0];
    assert_eq!((&body["status"], &body["bytes"]), (&"skipped".into(), &(1 << 20).into()));
    assert_eq!((&body["error"], &body["duration"]), (&"it <broke>".into(), &1.234.into()));
    let body = &bodies(Platform::Slack, None, &notice)[0];
    assert_eq!(body["blocks"][2]["text"]["text"], "```\nit &lt;broke&gt;\n```");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn anything_is_accepted(
        text in "(?s).{0,80}",
        error in proptest::option::of("(?s)(.|[&<>`@\n\"\\\\😀]){0,400}"),
        times in 1_usize..40,
    ) {
        let error = error.map(|error| error.repeat(times));
        accepted(&notice(&text, error, Kind::Failed).redacted(&Redactor::default()));
    }

    #[test]
    fn no_part_of_a_secret_is_left_where_a_text_is_cut(before in 0_usize..8000) {
        let error = format!("{}{CANARY}{}", "x".repeat(before), "y".repeat(5000));
        let notice = notice("shop", Some(error), Kind::Failed).redacted(&Redactor::new([CANARY]));
        for platform in [Platform::Slack, Platform::Discord, Platform::Json] {
            for body in bodies(platform, None, &notice) {
                prop_assert!(!body.to_string().contains("can"), "{body}");
            }
        }
    }
}
