//! What bytes and words mean in a script.

/// The rows of a statement hold no comments.
pub(super) const OF_ROWS: [bool; 256] = table_of(b"'\"`();");

/// Which bytes these are.
pub(super) const fn table_of(bytes: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] = true;
        at += 1;
    }
    table
}

/// Whether a `$` after it is a part of a name.
pub(super) fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether a statement may have rows.
pub(super) fn is_insert(head: &[u8]) -> bool {
    head.starts_with(b"INSERT ") || head.starts_with(b"REPLACE ")
}
