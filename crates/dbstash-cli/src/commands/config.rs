//! `dbstash config`: every setting, its value and where it is from.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::settings::table::{Fallback, Group};
use crate::settings::{Fleet, Origin, Shown};
use crate::text;

/// What the command prints: the settings, of the jobs of a file each under its name.
pub fn shown(fleet: &Fleet, values: &[Vec<Shown>], json: bool) -> String {
    let names = fleet.jobs.iter().map(|settings| settings.job.id.as_str());
    let jobs = names.zip(values.iter().map(Vec::as_slice));
    match (fleet.process.file.is_some(), values) {
        (false, [only]) if json => text::json(&self::json(only)),
        (false, [only]) => text(only),
        _ if json => text::json(&jobs_json(jobs)),
        _ => jobs_text(jobs),
    }
}

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

/// For people, of the jobs of a file: each under its name.
fn jobs_text<'a>(jobs: impl Iterator<Item = (&'a str, &'a [Shown])>) -> String {
    let each = jobs.map(|(name, values)| format!("== {name}\n\n{}", text(values)));
    each.collect::<Vec<_>>().join("\n")
}

/// For programs, of the jobs of a file: `jobs` has a member for each, as [`json`] makes it.
fn jobs_json<'a>(jobs: impl Iterator<Item = (&'a str, &'a [Shown])>) -> Value {
    let members = jobs.map(|(name, values)| (name.to_owned(), json(values)));
    json!({ "jobs": members.collect::<Map<_, _>>() })
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
        match &shown.origin {
            Origin::File(path) => member["file"] = path.display().to_string().into(),
            Origin::Document(spot) => {
                member["file"] = spot.file.as_ref().into();
                member["line"] = spot.line.into();
            }
            _ => {}
        }
        (shown.setting.name.to_owned(), member)
    });
    Value::Object(members.collect::<Map<_, _>>())
}
