//! How many keys a dump has, by database: those that have expired and are still in it, too; and whether one of them is
//! the mark of an interrupted restore.

use std::collections::BTreeMap;

use dbstash_core::load;
use dbstash_core::tally::{Counts, Tally};

use super::marked::Search;
use super::walk::{State, Walk};

/// Follows the records.
#[derive(Default)]
pub(super) struct Keys(Walk);

impl Tally for Keys {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Counts {
        match self.0.state {
            State::Over => {
                let named = |(database, keys): (&u64, &u64)| (format!("db{database}"), *keys);
                let mark = (self.0.mark == Search::Found).then(|| (load::MARK.to_owned(), 1));
                let keys = self.0.keys.iter().map(named).chain(mark);
                Counts::Of(keys.collect::<BTreeMap<_, _>>())
            }
            State::Foreign(kind) => {
                Counts::without(&format!("a record of type {kind} is not known here"))
            }
            _ => Counts::without("its records could not be followed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(bytes: &[u8], size: usize) -> Counts {
        let mut keys = Box::<Keys>::default();
        bytes.chunks(size).for_each(|chunk| keys.feed(chunk));
        keys.finish()
    }

    #[test]
    fn keys_are_of_the_database_above_them() {
        let dump = [
            &b"REDIS0010\xfa\x01a\x01b"[..],
            b"\xfe\x00\xfb\x02\x01\x00\x01k\x01v\xfc\x01\0\0\0\0\0\0\0\x01\x01l\x02\x01a\x01b",
            // Without a key, and one that says its own size by a length as big as a database's.
            b"\xfe\x05\xfb\x00\x00\xfe\x07\x04\x01h\x01\x01\xfe\x03xyz",
            b"\xfe\x00\xf8\x03\xf9\x07\x00\x01m\xc0\x05\xff12345678",
        ]
        .concat();
        let expected = [("db0", 3), ("db5", 0), ("db7", 1)];
        let expected = Counts::Of(expected.map(|(name, n)| (name.to_owned(), n)).into());
        for size in 1..=dump.len() {
            assert_eq!(counted(&dump, size), expected, "in {size}");
            let cut = counted(&dump[..dump.len() - 9], size);
            assert_eq!(cut, Counts::without("its records could not be followed"));
        }
        let marked = |name: &str| {
            let length = u8::try_from(name.len()).unwrap();
            let key = [&[0, length][..], name.as_bytes(), b"\x01v"].concat();
            let dump = [b"REDIS0010\xfe\x00", &key[..], b"\x00\x01k\x01v\xff12345678"].concat();
            let Counts::Of(counts) = counted(&dump, 1) else { panic!("{name}") };
            assert_eq!(Counts::Of(counts.clone()), counted(&dump, 1000), "{name}");
            counts.contains_key(load::MARK)
        };
        assert!(marked("dbstash:restore:incomplete"));
        assert!(!marked("dbstash:restore:incompletf") && !marked("dbstash:restore:incomplete."));
        let foreign = counted(b"REDIS0010\xfe\x00\x63k", 3);
        assert_eq!(foreign, Counts::without("a record of type 99 is not known here"));
    }
}
