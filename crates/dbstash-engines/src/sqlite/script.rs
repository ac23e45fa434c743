//! What `.dump` writes: one transaction, which is rolled back at its end when the file is damaged.

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::PRAGMAS;
use crate::ends::Ends;

/// Room for what a walk over damaged pages finds, before the dump's own first line.
const HEAD: usize = 16 * 1024;
const TAIL: usize = 4 * 1024;
/// Only newer tools write it, and only where there are virtual tables.
const WARNING: &str = "/* WARNING: ";
const FIRST: &str = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n";
/// How the walk's finding and sqlite3's own errors begin.
const ERROR: &str = "/**** ERROR: ";
const CORRUPTION: &str = "/****** CORRUPTION ERROR";
const ROLLBACK: &str = "ROLLBACK; -- due to errors";

/// Looks at both ends of a dump.
pub(super) struct Script {
    ends: Ends,
    /// `--data-only` leaves the transaction out.
    bare: bool,
}

impl Script {
    pub(super) fn new(bare: bool) -> Self {
        Self { ends: Ends::new(HEAD, TAIL), bare }
    }
}

impl Check for Script {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let head = String::from_utf8_lossy(self.ends.head());
        let mut begin: &str = &head;
        if let Some((line, rest)) =
            head.split_once('\n').filter(|(line, _)| line.starts_with(ERROR))
        {
            if !only_lost_pages(line) {
                return Err(damaged(line));
            }
            begin = rest;
        }
        let tail = String::from_utf8_lossy(self.ends.tail());
        let error = |line: &&str| line.starts_with(ERROR) || line.starts_with(CORRUPTION);
        let complaint = tail.lines().find(error);
        if self.bare {
            return match complaint {
                Some(line) => Err(damaged(line)),
                None => Ok(Passed::degraded(
                    "--data-only leaves out the transaction that marks the end",
                )),
            };
        }
        if begin.starts_with(WARNING) {
            begin = begin.split_once('\n').map_or("", |(_, rest)| rest);
        }
        if !begin.starts_with(FIRST) {
            return Err(Incomplete("it does not begin as sqlite3 begins a dump".into()));
        }
        // A view's text may hold a line "COMMIT;": a dump cut right there is left to the exit status.
        match self.ends.last_lines().find(|line| !ours(line)) {
            Some(b"COMMIT;") if self.ends.tail().ends_with(b"\n") => Ok(Passed::by("footer")),
            Some(line) if line == ROLLBACK.as_bytes() => {
                Err(damaged(complaint.unwrap_or_default()))
            }
            _ => Err(Incomplete("its last statement is not COMMIT;".into())),
        }
    }
}

/// A line that we add after the dump, whole.
fn ours(line: &&[u8]) -> bool {
    let value =
        |name: &str| line.strip_prefix(format!("PRAGMA {name}=").as_bytes())?.strip_suffix(b";");
    line.is_empty()
        || PRAGMAS.iter().filter_map(|name| value(name)).any(|value| {
            let digits = value.strip_prefix(b"-").unwrap_or(value);
            !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
        })
}

/// Pages that belong to nothing are untidy, but no row is missing.
fn only_lost_pages(line: &str) -> bool {
    let found = line.trim_start_matches(ERROR).trim_end_matches(" ****/");
    found.split("; ").all(|part| part.starts_with("*** in database") || part.contains("never used"))
}

fn damaged(line: &str) -> Incomplete {
    let text = line.trim_start_matches(ERROR).trim_matches(['*', '/', ' ']);
    let detail: String = text.chars().take(200).collect();
    let detail = if detail.is_empty() { detail } else { format!(" ({detail})") };
    Incomplete(format!(
        "sqlite3 met errors in the file{detail}: see PRAGMA integrity_check, and sqlite3's .recover when it is damaged"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(text: &str, bare: bool) -> Result<Passed, Incomplete> {
        let mut check = Box::new(Script::new(bare));
        text.as_bytes().chunks(3).for_each(|chunk| check.feed(chunk));
        check.finish()
    }

    const GOOD: &str =
        "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a);\nCOMMIT;\n";

    #[test]
    fn only_a_commit_at_the_end_is_whole() {
        assert_eq!(verdict(GOOD, false).unwrap().check, "footer");
        for end in 0..GOOD.len() {
            assert!(verdict(&GOOD[..end], false).is_err(), "{:?}", &GOOD[..end]);
        }
        assert!(verdict(&format!("{GOOD}INSERT INTO t VALUES(1);\n"), false).is_err());
        assert!(verdict("COMMIT;\n", false).is_err());
    }

    #[test]
    fn half_a_number_of_ours_is_no_end() {
        let more = format!("{GOOD}PRAGMA user_version=42;\nPRAGMA application_id=-7;\n");
        assert!(verdict(&more, false).is_ok());
        let lines: Vec<_> = more.match_indices('\n').map(|(at, _)| at + 1).collect();
        for end in GOOD.len() + 1..more.len() {
            assert_eq!(verdict(&more[..end], false).is_ok(), lines.contains(&end), "{end}");
        }
    }

    #[test]
    fn a_dump_of_virtual_tables_begins_with_a_warning() {
        let warned = format!(
            "/* WARNING: Script requires that SQLITE_DBCONFIG_DEFENSIVE be disabled */\n{GOOD}"
        );
        assert!(verdict(&warned, false).is_ok());
    }

    #[test]
    fn rows_that_speak_of_errors_are_rows() {
        let row = "INSERT INTO t VALUES('ROLLBACK; -- due to errors /**** ERROR: (11) ****/');\n";
        let good = GOOD.replace("COMMIT", &format!("{row}COMMIT"));
        assert!(verdict(&good, false).is_ok());
        assert!(verdict(row, true).unwrap().degraded.is_some());
    }

    #[test]
    fn damage_is_told() {
        let rolled = GOOD.replace(
            "COMMIT;",
            "/**** ERROR: (5) database is locked *****/\nROLLBACK; -- due to errors",
        );
        for bare in [false, true] {
            assert!(verdict(&rolled, bare).unwrap_err().0.contains("((5) database is locked)"));
        }
        let walk =
            |found: &str| format!("/**** ERROR: *** in database main ***; {found} ****/\n{GOOD}");
        let text = verdict(&walk("Tree 2 page 60: btreeInitPage() returns error code 11"), false)
            .unwrap_err()
            .0;
        assert!(text.contains("Tree 2 page 60") && text.contains("integrity_check"), "{text}");
        assert!(verdict(&walk("Page 9: never used; Page 8 is never used"), false).is_ok());
        assert!(verdict("INSERT INTO t VALUES(1);\n", true).unwrap().degraded.is_some());
    }

    proptest! {
        #[test]
        fn any_split_of_anything_gives_the_same_verdict(
            lines in prop::collection::vec(
                prop_oneof![
                    prop::sample::select(vec![
                        "PRAGMA foreign_keys=OFF;", "BEGIN TRANSACTION;", "COMMIT;", "ROLLBACK;", "ROLLBACK; -- due to errors",
                        "PRAGMA user_version=42;", "PRAGMA application_id=-7;", "/****** ERROR *******/", "CREATE TABLE t(a);",
                    ]).prop_map(str::to_owned),
                    "\\PC{0,20}",
                ],
                0..12,
            ),
            end in 0_usize..3, bare in any::<bool>(), cuts in prop::collection::vec(0_usize..2000, 0..8),
        ) {
            let mut text = lines.join("\n").into_bytes();
            text.extend(std::iter::repeat_n(b'\n', end));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let judged = |chunks: &mut dyn Iterator<Item = &[u8]>| {
                let mut check = Box::new(Script::new(bare));
                chunks.for_each(|chunk| check.feed(chunk));
                format!("{:?}", check.finish())
            };
            let whole = judged(&mut std::iter::once(&text[..]));
            prop_assert_eq!(&whole, &judged(&mut cuts.windows(2).map(|w| &text[w[0]..w[1]])));
            prop_assert_eq!(&whole, &judged(&mut text.chunks(1)));
        }
    }
}
