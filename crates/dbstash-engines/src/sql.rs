//! A script of statements, read from its first to its last: texts, names, comments and parentheses have their ends, and
//! each statement is one that its dump tool writes. What these are, is the engine's own.

mod columns;
mod tuples;

pub(crate) use self::columns::Columns;
pub(crate) use self::tuples::{Tuples, Writer};
use crate::utf8::Utf8;

/// Of a longer statement only the beginning is looked at.
const LONGEST: usize = 64 * 1024;

/// What an engine knows of its scripts.
pub(crate) trait Rules: Send {
    /// Who writes the rows.
    const WRITER: Writer;

    /// Whether its statements can be judged.
    fn is_known(&self) -> bool;

    /// Whether it is in a character set in which a quote may be half a character: then nothing can be said.
    fn is_foreign(&self) -> bool;

    /// Whether names and comments are UTF-8.
    fn is_utf8(&self) -> bool;

    /// Whether a `;` does not end this statement.
    fn goes_on(&self, _statement: &[u8]) -> bool {
        false
    }

    /// A whole statement without its comments, and the columns in its first parentheses.
    fn statement(&mut self, statement: &[u8], columns: &Columns) -> Result<(), String>;

    /// A statement up to its `VALUES`: how many each row has, where that is known.
    fn insert(&mut self, statement: &[u8]) -> Result<Option<u64>, String>;

    /// How many each row had.
    fn inserted(&mut self, _values: Option<u64>) {}
}

/// Follows a script in chunks of any size; keeps the beginning of the statement at hand.
pub(crate) struct Script<R> {
    pub(crate) rules: R,
    state: State,
    /// Without comments.
    statement: Vec<u8>,
    is_long: bool,
    depth: u64,
    /// Within a comment whose content is code, from this version on.
    versioned: bool,
    columns: Columns,
    rows: Option<Tuples>,
    text: Utf8,
    broken: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    Dash,
    Dashes,
    ToLineEnd,
    Slash,
    SlashStar,
    SlashStarM,
    /// After so many digits of a version.
    Version(u8),
    Comment,
    CommentStar,
    /// In a versioned comment.
    Star,
    Quoted(u8),
    Escaped(u8),
}

impl<R: Rules> Script<R> {
    pub(crate) fn new(rules: R) -> Self {
        Self {
            rules,
            state: State::Code,
            statement: Vec::new(),
            is_long: false,
            depth: 0,
            versioned: false,
            columns: Columns::default(),
            rows: None,
            text: Utf8::default(),
            broken: None,
        }
    }

    /// The next bytes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while self.broken.is_none() && !bytes.is_empty() {
            match self.next(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(_) if self.rules.is_foreign() => {
                    self.ended();
                    bytes = &bytes[1..];
                }
                Err(what) => self.broken = Some(what),
            }
        }
    }

    /// What is wrong with it.
    pub(crate) fn finish(self) -> Result<(), String> {
        let is_over = self.state == State::Code && self.statement.is_empty() && self.rows.is_none();
        match self.broken {
            Some(what) => Err(what),
            None if self.rules.is_foreign() || is_over && !self.text.is_within() => Ok(()),
            None => Err("it ends in the middle of a statement".to_owned()),
        }
    }

    fn next(&mut self, bytes: &[u8]) -> Result<usize, String> {
        if let Some(rows) = &mut self.rows {
            let taken = rows.feed(bytes)?;
            if rows.is_over() {
                self.rules.inserted(rows.wanted());
                self.rows = None;
                self.ended();
            }
            return Ok(taken);
        }
        let Some(&byte) = bytes.first() else { return Ok(0) };
        // What a text holds is the user's.
        let is_text = matches!(self.state, State::Quoted(b'\'') | State::Escaped(b'\''));
        if !is_text && (byte >= 0x80 || self.text.is_within()) {
            self.text.feed(&[byte]);
            if !self.text.is_good() {
                if self.rules.is_utf8() && self.rules.is_known() {
                    return Err("a statement of it is no UTF-8".to_owned());
                }
                self.text = Utf8::default();
            }
        }
        self.state = self.step(byte)?;
        Ok(1)
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.statement.len() < LONGEST {
            self.statement.extend_from_slice(bytes);
        } else {
            self.is_long = true;
        }
    }

    fn step(&mut self, byte: u8) -> Result<State, String> {
        let is_mysql = R::WRITER == Writer::Mysql;
        Ok(match (self.state, byte) {
            (State::Code, _) => self.code(byte)?,
            (State::Dash, b'-') if is_mysql => State::Dashes,
            (State::Dash, b'-') | (State::Dashes, b' ' | b'\t') => State::ToLineEnd,
            (State::Dashes | State::ToLineEnd, b'\n') => self.code(byte)?,
            // More of them are a line.
            (State::Dashes, b'-') if self.statement.is_empty() => State::Dashes,
            (State::ToLineEnd, _) => State::ToLineEnd,
            (State::Dash, _) => {
                self.push(b"-");
                self.code(byte)?
            }
            (State::Dashes, _) => {
                self.push(b"--");
                self.code(byte)?
            }
            (State::Slash, b'*') => State::SlashStar,
            (State::Slash, _) => {
                self.push(b"/");
                self.code(byte)?
            }
            (State::SlashStar, b'M') if is_mysql => State::SlashStarM,
            (State::SlashStar | State::SlashStarM, b'!') if is_mysql && !self.versioned => {
                State::Version(0)
            }
            (State::SlashStar, b'!') if is_mysql => {
                return Err("a comment of it begins within another".to_owned());
            }
            (State::Version(n), b'0'..=b'9') if n < 6 => State::Version(n + 1),
            (State::Version(0 | 5 | 6), b' ') => {
                self.versioned = true;
                State::Code
            }
            (State::Version(_), _) => return Err("a comment of it is for no version".to_owned()),
            (State::CommentStar, b'/') => State::Code,
            (State::SlashStar | State::Comment | State::CommentStar, b'*') => State::CommentStar,
            (State::SlashStar | State::SlashStarM | State::Comment | State::CommentStar, _) => {
                State::Comment
            }
            (State::Star, b'/') => {
                self.versioned = false;
                // The end of a statement is within, or it goes on.
                if self.statement.trim_ascii_end().ends_with(b";") {
                    self.statement_ends()?;
                } else if !self.statement.is_empty() {
                    self.push(b" ");
                }
                State::Code
            }
            (State::Star, _) => {
                self.push(b"*");
                self.code(byte)?
            }
            (State::Quoted(quote), _) => {
                self.push(&[byte]);
                let escapes = is_mysql && byte == b'\\' && quote == b'\'';
                match byte {
                    _ if escapes => State::Escaped(quote),
                    // Two of them are one of the text, which begins anew.
                    _ if byte == quote => State::Code,
                    _ => State::Quoted(quote),
                }
            }
            (State::Escaped(quote), _) => {
                self.push(&[byte]);
                State::Quoted(quote)
            }
        })
    }

    fn code(&mut self, byte: u8) -> Result<State, String> {
        if byte < b' ' && !b"\t\n\r".contains(&byte) || byte == 0x7f {
            return Err("a statement of it has a byte that is no text".to_owned());
        }
        if byte.is_ascii_whitespace() && self.statement.is_empty() {
            return Ok(State::Code);
        }
        let is_end =
            self.depth == 0 && b" \n(".contains(&byte) && self.statement.ends_with(b"VALUES");
        if is_end && is_insert(&self.statement) && !self.is_long && self.rules.is_known() {
            let wanted = self.rules.insert(&self.statement)?;
            let mut rows = Tuples::new(R::WRITER, wanted);
            rows.feed(&[byte])?;
            self.rows = Some(rows);
            return Ok(State::Code);
        }
        self.columns.code(byte, self.depth);
        match byte {
            b'-' => return Ok(State::Dash),
            b'/' => return Ok(State::Slash),
            b'*' if self.versioned => return Ok(State::Star),
            b'(' => self.depth += 1,
            b')' => match self.depth.checked_sub(1) {
                Some(depth) => self.depth = depth,
                None => return Err("a statement of it closes what it did not open".to_owned()),
            },
            b';' if self.rules.goes_on(&self.statement) => {}
            b';' if self.depth > 0 => {
                return Err("a statement of it ends before all that it opened".to_owned());
            }
            b';' if self.versioned => {}
            b';' => {
                self.statement_ends()?;
                return Ok(State::Code);
            }
            _ => {}
        }
        self.push(&[byte]);
        Ok(match byte {
            b'\'' | b'"' | b'`' => State::Quoted(byte),
            b'[' if R::WRITER == Writer::Sqlite => State::Quoted(b']'),
            _ => State::Code,
        })
    }

    fn statement_ends(&mut self) -> Result<(), String> {
        if !self.is_long {
            let text = self.statement.trim_ascii();
            let text = text.strip_suffix(b";").unwrap_or(text);
            self.rules.statement(text, &self.columns)?;
        }
        self.ended();
        Ok(())
    }

    fn ended(&mut self) {
        self.statement.clear();
        self.is_long = false;
        self.depth = 0;
        self.versioned = false;
        self.columns = Columns::default();
    }
}

fn is_insert(statement: &[u8]) -> bool {
    statement.starts_with(b"INSERT") || statement.starts_with(b"REPLACE")
}

/// The first word.
pub(crate) fn first_word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    &text[..end.unwrap_or(text.len())]
}

/// A name at the beginning of a text, quoted or not, as it is; and what comes after it.
pub(crate) fn name(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let quote = match text.first()? {
        b'[' => b']',
        quote @ (b'`' | b'"' | b'\'') => *quote,
        _ => {
            let ends = |byte: &u8| byte.is_ascii_whitespace() || b"(),;".contains(byte);
            let end = text.iter().position(ends).unwrap_or(text.len());
            return (end > 0).then(|| (text[..end].to_vec(), &text[end..]));
        }
    };
    let (mut name, mut rest) = (Vec::new(), &text[1..]);
    loop {
        let end = rest.iter().position(|byte| *byte == quote)?;
        name.extend_from_slice(&rest[..end]);
        rest = &rest[end + 1..];
        // Its double.
        if rest.first() != Some(&quote) || quote == b']' {
            return Some((name, rest));
        }
        name.push(quote);
        rest = &rest[1..];
    }
}
