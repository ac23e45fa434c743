//! The mark of a restore that goes on, or was interrupted: a table whose comment says of which backup it is.

use std::fmt::Write as _;

use dbstash_core::load::{MARK, Target, Wish};

use super::{is_part, name};

/// The end of the comment when it is of some tables, or rows, in a database that has more.
const PART: &str = " (a part)";

/// Whether the restore that left it was of a part.
pub(super) fn is_of_part(mark: &str) -> bool {
    mark.ends_with(PART)
}

/// An empty database with a mark in it.
pub(super) fn emptied(wish: &Wish<'_>, target: &Target) -> String {
    let database = name(wish.database);
    let mut text = String::new();
    if !target.exists {
        let _ = write!(text, "CREATE DATABASE {database}; ");
    } else if !target.is_empty() {
        // What the user gave it stays: a dump of one database does not say it.
        let charset = target.facts.iter().find(|fact| fact.starts_with("CHARACTER SET "));
        let charset = charset.map(|charset| format!(" {charset}")).unwrap_or_default();
        // It is there: the first one only asks whether the user may make it again, before it goes.
        let _ = write!(
            text,
            "CREATE DATABASE IF NOT EXISTS {database}; DROP DATABASE {database}; CREATE DATABASE {database}{charset}; "
        );
    }
    text + &marked(wish)
}

/// The mark in a database that keeps what it has: one statement, which is done or not.
pub(super) fn added(wish: &Wish<'_>, target: &Target) -> String {
    let (mark, comment) = (mark(&name(wish.database)), comment(&wish.manifest.id, PART));
    match target.mark {
        Some(_) => format!("ALTER TABLE {mark} {comment}"),
        None => format!("CREATE TABLE {mark} (x INT) {comment}"),
    }
}

/// The database without it: the restore is done.
pub(super) fn gone(wish: &Wish<'_>) -> String {
    format!("DROP TABLE IF EXISTS {}", mark(&name(wish.database)))
}

/// The mark, in the place of a former one.
fn marked(wish: &Wish<'_>) -> String {
    let part = if is_part(wish.extent) { PART } else { "" };
    marking(&name(wish.database), &wish.manifest.id, part)
}

/// A mark in a database that says of which backup it is.
pub(super) fn marking(database: &str, of: &str, part: &str) -> String {
    let (mark, comment) = (mark(database), comment(of, part));
    format!("DROP TABLE IF EXISTS {mark}; CREATE TABLE {mark} (x INT) {comment}")
}

fn mark(database: &str) -> String {
    format!("{database}.`{MARK}`")
}

fn comment(of: &str, part: &str) -> String {
    let of: String = of.chars().map(|c| if is_safe(c) { c } else { '?' }).collect();
    format!("COMMENT='{of:.200}{part}'")
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/ ".contains(c)
}
