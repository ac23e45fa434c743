//! Tables as statements name them, and as people are told of them.

/// The table at the beginning of a text, its parts without quotes.
pub(crate) fn table(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = text.trim_ascii_start();
    let mut parts = Vec::new();
    loop {
        let (part, after) = part(rest)?;
        parts.push(part);
        match after.strip_prefix(b".") {
            Some(more) => rest = more,
            None => return Some(parts),
        }
    }
}

fn part(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if matches!(text.first()?, b'"' | b'`' | b'[' | b'\'') {
        return crate::sql::name(text);
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b".(),;\"`".contains(byte);
    let end = text.iter().position(ends).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_vec(), &text[end..]))
}

/// A name by its parts: one with a dot in it is quoted.
pub(crate) fn shown(parts: &[Vec<u8>]) -> String {
    let mut name = String::new();
    for (n, part) in parts.iter().enumerate() {
        let part = String::from_utf8_lossy(part);
        let dot = if n == 0 { "" } else { "." };
        let quote = if part.contains('.') && parts.len() > 1 { "\"" } else { "" };
        name.extend([dot, quote, &part, quote]);
    }
    name
}
