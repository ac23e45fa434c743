//! A script of pg_dump, read from its first statement to its last: every quote, comment and parenthesis has its end,
//! every row of a `COPY` has the columns that its statement names, and every such block its `\.`.

use memchr::memchr;

use super::copied::{OIDS, Rows};
use super::lexer::{Lexer, QUOTING};
use crate::utf8::Utf8;

/// Of a longer statement only the beginning is looked at: no `COPY` is as long.
const LONGEST: usize = 256 * 1024;
/// What says in which encoding the text is.
const ENCODING: &[u8] = b"SET client_encoding";

/// Follows a script; keeps the beginning of the statement at hand.
#[derive(Default)]
pub(super) struct Balance {
    state: State,
    lexer: Lexer,
    /// What has come of the statement at hand, unless it is too long or no `COPY`.
    statement: Vec<u8>,
    is_begun: bool,
    depth: u64,
    /// Commas of the statement at hand in its first parentheses.
    commas: u64,
    in_columns: bool,
    rows: Rows,
    text: Utf8,
    /// Whether it says that its text is UTF-8.
    is_utf8: bool,
    broken: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Script,
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
            if is_told && self.lexer.is_in_text() {
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
            (None, State::Script)
                if self.lexer.is_in_code() && self.depth == 0 && !self.is_begun =>
            {
                Ok(())
            }
            _ => Err("it ends in the middle of a statement".to_owned()),
        }
    }

    /// How many bytes mean nothing in this state.
    fn pass(&self, bytes: &[u8]) -> usize {
        match self.state {
            State::Script => self.lexer.pass(bytes),
            State::Command => memchr(b'\n', bytes).unwrap_or(bytes.len()),
            State::Rows => 0,
        }
    }

    fn fail(&mut self, what: impl Into<String>) {
        self.broken.get_or_insert(what.into());
    }

    fn step(&mut self, byte: u8) {
        match self.state {
            State::Script => {
                if self.lexer.step(byte) {
                    self.code(byte);
                }
            }
            State::Command => self.state = State::Script,
            State::Rows => self.rows(byte),
        }
    }

    fn code(&mut self, byte: u8) {
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
            b'\\' if !was_begun => {
                self.is_begun = false;
                self.statement.clear();
                self.state = State::Command;
            }
            b'(' => {
                self.in_columns = self.depth == 0;
                self.depth += 1;
            }
            b')' => {
                self.in_columns = false;
                match self.depth.checked_sub(1) {
                    Some(depth) => self.depth = depth,
                    None => self.fail("a statement of it closes what it did not open"),
                }
            }
            b',' if self.in_columns && self.depth == 1 => self.commas += 1,
            b';' if self.depth == 0 => self.statement_ends(),
            _ => {}
        }
    }

    fn statement_ends(&mut self) {
        let statement = std::mem::take(&mut self.statement);
        let commas = std::mem::take(&mut self.commas);
        if let Some(rest) = statement.strip_prefix(ENCODING) {
            self.is_utf8 = rest.starts_with(b" = 'UTF8");
        }
        self.lexer.heed(&statement);
        self.is_begun = false;
        let is_rows = statement.starts_with(b"COPY ") && statement.ends_with(b" FROM stdin;");
        if statement.starts_with(b"COPY ") && !is_rows {
            self.fail("a COPY of it is not from its own rows");
        }
        if is_rows {
            self.rows = Rows::after_statement(commas + 1 + u64::from(statement.ends_with(OIDS)));
            self.state = State::Rows;
        }
    }

    fn rows(&mut self, byte: u8) {
        match self.rows.step(byte) {
            Ok(true) => self.state = State::Script,
            Ok(false) => {}
            Err(what) => self.fail(what),
        }
    }
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
            "COPY public.old (a, b) WITH OIDS FROM stdin;\n16384\t1\t2\n\\.\n",
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
