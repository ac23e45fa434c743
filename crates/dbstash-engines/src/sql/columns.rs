//! How many columns the statement of a table names.

/// What begins an item that is no column.
const NONE: [&[u8]; 13] = [
    b"PRIMARY",
    b"UNIQUE",
    b"KEY",
    b"INDEX",
    b"FULLTEXT",
    b"SPATIAL",
    b"CONSTRAINT",
    b"CHECK",
    b"FOREIGN",
    b"PERIOD",
    b"VECTOR",
    b"EXCLUDE",
    b"LIKE",
];

/// Counts the items in the first parentheses of a statement.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    state: State,
    count: u64,
    /// The first letters of the item at hand.
    word: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Before,
    /// Where an item begins.
    Begin,
    Word,
    Item,
    After,
}

impl Columns {
    /// The next byte that is not in a text, name or comment, and how many parentheses are around it.
    pub(crate) fn code(&mut self, byte: u8, depth: u64) {
        match (&self.state, byte, depth) {
            (State::Before, b'(', 0) => self.state = State::Begin,
            (State::Begin, _, _) if byte.is_ascii_whitespace() => {}
            (State::Begin | State::Word, _, _) if byte.is_ascii_alphanumeric() || byte == b'_' => {
                self.state = State::Word;
                if self.word.len() < 16 {
                    self.word.push(byte.to_ascii_uppercase());
                }
            }
            (State::Begin | State::Word | State::Item, b',' | b')', 1) => {
                self.item();
                self.state = if byte == b',' { State::Begin } else { State::After };
            }
            (State::Begin | State::Word, ..) => {
                // What goes on with a quote is a name.
                self.state = State::Item;
            }
            _ => {}
        }
    }

    fn item(&mut self) {
        self.count += u64::from(!NONE.contains(&&*self.word));
        self.word.clear();
    }

    /// How many there were.
    pub(crate) fn count(&self) -> Option<u64> {
        (self.state == State::After).then_some(self.count)
    }
}
