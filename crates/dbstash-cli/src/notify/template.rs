//! The user's own form of a webhook's message.

use serde_json::{Map, Value};

/// Words in braces that a string of a template may hold, by the names of the plain JSON form.
pub const TOKENS: &[&str] = &[
    "status",
    "title",
    "text",
    "job",
    "database",
    "engine",
    "backup_id",
    "object",
    "bytes",
    "raw_bytes",
    "duration",
    "attempts",
    "error",
    "warnings",
    "host",
    "time",
];

/// A JSON value with tokens inside of its strings, so that whatever they stand for is spelled as JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Value);

impl Template {
    /// Reads one; the error says what is accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value = serde_json::from_str(text).map_err(|error| {
            format!("this is not JSON: {error}; accepted is a JSON text with tokens such as \"{{title}}\" in its strings")
        })?;
        let mut unknown = None;
        check(&value, &mut unknown);
        match unknown {
            Some(name) => Err(format!(
                "{{{name}}} is unknown; accepted are {}",
                TOKENS.iter().map(|token| format!("{{{token}}}")).collect::<Vec<_>>().join(" ")
            )),
            None => Ok(Self(value)),
        }
    }

    /// With these values. A string that is nothing but the token of a number becomes that number; what has no value is
    /// empty, or null in the place of a number.
    pub fn filled(&self, values: &Map<String, Value>) -> Value {
        filled(&self.0, values)
    }
}

/// A piece of a string: text, or a token without its braces.
enum Piece<'a> {
    Text(&'a str),
    Token(&'a str),
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        let word = after[1..].split('}').next().unwrap_or_default();
        let is_token = !word.is_empty()
            && after[1 + word.len()..].starts_with('}')
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        let taken = if is_token { word.len() + 2 } else { 1 };
        found.push(Piece::Text(before));
        found.push(if is_token { Piece::Token(word) } else { Piece::Text(&after[..1]) });
        rest = &after[taken..];
    }
    found.push(Piece::Text(rest));
    found.retain(|piece| !matches!(piece, Piece::Text("")));
    found
}

fn check(value: &Value, unknown: &mut Option<String>) {
    match value {
        Value::String(text) => {
            for piece in pieces(text) {
                if let Piece::Token(name) = piece
                    && !TOKENS.contains(&name)
                {
                    unknown.get_or_insert_with(|| name.to_owned());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| check(value, unknown)),
        Value::Object(map) => map.values().for_each(|value| check(value, unknown)),
        _ => {}
    }
}

fn filled(value: &Value, values: &Map<String, Value>) -> Value {
    match value {
        Value::String(text) => string(text, values),
        Value::Array(all) => all.iter().map(|value| filled(value, values)).collect(),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), filled(value, values))).collect(),
        ),
        other => other.clone(),
    }
}

fn string(text: &str, values: &Map<String, Value>) -> Value {
    const NUMBERS: &[&str] = &["bytes", "raw_bytes", "duration", "attempts"];
    let pieces = pieces(text);
    if let [Piece::Token(name)] = pieces[..]
        && NUMBERS.contains(&name)
    {
        return values.get(name).cloned().unwrap_or(Value::Null);
    }
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Token(name) => out.push_str(&match values.get(name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(Value::Array(all)) => {
                    all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
                }
                Some(other) => other.to_string(),
            }),
        }
    }
    Value::String(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fill(template: &str, values: &Value) -> Value {
        Template::parse(template).unwrap().filled(values.as_object().unwrap())
    }

    #[test]
    fn tokens_are_filled_in() {
        let values = json!({ "title": "a \"b\"\n", "bytes": 7, "warnings": ["x", "y"] });
        let template = r#"{"t": "{title}!", "n": "{bytes}", "s": "{bytes} B", "none": "{attempts}",
                           "e": "[{error}]", "all": ["{warnings}", 1, null, "{ {}} {A} {"], "{k}": true}"#;
        assert_eq!(
            fill(template, &values),
            json!({ "t": "a \"b\"\n!", "n": 7, "s": "7 B", "none": null, "e": "[]",
                    "all": ["x\ny", 1, null, "{ {}} {A} {"], "{k}": true })
        );
    }

    #[test]
    fn bad_ones_say_what_is_right() {
        for bad in ["", "{", r#"{"a": {title}}"#, "title"] {
            assert!(Template::parse(bad).unwrap_err().contains("not JSON"), "{bad}");
        }
        let error = Template::parse(r#"["{tilte}"]"#).unwrap_err();
        assert!(error.starts_with("{tilte} is unknown; accepted are {status} {title}"), "{error}");
    }

    proptest! {
        #[test]
        fn no_value_breaks_out_of_its_string(error in "\\PC{0,30}|[\"\\\\{}\n]{0,9}") {
            let value = fill(r#"{"a": "<{error}>"}"#, &json!({ "error": error.clone() }));
            prop_assert_eq!(value, json!({ "a": format!("<{error}>") }));
        }
    }
}
