//! What a backup lacks that the one before had.

use crate::job::EngineKey;
use crate::tally::Counts;

/// So many are named.
const NAMED: usize = 5;
/// So much of a name is told.
const LONGEST: usize = 80;

/// What is worth a warning, each a sentence: what is gone, and what has lost `share` percent or more of what it held.
pub(crate) fn drift(engine: EngineKey, before: &Counts, now: &Counts, share: u8) -> Vec<String> {
    if share == 0 {
        return Vec::new();
    }
    let (place, thing) = words(engine);
    let is_down = |was: u64, is: u64| {
        was > is && u128::from(was - is) * 100 >= u128::from(was) * u128::from(share)
    };
    let mut told = Vec::new();
    if let (Counts::Of(before), Counts::Of(now)) = (before, now) {
        let (mut gone, mut down) = (Vec::new(), Vec::new());
        for (name, was) in before {
            match now.get(name) {
                None => gone.push(format!("{} ({})", brief(name), many(*was, thing))),
                Some(is) if is_down(*was, *is) => {
                    down.push(format!("{} ({}, now {is})", brief(name), many(*was, thing)));
                }
                Some(_) => {}
            }
        }
        if !gone.is_empty() {
            let (count, are) = (many(gone.len() as u64, place), are(gone.len()));
            told.push(format!("{count} of the backup before {are} gone: {}", list(&gone)));
        }
        if !down.is_empty() {
            let (count, has) = (many(down.len() as u64, place), has(down.len()));
            told.push(format!(
                "{count} {has} lost {share} % of the {thing}s or more since the backup before (DRIFT_WARN): {}",
                list(&down)
            ));
        }
    }
    if let (Some(was), Some(is)) = (before.total(), now.total())
        && is_down(was, is)
    {
        told.push(format!(
            "the backup has {} in all, and the one before had {was} (DRIFT_WARN={share}%)",
            many(is, thing)
        ));
    }
    told
}

/// Where things are, and what they are.
pub(crate) fn words(engine: EngineKey) -> (&'static str, &'static str) {
    match engine {
        EngineKey::Mongo => ("collection", "document"),
        EngineKey::Redis => ("database", "key"),
        EngineKey::Pg | EngineKey::Mysql | EngineKey::Mariadb | EngineKey::Sqlite => {
            ("table", "row")
        }
    }
}

pub(crate) fn many(count: u64, noun: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}

fn are(count: usize) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn has(count: usize) -> &'static str {
    if count == 1 { "has" } else { "have" }
}

fn brief(name: &str) -> String {
    let mut brief: String = name.chars().take(LONGEST).collect();
    if brief.len() < name.len() {
        brief.push_str("...");
    }
    brief
}

fn list(all: &[String]) -> String {
    let named = all[..all.len().min(NAMED)].join(", ");
    match all.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(&str, u64)]) -> Counts {
        Counts::Of(counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
    }

    fn told(before: &Counts, now: &Counts, share: u8) -> Vec<String> {
        drift(EngineKey::Pg, before, now, share)
    }

    #[test]
    fn what_is_less_is_told() {
        let before = of(&[("a", 100), ("b", 10), ("c", 0), ("d", 1)]);
        assert_eq!(told(&before, &before, 40), [""; 0]);
        let now = of(&[("a", 61), ("b", 6), ("d", 1)]);
        assert_eq!(
            told(&before, &now, 40),
            [
                "1 table of the backup before is gone: c (0 rows)",
                "1 table has lost 40 % of the rows or more since the backup before (DRIFT_WARN): b (10 rows, now 6)",
            ]
        );
        let few = of(&[("a", 1), ("d", 0)]);
        assert_eq!(
            told(&before, &few, 100),
            [
                "2 tables of the backup before are gone: b (10 rows), c (0 rows)",
                "1 table has lost 100 % of the rows or more since the backup before (DRIFT_WARN): d (1 row, now 0)",
            ]
        );
        assert_eq!(
            told(&before, &few, 98)[2],
            "the backup has 1 row in all, and the one before had 111 (DRIFT_WARN=98%)"
        );
        assert_eq!(told(&before, &of(&[]), 0), [""; 0]);
        assert_eq!(told(&Counts::Untold, &few, 1), [""; 0]);
        assert_eq!(told(&before, &Counts::without("zip"), 1), [""; 0]);
    }

    #[test]
    fn where_only_sums_are_known_they_are_compared() {
        let sum = |total| Counts::Without { why: String::new(), total: Some(total) };
        let keys = |before: &Counts, now: &Counts| drift(EngineKey::Redis, before, now, 50);
        assert_eq!(keys(&sum(10), &sum(6)), [""; 0]);
        assert_eq!(
            keys(&sum(u64::MAX), &of(&[("db0", 2)])),
            [
                "the backup has 2 keys in all, and the one before had 18446744073709551615 (DRIFT_WARN=50%)"
            ]
        );
    }

    #[test]
    fn many_and_long_ones_are_told_briefly() {
        let names: Vec<String> = (0..9).map(|n| format!("{n}{}", "é".repeat(500))).collect();
        let before: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let told = drift(EngineKey::Mongo, &of(&before), &of(&[("x", 9)]), 40);
        assert!(told[0].starts_with("9 collections of the backup before are gone: 0é"), "{told:?}");
        assert!(told[0].ends_with("é... (1 document), and 4 more"), "{told:?}");
        assert!(told[0].len() < 1000 && told.len() == 1, "{told:?}");
    }
}
