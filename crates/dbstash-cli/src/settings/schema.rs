//! The JSON Schema of a job file, for editors and for checks before a deployment.
//!
//! It knows each key and the form of its value. What only a machine or several settings together
//! can tell, dbstash tells.

use serde_json::{Map, Value, json};

use super::scope::{Scope, key_of};
use super::table::{self, Fallback, Kind, Setting};

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let (mut values, mut job, mut defaults) = (Map::new(), Map::new(), Map::new());
    for setting in table::ALL.iter().filter(|setting| setting.scope() != Scope::Start) {
        let direct = (key_of(setting.name), value(setting));
        let file = setting.file_variable().map(|variable| (key_of(&variable), path(setting)));
        for (key, value) in std::iter::once(direct).chain(file) {
            let there = json!({ "$ref": format!("#/$defs/{key}") });
            if setting.scope() == Scope::Job {
                job.insert(key.clone(), there.clone());
            }
            defaults.insert(key.clone(), there);
            values.insert(key, value);
        }
    }
    let section = |about: &str, keys: Map<String, Value>| {
        json!({
            "description": about,
            "type": ["object", "null"],
            "properties": keys,
            "additionalProperties": false,
        })
    };
    values.insert("job".to_owned(), section("A job's own settings.", job));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A job file of dbstash",
        "description": "Keys are the names of the environment variables in lower case. A variable \
                        wins over the file, and a job over defaults.",
        "type": "object",
        "required": ["jobs"],
        "properties": {
            "defaults": section(
                "What holds for each job that does not say otherwise, and what the process has once.",
                defaults,
            ),
            "jobs": {
                "description": "The jobs, by their names.",
                "type": "object",
                "minProperties": 1,
                "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$" },
                "additionalProperties": { "$ref": "#/$defs/job" },
            },
        },
        "patternProperties": { "^x-": {} },
        "additionalProperties": false,
        "$defs": values,
    })
}

/// As the shipped file has it.
pub fn text() -> String {
    let mut text = format!("{:#}", schema());
    text.push('\n');
    text
}

fn value(setting: &Setting) -> Value {
    let mut forms = forms(setting.kind);
    if setting.list().is_some() {
        let one = json!({ "type": ["string", "number"] });
        forms.push(json!({ "type": "array", "items": one }));
    }
    // Without a value: what `defaults` says does not hold.
    forms.push(json!({ "enum": [null, ""] }));
    let mut value = json!({ "description": setting.doc(), "anyOf": forms });
    if let Fallback::Is(text) = setting.default {
        value["default"] = text.into();
    }
    value
}

fn path(setting: &Setting) -> Value {
    let about = format!("The path of a file that holds {}.", key_of(setting.name));
    json!({ "description": about, "type": ["string", "number", "null"] })
}

fn forms(kind: Kind) -> Vec<Value> {
    let pattern = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let least = |least: u32| json!({ "type": "integer", "minimum": least });
    match kind {
        Kind::Text(_) | Kind::Words | Kind::Path | Kind::Zone => {
            vec![json!({ "type": ["string", "number"] })]
        }
        Kind::Bool => vec![
            json!({ "type": "boolean" }),
            json!({ "enum": [0, 1] }),
            pattern(&any_case(&["true", "false", "yes", "no", "on", "off", "0", "1"])),
        ],
        Kind::Duration => vec![
            json!({ "const": 0 }),
            pattern(
                r"^\s*(0|(?=[0-9])([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)\s*$",
            ),
        ],
        Kind::Size => {
            vec![least(0), pattern(r"^\s*[0-9]+\s*(([KMGTkmgt][Ii]?)?[Bb])?\s*$")]
        }
        Kind::Count => vec![least(0), pattern(r"^\s*[0-9]+\s*$")],
        Kind::Days => {
            vec![
                json!({ "type": "number", "minimum": 0 }),
                pattern(r"^\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*$"),
            ]
        }
        Kind::OneOf(words) => vec![json!({ "enum": words }), pattern(&any_case(words))],
    }
}

/// A pattern for one of these words, in any case.
fn any_case(words: &[&str]) -> String {
    let letter = |c: char| match c {
        c if c.is_ascii_alphabetic() => {
            format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())
        }
        c => c.to_string(),
    };
    let words: Vec<String> = words.iter().map(|word| word.chars().map(letter).collect()).collect();
    format!(r"^\s*({})\s*$", words.join("|"))
}
