//! `dbstash config`: every setting, its value and where it is from.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::settings::table::{Fallback, Group};
use crate::settings::{Origin, Shown};

/// For people: a line for each setting, by group. Settings without a value show what takes its
/// place in parentheses.
pub fn text(values: &[Shown]) -> String {
    let mut out = String::new();
    let width = |f: fn(&Shown) -> usize| values.iter().map(f).max().unwrap_or_default();
    let names = width(|shown| shown.setting.name.len());
    // One very long value must not push all the others' origins out of sight.
    let texts = width(|shown| told(shown).chars().count()).min(48);
    for group in Group::ALL {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", group.title());
        for shown in values.iter().filter(|shown| shown.setting.group == group) {
            let name = shown.setting.name;
            let _ = writeln!(out, "  {name:names$}  {:texts$}  {}", told(shown), shown.origin);
        }
    }
    out
}

fn told(shown: &Shown) -> String {
    match (&shown.value, shown.setting.default) {
        (Some(value), _) => {
            value.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'")
        }
        (None, Fallback::Computed(words)) => format!("({words})"),
        (None, _) => "-".to_owned(),
    }
}

/// For programs: an object with a member for each setting, `value` null where there is none.
pub fn json(values: &[Shown]) -> Value {
    let members = values.iter().map(|shown| {
        let mut member = json!({ "value": shown.value, "origin": shown.origin.as_str() });
        if let Origin::File(path) = &shown.origin {
            member["file"] = path.display().to_string().into();
        }
        (shown.setting.name.to_owned(), member)
    });
    Value::Object(members.collect::<Map<_, _>>())
}
