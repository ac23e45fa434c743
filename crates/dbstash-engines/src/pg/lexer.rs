//! What the bytes of a PostgreSQL script are: code, or within a comment, a text, a name or a dollar quote.

use memchr::{memchr, memchr2};

/// What says whether a backslash means itself in a plain text.
pub(super) const QUOTING: &[u8] = b"SET standard_conforming_strings";

/// Follows a script; the rows of its `COPY`s and the commands of psql in it are not for it.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    within: Within,
    /// The last byte of code, to tell names from what follows none.
    last: u8,
    /// Whether a backslash in a plain text takes the meaning from the byte after it.
    escapes: bool,
    tag: Vec<u8>,
    /// How much of the tag has come again.
    again: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Within {
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
}

impl Lexer {
    /// How many bytes mean nothing where it is.
    #[inline]
    pub(super) fn pass(&self, bytes: &[u8]) -> usize {
        let found = match self.within {
            Within::Text { escapes: false } => memchr(b'\'', bytes),
            Within::Text { escapes: true } => memchr2(b'\'', b'\\', bytes),
            Within::Name => memchr(b'"', bytes),
            Within::ToLineEnd => memchr(b'\n', bytes),
            Within::Dollar if self.again == 0 => memchr(b'$', bytes),
            _ => Some(0),
        };
        found.unwrap_or(bytes.len())
    }

    /// Takes the byte after those to be passed, and tells whether it is code. What begins a comment or a quote is; what ends it is not.
    #[inline]
    pub(super) fn step(&mut self, byte: u8) -> bool {
        // Most of a script is that.
        if self.within == Within::Code {
            self.within = self.code(byte);
            return true;
        }
        self.step_aside(byte)
    }

    fn step_aside(&mut self, byte: u8) -> bool {
        self.within = match (self.within, byte) {
            (Within::Dash, b'-') => Within::ToLineEnd,
            (Within::Slash, b'*') => Within::Comment(1),
            (Within::CommentStar(1), b'/') => Within::Code,
            (Within::CommentStar(n), b'/') => Within::Comment(n - 1),
            (Within::CommentSlash(n), b'*') => Within::Comment(n + 1),
            (Within::Comment(n) | Within::CommentSlash(n) | Within::CommentStar(n), _) => {
                match byte {
                    b'*' => Within::CommentStar(n),
                    b'/' => Within::CommentSlash(n),
                    _ => Within::Comment(n),
                }
            }
            (Within::Text { .. }, b'\\') => Within::TextEscape,
            (Within::TextEscape, _) => Within::Text { escapes: true },
            // Two of them are one of the text, which begins anew.
            (Within::Text { .. } | Within::Name | Within::ToLineEnd, _) => Within::Code,
            (Within::Tag, b'$') => {
                self.tag.push(byte);
                self.again = 0;
                Within::Dollar
            }
            (Within::Tag, _) if is_of_name(byte) => {
                self.tag.push(byte);
                Within::Tag
            }
            (Within::Dollar, _) => self.dollar(byte),
            (Within::Code | Within::Dash | Within::Slash | Within::Tag, _) => {
                self.within = self.code(byte);
                return true;
            }
        };
        false
    }

    #[inline]
    fn code(&mut self, byte: u8) -> Within {
        let last = std::mem::replace(&mut self.last, byte);
        match byte {
            b'-' => Within::Dash,
            b'/' => Within::Slash,
            b'\'' => Within::Text { escapes: self.escapes || matches!(last, b'E' | b'e') },
            b'"' => Within::Name,
            b'$' if !is_of_name(last) => {
                self.tag.clear();
                self.tag.push(byte);
                Within::Tag
            }
            _ => Within::Code,
        }
    }

    fn dollar(&mut self, byte: u8) -> Within {
        if byte == self.tag[self.again] {
            self.again += 1;
            if self.again == self.tag.len() {
                return Within::Code;
            }
        } else {
            self.again = usize::from(byte == b'$');
        }
        Within::Dollar
    }

    /// Takes a statement that it has followed: it may say how the texts of later ones are to be read.
    pub(super) fn heed(&mut self, statement: &[u8]) {
        if let Some(rest) = statement.strip_prefix(QUOTING) {
            self.escapes = rest.trim_ascii_start().starts_with(b"= off");
        }
    }

    /// After a byte that begins a comment, or is of the statement: the next one tells.
    pub(super) fn is_undecided(&self) -> bool {
        matches!(self.within, Within::Dash | Within::Slash)
    }

    /// Whether the next byte can be code.
    pub(super) fn is_in_code(&self) -> bool {
        self.within == Within::Code
    }

    /// Within a comment to the end of the line.
    pub(super) fn is_in_line_comment(&self) -> bool {
        self.within == Within::ToLineEnd
    }

    pub(super) fn is_in_text(&self) -> bool {
        matches!(self.within, Within::Text { .. })
    }
}

pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A script with dots for what is not code.
    fn code(lexer: &mut Lexer, script: &str) -> String {
        let mut bytes = script.as_bytes();
        let mut told = String::new();
        loop {
            let passed = lexer.pass(bytes);
            told.extend(std::iter::repeat_n('.', passed));
            let Some((&byte, rest)) = bytes[passed..].split_first() else { return told };
            told.push(if lexer.step(byte) { char::from(byte) } else { '.' });
            bytes = rest;
        }
    }

    #[test]
    fn code_is_told_from_the_rest() {
        for (script, told) in [
            ("a -- b;\nc", "a -.....c"),
            ("a - b / c", "a - b / c"),
            ("a /* b /* c */ d **/ e", "a /................. e"),
            ("'a''b;' c", "'..'... c"),
            (r"'a\' c", "'... c"),
            (r"E'a\'b' c", "E'..... c"),
            ("\"a\"\"b\" c", "\"..\".. c"),
            ("$$ a $ b $$ c", "$.......... c"),
            ("$x$ $$ $x$ $", "$......... $"),
            ("a$b$c $1;", "a$b$c $.;"),
        ] {
            assert_eq!(code(&mut Lexer::default(), script), told, "{script}");
        }
    }

    #[test]
    fn a_setting_gives_backslashes_their_meaning() {
        let mut lexer = Lexer::default();
        lexer.heed(b"SET standard_conforming_strings = off;");
        assert_eq!(code(&mut lexer, r"'\';"), "'...");
        assert!(lexer.is_in_text());
    }
}
