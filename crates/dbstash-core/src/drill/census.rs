//! What came back, beside what was stored.

use super::Found;
use crate::tally::Counts;

/// How many are named.
const NAMED: usize = 5;

/// Compares. `Ok` says why not all of it was, if so; the error what is not as it was.
pub(super) fn compared(stored: &Counts, found: &Found) -> Result<Option<String>, String> {
    let found_total = || found.values().flatten().fold(0_u64, |sum, n| sum.saturating_add(*n));
    match stored {
        Counts::Untold => Ok(Some("nothing was counted when the backup was made".to_owned())),
        Counts::Without { why, total: None } => Ok(Some(why.clone())),
        Counts::Without { total: Some(total), .. } => {
            let all = found_total();
            if found.values().any(Option::is_none) || all == *total {
                return Ok(None);
            }
            Err(format!("{all} came back, and {total} were counted when it was made"))
        }
        Counts::Of(stored) => {
            let mut wrong = Vec::new();
            for (name, was) in stored {
                match found.get(name) {
                    Some(Some(is)) if is != was => wrong.push(format!("{name}: {is} of {was}")),
                    Some(_) => {}
                    None => wrong.push(format!("{name}: missing, of {was}")),
                }
            }
            for (name, is) in found {
                if let Some(is @ 1..) = is
                    && !stored.contains_key(name)
                {
                    wrong.push(format!("{name}: {is} of none"));
                }
            }
            if wrong.is_empty() {
                return Ok(None);
            }
            let more = wrong.len().saturating_sub(NAMED);
            wrong.truncate(NAMED);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            Err(format!(
                "what came back is not what was counted when it was made: {}{more}",
                wrong.join(", ")
            ))
        }
    }
}

/// What an assertion printed, or why that is not true.
pub(super) fn holds(said: &str) -> Result<(), String> {
    let is_true = |line: &str| {
        matches!(line.trim().to_ascii_lowercase().as_str(), "1" | "t" | "true" | "yes" | "on")
    };
    match said.lines().find(|line| !is_true(line)) {
        Some(line) => Err(format!("it is {:?}", line.chars().take(80).collect::<String>())),
        None if said.trim().is_empty() => Err("it says nothing".to_owned()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(counts: &[(&str, u64)]) -> Counts {
        Counts::Of(counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect())
    }

    fn found(counts: &[(&str, Option<u64>)]) -> Found {
        counts.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    #[test]
    fn what_is_not_as_it_was_is_named() {
        let stored = of(&[("a", 3), ("b", 0), ("c", 7)]);
        let same = found(&[("a", Some(3)), ("b", Some(0)), ("c", None), ("empty", Some(0))]);
        assert_eq!(compared(&stored, &same), Ok(None));
        let other = found(&[("a", Some(2)), ("c", Some(7)), ("d", Some(1))]);
        let told = compared(&stored, &other).unwrap_err();
        assert!(told.ends_with("a: 2 of 3, b: missing, of 0, d: 1 of none"), "{told}");
        let many: Vec<_> = (0..9).map(|n| (n.to_string(), 1)).collect();
        let many: Vec<_> = many.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert!(compared(&of(&many), &Found::new()).unwrap_err().ends_with(", and 4 more"));
    }

    #[test]
    fn what_was_not_counted_cannot_be_compared() {
        let some = found(&[("a", Some(2)), ("b", Some(3))]);
        assert!(compared(&Counts::Untold, &some).unwrap().is_some());
        assert_eq!(compared(&Counts::without("zip"), &some), Ok(Some("zip".to_owned())));
        let total = |total| Counts::Without { why: "many".to_owned(), total: Some(total) };
        assert_eq!(compared(&total(5), &some), Ok(None));
        assert!(compared(&total(6), &some).is_err());
    }

    #[test]
    fn an_assertion_says_yes_in_every_line() {
        for said in ["1\n", "t\nt\n", "true", "TRUE\n1"] {
            assert_eq!(holds(said), Ok(()), "{said:?}");
        }
        for said in ["", "\n", "0", "t\nf\n", "NULL", "2"] {
            assert!(holds(said).is_err(), "{said:?}");
        }
    }
}
