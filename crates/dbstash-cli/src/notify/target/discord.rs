//! Discord's form of a message.
//!
//! Limits: <https://docs.discord.com/developers/resources/message#embed-object>. No value of a field may be empty.

use serde_json::{Value, json};

use super::super::notice::{Fact, Notice};
use super::super::words::{cut, in_code, units};

const TITLE: usize = 256;
const DESCRIPTION: usize = 3000;
const VALUE: usize = 1024;
const FIELDS: usize = 25;
/// Of the 6000 for all texts together; some are left for what counts differently.
const TOTAL: usize = 5900;
const CONTENT: usize = 1900;

const GREEN: u32 = 0x2e_b8_86;
const RED: u32 = 0xd4_3f_3a;

/// The message, and the same without any form, in case this one is refused.
pub(super) fn bodies(notice: &Notice) -> Vec<Value> {
    let title = cut(&notice.title(), TITLE);
    let error = notice.error.as_deref().map(str::trim).filter(|error| !error.is_empty());
    let description = error.map(|error| code_block(error, DESCRIPTION));
    let mut room = TOTAL - units(&title) - description.as_deref().map_or(0, units);
    let mut fields = Vec::new();
    for fact in notice.facts().iter().take(FIELDS) {
        let value = value(fact);
        let cost = units(fact.name) + units(&value);
        if cost <= room {
            room -= cost;
            fields.push(
                json!({ "name": fact.name, "value": value, "inline": fact.name != "Object" }),
            );
        }
    }
    let mut embed = json!({
        "title": title,
        "color": if notice.is_good() { GREEN } else { RED },
        "fields": fields,
        "timestamp": notice.time.to_rfc3339(),
    });
    if let Some(description) = &description {
        embed["description"] = description.as_str().into();
    }
    let nobody = json!({ "parse": [] });
    vec![
        json!({ "embeds": [embed], "allowed_mentions": nobody }),
        json!({ "content": code_block(&notice.text(), CONTENT), "allowed_mentions": nobody }),
    ]
}

fn value(fact: &Fact) -> String {
    const { assert!(VALUE > 500 + 2) };
    if fact.verbatim {
        format!("`{}`", cut(&in_code(&fact.value), 500))
    } else {
        cut(&fact.value, 500)
    }
}

/// In code nothing is a mark, a link or somebody's name.
fn code_block(text: &str, limit: usize) -> String {
    format!("```\n{}\n```", cut(&in_code(text), limit - 8))
}
