//! As much of the clients' lexer as tells where in a dump a line begins that is no part of a
//! statement, a text, a name or a comment.

use memchr::{memchr, memchr2};

/// Follows a dump byte by byte, and keeps none of them.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(in super::super) struct Lexer {
    state: State,
    /// Whether a statement ends with `;;`, as bodies of routines do between two DELIMITER lines.
    in_block: bool,
    /// Whether the last statement has ended, and the next one has not begun.
    idle: bool,
    /// Whether the last byte was a `;` of a statement.
    semicolon: bool,
    /// Whether a backslash in a text takes the meaning from the byte after it.
    escapes: bool,
    /// Whether what is in double quotes is a name.
    ansi: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Code,
    Slash,
    SlashStar,
    SlashStarM,
    Dash,
    Dashes,
    ToLineEnd,
    Comment,
    CommentStar,
    Quoted(u8),
    Escaped(u8),
}

/// So many bytes are looked at one by one.
const NEAR: usize = 16;

/// Bytes that may end a run of plain code.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let bytes = b"'\"`/-#;\n";
    let mut at = 0;
    while at < bytes.len() {
        special[bytes[at] as usize] = true;
        at += 1;
    }
    special
};

impl Lexer {
    pub(in super::super) fn new() -> Self {
        let state = State::Code;
        Self { state, in_block: false, idle: true, semicolon: false, escapes: true, ansi: false }
    }

    /// Whether what comes next is outside of any statement and of any DELIMITER block.
    pub(in super::super) fn is_between(&self) -> bool {
        self.idle && !self.in_block && matches!(self.state, State::Code)
    }

    /// Whether a statement has ended, and the next one has not begun.
    pub(in super::super) fn is_idle(&self) -> bool {
        self.idle && matches!(self.state, State::Code)
    }

    /// Whether what comes next is between two DELIMITER lines.
    pub(in super::super) fn is_block(&self) -> bool {
        self.in_block
    }

    /// A DELIMITER line was seen.
    pub(in super::super) fn delimiter(&mut self, is_default: bool) {
        self.in_block = !is_default;
    }

    /// The rules for texts from here on, as the `sql_mode` says.
    pub(in super::super) fn quoting(&mut self, mode: &[u8]) {
        let has = |word: &[u8]| memchr::memmem::find(mode, word).is_some();
        self.escapes = !has(b"NO_BACKSLASH_ESCAPES");
        self.ansi = has(b"ANSI");
    }

    /// Goes on to the next beginning of a line between two statements, or to the end: how many
    /// bytes, and whether it is such a beginning.
    pub(in super::super) fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            let (byte, rest) = (bytes[at], &bytes[at..]);
            match self.state {
                State::Code => {
                    let run = rest.iter().position(|b| SPECIAL[usize::from(*b)]);
                    let run = run.unwrap_or(rest.len());
                    if run > 0 {
                        self.idle &= rest[..run].iter().all(u8::is_ascii_whitespace);
                        self.semicolon = false;
                        at += run;
                        continue;
                    }
                    at += 1;
                    if byte == b'\n' {
                        self.semicolon = false;
                        if self.idle {
                            return (at, true);
                        }
                        continue;
                    }
                    self.special(byte);
                }
                State::Quoted(quote) => {
                    let escapes = self.escapes && !(quote == b'`' || quote == b'"' && self.ansi);
                    // Most texts are short: the search for the end of long ones takes a run-up.
                    let ends = |b: &u8| *b == quote || escapes && *b == b'\\';
                    let near = rest.len().min(NEAR);
                    let found = rest[..near].iter().position(ends).or_else(|| {
                        let far = &rest[near..];
                        let found =
                            if escapes { memchr2(quote, b'\\', far) } else { memchr(quote, far) };
                        found.map(|at| near + at)
                    });
                    let Some(found) = found else { return (bytes.len(), false) };
                    at += found + 1;
                    self.state = match rest[found] {
                        b if b == quote => State::Code,
                        // The usual case in place: most texts are short.
                        _ if at < bytes.len() => {
                            at += 1;
                            State::Quoted(quote)
                        }
                        _ => State::Escaped(quote),
                    };
                }
                State::Escaped(quote) => {
                    self.state = State::Quoted(quote);
                    at += 1;
                }
                State::ToLineEnd => match memchr(b'\n', rest) {
                    Some(found) => {
                        self.state = State::Code;
                        at += found;
                    }
                    None => return (bytes.len(), false),
                },
                State::Comment => match memchr(b'*', rest) {
                    Some(found) => {
                        self.state = State::CommentStar;
                        at += found + 1;
                    }
                    None => return (bytes.len(), false),
                },
                _ => at += usize::from(self.second(byte)),
            }
        }
        (at, false)
    }

    /// A byte that may begin something else.
    fn special(&mut self, byte: u8) {
        match byte {
            b';' => {
                self.idle = !self.in_block || self.semicolon;
                self.semicolon = !self.semicolon;
                return;
            }
            b'/' => self.state = State::Slash,
            b'-' => self.state = State::Dash,
            b'#' => self.state = State::ToLineEnd,
            _ => {
                self.idle = false;
                self.state = State::Quoted(byte);
            }
        }
        self.semicolon = false;
    }

    /// The byte after one that may have begun something; whether it is dealt with.
    fn second(&mut self, byte: u8) -> bool {
        let (state, is_taken) = match (self.state, byte) {
            (State::Slash, b'*') => (State::SlashStar, true),
            (State::SlashStar, b'M') => (State::SlashStarM, true),
            // For this version and later ones: what it holds is code.
            (State::SlashStar | State::SlashStarM, b'!') => {
                self.idle = false;
                (State::Code, true)
            }
            (State::SlashStar | State::CommentStar, b'*') => (State::CommentStar, true),
            (State::CommentStar, b'/') => (State::Code, true),
            (State::SlashStar | State::SlashStarM | State::CommentStar, _) => {
                (State::Comment, false)
            }
            (State::Dash, b'-') => (State::Dashes, true),
            (State::Dashes, b) if b <= b' ' => (State::ToLineEnd, false),
            // It was a division, or a minus.
            _ => {
                self.idle = false;
                (State::Code, false)
            }
        };
        self.state = state;
        is_taken
    }
}
