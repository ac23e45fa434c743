//! The mark of a restore that goes on, or was interrupted: a table whose comment says of which backup it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crc::{CRC_64_XZ, Crc};
use dbstash_core::invocation::quoted;
use dbstash_core::load::{Extent, MARK, Side, Target, Wish};

use super::super::split::safe;
use super::{is_part, name};

/// Before what it is of, where that is some tables, or rows, in a database that has more.
const PART: &str = " (a part: ";
/// What a table's comment has room for, beside the rest.
const LONGEST: usize = 1700;

/// Of which tables it is.
#[derive(Debug, PartialEq, Eq)]
enum Tables {
    All,
    /// By their names, as files have them.
    These(BTreeSet<String>),
    /// Too many to be named: how many, and what tells them from others.
    Many(usize, String),
}

/// What of a database a restore is of.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    side: Side,
    tables: Tables,
}

impl Part {
    fn of(extent: &Extent) -> Self {
        let tables: BTreeSet<_> = extent.tables.iter().map(|name| safe(name.as_bytes())).collect();
        let tables = if tables.is_empty() { Tables::All } else { Tables::These(tables) };
        Self { side: extent.side, tables }
    }

    /// As [`Part::words`] has it. What is no name in it has a space.
    fn read(words: &str) -> Option<Self> {
        let sides = [("rows of ", Side::Data), ("structure of ", Side::Schema), ("", Side::All)];
        let (side, of) =
            sides.iter().find_map(|(start, side)| Some((*side, words.strip_prefix(start)?)))?;
        let is_name = |name: &str| !name.is_empty() && !name.contains(' ');
        let tables = if of == "all tables" {
            Tables::All
        } else if let Some((number, digest)) = of.split_once(" tables, ") {
            Tables::Many(number.parse().ok()?, digest.to_owned())
        } else {
            let names: BTreeSet<_> = of.split(", ").map(str::to_owned).collect();
            names.iter().all(|name| is_name(name)).then_some(Tables::These(names))?
        };
        Some(Self { side, tables })
    }

    fn words(&self) -> String {
        let side = match self.side {
            Side::All => "",
            Side::Data => "rows of ",
            Side::Schema => "structure of ",
        };
        match &self.tables {
            Tables::All => format!("{side}all tables"),
            Tables::These(names) => {
                let all = listed(names);
                if all.len() <= LONGEST {
                    return format!("{side}{all}");
                }
                format!("{side}{} tables, {}", names.len(), digest(names))
            }
            Tables::Many(number, digest) => format!("{side}{number} tables, {digest}"),
        }
    }

    /// Whether all of another one, which was of the same backup or not, is in this one.
    fn has(&self, other: &Self, is_same: bool) -> bool {
        let is_of_side = self.side == Side::All || self.side == other.side;
        is_of_side
            && match (&self.tables, &other.tables) {
                (Tables::All, _) => is_same,
                (Tables::These(ours), Tables::These(theirs)) => ours.is_superset(theirs),
                (Tables::These(ours), Tables::Many(number, known)) => {
                    ours.len() == *number && digest(ours) == *known
                }
                _ => false,
            }
    }

    /// How it is asked for.
    fn asked(&self) -> String {
        let mut words = match &self.tables {
            Tables::All => String::new(),
            Tables::These(names) => {
                let plain = |name: &String| quoted(&super::parts::plain(name));
                names.iter().fold(String::new(), |all, one| all + "--table " + &plain(one) + " ")
            }
            Tables::Many(number, _) => format!("--table (the same {number} as then) "),
        };
        words.push_str(match self.side {
            Side::All => "--clean",
            Side::Data => "--data-only --clean",
            Side::Schema => "--schema-only --clean",
        });
        words
    }
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn digest(names: &BTreeSet<String>) -> String {
    format!("{:016x}", Crc::<u64>::new(&CRC_64_XZ).checksum(listed(names).as_bytes()))
}

/// The backup that a mark is of, and what of it; nothing of what cannot be read.
fn read(mark: &str) -> Option<(&str, Option<Part>)> {
    let (of, part) = mark.split_once(PART)?;
    Some((of, part.strip_suffix(')').and_then(Part::read)))
}

/// Of a mark of a part: the words for `dbstash restore` that make it whole, and leave what else is in the database. None
/// for the mark of all of it.
pub(in super::super) fn again(mark: &str) -> Option<String> {
    let (of, part) = read(mark)?;
    Some(match part {
        Some(part @ Part { tables: Tables::All, .. }) => format!("{of} {}", part.asked()),
        Some(part) => part.asked(),
        None => "with --clean and the same --table as then".to_owned(),
    })
}

/// Whether a restore of a part has all of what the one was of that left the mark.
pub(super) fn is_all_of(wish: &Wish<'_>, mark: &str) -> bool {
    let Some((of, Some(part))) = read(mark) else { return false };
    Part::of(wish.extent).has(&part, of == told(&wish.manifest.id))
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
    let (mark, comment) = (mark(&name(wish.database)), comment(&wish.manifest.id, &part(wish)));
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
    marking(&name(wish.database), &wish.manifest.id, &part(wish))
}

/// What the mark says beside the backup.
fn part(wish: &Wish<'_>) -> String {
    if !is_part(wish.extent) {
        return String::new();
    }
    format!("{PART}{})", Part::of(wish.extent).words())
}

/// A mark in a database that says of which backup it is.
pub(super) fn marking(database: &str, of: &str, part: &str) -> String {
    let (mark, comment) = (mark(database), comment(of, part));
    format!("DROP TABLE IF EXISTS {mark}; CREATE TABLE {mark} (x INT) {comment}")
}

fn mark(database: &str) -> String {
    format!("{database}.`{MARK}`")
}

/// What the mark says.
pub(super) fn comment(of: &str, part: &str) -> String {
    format!("COMMENT='{}{part}'", told(of))
}

/// The name of a backup, as a mark has it.
fn told(of: &str) -> String {
    of.chars().map(|c| if is_safe(c) { c } else { '?' }).take(200).collect()
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/ ".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(tables: &[&str], side: Side) -> Part {
        let tables = tables.iter().map(|name| (*name).to_owned()).collect();
        Part::of(&Extent { tables, side, ..Extent::default() })
    }

    #[test]
    fn what_a_mark_is_of_is_read_again() {
        let many: Vec<String> = (0..300).map(|n| format!("table_{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (of, words) in [
            (part(&["t4", "t1"], Side::All), "t1, t4"),
            (part(&["a, b", "it's)"], Side::Data), "rows of a%2C%20b, it%27s%29"),
            (part(&["rows of t"], Side::All), "rows%20of%20t"),
            (part(&[], Side::Data), "rows of all tables"),
            (part(&["t"], Side::Schema), "structure of t"),
        ] {
            assert_eq!(of.words(), words);
            assert_eq!(Part::read(words), Some(of));
        }
        let of = part(&many, Side::All);
        let words = of.words();
        assert!(words.starts_with("300 tables, ") && words.len() < 40, "{words}");
        let told = Part::read(&words).unwrap();
        assert!(of.has(&told, false) && !part(&many[1..], Side::All).has(&told, false));
        assert!(Part::read("a b").is_none() && Part::read("").is_none());
    }

    #[test]
    fn a_part_takes_the_place_of_what_it_has_all_of() {
        let one = || part(&["t1"], Side::All);
        let rows = |tables: &[&str]| part(tables, Side::Data);
        for (ours, theirs, is_same, has) in [
            (part(&["t1", "t4"], Side::All), one(), false, true),
            (part(&["t4"], Side::All), one(), true, false),
            (part(&["t4"], Side::All), part(&["t1", "t4"], Side::All), true, false),
            (one(), rows(&["t1"]), false, true),
            (rows(&["t1"]), one(), true, false),
            (part(&["t1"], Side::Schema), rows(&["t1"]), true, false),
            (rows(&[]), rows(&["t1"]), true, true),
            (rows(&[]), rows(&[]), false, false),
            (rows(&["t1"]), rows(&[]), true, false),
        ] {
            assert_eq!(ours.has(&theirs, is_same), has, "{ours:?} {theirs:?}");
        }
    }

    #[test]
    fn how_it_is_asked_for_again() {
        let again = |mark: &str| again(mark).unwrap_or_default();
        assert_eq!(again("2026-x"), "");
        assert_eq!(again("x (a part: a%20b, t1)"), "--table 'a b' --table t1 --clean");
        assert_eq!(again("x (a part: rows of all tables)"), "x --data-only --clean");
        assert!(again("x (a part: a b)").contains("the same --table"));
    }
}
