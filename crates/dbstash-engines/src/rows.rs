//! Answers of clients in rows: fields, each ended by a NUL.

/// Rows of `N` fields, as psql writes them with zero bytes for both separators.
pub(crate) fn rows<const N: usize>(answer: &[u8]) -> Vec<[String; N]> {
    let text = String::from_utf8_lossy(answer);
    let fields: Vec<String> = text.split('\0').map(str::to_owned).collect();
    let (rows, _) = fields.as_chunks::<N>();
    rows.to_vec()
}

/// What is left out of a list for people.
pub(crate) fn more(count: usize, shown: usize) -> String {
    match count.saturating_sub(shown) {
        0 => String::new(),
        more => format!(", and {more} more"),
    }
}

/// `10.11.6-MariaDB`, `15.14 (Debian ...)`: the first numbers of a version.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let mut parts = text[from..].split(|c: char| !c.is_ascii_digit());
    let major = parts.next()?.parse().ok()?;
    Some((major, parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_versions() {
        assert_eq!(rows::<2>(b"a\0b\0c\0\0"), [["a", "b"], ["c", ""]]);
        assert_eq!(rows::<2>(b""), [[""; 2]; 0]);
        assert_eq!(version("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0)"), Some((15, 14)));
        assert_eq!(version("18beta1"), Some((18, 0)));
        assert_eq!(version("none"), None);
        assert_eq!((more(3, 3), more(5, 3)), (String::new(), ", and 2 more".to_owned()));
    }
}
