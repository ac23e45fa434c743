//! The statements of `.dump`: which there are, that rows are of the table above them and have its columns.

use super::script::Script as Ends;
use crate::sql::{Columns, Rules, Script, Writer, first_word, name};
use dbstash_core::engine::{Check, Incomplete, Passed};

/// What begins a statement, in any version.
const VERBS: [&[u8]; 16] = [
    b"ALTER",
    b"ANALYZE",
    b"BEGIN",
    b"COMMIT",
    b"CREATE",
    b"DELETE",
    b"DROP",
    b"END",
    b"INSERT",
    b"PRAGMA",
    b"REINDEX",
    b"REPLACE",
    b"ROLLBACK",
    b"SELECT",
    b"UPDATE",
    b"VACUUM",
];

/// Reads a stored dump.
pub(super) struct Stored {
    ends: Box<Ends>,
    statements: Script<Known>,
}

impl Stored {
    pub(super) fn new(ends: Ends) -> Self {
        Self { ends: Box::new(ends), statements: Script::new(Known::default()) }
    }
}

impl Check for Stored {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
        self.statements.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let passed = self.ends.finish()?;
        self.statements.finish().map_err(Incomplete)?;
        let check = if passed.degraded.is_some() { "statements" } else { "statements, footer" };
        Ok(Passed { check: check.to_owned(), ..passed })
    }
}

/// What is known so far.
#[derive(Default)]
struct Known {
    /// The table created last, and how many values its rows have.
    table: Option<Vec<u8>>,
    values: Option<u64>,
    /// The table whose rows are at hand.
    of: Vec<u8>,
}

impl Rules for Known {
    const WRITER: Writer = Writer::Sqlite;

    fn is_known(&self) -> bool {
        true
    }

    fn is_foreign(&self) -> bool {
        false
    }

    fn is_utf8(&self) -> bool {
        true
    }

    /// A trigger has statements of its own, and an `END` after the last of them.
    fn goes_on(&self, statement: &[u8]) -> bool {
        let start = statement[..statement.len().min(40)].to_ascii_uppercase();
        let mut words = start.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        if words.next() != Some(b"CREATE") {
            return false;
        }
        match words.next() {
            Some(b"TRIGGER") => {}
            Some(b"TEMP" | b"TEMPORARY") if words.next() == Some(b"TRIGGER") => {}
            _ => return false,
        }
        let text = statement.trim_ascii_end();
        let Some((text, end)) = text.split_last_chunk::<3>() else { return true };
        let is_end = end.eq_ignore_ascii_case(b"END");
        !(is_end && text.trim_ascii_end().ends_with(b";"))
    }

    fn statement(&mut self, statement: &[u8], columns: &Columns) -> Result<(), String> {
        if statement.is_empty() {
            return Ok(());
        }
        let verb = first_word(statement);
        let rest = statement[verb.len()..].trim_ascii_start();
        let good = match verb {
            b"PRAGMA" => is_pragma(rest),
            b"BEGIN" => rest == b"TRANSACTION",
            b"COMMIT" | b"ROLLBACK" => rest.is_empty(),
            b"CREATE" => self.create(rest, columns),
            b"INSERT" => false,
            _ => VERBS.contains(&verb),
        };
        if good { Ok(()) } else { Err(told(statement)) }
    }

    fn insert(&mut self, statement: &[u8]) -> Result<Option<u64>, String> {
        let rest = statement
            .strip_prefix(b"INSERT INTO ")
            .or_else(|| statement.strip_prefix(b"INSERT OR IGNORE INTO "));
        let (table, rest) = rest.and_then(name).ok_or_else(|| told(statement))?;
        let is_own = table.starts_with(b"sqlite_");
        match &self.table {
            Some(known) if *known != table && !is_own => {
                return Err(format!(
                    "a row of table {} names another one",
                    String::from_utf8_lossy(known)
                ));
            }
            _ => {}
        }
        let rest = rest.strip_suffix(b"VALUES").unwrap_or(rest).trim_ascii();
        self.of = table;
        if rest.is_empty() {
            return Ok(self.values.filter(|_| !is_own && self.table.is_some()));
        }
        let list = rest.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
        let list = list.ok_or_else(|| told(statement))?;
        let (mut rest, mut count) = (list, 1);
        loop {
            rest = name(rest.trim_ascii_start()).ok_or_else(|| told(statement))?.1;
            match rest.strip_prefix(b",") {
                Some(more) => (rest, count) = (more, count + 1),
                None if rest.is_empty() => return Ok(Some(count)),
                None => return Err(told(statement)),
            }
        }
    }

    fn inserted(&mut self, values: Option<u64>) {
        if self.table.as_ref() == Some(&self.of) {
            self.values = values;
        }
    }
}

impl Known {
    fn create(&mut self, rest: &[u8], columns: &Columns) -> bool {
        let upper = rest[..rest.len().min(60)].to_ascii_uppercase();
        let kinds: [&[u8]; 8] = [
            b"TABLE ",
            b"INDEX ",
            b"UNIQUE ",
            b"VIEW ",
            b"TRIGGER ",
            b"VIRTUAL ",
            b"TEMP ",
            b"TEMPORARY ",
        ];
        if !kinds.iter().any(|kind| upper.starts_with(kind)) {
            return false;
        }
        if !upper.starts_with(b"TABLE ") {
            return true;
        }
        let mut rest = rest[6..].trim_ascii_start();
        if upper[6..].trim_ascii_start().starts_with(b"IF NOT EXISTS ") {
            rest = rest[14..].trim_ascii_start();
        }
        let Some((table, _)) = name(rest) else { return false };
        let text = rest.to_ascii_uppercase();
        // Those that are made of others are not dumped.
        let is_odd = [&b"GENERATED"[..], b" AS", b")AS"]
            .iter()
            .any(|word| memchr::memmem::find(&text, word).is_some());
        self.table = Some(table);
        self.values = columns.count().filter(|_| !is_odd);
        true
    }
}

fn is_pragma(text: &[u8]) -> bool {
    let Some(at) = text.iter().position(|byte| *byte == b'=') else { return false };
    let (word, value) = (&text[..at], &text[at + 1..]);
    let value = value.strip_prefix(b"-").unwrap_or(value);
    let is_value = matches!(value, b"ON" | b"OFF")
        || !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    is_value && word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
}

fn told(statement: &[u8]) -> String {
    let beginning: String = String::from_utf8_lossy(statement).chars().take(60).collect();
    format!("a statement of it makes no sense: {beginning:?}")
}
