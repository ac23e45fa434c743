//! What whole statements mean to whoever counts.

use dbstash_core::load::MARK;
use dbstash_core::tally::{Counts, Tally};
use memchr::memmem;

use super::super::names::{shown, table};
use super::bytes::is_insert;
use super::{LONGEST, LOST, Lines, Script, State, Writer};

impl Script {
    /// A `;` in code: the end of a statement, as a rule.
    pub(super) fn semicolon(&mut self) -> State {
        if self.writer == Writer::Mysql && self.head.trim_ascii_end() == b"DELIMITER" {
            self.keep(b";");
            return State::Command;
        }
        if self.in_block {
            if self.last == b';' {
                self.ended();
            }
            return State::Code;
        }
        if self.depth > 0 || self.goes_on() {
            return State::Code;
        }
        let state = self.statement();
        self.ended();
        state
    }

    /// The same, after rows of which so many have begun since they were counted last.
    pub(super) fn semicolon_after(&mut self, begun: u64) -> State {
        self.rows = self.rows.map(|rows| rows + begun);
        self.semicolon()
    }

    /// Whether there are statements within this one, and more to come.
    fn goes_on(&mut self) -> bool {
        let head = self.head.trim_ascii_end();
        let Some(start) = self.within else {
            let begins = match self.writer {
                Writer::Mysql => false,
                Writer::Sqlite => {
                    let kinds: [&[u8]; 3] =
                        [b"CREATE TRIGGER", b"CREATE TEMP TRIGGER", b"CREATE TEMPORARY TRIGGER"];
                    let start = head[..head.len().min(NAMED)].to_ascii_uppercase();
                    kinds.iter().any(|kind| start.starts_with(kind))
                }
                Writer::Pg => {
                    head.starts_with(b"CREATE ")
                        && memmem::find(head, b"BEGIN ATOMIC").is_some()
                        && !is_over(head)
                }
            };
            self.within = begins.then_some(self.head.len());
            return begins;
        };
        let last = head.get(start..).unwrap_or_default();
        let is_end = last.trim_ascii().eq_ignore_ascii_case(b"END");
        self.head.truncate(start);
        !is_end
    }

    /// A whole statement; what follows it.
    fn statement(&mut self) -> State {
        if let Some(rows) = self.rows {
            self.inserted(rows);
            return State::Code;
        }
        let head = self.head.trim_ascii();
        if head.starts_with(b"COPY ") || is_insert(head) {
            if self.is_long {
                self.is_lost = true;
            } else if head.ends_with(b" DEFAULT VALUES") {
                self.inserted(1);
            } else if head.starts_with(b"COPY ") && head.ends_with(b" FROM stdin") {
                let Some(name) = self.named(&head[5..]) else {
                    self.is_lost = true;
                    return State::Code;
                };
                self.copied = Some((name, Lines::after_statement()));
                return State::Rows;
            }
        } else if let Some(rest) = created(head).filter(|_| !self.was_versioned) {
            // A table that is only its partitions has no rows of its own.
            let has_own =
                self.writer != Writer::Pg || memmem::find(head, b"PARTITION BY").is_none();
            if let Some(name) = self.named(rest).filter(|_| has_own) {
                self.sums.add(&name, 0);
            }
        } else if head.starts_with(b"SET ") {
            self.set();
        } else if let Some(rest) = head.strip_prefix(b"USE ")
            && self.database.is_some()
            && let Some(parts) = table(rest)
        {
            self.flush();
            self.database = parts.into_iter().next();
        }
        State::Code
    }

    /// So many rows of the statement at hand.
    fn inserted(&mut self, rows: u64) {
        if self.head == self.likes.0 {
            self.likes.1 += rows;
        } else {
            self.flush();
            self.likes = (std::mem::take(&mut self.head), rows);
        }
    }

    /// Counts the rows of the last statements.
    fn flush(&mut self) {
        let (head, rows) = std::mem::take(&mut self.likes);
        if rows == 0 {
            return;
        }
        let into = memmem::find(&head, b"INTO ").map(|at| &head[at + 5..]);
        let name = into.filter(|_| head.len() < LONGEST).and_then(table);
        match name {
            // Its own notes on sequences and statistics.
            Some(parts) if self.writer == Writer::Sqlite && parts[0].starts_with(b"sqlite_") => {}
            Some(parts) => self.sums.add(&self.full(parts), rows),
            None => self.is_lost = true,
        }
    }

    fn named(&self, text: &[u8]) -> Option<String> {
        table(text).map(|parts| self.full(parts))
    }

    /// With the database, where there are several.
    fn full(&self, parts: Vec<Vec<u8>>) -> String {
        let mut all: Vec<_> =
            self.database.iter().filter(|name| !name.is_empty()).cloned().collect();
        all.extend(parts);
        shown(&all)
    }

    /// What changes the rules of texts.
    fn set(&mut self) {
        let text = self.head.to_ascii_uppercase();
        let has = |word: &[u8]| memmem::find(&text, word).is_some();
        match self.writer {
            Writer::Pg if text.starts_with(b"SET STANDARD_CONFORMING_STRINGS") => {
                self.escapes = has(b"OFF");
            }
            Writer::Mysql if has(b"SQL_MODE") => {
                self.escapes = !has(b"NO_BACKSLASH_ESCAPES");
                self.ansi = has(b"ANSI_QUOTES");
            }
            _ => {}
        }
    }

    /// A line for the client.
    pub(super) fn command(&mut self) {
        if let Some(delimiter) = self.head.strip_prefix(b"DELIMITER") {
            self.in_block = delimiter.trim_ascii() != b";";
        } else if let Some(rest) = self.head.strip_prefix(b"\\connect ")
            && self.database.is_some()
        {
            let name = connected(rest.trim_ascii());
            self.flush();
            // It has no tables: its name alone says that what else there is may be half of it.
            if name == MARK.as_bytes() {
                self.sums.add(MARK, 0);
            }
            self.database = Some(name);
        }
        self.ended();
        self.last = b'\n';
    }

    fn ended(&mut self) {
        self.head.clear();
        self.is_long = false;
        self.depth = 0;
        self.rows = None;
        self.within = None;
    }
}

/// So far a statement tells what it is.
const NAMED: usize = 40;

/// Whether a function without statements is over.
fn is_over(head: &[u8]) -> bool {
    let mut words = head.rsplit(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.next() == Some(b"END") && words.next() == Some(b"ATOMIC")
}

/// What follows the beginning of a statement that makes a table.
fn created(head: &[u8]) -> Option<&[u8]> {
    let rest = head.strip_prefix(b"CREATE ")?;
    let rest = rest.strip_prefix(b"UNLOGGED ").unwrap_or(rest);
    let rest = rest.strip_prefix(b"TABLE ")?.trim_ascii_start();
    Some(rest.strip_prefix(b"IF NOT EXISTS ").unwrap_or(rest))
}

/// The database that psql is to connect to.
fn connected(text: &[u8]) -> Vec<u8> {
    let Some(text) = text.strip_prefix(b"-reuse-previous=on ") else {
        let bare = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
        return bare.unwrap_or(text).to_vec();
    };
    let text = String::from_utf8_lossy(text).replace("\"\"", "\"");
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&text);
    let name = text.strip_prefix("dbname=").unwrap_or(text);
    let bare = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    bare.unwrap_or(name).replace("\\'", "'").replace("\\\\", "\\").into_bytes()
}

impl Tally for Script {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.is_lost {
            let taken = self.advance(bytes);
            bytes = &bytes[taken..];
        }
    }

    fn finish(mut self: Box<Self>) -> Counts {
        self.flush();
        let is_between = matches!(self.state, State::Code | State::ToLineEnd | State::Dashes);
        if self.is_lost || !is_between || self.rows.is_some() || !self.head.is_empty() {
            return Counts::without(LOST);
        }
        self.sums.counts()
    }
}
