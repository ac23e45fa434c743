//! Plain SQL: the line it begins with, and the one at its end that pg_dump writes when it is done.

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::flags::Compression;
use crate::ends::Ends;

/// How far from the end the footer may be: newer tools write `\unrestrict` after it.
const TAIL: usize = 4 * 1024;
/// Where the versions are, also after the roles of a pg_dumpall.
const HEAD: usize = 64 * 1024;

/// Looks for the head and the footer of a `database` or a `database cluster` dump.
pub(super) struct Footer {
    first: String,
    line: String,
    ends: Ends,
}

impl Footer {
    pub(super) fn new(what: &str) -> Self {
        Self {
            first: format!("--\n-- PostgreSQL {what} dump\n--\n"),
            line: format!("-- PostgreSQL {what} dump complete"),
            ends: Ends::new(HEAD, TAIL),
        }
    }

    /// The rest of the first line that starts so, if it is among the first.
    fn told(&self, start: &str) -> Option<String> {
        let head = String::from_utf8_lossy(self.ends.head());
        let line = head.lines().find_map(|line| line.strip_prefix(start))?;
        Some(line.trim().to_owned())
    }
}

impl Check for Footer {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        // What somebody else prints before it would be the first error of a restore.
        if !self.ends.head().starts_with(self.first.as_bytes()) {
            return Err(Incomplete("it does not begin as pg_dump begins a dump".into()));
        }
        let trailer =
            |line: &&[u8]| line.is_empty() || *line == b"--" || line.starts_with(b"\\unrestrict ");
        let last = self.ends.last_lines().find(|line| !trailer(line));
        // A row could hold the footer's words; then more would have to follow.
        if last != Some(self.line.as_bytes()) || !self.ends.tail().ends_with(b"\n") {
            return Err(Incomplete(format!("it does not end with the line '{}'", self.line)));
        }
        // Of a cluster every database has a key of its own, long gone by.
        if let Some(key) = self.told("\\restrict ").filter(|_| !self.line.contains("cluster")) {
            let line = format!("\\unrestrict {key}\n");
            if !self.ends.tail().windows(line.len()).any(|part| part == line.as_bytes()) {
                return Err(Incomplete("its \\restrict is not undone at its end".into()));
            }
        }
        let version = |start: &str| Some(self.told(start)?.chars().take(100).collect());
        Ok(Passed {
            server_version: version("-- Dumped from database version "),
            tool_version: version("-- Dumped by "),
            ..Passed::by("footer")
        })
    }
}

/// Text that pg_dump itself compressed: its footer is out of sight, only how it begins is not.
pub(super) struct Compressed {
    by: Compression,
    ends: Ends,
}

impl Compressed {
    pub(super) fn new(by: Compression) -> Self {
        Self { by, ends: Ends::new(4, 1) }
    }
}

impl Check for Compressed {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let (name, magic): (_, &[u8]) = match self.by {
            Compression::Gzip => ("gzip", b"\x1f\x8b"),
            Compression::Zstd => ("zstd", b"\x28\xb5\x2f\xfd"),
            Compression::Lz4 => ("lz4", b"\x04\x22\x4d\x18"),
        };
        if !self.ends.head().starts_with(magic) {
            return Err(Incomplete(format!("it does not begin as {name} does")));
        }
        Ok(Passed::degraded("compressed by pg_dump itself"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18 (Debian)\n\
        -- Dumped by pg_dump version 16.1\n\nSET x = 1;\n\n--\n-- PostgreSQL database dump complete\n--\n\n";

    fn verdict(text: &str, what: &str) -> Result<Passed, Incomplete> {
        let mut check = Box::new(Footer::new(what));
        for chunk in text.as_bytes().chunks(7) {
            check.feed(chunk);
        }
        check.finish()
    }

    #[test]
    fn whole_only_with_its_last_line() {
        let passed = verdict(GOOD, "database").unwrap();
        assert_eq!(passed.server_version.as_deref(), Some("15.18 (Debian)"));
        assert_eq!(passed.tool_version.as_deref(), Some("pg_dump version 16.1"));
        let line_end = GOOD.find("complete").unwrap() + "complete\n".len();
        for end in 0..line_end {
            assert!(verdict(&GOOD[..end], "database").is_err(), "{end}");
        }
        let restrict = "\n--\n\n\\restrict AbC123\n-- Dumped from";
        let restricted = GOOD.replacen("\n--\n\n-- Dumped from", restrict, 1);
        let restricted = format!("{restricted}\\unrestrict AbC123\n\n");
        assert!(verdict(&restricted, "database").is_ok());
        let long = restricted.replace("AbC123", &"k".repeat(300));
        assert!(verdict(&long, "database").is_ok());
        assert!(verdict(&restricted[..restricted.len() - 2], "database").is_err());
        assert!(
            verdict(&restricted.replace("\\unrestrict AbC", "\\unrestrict abc"), "database")
                .is_err()
        );
        assert!(verdict(&format!("{GOOD}1\tmore\n"), "database").is_err());
        assert!(verdict(GOOD, "cluster").is_err());
        let cluster = GOOD.replace("database dump", "database cluster dump");
        assert!(verdict(&cluster, "database cluster").is_ok());
        assert!(verdict(&cluster, "database").is_err());
        assert!(verdict(&format!("Password:\n{GOOD}"), "database").is_err());
        let in_a_row = GOOD.replace(
            "-- PostgreSQL database dump complete",
            "7\t-- PostgreSQL database dump complete",
        );
        assert!(verdict(&in_a_row, "database").is_err());
    }

    proptest! {
        #[test]
        fn any_split_of_anything_gives_the_same_verdict(
            head in "(\\\\restrict [a-z]{1,3}\n)?", noise in "[\\x00-\\x7f]{0,30}", body in 0_usize..9000,
            tail in "(\n?\\\\unrestrict [a-z]{1,3}\n\n?)?[\\x00-\\x7f]{0,3}",
            cuts in prop::collection::vec(0_usize..20_000, 0..12), good in any::<bool>(),
        ) {
            let rows = "1\tone\n".repeat(body / 6);
            let footer = if good { GOOD } else { "" };
            let text = format!("{head}{noise}{rows}{footer}{tail}").into_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let judged = |chunks: &mut dyn Iterator<Item = &[u8]>| {
                let mut check = Box::new(Footer::new("database"));
                chunks.for_each(|chunk| check.feed(chunk));
                format!("{:?}", check.finish())
            };
            let whole = judged(&mut std::iter::once(&text[..]));
            prop_assert_eq!(&whole, &judged(&mut cuts.windows(2).map(|w| &text[w[0]..w[1]])));
            prop_assert_eq!(&whole, &judged(&mut text.chunks(1)));
        }
    }
}
