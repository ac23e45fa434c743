//! Rows as `COPY` writes them: a line each, and `\.` at their end.

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

/// The end of the last row, and the line after it.
const END: &[u8] = b"\n\\.\n";

/// Counts them.
pub(crate) struct Lines {
    rows: u64,
    at: At,
    end: Finder<'static>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the line of the statement above.
    Statement,
    /// After so many bytes of a line that may be the end mark.
    Mark(usize),
    Row,
    Over,
}

impl Lines {
    /// From the first byte of the first row.
    pub(crate) fn new() -> Self {
        Self { rows: 0, at: At::Mark(0), end: Finder::new(END) }
    }

    /// From the end of a statement.
    pub(crate) fn after_statement() -> Self {
        Self { at: At::Statement, ..Self::new() }
    }

    /// The next bytes: how many of them are of the rows and the end mark.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match (self.at, byte) {
                (At::Over, _) => break,
                (At::Statement, _) => match memchr(b'\n', &bytes[at..]) {
                    None => return bytes.len(),
                    Some(end) => {
                        at += end + 1;
                        self.at = At::Mark(0);
                    }
                },
                (At::Mark(so_far), _) if byte == END[so_far + 1] => {
                    at += 1;
                    self.at = if so_far == 2 { At::Over } else { At::Mark(so_far + 1) };
                }
                (At::Mark(_), _) => self.at = At::Row,
                (At::Row, _) => at += self.row(&bytes[at..]),
            }
        }
        at
    }

    /// Within a row.
    fn row(&mut self, bytes: &[u8]) -> usize {
        if let Some(found) = self.end.find(bytes) {
            self.rows += lines(&bytes[..=found]);
            self.at = At::Over;
            return found + END.len();
        }
        self.rows += lines(bytes);
        self.at = match (1..END.len()).rev().find(|n| bytes.ends_with(&END[..*n])) {
            Some(n) => At::Mark(n - 1),
            None => At::Row,
        };
        bytes.len()
    }

    /// Whether the end mark has come.
    pub(crate) fn is_over(&self) -> bool {
        self.at == At::Over
    }

    /// How many rows there were.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}
