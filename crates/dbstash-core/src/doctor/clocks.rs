//! Whether two clocks agree.

use chrono::{DateTime, TimeDelta, Utc};

use crate::checkup::Finding;

/// Ages, names and the order of backups are told by clocks: this much does not matter to them.
const NEAR: TimeDelta = TimeDelta::seconds(60);

/// The clock of `whose` said `theirs` at some time between two looks at ours.
pub(super) fn compared(whose: &str, theirs: DateTime<Utc>, between: [DateTime<Utc>; 2]) -> Finding {
    let [before, after] = between;
    let off =
        if theirs < before { before - theirs } else { (theirs - after).max(TimeDelta::zero()) };
    let word = if theirs < before { "behind" } else { "ahead of" };
    let seconds = off.num_seconds();
    if off <= NEAR {
        return Finding::ok("clock", format!("the clock of {whose} agrees with this machine's"));
    }
    Finding::warn(
        "clock",
        format!("the clock of {whose} is {seconds} s {word} this machine's"),
        "set both by NTP: the times in names and manifests, and so retention, go by this machine's",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkup::Verdict;

    #[test]
    fn what_is_near_agrees() {
        let at = |s| DateTime::UNIX_EPOCH + TimeDelta::seconds(s);
        let between = [at(1000), at(1010)];
        for near in [at(1005), at(941), at(1069)] {
            assert_eq!(compared("x", near, between).verdict, Verdict::Ok, "{near}");
        }
        let behind = compared("the server", at(700), between);
        assert!(behind.what.contains("of the server is 300 s behind"), "{}", behind.what);
        let ahead = compared("x", at(1110), between);
        assert!(ahead.what.contains("100 s ahead of") && ahead.verdict == Verdict::Warn);
    }
}
