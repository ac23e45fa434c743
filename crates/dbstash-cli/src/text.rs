//! Values for people: sizes, ages, tables.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::TimeDelta;
use serde_json::Value;

/// `1.4 GiB`.
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// `3d 4h`, `5m`: the two biggest units.
pub fn age(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds().max(0);
    let parts = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = parts.iter().position(|(_, unit)| seconds >= *unit).unwrap_or(3);
    let mut text = String::new();
    let mut rest = seconds;
    for (name, unit) in parts.iter().skip(first).take(2) {
        if rest >= *unit || text.is_empty() {
            let _ = write!(text, "{}{}{name}", if text.is_empty() { "" } else { " " }, rest / unit);
        }
        rest %= unit;
    }
    text
}

/// Columns under their headings, two spaces apart.
pub fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let heading = headings.map(str::to_owned);
    for row in std::iter::once(&heading).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A name from a remote, safe to show on a terminal; no longer than a name can be.
pub fn shown(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 1024;
    if name.len() <= LONGEST && name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Cow::Borrowed(name);
    }
    let escaped = |c: char| c.is_control() || is_invisible(c);
    let mut text: String = name
        .chars()
        .take(LONGEST)
        .flat_map(|c| if escaped(c) { c.escape_default().collect() } else { vec![c] })
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        text.push_str("...");
    }
    Cow::Owned(text)
}

/// JSON for programs that does not drive a terminal either: what JSON itself leaves as it is can only be in a string.
pub fn json(value: &Value) -> String {
    let mut text = String::new();
    for c in format!("{value:#}\n").chars() {
        if c != '\n' && (c.is_control() || is_invisible(c)) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Characters that make a text look like another one: no width, another direction, another line.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(3 << 30), "3.0 GiB");
        assert_eq!(age(TimeDelta::seconds(5)), "5s");
        assert_eq!(age(TimeDelta::seconds(-5)), "0s");
        assert_eq!(age(TimeDelta::minutes(61)), "1h 1m");
        assert_eq!(age(TimeDelta::hours(50)), "2d 2h");
        assert_eq!(age(TimeDelta::seconds(86_405)), "1d");
    }

    #[test]
    fn a_table_lines_up() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "2".to_owned()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME    N\na       1\nlonger  2\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(shown("a\x1b[2J\nb é"), "a\\u{1b}[2J\\nb é");
        assert_eq!(shown("a\u{9b}2J\u{202e}lqs.\u{200b}"), "a\\u{9b}2J\\u{202e}lqs.\\u{200b}");
    }

    #[test]
    fn json_is_the_same_and_drives_no_terminal() {
        let value = serde_json::json!({ "a\u{9b}": "\u{7f}\n\u{202e}\u{e0041}é😀" });
        let text = json(&value);
        assert!(text.is_ascii() || text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{e0041}']) && text.contains("é😀"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
