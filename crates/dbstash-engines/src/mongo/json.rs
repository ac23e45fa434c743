//! Whether a text is one object of JSON, as it passes.

use crate::utf8::Utf8;

/// Objects and arrays within each other; mongodump writes a handful.
const DEEPEST: usize = 1000;
/// No number is longer: those that are, are texts.
const LONGEST_WORD: usize = 64;

/// Follows a text in chunks of any size.
#[derive(Default)]
pub(super) struct Json {
    state: State,
    /// What has to be closed.
    open: Vec<u8>,
    word: Vec<u8>,
    text: Utf8,
    is_broken: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Begin,
    /// After a `{`.
    KeyOrEnd,
    Key,
    Colon,
    Value,
    /// After a `[`.
    ValueOrEnd,
    Word,
    Text {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    /// So many digits are left.
    Digits {
        is_key: bool,
        left: u8,
    },
    After,
    Over,
}

impl Json {
    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.text.feed(bytes);
        for byte in bytes {
            if self.is_broken {
                return;
            }
            match self.step(*byte) {
                Some(next) => self.state = next,
                None => self.is_broken = true,
            }
        }
    }

    /// Whether that was all of it.
    pub(super) fn is_whole(&self) -> bool {
        let is_text = self.text.is_good() && !self.text.is_within();
        is_text && !self.is_broken && self.state == State::Over
    }

    fn step(&mut self, byte: u8) -> Option<State> {
        Some(match (self.state, byte) {
            (State::Text { is_key: true }, b'"') => State::Colon,
            (State::Text { is_key: false }, b'"') => State::After,
            (State::Text { is_key }, b'\\') => State::Escape { is_key },
            (State::Text { .. }, 0..b' ') => return None,
            (State::Text { .. }, _) => self.state,
            (State::Escape { is_key }, b'u') => State::Digits { is_key, left: 4 },
            (State::Escape { is_key }, _) if b"\"\\/bfnrt".contains(&byte) => {
                State::Text { is_key }
            }
            (State::Digits { is_key, left }, _) if byte.is_ascii_hexdigit() => match left - 1 {
                0 => State::Text { is_key },
                left => State::Digits { is_key, left },
            },
            (State::Word, _) if byte.is_ascii_alphanumeric() || b"+-.".contains(&byte) => {
                self.word.push(byte);
                if self.word.len() > LONGEST_WORD {
                    return None;
                }
                State::Word
            }
            (State::Word, _) => {
                let word = std::mem::take(&mut self.word);
                if !is_value(&word) {
                    return None;
                }
                self.state = State::After;
                return self.step(byte);
            }
            (State::Escape { .. } | State::Digits { .. }, _) => return None,
            (_, b' ' | b'\t' | b'\r' | b'\n') => self.state,
            (State::Begin | State::Value | State::ValueOrEnd, b'{') => self.enter(b'}')?,
            (State::Value | State::ValueOrEnd, b'[') => self.enter(b']')?,
            (State::Value | State::ValueOrEnd, b'"') => State::Text { is_key: false },
            (State::Value | State::ValueOrEnd, _)
                if byte == b'-' || byte.is_ascii_alphanumeric() =>
            {
                self.word.push(byte);
                State::Word
            }
            (State::KeyOrEnd | State::Key, b'"') => State::Text { is_key: true },
            (State::Colon, b':') => State::Value,
            (State::KeyOrEnd | State::ValueOrEnd | State::After, b'}' | b']') => {
                if self.open.pop() != Some(byte) {
                    return None;
                }
                if self.open.is_empty() { State::Over } else { State::After }
            }
            (State::After, b',') if self.open.last() == Some(&b'}') => State::Key,
            (State::After, b',') => State::Value,
            _ => return None,
        })
    }

    fn enter(&mut self, end: u8) -> Option<State> {
        self.open.push(end);
        let next = if end == b'}' { State::KeyOrEnd } else { State::ValueOrEnd };
        (self.open.len() < DEEPEST).then_some(next)
    }
}

fn is_value(word: &[u8]) -> bool {
    if [&b"true"[..], b"false", b"null"].contains(&word) {
        return true;
    }
    let text = std::str::from_utf8(word).unwrap_or_default();
    word.last().is_some_and(u8::is_ascii_digit)
        && word.iter().all(|b| b.is_ascii_digit() || b"+-.eE".contains(b))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_whole(text: &[u8]) -> bool {
        let judged = |size: usize| {
            let mut json = Json::default();
            text.chunks(size).for_each(|chunk| json.feed(chunk));
            json.is_whole()
        };
        let whole = judged(text.len().max(1));
        assert_eq!(whole, judged(1));
        whole
    }

    #[test]
    fn one_object_and_nothing_else() {
        for good in [
            "{}",
            "{\"options\":{},\"indexes\":[{\"v\":{\"$numberInt\":\"2\"},\"key\":{\"_id\":1}}],\"type\":\"\"}\n",
            "{ \"a\" : [ ] , \"b\" : [ -1.5e+3 , true , null , \"\\u00e9\\\"\" ] }",
        ] {
            assert!(is_whole(good.as_bytes()), "{good}");
        }
        let whole = b"{\"a\":[1,{\"b\":\"c\"}],\"d\":false}";
        for end in 0..whole.len() {
            assert!(!is_whole(&whole[..end]), "{end}");
        }
        for bad in [
            &b"{}{}"[..],
            b"[]",
            b"{\"a\"}",
            b"{\"a\":1,}",
            b"{\"a\":[1}",
            b"{\"a\":1]",
            b"{a:1}",
            b"{\"a\":\"\n\"}",
            b"{\"a\":\"\\x\"}",
            b"{\"a\":tru}",
            b"{\"a\":1 2}",
            b"{\"\xff\":1}",
            b"{\"a\":1.}",
            b"{\"a\":\"\\ n\"}",
        ] {
            assert!(!is_whole(bad), "{}", String::from_utf8_lossy(bad));
        }
    }
}
