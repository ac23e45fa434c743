//! How many keys a dump has, by database: those that have expired and are still in it, too.

use std::collections::BTreeMap;

use dbstash_core::tally::{Counts, Tally};

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
                Counts::Of(self.0.keys.iter().map(named).collect::<BTreeMap<_, _>>())
            }
            State::Foreign(kind) => {
                Counts::without(&format!("a record of type {kind} is not known here"))
            }
            _ => Counts::without("its records could not be followed"),
        }
    }
}
