//! A share of the jobs of a file, for one of several machines.
//!
//! Which share a job falls to is told by its name alone, so that machines need not know of each
//! other, and stays what it is for most jobs when shares are added.

use sha2::{Digest as _, Sha256};

/// One of `count` shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard {
    index: u32,
    count: u32,
}

/// More machines than this back nothing up.
const MOST: u32 = 100_000;

const ACCEPTED: &str = "accepted are INDEX/COUNT, such as 0/4 for the first of four, and COUNT \
                        where JOB_COMPLETION_INDEX says the index";

impl Shard {
    /// `I/N`, counting from 0; or `N`, and then `index` is the share's, as Kubernetes numbers the
    /// pods of an Indexed Job.
    pub(super) fn parse(text: &str, index: Option<&str>) -> Result<Self, String> {
        let (index, count) = match text.split_once('/') {
            Some((index, count)) => (index, count),
            None => match index {
                Some(index) => (index, text),
                None => {
                    return Err(format!("an index is missing: {ACCEPTED}"));
                }
            },
        };
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (Some(index), Some(count @ 1..=MOST)) = (number(index), number(count)) else {
            return Err(ACCEPTED.to_owned());
        };
        if index >= count {
            return Err(format!(
                "there is no share {index} of {count}: they are numbered from 0 to {}",
                count - 1
            ));
        }
        Ok(Self { index, count })
    }

    /// Whether the job of this name is in this share: in exactly one of each count.
    pub(super) fn holds(self, name: &str) -> bool {
        share(name, self.count) == self.index
    }
}

/// `INDEX/COUNT`.
impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// The share that a name falls to, by "A Fast, Minimal Memory, Consistent Hash Algorithm" (Lamping
/// and Veach): one share more takes its part from all others, and nothing else moves.
fn share(name: &str, count: u32) -> u32 {
    let digest = Sha256::digest(name.as_bytes());
    let mut key = digest.iter().take(8).fold(0_u64, |key, byte| key << 8 | u64::from(*byte));
    let (mut share, mut next) = (0_u32, 0_u64);
    while next < u64::from(count) {
        share = u32::try_from(next).unwrap_or(u32::MAX);
        key = key.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(1);
        // (share + 1) * 2^31 / (1 to 2^31), in whole numbers: the same on every machine.
        next = ((u64::from(share) + 1) << 31) / ((key >> 33) + 1);
    }
    share
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings() {
        let read = |text, index| Shard::parse(text, index).map(|shard| shard.to_string());
        assert_eq!(read("0/4", None).as_deref(), Ok("0/4"));
        assert_eq!(read(" 3 / 4 ", Some("1")).as_deref(), Ok("3/4"));
        assert_eq!(read("4", Some("1")).as_deref(), Ok("1/4"));
        assert!(read("4", None).unwrap_err().contains("JOB_COMPLETION_INDEX"));
        assert!(read("4/4", None).unwrap_err().contains("from 0 to 3"));
        assert!(read("4", Some("4")).unwrap_err().contains("no share 4 of 4"));
        for bad in ["", "/", "1/", "/4", "-1/4", "0/0", "0", "1.0/4", "a/b", "0/4/2", "0/100001"] {
            assert!(Shard::parse(bad, Some("0")).is_err(), "{bad}");
        }
    }

    /// Shares are part of what users rely on: another version must not deal jobs out anew.
    #[test]
    fn shares_stay_what_they_are() {
        let shares: Vec<_> =
            ["orders", "crm", "billing", "a", "b", "c"].map(|name| share(name, 5)).into();
        assert_eq!(shares, [1, 2, 0, 1, 3, 1]);
    }

    #[test]
    fn one_share_more_moves_its_part_and_nothing_else() {
        const NAMES: usize = 20_000;
        let names: Vec<String> = (0..NAMES).map(|n| format!("tenant-{n}")).collect();
        for count in [1, 2, 3, 7, 16, 100] {
            let mut moved = 0;
            let mut sizes = vec![0_usize; count as usize];
            for name in &names {
                let (before, after) = (share(name, count), share(name, count + 1));
                sizes[before as usize] += 1;
                if before != after {
                    assert_eq!(after, count, "only the new share takes");
                    moved += 1;
                }
            }
            let part = NAMES / (count as usize + 1);
            assert!((part * 8 / 10..part * 12 / 10 + 1).contains(&moved), "{count}: {moved}");
            let even = NAMES / count as usize;
            assert!(sizes.iter().all(|s| (even / 2..even * 2).contains(s)), "{count}: {sizes:?}");
        }
    }

    proptest! {
        #[test]
        fn every_job_is_in_exactly_one_share(name in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}", count in 1_u32..400) {
            let holders = (0..count).filter(|&index| Shard { index, count }.holds(&name)).count();
            prop_assert_eq!(holders, 1);
        }

        #[test]
        fn a_job_moves_only_to_the_new_share(name in "\\PC{1,20}", count in 1_u32..2000) {
            let (before, after) = (share(&name, count), share(&name, count + 1));
            prop_assert!(before < count && (after == before || after == count));
        }

        #[test]
        fn nothing_panics(text in "[0-9/ .-]{0,24}", index in proptest::option::of("[0-9/-]{0,12}")) {
            let _ = Shard::parse(&text, index.as_deref());
        }
    }
}
