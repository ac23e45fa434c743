//! Slack's form of a message, and Mattermost's.
//!
//! Limits: <https://docs.slack.dev/reference/block-kit/blocks>. Slack shows the blocks, and the text where there is room for
//! no more; Mattermost knows no blocks and shows the text. Both leave alone who is mentioned in code.

use serde_json::{Value, json};

use super::super::notice::{Fact, Notice};
use super::super::words::{in_code, spelled};

const HEADER: usize = 150;
const FIELD: usize = 2000;
const SECTION: usize = 3000;
/// Slack takes more, but advises against it.
const TEXT: usize = 3900;

/// The message, and the same without any form for a platform that refuses it.
pub(super) fn bodies(notice: &Notice) -> Vec<Value> {
    let text = text(notice);
    let mut blocks = vec![
        json!({ "type": "header", "text": { "type": "plain_text", "text": header(notice), "emoji": true } }),
    ];
    let fields: Vec<Value> = notice.facts().iter().take(10).map(field).collect();
    blocks.push(json!({ "type": "section", "fields": fields }));
    if let Some(error) = error(notice, SECTION) {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": error } }));
    }
    vec![json!({ "text": text, "blocks": blocks }), json!({ "text": text })]
}

/// The three characters that Slack gives a meaning to.
fn escaped(text: &str, limit: usize) -> String {
    spelled(text, limit, |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        c => c.to_string(),
    })
}

fn mark(notice: &Notice) -> &'static str {
    if notice.is_good() { "✅" } else { "🔴" }
}

/// Plain text, in which nothing has a meaning.
fn header(notice: &Notice) -> String {
    spelled(&format!("{} {}", mark(notice), notice.title()), HEADER, |c| c.to_string())
}

fn field(fact: &Fact) -> Value {
    json!({ "type": "mrkdwn", "text": format!("*{}*\n{}", fact.name, value(fact)) })
}

fn value(fact: &Fact) -> String {
    /// Room for the name and the marks.
    const LONGEST: usize = 300;
    const { assert!(LONGEST < FIELD - 100) };
    if fact.verbatim {
        format!("`{}`", escaped(&in_code(&fact.value), LONGEST))
    } else {
        escaped(&fact.value, LONGEST)
    }
}

fn error(notice: &Notice, limit: usize) -> Option<String> {
    let error = notice.error.as_deref().map(str::trim).filter(|error| !error.is_empty())?;
    Some(format!("```\n{}\n```", escaped(&in_code(error), limit - 8)))
}

fn text(notice: &Notice) -> String {
    let title = escaped(&in_code(&notice.title()), 2 * HEADER);
    // A title repeats names, which may look like somebody's.
    let mut text = format!("{} `{title}`\n", mark(notice));
    for fact in notice.facts() {
        let line = format!("{}: {}\n", fact.name, value(&fact));
        text.push_str(&line);
    }
    let room = TEXT.saturating_sub(super::super::words::units(&text));
    if let Some(error) = error(notice, room.clamp(100, SECTION)) {
        text.push_str(&error);
    }
    text
}
