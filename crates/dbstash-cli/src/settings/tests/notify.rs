//! Who is told of what.

use std::time::Duration;

use super::*;
use crate::notify::On;
use crate::notify::address::Platform;
use crate::settings::NotifySettings;

const HOOK: &str = "https://hooks.slack.com/services/T0000/B0000/c4n4ryc4n4ryc4n4ry";
const SMTP: &str = "smtps://ops:c4n4ry%2Fp%40ss@mail.example.org?from=a@example.org";

fn notify(case: Case) -> NotifySettings {
    case.settings().notify
}

#[test]
fn nobody_is_told_unless_asked() {
    let settings = good().settings();
    assert_eq!(settings.warnings, [""; 0]);
    let none = settings.notify;
    assert!(none.webhooks.is_empty() && none.mail.is_none() && none.ping.is_none());
    assert_eq!((none.on, none.silence_after), (On::Failure, None));
    let empty = good().env("NOTIFY_WEBHOOK_URL", "").env("NOTIFY_ON", "").env("SMTP_URL", "");
    assert!(notify(empty).webhooks.is_empty());
}

#[test]
fn everybody_is_told_who_was_named() {
    let many = format!("{HOOK}, discord+http://127.0.0.1:1/x\n,https://example.org/x");
    let case = good()
        .env("NOTIFY_WEBHOOK_URL_FILE", "/run/secrets/hooks")
        .file("/run/secrets/hooks", many.as_bytes())
        .env("NOTIFY_WEBHOOK_TEMPLATE", r#"{"a": "{title}"}"#)
        .env("NOTIFY_EMAIL_TO", "a@b.c, d@e.f")
        .env("SMTP_URL", SMTP)
        .env("NOTIFY_PING_URL", "https://hc-ping.com/c4n4ryc4n4ryc4n4ry")
        .env("NOTIFY_ON", "Always")
        .env("NOTIFY_SILENCE_AFTER", "26h");
    let settings = case.settings();
    assert_eq!(settings.warnings, [""; 0]);
    let clean = settings.redactor();
    for secret in [
        HOOK,
        SMTP,
        "c4n4ry/p@ss",
        "/services/T0000/B0000/c4n4ryc4n4ryc4n4ry",
        "x/c4n4ryc4n4ryc4n4ry",
    ] {
        assert!(!clean.redact(secret).contains("c4n4ry"), "{secret}");
    }
    let all = settings.notify;
    let platforms: Vec<_> = all.webhooks.iter().map(|webhook| webhook.platform).collect();
    assert_eq!(platforms, [Platform::Slack, Platform::Discord, Platform::Json]);
    let (server, to) = all.mail.unwrap();
    assert_eq!((server.host.as_str(), to.len()), ("mail.example.org", 2));
    assert_eq!(all.ping.unwrap().as_str(), "https://hc-ping.com/c4n4ryc4n4ryc4n4ry");
    assert!(all.template.is_some());
    assert_eq!((all.on, all.silence_after), (On::Always, Some(Duration::from_hours(26))));
}

#[test]
fn mistakes_name_the_setting_and_hide_its_value() {
    for (name, value, told) in [
        ("NOTIFY_WEBHOOK_URL", "c4n4ry", "accepted are http and https URLs"),
        ("NOTIFY_WEBHOOK_URL", "https://example.org/x,c4n4ry", "accepted are http and https"),
        ("NOTIFY_WEBHOOK_URL", " , ", "accepted are http and https"),
        ("NOTIFY_WEBHOOK_TEMPLATE", r#"{"key": "c4n4ry", }"#, "this is not JSON"),
        ("NOTIFY_WEBHOOK_TEMPLATE", r#"{"key": "c4n4ry {titel}"}"#, "{titel} is unknown"),
        ("NOTIFY_PING_URL", "hc-ping.com/c4n4ry", "accepted is an http or https URL"),
        ("NOTIFY_ON", "failures", "did you mean failure?"),
        ("NOTIFY_SILENCE_AFTER", "1", "a unit is missing"),
    ] {
        let mistake = good().env(name, value).mistake();
        assert!(mistake.starts_with(name) && mistake.contains(told), "{mistake}");
    }
    let to = good().env("NOTIFY_EMAIL_TO", "a@b.c");
    assert!(to.mistake().contains("needs a mail server: set SMTP_URL"));
    let bad = good().env("NOTIFY_EMAIL_TO", "nobody").env("SMTP_URL", SMTP);
    assert!(bad.mistake().contains("accepted are email addresses"));
    let bad = good().env("NOTIFY_EMAIL_TO", "a@b.c").env("SMTP_URL", "smtp://u:c4n4ry@h");
    assert_eq!(bad.mistake(), "SMTP_URL: who sends is missing: add ?from=ADDRESS");
}

#[test]
fn what_has_no_effect_is_told() {
    let warned = |case: Case, part: &str| {
        let warnings = case.settings().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(part), "{part}: {warnings:?}");
    };
    warned(good().env("NOTIFY_ON", "always"), "NOTIFY_ON has no effect without");
    warned(good().env("NOTIFY_SILENCE_AFTER", "1d"), "NOTIFY_SILENCE_AFTER has no effect without");
    warned(good().env("SMTP_URL", SMTP), "SMTP_URL has no effect without NOTIFY_EMAIL_TO");
    let template = good().env("NOTIFY_WEBHOOK_URL", HOOK).env("NOTIFY_WEBHOOK_TEMPLATE", "{}");
    warned(template, "NOTIFY_WEBHOOK_TEMPLATE has no effect");
    let success = good().env("NOTIFY_WEBHOOK_URL", HOOK).env("NOTIFY_ON", "success");
    warned(success.env("NOTIFY_SILENCE_AFTER", "1d"), "no effect with NOTIFY_ON=success");
    let once = good().env("NOTIFY_WEBHOOK_URL", HOOK).env("BACKUP_SCHEDULE", "once");
    warned(once.env("NOTIFY_SILENCE_AFTER", "1d"), "no effect with a schedule of once");
    let open = "smtp://u:c4n4ry@mail.example.org?from=a@b.c&tls=none";
    let open = good().env("NOTIFY_EMAIL_TO", "a@b.c").env("SMTP_URL", open);
    warned(open, "everyone on the way can read it");
}
