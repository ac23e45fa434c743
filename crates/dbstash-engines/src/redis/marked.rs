//! The search for the key that marks an interrupted restore, among the names of a dump's keys.

use super::deliver::MARK;

/// How far it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    #[default]
    Elsewhere,
    /// The next text is a key's name.
    Name,
    /// So much of the mark's name has come.
    Within(usize),
    Found,
}

impl Search {
    /// A key begins: its name is the next text.
    pub(super) fn key(&mut self) {
        if *self != Self::Found {
            *self = Self::Name;
        }
    }

    /// A text of so many bytes begins, unless it is packed.
    pub(super) fn text(&mut self, len: Option<u64>) {
        if *self == Self::Name {
            let may_be = len == Some(MARK.len() as u64);
            *self = if may_be { Self::Within(0) } else { Self::Elsewhere };
        }
    }

    /// Bytes of a text.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let Self::Within(known) = *self else { return };
        let rest = &MARK.as_bytes()[known..];
        *self = if rest == bytes {
            Self::Found
        } else if rest.starts_with(bytes) {
            Self::Within(known + bytes.len())
        } else {
            Self::Elsewhere
        };
    }
}
