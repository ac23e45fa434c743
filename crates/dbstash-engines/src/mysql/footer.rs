//! The comment line at the end of a dump that is whole.

use dbstash_core::engine::{Check, Incomplete, Passed};

use super::Dialect;
use super::rows::Rows;
use crate::ends::Ends;

const TAIL: usize = 4 * 1024;
const HEAD: usize = 4 * 1024;

/// What the user's flags leave of the dump's own marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The comments: who made it, and that it is complete.
    Footer,
    /// The closing tag.
    Xml,
    /// Nothing, because of this flag.
    Nothing(&'static str),
}

/// Looks for the footer, and for who made the dump of what.
pub(super) struct Footer {
    dialect: Dialect,
    seen: Seen,
    ends: Ends,
    /// Unless the user wants tables without rows.
    rows: Option<Rows>,
}

impl Footer {
    pub(super) fn new(dialect: Dialect, seen: Seen, wants_rows: bool) -> Self {
        let rows = (wants_rows && seen == Seen::Footer).then(Rows::default);
        Self { dialect, seen, ends: Ends::new(HEAD, TAIL), rows }
    }

    /// The rest of the first line that starts so, if it is among the first.
    fn told(&self, start: &str) -> Option<String> {
        let head = String::from_utf8_lossy(self.ends.head());
        let line = head.lines().find_map(|line| line.strip_prefix(start))?;
        Some(line.trim().chars().take(100).collect())
    }

    /// A dump across the families restores by luck.
    fn family(&self, tool: Option<&str>, server: Option<&str>) -> Result<(), Incomplete> {
        let is_maria = |version: &str| version.contains("MariaDB");
        let (ours, is_ours) = match self.dialect {
            Dialect::Mysql => ("MySQL", false),
            Dialect::Mariadb => ("MariaDB", true),
        };
        let other = if is_ours { ("MySQL", "mysql") } else { ("MariaDB", "mariadb") };
        if server.is_some_and(|version| is_maria(version) != is_ours) {
            return Err(Incomplete(format!(
                "the server is {}, not {ours}: set DBSTASH_ENGINE={}",
                other.0, other.1
            )));
        }
        if tool.is_some_and(|version| is_maria(version) != is_ours) {
            return Err(Incomplete(format!(
                "{} on PATH is {}'s: install the client of {ours}",
                self.dialect.dump_tool(),
                other.0
            )));
        }
        Ok(())
    }
}

impl Check for Footer {
    fn feed(&mut self, bytes: &[u8]) {
        self.ends.feed(bytes);
        if let Some(rows) = &mut self.rows {
            rows.feed(bytes);
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        let last = self.ends.last_lines().find(|line| !line.is_empty()).unwrap_or_default();
        match self.seen {
            Seen::Nothing(flag) => {
                return Ok(Passed::degraded(&format!("{flag} leaves the footer out")));
            }
            Seen::Xml if last == b"</mysqldump>" => return Ok(Passed::by("footer")),
            Seen::Xml => return Err(Incomplete("it does not end with </mysqldump>".into())),
            Seen::Footer => {}
        }
        if !last.starts_with(b"-- Dump completed") || !self.ends.tail().ends_with(b"\n") {
            return Err(Incomplete("it does not end with the line '-- Dump completed'".into()));
        }
        let tool = self.told("-- MySQL dump ").map(|rest| format!("MySQL dump {rest}"));
        let tool =
            tool.or_else(|| Some(format!("MariaDB dump {}", self.told("-- MariaDB dump ")?)));
        let server = self.told("-- Server version");
        self.family(tool.as_deref(), server.as_deref())?;
        if let Some(table) = self.rows.take().and_then(Rows::missing) {
            return Err(Incomplete(format!(
                "the rows of table {table} are not in it, for the user may not read them: GRANT SELECT on it, or leave \
                 it out with --ignore-table in DUMP_EXTRA_ARGS"
            )));
        }
        Ok(Passed { server_version: server, tool_version: tool, ..Passed::by("footer") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIA: &str = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.8.3-MariaDB, for linux\n--\n\
        -- Host: db    Database: shop\n-- ------\n-- Server version\t10.11.14-MariaDB-0+deb12u2\n\nSELECT 1;\n\n\
        -- Dump completed on 2026-02-07  2:00:00\n";

    fn verdict(dialect: Dialect, seen: Seen, text: &str) -> Result<Passed, Incomplete> {
        let mut check = Box::new(Footer::new(dialect, seen, true));
        for chunk in text.as_bytes().chunks(7) {
            check.feed(chunk);
        }
        check.finish()
    }

    #[test]
    fn whole_only_with_its_last_line() {
        let passed = verdict(Dialect::Mariadb, Seen::Footer, MARIA).unwrap();
        assert_eq!(passed.server_version.as_deref(), Some("10.11.14-MariaDB-0+deb12u2"));
        assert!(passed.tool_version.unwrap().starts_with("MariaDB dump 10.19-11.8.3"));
        for end in 0..MARIA.len() {
            assert!(verdict(Dialect::Mariadb, Seen::Footer, &MARIA[..end]).is_err(), "{end}");
        }
        let more = format!("{MARIA}INSERT\n");
        assert!(verdict(Dialect::Mariadb, Seen::Footer, &more).is_err());
        let nothing = Seen::Nothing("--compact");
        let degraded = verdict(Dialect::Mariadb, nothing, "SELECT 1;").unwrap().degraded;
        assert!(degraded.unwrap().contains("--compact"));
        assert!(verdict(Dialect::Mariadb, Seen::Xml, "<x>\n</mysqldump>\n").is_ok());
        assert!(verdict(Dialect::Mariadb, Seen::Xml, "<x>\n").is_err());
    }

    #[test]
    fn the_wrong_family_is_named() {
        let error = verdict(Dialect::Mysql, Seen::Footer, MARIA).unwrap_err().to_string();
        assert!(error.contains("DBSTASH_ENGINE=mariadb"), "{error}");
        let tool = MARIA.replace("10.11.14-MariaDB-0+deb12u2", "9.7.0");
        let error = verdict(Dialect::Mysql, Seen::Footer, &tool).unwrap_err().to_string();
        assert!(error.contains("mysqldump on PATH is MariaDB's"), "{error}");
        let error = verdict(Dialect::Mariadb, Seen::Footer, &tool).unwrap_err().to_string();
        assert!(error.contains("DBSTASH_ENGINE=mysql"), "{error}");
    }
}
