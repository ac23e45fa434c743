//! A script of statements, of which only those with rows are of interest: as much of each writer's language as tells
//! where a statement ends, and what is text, name, comment, or somebody's function.

mod bytes;
mod statements;
mod values;

use dbstash_core::tally::Sums;
use memchr::{memchr, memchr2};

use self::bytes::{is_insert, is_of_name, table_of};
use super::lines::Lines;

/// Of a longer statement only the beginning is looked at, and no rows are counted.
const LONGEST: usize = 4 * 1024;
/// So many bytes of a text are looked at one by one: most are short.
const NEAR: usize = 16;
/// Why nothing is counted.
const LOST: &str = "its statements could not be followed";

/// Who wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    Pg,
    Mysql,
    Sqlite,
}

/// Counts rows by table.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(crate) struct Script {
    writer: Writer,
    state: State,
    /// The statement at hand without comments and what is in parentheses.
    head: Vec<u8>,
    is_long: bool,
    depth: u32,
    /// The byte before the one at hand.
    last: u8,
    /// Bytes that may mean something outside of texts and comments.
    special: [bool; 256],
    /// Of a statement with values, how many rows have begun.
    rows: Option<u64>,
    /// The `COPY` at hand, and its rows.
    copied: Option<(String, Lines)>,
    /// Within a comment whose content is code.
    is_versioned: bool,
    /// Whether the statement at hand began there.
    was_versioned: bool,
    /// Between DELIMITER lines, where a statement ends with `;;`.
    in_block: bool,
    /// Whether the statement at hand has statements within, and where the last of them begins.
    within: Option<usize>,
    /// Whether a backslash in a text takes the meaning from the byte after it.
    escapes: bool,
    /// Whether one did in the last text.
    was_escaping: bool,
    /// Whether what is in double quotes is a name (mysql).
    ansi: bool,
    tag: Vec<u8>,
    /// How much of the tag has come again.
    again: usize,
    /// Of a dump of several databases, the one at hand.
    database: Option<Vec<u8>>,
    /// What the last statement with values began with, and its rows and those of its likes.
    likes: (Vec<u8>, u64),
    sums: Sums,
    is_lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    /// After a `-`, and after two where that is no comment yet.
    Dash,
    Dashes,
    Slash,
    /// After `/*`, and after `/*M`.
    Opened,
    OpenedM,
    /// In the version of a comment whose content is code.
    Version,
    /// After a `*` in such a one.
    Star,
    ToLineEnd,
    /// Within so many comments.
    Comment(u32),
    CommentStar(u32),
    CommentSlash(u32),
    Text {
        quote: u8,
        escapes: bool,
    },
    Escape(u8),
    Tag,
    Dollar,
    /// A line that is for the client.
    Command,
    Rows,
}

impl Script {
    /// Of this writer; whether it is of several databases.
    pub(crate) fn new(writer: Writer, several: bool) -> Self {
        Self {
            writer,
            state: State::Code,
            head: Vec::new(),
            is_long: false,
            depth: 0,
            last: b'\n',
            special: match writer {
                Writer::Pg => table_of(b"'\"();-/$\\"),
                Writer::Mysql => table_of(b"'\"`();-/#*"),
                Writer::Sqlite => table_of(b"'\"`[();-/"),
            },
            rows: None,
            copied: None,
            is_versioned: false,
            was_versioned: false,
            in_block: false,
            within: None,
            escapes: writer == Writer::Mysql,
            was_escaping: false,
            ansi: false,
            tag: Vec::new(),
            again: 0,
            database: several.then(Vec::new),
            likes: (Vec::new(), 0),
            sums: Sums::default(),
            is_lost: false,
        }
    }

    /// Deals with at least one byte: with how many.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        match self.state {
            State::Code if self.rows.is_some() => self.values(bytes),
            State::Code => self.code(bytes),
            State::Text { quote, escapes } => self.text(bytes, quote, escapes),
            State::Rows => self.copy(bytes),
            State::ToLineEnd => match memchr(b'\n', bytes) {
                Some(end) => {
                    self.state = State::Code;
                    end
                }
                None => bytes.len(),
            },
            State::Comment(_) => match memchr2(b'*', b'/', bytes) {
                Some(at) => at + self.step(bytes[at]),
                None => bytes.len(),
            },
            State::Dollar if self.again == 0 => match memchr(b'$', bytes) {
                Some(at) => at + self.step(bytes[at]),
                None => bytes.len(),
            },
            _ => self.step(bytes[0]),
        }
    }

    /// Outside of everything: up to a byte that may mean something, and it.
    fn code(&mut self, bytes: &[u8]) -> usize {
        let run = bytes.iter().position(|byte| self.special[usize::from(*byte)]);
        let run = run.unwrap_or(bytes.len());
        if run > 0 {
            self.keep(&bytes[..run]);
            self.last = bytes[run - 1];
        }
        let Some(&byte) = bytes.get(run) else { return run };
        self.state = match byte {
            b'(' => {
                if self.depth == 0 {
                    self.opens();
                }
                self.depth += 1;
                State::Code
            }
            b')' => {
                self.depth = self.depth.saturating_sub(1);
                self.keep(b"()");
                State::Code
            }
            b';' => self.semicolon(),
            b'-' => State::Dash,
            b'/' => State::Slash,
            b'#' => State::ToLineEnd,
            b'*' if self.is_versioned => State::Star,
            b'\\' if self.head.is_empty() => {
                self.keep(b"\\");
                State::Command
            }
            b'$' if !is_of_name(self.last) => {
                self.tag.clear();
                self.tag.push(byte);
                State::Tag
            }
            b'\'' | b'"' | b'`' | b'[' => {
                self.keep(&[byte]);
                let escapes = self.is_escaping(byte, self.last);
                State::Text { quote: if byte == b'[' { b']' } else { byte }, escapes }
            }
            _ => {
                self.keep(&[byte]);
                State::Code
            }
        };
        self.last = byte;
        run + 1
    }

    /// Code that may be of interest.
    fn keep(&mut self, bytes: &[u8]) {
        if self.depth > 0 || self.rows.is_some() {
            return;
        }
        let bytes = if self.head.is_empty() { bytes.trim_ascii_start() } else { bytes };
        if self.head.is_empty() && !bytes.is_empty() {
            self.was_versioned = self.is_versioned;
        }
        if self.head.len() + bytes.len() <= LONGEST {
            self.head.extend_from_slice(bytes);
        } else if let Some(start) = &mut self.within {
            // Of the last statement within, a word is enough.
            self.head.truncate(*start);
            self.head.extend_from_slice(&bytes[..bytes.len().min(NEAR)]);
        } else {
            self.is_long = true;
        }
    }

    /// A parenthesis that is in no other: rows may begin with it.
    fn opens(&mut self) {
        if !self.in_block
            && self.within.is_none()
            && is_insert(&self.head)
            && self.head.trim_ascii_end().ends_with(b"VALUES")
        {
            self.rows = Some(1);
        }
    }

    /// The rows of a `COPY`.
    fn copy(&mut self, bytes: &[u8]) -> usize {
        let Some((_, lines)) = &mut self.copied else {
            self.state = State::Code;
            return 0;
        };
        let taken = lines.feed(bytes);
        if lines.is_over() {
            let rows = lines.rows();
            if let Some((table, _)) = self.copied.take() {
                self.sums.add(&table, rows);
            }
            self.state = State::Code;
        }
        taken
    }

    /// A byte that is not like the others around it; how many are dealt with, one or none.
    #[expect(clippy::match_same_arms, reason = "the order of the arms counts")]
    fn step(&mut self, byte: u8) -> usize {
        let is_mysql = self.writer == Writer::Mysql;
        let (state, taken) = match (self.state, byte) {
            (State::Dash, b'-') if is_mysql => (State::Dashes, 1),
            (State::Dash, b'-') => (State::ToLineEnd, 1),
            (State::Dashes, 0..=b' ') => (State::ToLineEnd, 0),
            (State::Slash, b'*') => (if is_mysql { State::Opened } else { State::Comment(1) }, 1),
            (State::Opened, b'M') => (State::OpenedM, 1),
            (State::Opened | State::OpenedM, b'!') => {
                self.is_versioned = true;
                (State::Version, 1)
            }
            (State::Opened | State::OpenedM, _) => (State::Comment(1), 0),
            (State::Version, b'0'..=b'9') => (State::Version, 1),
            (State::Version, _) => (State::Code, 0),
            (State::Star, b'/') => {
                self.is_versioned = false;
                // A word to the client, and no statement.
                if self.head.starts_with(b"\\") {
                    self.head.clear();
                } else if !self.head.is_empty() {
                    self.keep(b" ");
                }
                (State::Code, 1)
            }
            (State::Dash | State::Dashes | State::Slash | State::Star, _) => {
                let held: &[u8] = match self.state {
                    State::Dash => b"-",
                    State::Dashes => b"--",
                    State::Slash => b"/",
                    _ => b"*",
                };
                self.keep(held);
                (State::Code, 0)
            }
            (State::CommentStar(n), b'/') => {
                (if n == 1 { State::Code } else { State::Comment(n - 1) }, 1)
            }
            (State::CommentSlash(n), b'*') => (State::Comment(n + 1), 1),
            (State::Comment(n) | State::CommentStar(n) | State::CommentSlash(n), _) => match byte {
                b'*' => (State::CommentStar(n), 1),
                b'/' if self.writer == Writer::Pg => (State::CommentSlash(n), 1),
                _ => (State::Comment(n), 1),
            },
            (State::Escape(quote), _) => {
                self.keep_text(&[byte]);
                (State::Text { quote, escapes: true }, 1)
            }
            (State::Tag, b'$') => {
                self.tag.push(byte);
                self.again = 0;
                (State::Dollar, 1)
            }
            (State::Tag, _) if is_of_name(byte) && self.tag.len() < LONGEST => {
                self.tag.push(byte);
                (State::Tag, 1)
            }
            // It was a parameter.
            (State::Tag, _) => (State::Code, 0),
            (State::Dollar, _) => (self.dollar(byte), 1),
            (State::Command, b'\n') => {
                self.command();
                (State::Code, 1)
            }
            (State::Command, _) => {
                self.keep_text(&[byte]);
                (State::Command, 1)
            }
            (state, _) => (state, 1),
        };
        self.state = state;
        taken
    }

    fn dollar(&mut self, byte: u8) -> State {
        if byte == self.tag[self.again] {
            self.again += 1;
            if self.again == self.tag.len() {
                self.last = byte;
                return State::Code;
            }
        } else {
            self.again = usize::from(byte == b'$');
        }
        State::Dollar
    }
}
