//! The rows of `INSERT`s: the bulk of a script, in one loop.

use memchr::{memchr, memchr2};

use super::bytes::OF_ROWS;
use super::{LONGEST, NEAR, Script, State, Writer};

impl Script {
    /// The rows of a statement, most of which are texts and numbers: up to what ends the statement.
    pub(super) fn values(&mut self, bytes: &[u8]) -> usize {
        let (mut at, mut begun) = (0, 0);
        while let Some(run) = bytes[at..].iter().position(|byte| OF_ROWS[usize::from(*byte)]) {
            at += run;
            let byte = bytes[at];
            match byte {
                b'(' => {
                    begun += u64::from(self.depth == 0);
                    self.depth += 1;
                }
                b')' => self.depth = self.depth.saturating_sub(1),
                b';' if self.depth == 0 => {
                    self.state = self.semicolon_after(begun);
                    self.last = byte;
                    return at + 1;
                }
                b';' => {}
                quote => {
                    let last = if at == 0 { self.last } else { bytes[at - 1] };
                    let escapes = self.is_escaping(quote, last);
                    at += 1;
                    // Most end where they begin.
                    self.state = State::Text { quote, escapes };
                    while at < bytes.len() && !matches!(self.state, State::Code) {
                        at += match self.state {
                            State::Text { .. } => self.text(&bytes[at..], quote, escapes),
                            _ => self.step(bytes[at]),
                        };
                    }
                    if !matches!(self.state, State::Code) {
                        at = bytes.len();
                    }
                    continue;
                }
            }
            at += 1;
        }
        self.rows = self.rows.map(|rows| rows + begun);
        self.last = bytes.last().copied().unwrap_or(self.last);
        bytes.len()
    }

    /// Whether a backslash escapes in a text after this quote and what is before it.
    pub(super) fn is_escaping(&self, quote: u8, last: u8) -> bool {
        match (self.writer, quote) {
            (Writer::Pg, b'\'') => match last {
                b'E' | b'e' => true,
                // Two of them are one of the text, which goes on as it began.
                b'\'' => self.was_escaping,
                _ => self.escapes,
            },
            (Writer::Mysql, b'\'') => self.escapes,
            (Writer::Mysql, b'"') => self.escapes && !self.ansi,
            _ => false,
        }
    }

    /// A text: up to its end, or a byte that is escaped.
    pub(super) fn text(&mut self, bytes: &[u8], quote: u8, escapes: bool) -> usize {
        let ends = |byte: &u8| *byte == quote || escapes && *byte == b'\\';
        let near = bytes.len().min(NEAR);
        let found = bytes[..near].iter().position(ends).or_else(|| {
            let far = &bytes[near..];
            let found = if escapes { memchr2(quote, b'\\', far) } else { memchr(quote, far) };
            found.map(|at| near + at)
        });
        let taken = found.map_or(bytes.len(), |at| at + 1);
        self.keep_text(&bytes[..taken]);
        if let Some(at) = found {
            self.state = if bytes[at] == quote { State::Code } else { State::Escape(quote) };
            self.last = quote;
            self.was_escaping = escapes;
        }
        taken
    }

    /// Of a long text a name is all that matters.
    pub(super) fn keep_text(&mut self, bytes: &[u8]) {
        if self.depth == 0 && self.rows.is_none() {
            let room = LONGEST.saturating_sub(self.head.len());
            self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}
