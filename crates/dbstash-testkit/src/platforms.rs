//! What Slack and Discord take, as their documentation has it; what they answer to anything else.

use serde_json::Value;

/// Discord's rules for a webhook's message:
/// <https://docs.discord.com/developers/resources/message#embed-object-embed-limits>.
///
/// Texts are counted in UTF-16 units: Discord itself may count fewer.
pub fn discord(body: &[u8]) -> Result<(), String> {
    let message: Value = serde_json::from_slice(body).map_err(|_| "50109: not JSON".to_owned())?;
    let Some(message) = message.as_object() else { return Err("50006: not an object".to_owned()) };
    let content = message.get("content").and_then(Value::as_str).unwrap_or_default();
    length("content", content, 0, 2000)?;
    let none = Vec::new();
    let embeds = match message.get("embeds") {
        None => &none,
        Some(embeds) => embeds.as_array().ok_or("embeds: must be a list")?,
    };
    if content.trim().is_empty() && embeds.is_empty() {
        return Err("50006: cannot send an empty message".to_owned());
    }
    if embeds.len() > 10 {
        return Err("embeds: must be 10 or fewer".to_owned());
    }
    let mut total = 0;
    for embed in embeds {
        total += one_embed(embed)?;
    }
    if total > 6000 {
        return Err(format!("embeds: {total} characters, must be 6000 or fewer"));
    }
    Ok(())
}

fn one_embed(embed: &Value) -> Result<usize, String> {
    let embed = embed.as_object().ok_or("embeds: must be objects")?;
    let mut total = 0;
    for (name, value) in embed {
        match (name.as_str(), value) {
            ("title", Value::String(text)) => total += length(name, text, 1, 256)?,
            ("description", Value::String(text)) => total += length(name, text, 1, 4096)?,
            ("color", Value::Number(n)) if n.as_u64().is_some_and(|n| n < 1 << 24) => {}
            ("timestamp", Value::String(text)) if text.contains('T') && text.len() >= 20 => {}
            ("fields", Value::Array(fields)) => {
                if fields.len() > 25 {
                    return Err("fields: must be 25 or fewer".to_owned());
                }
                for field in fields {
                    let text = |name: &str| field[name].as_str().ok_or(format!("{name}: required"));
                    total += length("name", text("name")?, 1, 256)?;
                    total += length("value", text("value")?, 1, 1024)?;
                }
            }
            _ => return Err(format!("{name}: of the wrong shape")),
        }
    }
    Ok(total)
}

/// Slack's rules: <https://docs.slack.dev/reference/block-kit/blocks> and the errors of
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>. Texts are counted as they are spelled.
pub fn slack(body: &[u8]) -> Result<(), String> {
    let message: Value = serde_json::from_slice(body).map_err(|_| "invalid_payload".to_owned())?;
    let Some(message) = message.as_object() else { return Err("invalid_payload".to_owned()) };
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    let blocks = message.get("blocks").and_then(Value::as_array);
    if text.trim().is_empty() && blocks.is_none_or(Vec::is_empty) {
        return Err("no_text".to_owned());
    }
    let invalid = |why: String| format!("invalid_blocks: {why}");
    length("text", text, 0, 40_000).map_err(|_| "msg_too_long".to_owned())?;
    meaning(text)?;
    let blocks = blocks.map_or(&[][..], Vec::as_slice);
    if blocks.len() > 50 {
        return Err("invalid_blocks: more than 50".to_owned());
    }
    for block in blocks {
        match block["type"].as_str() {
            Some("header") => object(&block["text"], "plain_text", 150).map_err(invalid)?,
            Some("section") => {
                let fields = block["fields"].as_array();
                if block["text"].is_null() && fields.is_none_or(Vec::is_empty) {
                    return Err("invalid_blocks: a section of nothing".to_owned());
                }
                if !block["text"].is_null() {
                    object(&block["text"], "mrkdwn", 3000).map_err(invalid)?;
                }
                let fields = fields.map_or(&[][..], Vec::as_slice);
                if fields.len() > 10 {
                    return Err("invalid_blocks: more than 10 fields".to_owned());
                }
                for field in fields {
                    object(field, "mrkdwn", 2000).map_err(invalid)?;
                }
            }
            other => return Err(format!("invalid_blocks: {other:?}")),
        }
    }
    Ok(())
}

/// A text object of a block.
fn object(value: &Value, kind: &str, most: usize) -> Result<(), String> {
    if value["type"] != kind {
        return Err(format!("{value}: not {kind}"));
    }
    let text = value["text"].as_str().ok_or("a text is missing")?;
    length("text", text, 1, most)?;
    if kind == "mrkdwn" { meaning(text) } else { Ok(()) }
}

/// Slack takes `<!channel>` and the like, and links; we mean none of them, so a bare bracket is a mistake of ours.
fn meaning(text: &str) -> Result<(), String> {
    let bare = text
        .split('&')
        .skip(1)
        .any(|rest| !["amp;", "lt;", "gt;"].iter().any(|known| rest.starts_with(known)));
    if text.contains(['<', '>']) || bare { Err(format!("not escaped: {text}")) } else { Ok(()) }
}

fn length(name: &str, text: &str, least: usize, most: usize) -> Result<usize, String> {
    let units = text.encode_utf16().count();
    if units < least || (least > 0 && text.trim().is_empty()) {
        return Err(format!("{name}: this field is required"));
    }
    if units > most {
        return Err(format!("{name}: must be {most} or fewer in length, is {units}"));
    }
    Ok(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_can_be_broken() {
        let long = "x".repeat(1025);
        for bad in [
            String::new(),
            "[]".into(),
            "{}".into(),
            r#"{"embeds":[{"fields":[{"name":"a","value":""}]}]}"#.into(),
            r#"{"embeds":[{"fields":[{"name":"a"}]}]}"#.into(),
            format!(r#"{{"embeds":[{{"fields":[{{"name":"a","value":"{long}"}}]}}]}}"#),
            format!(r#"{{"embeds":[{{"title":"{long}"}}]}}"#),
        ] {
            assert!(discord(bad.as_bytes()).is_err(), "{bad}");
        }
        assert_eq!(discord(br#"{"embeds":[{"title":"a"}]}"#), Ok(()));
        for (bad, error) in [
            ("", "invalid_payload"),
            ("{}", "no_text"),
            (r#"{"text":" "}"#, "no_text"),
            (r#"{"text":"<!channel>"}"#, "not escaped: <!channel>"),
            (
                r#"{"text":"a","blocks":[{"type":"section"}]}"#,
                "invalid_blocks: a section of nothing",
            ),
        ] {
            assert_eq!(slack(bad.as_bytes()), Err(error.to_owned()), "{bad}");
        }
        assert_eq!(slack(br#"{"text":"a &amp; b"}"#), Ok(()));
    }
}
