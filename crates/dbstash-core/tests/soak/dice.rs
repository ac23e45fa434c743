//! Chance that a seed repeats.

use sha2::{Digest as _, Sha256};

/// Throws of one kind: each kind has its own, so that it does not matter who throws first.
pub(crate) struct Dice(u64);

impl Dice {
    /// The throws of `whose` under `seed`.
    pub(crate) fn new(seed: u64, whose: &str) -> Self {
        let digest = Sha256::digest(format!("{seed} {whose}"));
        Self(digest.iter().take(8).fold(0, |all, byte| all << 8 | u64::from(*byte)))
    }

    /// One of `low..high`.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (z ^ (z >> 31)) % (high - low)
    }

    /// Once in so many throws.
    pub(crate) fn one_in(&mut self, throws: u64) -> bool {
        self.within(0, throws) == 0
    }
}
