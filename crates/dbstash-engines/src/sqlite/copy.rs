//! An exact copy of a database file, taken while others write.

use std::path::Path;

use dbstash_core::engine::{Check, Format, Incomplete, Passed, Stdout, Step, Structure, Tree};
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::tally::TreeCounting;

use super::{BUSY, READ, uri};

const COPY: &str = "copy.db";
/// Says so if the file can be read at all.
const OPENS: &str = "SELECT 'opens' FROM (SELECT count(*) FROM sqlite_master)";
/// More than this is not read of what the check of the copy prints.
const MOST: usize = 4 * 1024;

/// Takes the copy in one read transaction, or a busy writer would make sqlite3 begin it again and again; then looks at
/// every page and row of it.
pub(super) fn tree(path: &Path) -> Tree {
    let mut copy = sqlite3(&["-bail", "-cmd", BUSY, "-cmd", "BEGIN", "-cmd", READ]);
    copy.args.extend([uri(path), READ.to_owned()].map(Arg::Plain));
    copy.args.push(Arg::Tree {
        before: ".backup main \"".to_owned(),
        inside: format!("/{COPY}"),
        after: "\"".to_owned(),
    });
    Tree {
        steps: vec![Step { invocation: copy, stdout: Stdout::Ignored }, check()],
        format: Format { name: "file", extension: "db", compressed: false },
        check: None,
        counting: TreeCounting::Not("it is a copy of the database file"),
        file: Some(COPY),
    }
}

/// Looks at a copy that was stored.
pub(super) fn structure() -> Structure {
    Structure::Copy { file: COPY, step: check() }
}

/// Looks at every page and row of the copy.
fn check() -> Step {
    // An error in a -cmd is passed over: a collation or function of the application cannot be checked, only copied.
    let constraints = "PRAGMA ignore_check_constraints=ON";
    let mut check = sqlite3(&["-cmd", constraints, "-cmd", "PRAGMA integrity_check"]);
    let (nothing, inside) = (String::new(), format!("/{COPY}"));
    check.args.push(Arg::Tree { before: nothing.clone(), inside, after: nothing });
    check.args.push(Arg::Plain(OPENS.to_owned()));
    Step { invocation: check, stdout: Stdout::Checked(Box::new(Integrity::default())) }
}

/// In the place of `~/.sqliterc`, which could change what happens: nothing.
fn sqlite3(args: &[&str]) -> Invocation {
    let ours = ["-batch", "-readonly", "-init", "/dev/null"];
    Invocation::new("sqlite3", ours.iter().chain(args).copied())
}

/// Reads what the check of a copy says: the findings of `PRAGMA integrity_check`, and a last line for a file that opens.
#[derive(Default)]
struct Integrity(Vec<u8>);

impl Check for Integrity {
    fn feed(&mut self, bytes: &[u8]) {
        let room = MOST - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let said = String::from_utf8_lossy(&self.0);
        let mut lines: Vec<_> = said.lines().collect();
        let damaged = |found: &str| {
            let found: String = found.chars().take(200).collect();
            Incomplete(format!(
                "the database is damaged ({found}): see PRAGMA integrity_check, and sqlite3's .recover"
            ))
        };
        // A long list of findings is cut before the last line.
        if lines.pop() != Some("opens") {
            return Err(damaged(said.lines().next().unwrap_or("the copy cannot be read")));
        }
        match lines.iter().find(|line| !is_about_rows(line)) {
            None if lines.is_empty() => Ok(Passed::degraded(
                "the database needs a collation or function of its application, so PRAGMA integrity_check cannot run",
            )),
            None | Some(&"ok") => Ok(Passed::by("integrity_check")),
            Some(found) => Err(damaged(found)),
        }
    }
}

/// Rows that merely break a constraint are copied like others.
fn is_about_rows(line: &str) -> bool {
    line.contains(" value in ") || line.starts_with("CHECK constraint failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(said: &str) -> Result<Passed, Incomplete> {
        let mut check = Box::<Integrity>::default();
        said.as_bytes().chunks(3).for_each(|chunk| check.feed(chunk));
        check.finish()
    }

    #[test]
    fn damage_is_told_from_odd_rows() {
        assert_eq!(verdict("ok\nopens\n").unwrap().check, "integrity_check");
        assert_eq!(verdict("NULL value in t.a\nopens\n").unwrap().check, "integrity_check");
        assert!(verdict("opens\n").unwrap().degraded.is_some());
        for bad in
            ["", "ok\n", "row 3 missing from index i\nopens\n", "NULL value in t.a\nx\nopens\n"]
        {
            assert!(verdict(bad).is_err(), "{bad:?}");
        }
        assert!(verdict(&"row 1 missing from index i\n".repeat(1000)).is_err());
    }
}
