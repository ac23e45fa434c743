//! The rows of an `INSERT` as dump tools write them: values that are numbers, texts or nothing, and as many in each row.

/// Longer ones are texts, or no values.
const LONGEST_WORD: usize = 512 * 1024;
/// What may follow a backslash in a text, where the client escapes.
const ESCAPES: &[u8] = b"0nr\\'\"Z";
/// What the client does not leave as it is in a text.
const ESCAPED: &[u8] = b"\0\n\r\"\x1a";
/// What `.dump` writes for a text that a terminal would not show.
const FUNCTIONS: [&[u8]; 3] = [b"replace", b"unistr", b"char"];

/// Whose `INSERT` it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// mysqldump and mariadb-dump: a backslash escapes.
    Mysql,
    /// sqlite3: a quote is doubled, and texts may be made by functions.
    Sqlite,
}

/// Follows what comes after `VALUES`, up to the `;`.
pub(crate) struct Tuples {
    writer: Writer,
    state: State,
    /// Values of the row at hand that have ended.
    values: u64,
    /// How many a row has.
    wanted: Option<u64>,
    word: Word,
    /// Functions within each other.
    depth: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A row.
    Row,
    Value,
    Word,
    /// After the name of a character set.
    Introduced,
    Text,
    Escape,
    /// After a quote that may be doubled.
    Quote,
    /// Within the quotes of a blob.
    Digits,
    AfterValue,
    AfterRow,
    Over,
}

/// A word without quotes, as it comes: a number may have any length.
#[derive(Debug, Default, Clone, Copy)]
struct Word {
    head: [u8; 16],
    len: usize,
    number: Number,
    /// Whether it is `0x` and digits.
    is_hex: bool,
}

/// How much of a number has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Number {
    #[default]
    Nothing,
    Sign,
    Whole,
    Point,
    Fraction,
    E,
    ESign,
    Exponent,
    None,
}

impl Number {
    fn then(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Nothing, b'-') => Self::Sign,
            (Self::Nothing | Self::Sign | Self::Whole, b'0'..=b'9') => Self::Whole,
            (Self::Whole, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Whole | Self::Point | Self::Fraction, b'e' | b'E') => Self::E,
            (Self::E, b'+' | b'-') => Self::ESign,
            (Self::E | Self::ESign | Self::Exponent, b'0'..=b'9') => Self::Exponent,
            _ => Self::None,
        }
    }
}

impl Word {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.head.get_mut(self.len) {
            *place = byte;
        }
        self.is_hex = match self.len {
            0 => byte == b'0',
            1 => self.is_hex && byte == b'x',
            _ => self.is_hex && byte.is_ascii_hexdigit(),
        };
        self.len += 1;
        self.number = self.number.then(byte);
    }

    fn is(&self, text: &[u8]) -> bool {
        self.head.get(..self.len) == Some(text)
    }

    fn is_value(&self) -> bool {
        let is_number = matches!(
            self.number,
            Number::Whole | Number::Point | Number::Fraction | Number::Exponent
        );
        is_number || self.is_hex && self.len > 2 || self.is(b"NULL") || self.is(b"DEFAULT")
    }
}

impl Tuples {
    /// Rows of so many values, where that is known.
    pub(crate) fn new(writer: Writer, wanted: Option<u64>) -> Self {
        let word = Word::default();
        Self { writer, state: State::Row, values: 0, wanted, word, depth: 0 }
    }

    /// How many values a row had.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.wanted
    }

    /// Whether the `;` has come.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// The next bytes: how many of them belong to the rows.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let mut at = 0;
        while at < bytes.len() && !self.is_over() {
            if self.state == State::Text {
                let is_mysql = self.writer == Writer::Mysql;
                let ends = |b: &u8| *b == b'\'' || is_mysql && (*b == b'\\' || ESCAPED.contains(b));
                let run = bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
                at += run;
                if at == bytes.len() {
                    break;
                }
            }
            self.step(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), String> {
        self.state = match (self.state, byte) {
            (State::Row, b' ' | b'\n' | b'\r') => State::Row,
            (State::Row, b'(') => {
                self.values = 0;
                State::Value
            }
            (State::Value, _) => {
                self.word = Word::default();
                self.value(byte)?
            }
            (State::Word, _) => self.value(byte)?,
            (State::Introduced, b' ') => State::Introduced,
            (State::Introduced, b'\'') => State::Text,
            (State::Text, b'\'') => State::Quote,
            (State::Text, b'\\') => State::Escape,
            (State::Text, _) => return Err("a text of it has a byte that is escaped in one".into()),
            // Half a character is escaped, too.
            (State::Escape, _) if byte >= 0x80 || ESCAPES.contains(&byte) => State::Text,
            (State::Escape, _) => {
                return Err(format!(
                    "a text of it has the escape {:?}, which the client does not write",
                    char::from(byte)
                ));
            }
            (State::Quote, b'\'') if self.writer == Writer::Sqlite => State::Text,
            (State::Digits, b'\'') => State::AfterValue,
            (State::Digits, _) if byte.is_ascii_hexdigit() => State::Digits,
            (State::Quote | State::AfterValue, _) => self.after(byte)?,
            (State::AfterRow, b',') => State::Row,
            (State::AfterRow, b';') => State::Over,
            _ => return Err("a row of it is none".into()),
        };
        Ok(())
    }

    /// A byte of a value without quotes, or the first one.
    fn value(&mut self, byte: u8) -> Result<State, String> {
        let word = &mut self.word;
        match byte {
            b'\'' if word.len == 0 => return Ok(State::Text),
            b'\'' if [b"X", b"x", b"b", b"B"].iter().any(|kind| word.is(*kind)) => {
                return Ok(State::Digits);
            }
            // The name of a character set, and the text.
            b' ' | b'\'' if word.len > 1 && word.head[0] == b'_' => {
                return Ok(if byte == b' ' { State::Introduced } else { State::Text });
            }
            b'(' if self.writer == Writer::Sqlite && FUNCTIONS.iter().any(|f| word.is(f)) => {
                self.depth += 1;
                return Ok(State::Value);
            }
            b',' | b')' => {
                let is_value = word.is_value();
                return if is_value {
                    self.after(byte)
                } else {
                    Err("a value of it is none".into())
                };
            }
            b'-' | b'+' | b'.' | b'_' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return Err("a value of it is none".into()),
        }
        word.push(byte);
        if word.len > LONGEST_WORD && !word.is_hex {
            return Err("a value of it is none".into());
        }
        Ok(State::Word)
    }

    /// What follows a value.
    fn after(&mut self, byte: u8) -> Result<State, String> {
        match byte {
            b',' => {
                self.values += u64::from(self.depth == 0);
                Ok(State::Value)
            }
            b')' if self.depth > 0 => {
                self.depth -= 1;
                Ok(State::AfterValue)
            }
            b')' => {
                let found = self.values + 1;
                match self.wanted {
                    Some(wanted) if wanted != found => {
                        Err(format!("a row of it has {found} values and should have {wanted}"))
                    }
                    _ => {
                        self.wanted = Some(found);
                        Ok(State::AfterRow)
                    }
                }
            }
            _ => Err("a value of it has no end".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(writer: Writer, wanted: Option<u64>, text: &str) -> Result<bool, String> {
        let judged = |size: usize| {
            let mut tuples = Tuples::new(writer, wanted);
            for part in text.as_bytes().chunks(size) {
                tuples.feed(part)?;
            }
            Ok(tuples.is_over())
        };
        let whole = judged(text.len().max(1));
        assert_eq!(whole, judged(1), "{text}");
        whole
    }

    #[test]
    fn what_the_tools_write_is_rows() {
        for good in [
            "(1,'a',NULL),(-2.5e+10,_binary 'x\\'\\0',0x00ff),(0.0,'',DEFAULT);",
            " (1,'(;',3),\n(2,'\u{e9}',-1e-7);",
            "\n(b'101',_binary '\u{1}',1);",
        ] {
            assert_eq!(verdict(Writer::Mysql, Some(3), good), Ok(true), "{good}");
        }
        for good in [
            "(1,'it''s \"x\"\\',X'00ff');",
            "(9.0e+999,-1e999,replace(replace('a\\n,)','\\n',char(10)),'\\r',char(13)));",
            "(unistr('\\u000a''x'),X'','');",
        ] {
            assert_eq!(verdict(Writer::Sqlite, Some(3), good), Ok(true), "{good}");
        }
    }

    #[test]
    fn what_is_not_is_told() {
        for bad in [
            "(1,2,3;",
            "(1,2,3),;",
            "(1,2),(1,2,3);",
            "(1,2,3,4);",
            "(1,2,'a\"b');",
            "(1,2,'a\\x');",
            "(1,2,'a\nb');",
            "(1,2,NULM);",
            "(1,,3);",
            "(1,2,0x);",
            "(1,2,1.2.3);",
            "(1,2,'a''b');",
            "(1,2,3) ;",
            "(1,2,char(3));",
            "(1,2,-);",
            "(1,2,1e);",
            "(1 ,2,3);",
        ] {
            assert!(verdict(Writer::Mysql, Some(3), bad).is_err(), "{bad}");
        }
        for bad in ["(1,X'0g');", "(1,ceil(3));", "(1,'a'b');", "(1,char(10);"] {
            assert_ne!(verdict(Writer::Sqlite, Some(2), bad), Ok(true), "{bad}");
        }
    }
}
