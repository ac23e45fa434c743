//! A script of pg_dump on its way into psql: statement by statement it is decided what psql gets to see.

use memchr::{memchr, memchr_iter, memmem};

use dbstash_core::load::Edit;

use crate::pg::lexer::{Lexer, is_of_name};

/// Of a longer statement only the beginning decides.
const LONGEST: usize = 256 * 1024;
/// What ends the rows of a `COPY`.
const END_OF_ROWS: &[u8] = b"\n\\.\n";

/// What becomes of a statement.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// psql gets it.
    Keep,
    /// It is left out, the rows of a `COPY` with it.
    Omit,
    /// psql gets this in its place.
    Say(Vec<u8>),
}

/// Decides on statements.
pub(super) trait Judge: Send {
    /// A statement with its `;`, or the beginning of a long one. An error ends the load.
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String>;

    /// A command of psql: a line that begins with a backslash.
    fn command(&mut self, line: &[u8]) -> Result<Fate, String>;

    /// What is to be said after the last one; or what was missing.
    fn rest(&mut self) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
}

impl Judge for Box<dyn Judge> {
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String> {
        (**self).statement(statement)
    }

    fn command(&mut self, line: &[u8]) -> Result<Fate, String> {
        (**self).command(line)
    }

    fn rest(&mut self) -> Result<Vec<u8>, String> {
        (**self).rest()
    }
}

/// Reads a script as psql would, and hands on what its judge lets pass. Lines stay where they are.
pub(super) struct Reader<J> {
    judge: J,
    state: State,
    lexer: Lexer,
    /// What has come of the statement at hand.
    statement: Vec<u8>,
    /// Whether it has more than blanks and comments.
    is_begun: bool,
    /// What became of it when it got too long to wait for its end.
    fate: Option<bool>,
    depth: u64,
    /// How many `BEGIN ATOMIC` and `CASE` of a function's body are open.
    blocks: u64,
    word: Vec<u8>,
    /// How much of the end of the rows has come.
    seen: usize,
    rows_pass: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Script,
    /// A command of psql, to the end of the line.
    Command,
    /// After a `COPY`, to the end of its line.
    RowsHead,
    Rows,
}

impl<J: Judge> Reader<J> {
    pub(super) fn new(judge: J) -> Self {
        Self {
            judge,
            state: State::Script,
            lexer: Lexer::default(),
            statement: Vec::new(),
            is_begun: false,
            fate: None,
            depth: 0,
            blocks: 0,
            word: Vec::new(),
            seen: 0,
            rows_pass: true,
        }
    }

    /// How many bytes mean nothing in this state.
    fn pass(&self, bytes: &[u8]) -> usize {
        match self.state {
            State::Script => self.lexer.pass(bytes),
            State::Command => memchr(b'\n', bytes).unwrap_or(bytes.len()),
            State::RowsHead | State::Rows => 0,
        }
    }

    /// Bytes of rows; how many there are before the next statement.
    fn rows(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.seen > 0 && at < bytes.len() {
            self.seen = match bytes[at] {
                byte if byte == END_OF_ROWS[self.seen] => self.seen + 1,
                b'\n' => 1,
                _ => 0,
            };
            at += 1;
            if self.seen == END_OF_ROWS.len() {
                self.state = State::Script;
                return at;
            }
        }
        if let Some(found) = memmem::find(&bytes[at..], END_OF_ROWS) {
            self.state = State::Script;
            return at + found + END_OF_ROWS.len();
        }
        let rest = &bytes[at..];
        if !rest.is_empty() {
            let begins = |n: &usize| rest.ends_with(&END_OF_ROWS[..*n]);
            self.seen = (1..END_OF_ROWS.len()).rev().find(begins).unwrap_or(0);
        }
        bytes.len()
    }

    /// Takes bytes of the statement at hand.
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        match self.fate {
            Some(true) => out.extend_from_slice(bytes),
            Some(false) => {}
            None => {
                self.statement.extend_from_slice(bytes);
                if self.statement.len() > LONGEST {
                    self.decide(out)?;
                }
            }
        }
        Ok(())
    }

    /// It is too long to wait for its end.
    fn decide(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let statement = std::mem::take(&mut self.statement);
        if !self.is_begun {
            out.extend_from_slice(&statement);
            return Ok(());
        }
        if self.state == State::Command {
            return Err("a psql command of it has no end".to_owned());
        }
        match self.judge.statement(&statement)? {
            Fate::Keep => {
                out.extend_from_slice(&statement);
                self.fate = Some(true);
            }
            Fate::Omit => self.fate = Some(false),
            Fate::Say(_) => return Err("a statement of it is too long to be changed".to_owned()),
        }
        Ok(())
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), String> {
        match self.state {
            State::Script => {
                // A dash or slash that began no comment is of the statement.
                let was_undecided = self.lexer.is_undecided();
                if self.lexer.step(byte) {
                    self.is_begun |= was_undecided;
                    self.code(byte, out)?;
                }
            }
            State::Command => self.command_ends(out)?,
            State::RowsHead if byte == b'\n' => {
                self.seen = 1;
                self.state = State::Rows;
            }
            State::RowsHead | State::Rows => {}
        }
        Ok(())
    }

    fn command_ends(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let line = std::mem::take(&mut self.statement);
        self.is_begun = false;
        self.state = State::Script;
        match self.judge.command(line.trim_ascii())? {
            Fate::Keep => out.extend_from_slice(&line),
            Fate::Omit => out.push(b'\n'),
            Fate::Say(text) => out.extend_from_slice(&text),
        }
        Ok(())
    }

    fn code(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), String> {
        let was_begun = self.is_begun;
        if !byte.is_ascii_whitespace() && !b"-/".contains(&byte) {
            self.is_begun = true;
        }
        if is_of_name(byte) && self.word.len() < 16 {
            self.word.push(byte);
        } else if !is_of_name(byte) && !self.word.is_empty() {
            self.word_ends();
        }
        match byte {
            b'\\' if !was_begun => self.state = State::Command,
            b'\\' => return Err("a statement of it holds a psql command".to_owned()),
            b'(' => self.depth += 1,
            b')' => self.depth = self.depth.saturating_sub(1),
            b';' if self.depth == 0 && self.blocks == 0 => self.statement_ends(out)?,
            _ => {}
        }
        Ok(())
    }

    /// The body of a function may be statements between `BEGIN ATOMIC` and `END`.
    fn word_ends(&mut self) {
        let word = std::mem::take(&mut self.word).to_ascii_uppercase();
        // As psql looks for them.
        if self.depth > 0 {
            return;
        }
        match word.as_slice() {
            b"BEGIN" if self.blocks > 0 || makes_routine(&self.statement) => self.blocks += 1,
            b"CASE" if self.blocks > 0 => self.blocks += 1,
            b"END" => self.blocks = self.blocks.saturating_sub(1),
            _ => {}
        }
    }

    fn statement_ends(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let statement = std::mem::take(&mut self.statement);
        self.is_begun = false;
        if self.fate.take().is_some() {
            return Ok(());
        }
        let text = statement.trim_ascii_start();
        self.lexer.heed(text);
        let lines = memchr_iter(b'\n', &statement).count();
        let is_rows = text.starts_with(b"COPY ") && text.ends_with(b" FROM stdin;");
        self.rows_pass = true;
        match self.judge.statement(text)? {
            Fate::Keep => out.extend_from_slice(&statement),
            Fate::Omit => {
                self.rows_pass = false;
                out.extend(std::iter::repeat_n(b'\n', lines));
            }
            Fate::Say(other) => {
                let said = memchr_iter(b'\n', &other).count();
                out.extend_from_slice(&other);
                out.extend(std::iter::repeat_n(b'\n', lines.saturating_sub(said)));
            }
        }
        if is_rows {
            self.state = State::RowsHead;
        }
        Ok(())
    }

    /// Between two statements, or in a comment there to the end of the line.
    fn is_between(&self) -> bool {
        let is_free = self.lexer.is_in_code() || self.lexer.is_in_line_comment();
        self.state == State::Script && is_free && !self.is_begun
    }
}

impl<J: Judge> Edit for Reader<J> {
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.state == State::Rows {
                let taken = self.rows(bytes);
                if self.rows_pass {
                    out.extend_from_slice(&bytes[..taken]);
                }
                bytes = &bytes[taken..];
                continue;
            }
            let passed = self.pass(bytes);
            let (before, rest) = bytes.split_at(passed);
            if !before.is_empty() {
                self.take(before, out)?;
            }
            bytes = rest;
            let Some((&byte, rest)) = bytes.split_first() else { break };
            bytes = rest;
            if self.state == State::RowsHead {
                if self.rows_pass {
                    out.push(byte);
                }
            } else {
                self.take(&[byte], out)?;
            }
            self.step(byte, out)?;
            if self.is_between() && !self.statement.is_empty() {
                out.append(&mut self.statement);
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        if !self.is_between() {
            return Err("it ends in the middle of a statement".to_owned());
        }
        out.append(&mut self.statement);
        out.extend(self.judge.rest()?);
        Ok(())
    }
}

fn makes_routine(statement: &[u8]) -> bool {
    let text = statement.trim_ascii_start();
    let text = text.strip_prefix(b"CREATE ").unwrap_or_default();
    let text = text.strip_prefix(b"OR REPLACE ").unwrap_or(text);
    text.starts_with(b"FUNCTION ") || text.starts_with(b"PROCEDURE ")
}

#[cfg(test)]
mod tests;
