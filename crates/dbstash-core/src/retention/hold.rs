//! Doubts that keep everything.

use std::collections::HashSet;

use super::Policy;
use crate::catalog::Backup;

/// Why nothing of a database is deleted for now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hold {
    /// The newest is much smaller than those before it.
    Small,
    /// These two machines take turns under one name: each would delete the other's.
    Writers([String; 2]),
}

/// How many backups before the newest say what is usual.
const USUAL: usize = 7;

/// What is doubtful about the backups of a database, the newest first; `past` are those of them that count.
pub(super) fn hold(all: &[&Backup], past: &[&Backup], policy: &Policy) -> Option<Hold> {
    let hosts = all.iter().map(|backup| &*backup.manifest.host);
    if let Some(hosts) = taking_turns(hosts) {
        return Some(Hold::Writers(hosts.map(str::to_owned)));
    }
    let sizes: Vec<u64> =
        past.iter().take(1 + USUAL).map(|backup| backup.manifest.raw_bytes()).collect();
    is_suspicious(&sizes, policy.hold_below).then_some(Hold::Small)
}

/// The first host that comes back after another one, and that one: A, B, A. A machine that another one replaced for
/// good does not come back, nor does a container's name.
fn taking_turns<'a>(hosts: impl Iterator<Item = &'a str>) -> Option<[&'a str; 2]> {
    let (mut seen, mut last) = (HashSet::new(), "");
    for host in hosts {
        if !seen.insert(host) && host != last {
            return Some([host, last]);
        }
        last = host;
    }
    None
}

/// Whether the first of these sizes is below its share of what is usual after it.
fn is_suspicious(sizes: &[u64], percent: u8) -> bool {
    let Some((newest, before)) = sizes.split_first() else { return false };
    let mut usual = before.to_vec();
    usual.sort_unstable();
    usual
        .get(usual.len() / 2)
        .is_some_and(|median| u128::from(*newest) * 100 < u128::from(*median) * u128::from(percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_comes_back_takes_turns() {
        let turns = |hosts: &str| taking_turns(hosts.split_terminator(' ')).is_some();
        for one in ["", "a", "a a a", "a b", "a a b b", "a b c d", "a b b c"] {
            assert!(!turns(one), "{one}");
        }
        for two in ["a b a", "a a b b a", "a b c a", "x a b a b"] {
            assert!(turns(two), "{two}");
        }
        assert_eq!(taking_turns(["x", "a", "b", "b", "a"].into_iter()), Some(["a", "b"]));
    }
}
