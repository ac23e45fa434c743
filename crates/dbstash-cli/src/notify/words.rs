//! Text that fits: cut on characters, counted as the strictest platform counts.

/// What stands where something was cut off.
const CUT: char = '…';

/// UTF-16 units: never fewer than characters.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `text` in at most `limit` units, each character as `spell` writes it.
pub(super) fn spelled(text: &str, limit: usize, spell: impl Fn(char) -> String) -> String {
    let mut out = String::new();
    let mut used = 0;
    // Where there is still room for the mark of a cut.
    let mut safe = 0;
    for c in text.chars() {
        let piece = spell(c);
        used += units(&piece);
        if used > limit {
            out.truncate(safe);
            if limit > 0 {
                out.push(CUT);
            }
            return out;
        }
        out.push_str(&piece);
        if used < limit {
            safe = out.len();
        }
    }
    out
}

/// `text` in at most `limit` units.
pub(super) fn cut(text: &str, limit: usize) -> String {
    spelled(text, limit, |c| c.to_string())
}

/// Text of many lines without what drives a terminal or hides a name.
pub(super) fn plain(text: &str) -> String {
    let kept = |c: char| c == '\n' || c == '\t' || !c.is_control();
    text.chars().filter(|&c| c != '\r').map(|c| if kept(c) { c } else { ' ' }).collect()
}

/// The same on one line.
pub(super) fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// For between two backticks.
pub(super) fn in_code(text: &str) -> String {
    text.replace('`', "'")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cut_on_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("a😀b", 3), "a…");
        assert_eq!(cut("😀😀", 4), "😀😀");
        assert_eq!(
            (cut("ab", 1), cut("ab", 0), cut("", 0)),
            ("…".into(), String::new(), String::new())
        );
    }

    proptest! {
        #[test]
        fn never_longer_than_it_may_be(text in "\\PC{0,40}", limit in 0_usize..50) {
            let cut = cut(&text, limit);
            prop_assert!(units(&cut) <= limit);
            prop_assert!(units(&text) > limit || cut == text);
        }
    }
}
