//! A script of pg_dump on its way into psql: statement by statement it is decided what psql gets to see.

use memchr::{memchr, memchr_iter, memchr2, memmem};

use dbstash_core::load::Edit;

/// Of a longer statement only the beginning decides.
const LONGEST: usize = 256 * 1024;
/// What ends the rows of a `COPY`.
const END_OF_ROWS: &[u8] = b"\n\\.\n";
const QUOTING: &[u8] = b"SET standard_conforming_strings";

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
    last: u8,
    escapes: bool,
    tag: Vec<u8>,
    again: usize,
    /// How much of the end of the rows has come.
    seen: usize,
    rows_pass: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// After a `-` or a `/`.
    Dash,
    Slash,
    ToLineEnd,
    Comment(u32),
    CommentStar(u32),
    CommentSlash(u32),
    Text {
        escapes: bool,
    },
    TextEscape,
    Name,
    Tag,
    Dollar,
    Command,
    /// After a `COPY`, to the end of its line.
    RowsHead,
    Rows,
}

impl<J: Judge> Reader<J> {
    pub(super) fn new(judge: J) -> Self {
        Self {
            judge,
            state: State::Code,
            statement: Vec::new(),
            is_begun: false,
            fate: None,
            depth: 0,
            blocks: 0,
            word: Vec::new(),
            last: 0,
            escapes: false,
            tag: Vec::new(),
            again: 0,
            seen: 0,
            rows_pass: true,
        }
    }

    /// How many bytes mean nothing in this state.
    fn pass(&self, bytes: &[u8]) -> usize {
        let found = match self.state {
            State::Text { escapes: false } => memchr(b'\'', bytes),
            State::Text { escapes: true } => memchr2(b'\'', b'\\', bytes),
            State::Name => memchr(b'"', bytes),
            State::ToLineEnd | State::Command => memchr(b'\n', bytes),
            State::Dollar if self.again == 0 => memchr(b'$', bytes),
            _ => Some(0),
        };
        found.unwrap_or(bytes.len())
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
                self.state = State::Code;
                return at;
            }
        }
        if let Some(found) = memmem::find(&bytes[at..], END_OF_ROWS) {
            self.state = State::Code;
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

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<State, String> {
        Ok(match (self.state, byte) {
            (State::Dash, b'-') => State::ToLineEnd,
            (State::Slash, b'*') => State::Comment(1),
            (State::Comment(n) | State::CommentSlash(n) | State::CommentStar(n), _) => {
                match (self.state, byte) {
                    (State::CommentStar(1), b'/') => State::Code,
                    (State::CommentStar(_), b'/') => State::Comment(n - 1),
                    (State::CommentSlash(_), b'*') => State::Comment(n + 1),
                    (_, b'*') => State::CommentStar(n),
                    (_, b'/') => State::CommentSlash(n),
                    _ => State::Comment(n),
                }
            }
            (State::Text { .. }, b'\\') => State::TextEscape,
            (State::TextEscape, _) => State::Text { escapes: true },
            // Two of them are one of the text, which begins anew.
            (State::Text { .. } | State::Name | State::ToLineEnd, _) => State::Code,
            (State::Command, _) => {
                let line = std::mem::take(&mut self.statement);
                self.is_begun = false;
                match self.judge.command(line.trim_ascii())? {
                    Fate::Keep => out.extend_from_slice(&line),
                    Fate::Omit => out.push(b'\n'),
                    Fate::Say(text) => out.extend_from_slice(&text),
                }
                State::Code
            }
            (State::Tag, b'$') => {
                self.tag.push(byte);
                self.again = 0;
                State::Dollar
            }
            (State::Tag, _) if is_of_name(byte) => {
                self.tag.push(byte);
                State::Tag
            }
            (State::Dollar, _) => self.dollar(byte),
            (State::RowsHead, b'\n') => {
                self.seen = 1;
                State::Rows
            }
            (State::RowsHead, _) => State::RowsHead,
            (State::Code | State::Dash | State::Slash | State::Tag | State::Rows, _) => {
                self.code(byte, out)?
            }
        })
    }

    fn code(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<State, String> {
        let last = std::mem::replace(&mut self.last, byte);
        // A dash or slash that began no comment is of the statement.
        self.is_begun |= matches!(self.state, State::Dash | State::Slash);
        let was_begun = self.is_begun;
        if !byte.is_ascii_whitespace() && !b"-/".contains(&byte) {
            self.is_begun = true;
        }
        if is_of_name(byte) && self.word.len() < 16 {
            self.word.push(byte);
        } else if !is_of_name(byte) && !self.word.is_empty() {
            self.word_ends();
        }
        Ok(match byte {
            b'-' => State::Dash,
            b'/' => State::Slash,
            b'\\' if !was_begun => State::Command,
            b'\\' => return Err("a statement of it holds a psql command".to_owned()),
            b'\'' => State::Text { escapes: self.escapes || matches!(last, b'E' | b'e') },
            b'"' => State::Name,
            b'$' if !is_of_name(last) => {
                self.tag = vec![byte];
                State::Tag
            }
            b'(' => {
                self.depth += 1;
                State::Code
            }
            b')' => {
                self.depth = self.depth.saturating_sub(1);
                State::Code
            }
            b';' if self.depth == 0 && self.blocks == 0 => self.statement_ends(out)?,
            _ => State::Code,
        })
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

    fn statement_ends(&mut self, out: &mut Vec<u8>) -> Result<State, String> {
        let statement = std::mem::take(&mut self.statement);
        self.is_begun = false;
        if self.fate.take().is_some() {
            return Ok(State::Code);
        }
        let text = statement.trim_ascii_start();
        if let Some(rest) = text.strip_prefix(QUOTING) {
            self.escapes = rest.trim_ascii_start().starts_with(b"= off");
        }
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
        Ok(if is_rows { State::RowsHead } else { State::Code })
    }

    fn dollar(&mut self, byte: u8) -> State {
        if byte == self.tag[self.again] {
            self.again += 1;
            if self.again == self.tag.len() {
                return State::Code;
            }
        } else {
            self.again = usize::from(byte == b'$');
        }
        State::Dollar
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
            self.state = self.step(byte, out)?;
            let is_blank = matches!(self.state, State::Code | State::ToLineEnd);
            if is_blank && !self.is_begun && !self.statement.is_empty() {
                out.append(&mut self.statement);
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        let is_over = matches!(self.state, State::Code | State::ToLineEnd) && !self.is_begun;
        if !is_over {
            return Err("it ends in the middle of a statement".to_owned());
        }
        out.append(&mut self.statement);
        out.extend(self.judge.rest()?);
        Ok(())
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn makes_routine(statement: &[u8]) -> bool {
    let text = statement.trim_ascii_start();
    let text = text.strip_prefix(b"CREATE ").unwrap_or_default();
    let text = text.strip_prefix(b"OR REPLACE ").unwrap_or(text);
    text.starts_with(b"FUNCTION ") || text.starts_with(b"PROCEDURE ")
}

#[cfg(test)]
mod tests;
