//! A script of pg_dump, read from its first statement to its last: every quote, comment and parenthesis has its end,
//! every row of a `COPY` has the columns that its statement names, and every such block its `\.`.

use memchr::{memchr, memchr2};

use super::copied::Rows;
use crate::utf8::Utf8;

/// Of a longer statement only the beginning is looked at: no `COPY` is as long.
const LONGEST: usize = 256 * 1024;
/// What says whether a backslash means itself in a plain text.
const QUOTING: &[u8] = b"SET standard_conforming_strings";
/// What says in which encoding the text is.
const ENCODING: &[u8] = b"SET client_encoding";

/// Follows a script; keeps the beginning of the statement at hand.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Balance {
    state: State,
    /// What has come of the statement at hand, unless it is too long or no `COPY`.
    statement: Vec<u8>,
    is_begun: bool,
    depth: u64,
    /// The last byte of code, to tell names from what follows none.
    last: u8,
    /// Commas of the statement at hand in its first parentheses.
    commas: u64,
    in_columns: bool,
    /// Whether a backslash in a plain text takes the meaning from the byte after it.
    escapes: bool,
    tag: Vec<u8>,
    /// How much of the tag has come again.
    again: usize,
    rows: Rows,
    text: Utf8,
    /// Whether it says that its text is UTF-8.
    is_utf8: bool,
    broken: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Code,
    /// After a `-` or a `/`.
    Dash,
    Slash,
    ToLineEnd,
    /// Within so many comments.
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
    /// A command of psql, to the end of the line.
    Command,
    /// Rows, after the end of their statement's line.
    Rows,
}

impl Balance {
    /// Costs a look at every byte.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        self.text.feed(bytes);
        while self.broken.is_none() && !bytes.is_empty() {
            let passed = self.pass(bytes);
            let is_told = self.statement.starts_with(ENCODING) && self.statement.len() < LONGEST;
            if is_told && matches!(self.state, State::Text { .. }) {
                self.statement.extend_from_slice(&bytes[..passed]);
            }
            bytes = &bytes[passed..];
            if let Some((&byte, rest)) = bytes.split_first() {
                bytes = rest;
                self.step(byte);
            }
        }
    }

    /// What is wrong with it.
    pub(super) fn finish(self) -> Result<(), String> {
        match (self.broken, self.state) {
            (Some(what), _) => Err(what),
            (None, _) if self.is_utf8 && (!self.text.is_good() || self.text.is_within()) => {
                Err("it says that its text is UTF-8, and it is not".to_owned())
            }
            (None, State::Rows) => Err("the rows of its last COPY have no end".to_owned()),
            (None, State::Code) if self.depth == 0 && !self.is_begun => Ok(()),
            _ => Err("it ends in the middle of a statement".to_owned()),
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

    fn fail(&mut self, what: impl Into<String>) {
        self.broken.get_or_insert(what.into());
    }

    fn step(&mut self, byte: u8) {
        self.state = match (self.state, byte) {
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
            (State::Text { .. } | State::Name | State::ToLineEnd | State::Command, _) => {
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
            (State::Code | State::Dash | State::Slash | State::Tag, _) => self.code(byte),
            (State::Dollar, _) => self.dollar(byte),
            (State::Rows, _) => self.rows(byte),
        };
    }

    fn code(&mut self, byte: u8) -> State {
        let last = std::mem::replace(&mut self.last, byte);
        if byte < b' ' && !b"\t\n\r".contains(&byte) || byte == 0x7f {
            self.fail("a statement of it has a byte that is no text");
        }
        let was_begun = self.is_begun;
        if !byte.is_ascii_whitespace() && !b"-/;".contains(&byte) {
            self.is_begun = true;
        }
        if self.is_begun && self.statement.len() < LONGEST {
            let begins = |word: &[u8]| word.iter().zip(&self.statement).all(|(a, b)| a == b);
            if begins(b"COPY ") || begins(QUOTING) || begins(ENCODING) {
                self.statement.push(byte);
            }
        }
        match byte {
            b'-' => State::Dash,
            b'/' => State::Slash,
            b'\\' if !was_begun => {
                self.is_begun = false;
                self.statement.clear();
                State::Command
            }
            b'\'' => {
                let is_e = matches!(last, b'E' | b'e');
                State::Text { escapes: self.escapes || is_e }
            }
            b'"' => State::Name,
            b'$' if !is_of_name(last) => {
                self.tag = vec![byte];
                State::Tag
            }
            b'(' => {
                self.in_columns = self.depth == 0;
                self.depth += 1;
                State::Code
            }
            b')' => {
                self.in_columns = false;
                match self.depth.checked_sub(1) {
                    Some(depth) => self.depth = depth,
                    None => self.fail("a statement of it closes what it did not open"),
                }
                State::Code
            }
            b',' if self.in_columns && self.depth == 1 => {
                self.commas += 1;
                State::Code
            }
            b';' if self.depth == 0 => self.statement_ends(),
            _ => State::Code,
        }
    }

    fn statement_ends(&mut self) -> State {
        let statement = std::mem::take(&mut self.statement);
        let commas = std::mem::take(&mut self.commas);
        if let Some(rest) = statement.strip_prefix(ENCODING) {
            self.is_utf8 = rest.starts_with(b" = 'UTF8");
        }
        if let Some(rest) = statement.strip_prefix(QUOTING) {
            self.escapes = rest.trim_ascii_start().starts_with(b"= off");
        }
        self.is_begun = false;
        let is_rows = statement.starts_with(b"COPY ") && statement.ends_with(b" FROM stdin;");
        if statement.starts_with(b"COPY ") && !is_rows {
            self.fail("a COPY of it is not from its own rows");
        }
        if is_rows {
            self.rows = Rows::after_statement(commas + 1);
            return State::Rows;
        }
        State::Code
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

    fn rows(&mut self, byte: u8) -> State {
        match self.rows.step(byte) {
            Ok(true) => return State::Code,
            Ok(false) => {}
            Err(what) => self.fail(what),
        }
        State::Rows
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<(), String> {
        let judged = |size: usize| {
            let mut balance = Balance::default();
            text.as_bytes().chunks(size).for_each(|chunk| balance.feed(chunk));
            balance.finish()
        };
        let whole = judged(text.len().max(1));
        assert_eq!(whole, judged(1));
        whole
    }

    #[test]
    fn what_pg_dump_writes_is_balanced() {
        for good in [
            "",
            "-- it's a comment; (\n\nSET x = 1;\n",
            "\\restrict a'b(\n\\connect -reuse-previous=on \"dbname='x'\"\nSELECT 1;\n",
            "CREATE FUNCTION f() AS $_$ it's; ( $x$ $$ $_$ LANGUAGE sql;\n",
            "CREATE FUNCTION f(a$b int) AS $1;\nSELECT $1, 'a''b;(', E'\\'(', \"a\"\"(\" /* ( /* ( */ ' */;\n",
            "CREATE RULE r AS ON UPDATE TO t DO INSTEAD (SELECT 1; SELECT 2;);\n",
            "COPY public.t (a, \"b, (c\", d) FROM stdin;\n1\t\\N\t\\\\.\n'(\t\\t\t\n\\.\n\n\nSELECT 1 - 2 / 3;\n",
            "SET standard_conforming_strings = off;\nSELECT 'a\\'(';\n",
            "COPY public.none  FROM stdin;\n\n\n\\.\n",
            "COPY public.one (a) FROM stdin;\n\\.\n",
        ] {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn text_is_what_it_says() {
        let judged = |encoding: &str, text: &[u8], size: usize| {
            let mut balance = Balance::default();
            let head = format!("SET client_encoding = '{encoding}';\nSELECT '");
            let all = [head.as_bytes(), text, b"';\n"].concat();
            all.chunks(size).for_each(|chunk| balance.feed(chunk));
            balance.finish().is_ok()
        };
        for size in [1, 2, 5, 1000] {
            assert!(judged("UTF8", "\u{e9}\u{20ac}\u{1f600}x".as_bytes(), size));
            assert!(!judged("UTF8", b"\xe9\xe9", size) && !judged("UTF8", b"\xe2\x82", size));
            assert!(judged("LATIN1", b"\xe9\xe9", size));
        }
    }

    #[test]
    fn what_is_not_is_told() {
        for bad in [
            "SELECT 1",
            "SELECT 'a;\n",
            "SELECT (1;\n",
            "SELECT 1);\n",
            "SELECT $a$ b $c$;\n",
            "SELECT /* 1;\n",
            "SELECT \u{1};\n",
            "SET client_encoding = 'UTF8';\nSELECT '\u{e9}",
            "COPY t (a, b) FROM stdin;\n1\n\\.\n",
            "COPY t (a, b) FROM stdin;\n1\t2\t3\n\\.\n",
            "COPY t (a, b) FROM stdin;\n1\t2\n",
            "COPY t (a, b) FROM stdin;\n1\t\\x\n\\.\n",
            "COPY t (a, b) FROM stdim;\n",
        ] {
            assert!(verdict(bad).is_err(), "{bad}");
        }
    }
}
