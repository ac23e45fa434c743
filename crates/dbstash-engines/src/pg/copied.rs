//! Rows as `COPY` writes them: a line each, columns between tabs, and `\.` at their end.

use crate::utf8::Utf8;

/// What may follow a backslash in a row, as the server writes it.
const ESCAPES: &[u8] = b"bfnrtv\\N";

/// A `COPY` whose rows have a number before their columns ends so.
pub(super) const OIDS: &[u8] = b" WITH OIDS FROM stdin;";

/// Follows rows byte by byte.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Rows {
    /// How many tabs each has.
    wanted: Option<u64>,
    tabs: u64,
    bytes: u64,
    escape: bool,
    /// The bytes so far are those of an end mark.
    is_end: bool,
}

impl Rows {
    /// After the `;` of a statement of so many columns: the line break that follows ends a row that is none.
    pub(super) fn after_statement(columns: u64) -> Self {
        let tabs = columns.saturating_sub(1);
        Self { wanted: Some(tabs), tabs, ..Self::default() }
    }

    /// The next byte: whether it ends the end mark.
    pub(super) fn step(&mut self, byte: u8) -> Result<bool, String> {
        let is_escaped = std::mem::take(&mut self.escape);
        match byte {
            b'\n' if self.is_end && self.bytes == 2 => return Ok(true),
            b'\n' => {
                let wanted = *self.wanted.get_or_insert(self.tabs);
                if self.tabs != wanted || is_escaped {
                    let (found, wanted) = (self.tabs + 1, wanted + 1);
                    return Err(format!(
                        "a row of it has {found} columns and should have {wanted}"
                    ));
                }
                *self = Self { wanted: self.wanted, ..Self::default() };
            }
            b'\r' | 0 => return Err("a row of it has a byte that no row has".to_owned()),
            _ => {
                self.bytes += 1;
                self.is_end = is_escaped && byte == b'.' && self.bytes == 2;
                self.tabs += u64::from(byte == b'\t');
                if is_escaped && !self.is_end && !ESCAPES.contains(&byte) {
                    return Err(
                        "a row of it has an escape that the server does not write".to_owned()
                    );
                }
                if !is_escaped {
                    self.escape = byte == b'\\';
                }
            }
        }
        Ok(false)
    }
}

/// The data of a table in an archive, of which nobody knows yet how many columns it has.
#[derive(Default)]
pub(super) struct Copied {
    rows: Rows,
    is_over: bool,
    broken: Option<String>,
    text: Utf8,
}

/// What an archive says of the data of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// How many columns each row has; none where there are statements, and no rows.
    pub(super) columns: Option<u64>,
    /// Whether all of its text is UTF-8.
    pub(super) is_utf8: bool,
}

impl Copied {
    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.text.feed(bytes);
        for &byte in bytes {
            if self.broken.is_some() {
                return;
            }
            let is_line = matches!(byte, b'\n');
            let done = match self.is_over {
                true if is_line => Ok(true),
                true => Err("it goes on after the last row".to_owned()),
                false => self.rows.step(byte),
            };
            match done {
                Ok(is_over) => self.is_over = is_over,
                Err(what) => self.broken = Some(what),
            }
        }
    }

    /// What is wrong with it.
    pub(super) fn judge(&self, told: Told) -> Result<(), String> {
        if told.is_utf8 && (!self.text.is_good() || self.text.is_within()) {
            return Err("its text is no UTF-8".to_owned());
        }
        let Some(columns) = told.columns else { return Ok(()) };
        match (&self.broken, self.rows.wanted) {
            (Some(what), _) => Err(what.clone()),
            (None, Some(tabs)) if tabs + 1 != columns.max(1) => {
                Err(format!("its rows have {} columns and should have {columns}", tabs + 1))
            }
            (None, _) if !self.is_over => Err("its rows have no end".to_owned()),
            (None, _) => Ok(()),
        }
    }
}

/// A file of data.
pub(super) struct Named {
    /// What it is called.
    pub(super) file: String,
    /// How many columns its rows have.
    pub(super) columns: Option<u64>,
    /// The table whose rows they are, by the parts of its name.
    pub(super) table: Option<String>,
}

/// The files of a directory archive.
pub(super) struct Files {
    pub(super) named: Vec<Named>,
    /// Whether all text is UTF-8.
    pub(super) is_utf8: bool,
}

/// How many columns a `COPY` of an archive names; none where it is none.
pub(super) fn columns(statement: &[u8]) -> Option<u64> {
    let rest = statement.strip_prefix(b"COPY ")?;
    // Of servers up to 11: a column that is not named.
    let more = u64::from(memchr::memmem::find(rest, OIDS).is_some());
    let (mut quoted, mut inside, mut count) = (false, false, 0);
    for byte in rest {
        match byte {
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' => (inside, count) = (true, 1),
            b')' if inside => return Some(count + more),
            b',' if inside => count += 1,
            _ => {}
        }
    }
    (!quoted && !inside).then_some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(columns: Option<u64>, text: &[u8]) -> Result<(), String> {
        let judged = |size: usize| {
            let mut copied = Copied::default();
            text.chunks(size).for_each(|chunk| copied.feed(chunk));
            copied.judge(Told { columns, is_utf8: true })
        };
        let whole = judged(text.len().max(1));
        assert_eq!(whole, judged(1));
        whole
    }

    #[test]
    fn rows_have_the_columns_of_their_statement() {
        assert_eq!(columns(b"COPY public.t (a, \"b, (c\", d) FROM stdin;\n"), Some(3));
        assert_eq!(columns(b"COPY public.none  FROM stdin;\n"), Some(0));
        assert_eq!(columns(b"COPY old.t (a, b) WITH OIDS FROM stdin;\n"), Some(3));
        assert_eq!(columns(b""), None);
        assert_eq!(verdict(Some(2), b"1\tx\n2\t\\N\n\\.\n\n\n"), Ok(()));
        assert_eq!(verdict(Some(0), b"\n\n\\.\n\n\n"), Ok(()));
        assert_eq!(verdict(Some(7), b"\\.\n\n\n"), Ok(()));
        assert_eq!(verdict(None, b"INSERT INTO t VALUES (1);\n"), Ok(()));
        for bad in [
            &b"1\tx\n2\n\\.\n"[..],
            b"1\n\\.\n",
            b"1\tx\n",
            b"1\t\\x\n\\.\n",
            b"1\t\xff\n\\.\n",
            b"1\tx\n\\.\nx",
        ] {
            assert!(verdict(Some(2), bad).is_err(), "{bad:?}");
        }
        assert!(verdict(None, b"\xe9").is_err());
    }
}
