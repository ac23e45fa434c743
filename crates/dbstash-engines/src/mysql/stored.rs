//! What reads a stored dump, whatever its flags were.

use dbstash_core::engine::{Check, Incomplete, Passed, Structure, TreeCheck};
use dbstash_core::manifest::Object;

use super::Dialect;
use super::footer::{Footer, Seen};
use super::split::Split;
use super::tab::Tab;

/// Without a footer to look for.
const UNSEEN: Seen = Seen::Nothing("a flag");

pub(super) fn structure(dialect: Dialect, object: &Object) -> Option<Structure> {
    Some(match object.format.as_str() {
        "plain" => {
            let footless = object.passed.degraded.clone();
            Structure::Stream(Box::new(Plain {
                head: Vec::new(),
                xml: Box::new(Footer::new(dialect, Seen::Xml, false)),
                sql: split(dialect, if footless.is_some() { UNSEEN } else { Seen::Footer }),
                footless,
            }))
        }
        "sql-files" => Structure::Files(Box::new(Files { dialect, open: None, broken: None })),
        // Whether its files have footers, nothing tells any more.
        "tab-files" => Structure::Files(Box::new(Tab::new(UNSEEN))),
        _ => return None,
    })
}

fn split(dialect: Dialect, seen: Seen) -> Split {
    Split::thorough(Footer::new(dialect, seen, false))
}

/// Statements, or XML.
struct Plain {
    head: Vec<u8>,
    xml: Box<Footer>,
    sql: Split,
    /// Why there is no footer.
    footless: Option<String>,
}

impl Check for Plain {
    fn feed(&mut self, bytes: &[u8]) {
        let missing = 5 - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        if self.head.starts_with(b"<") {
            self.xml.feed(bytes);
        } else {
            self.sql.follow(bytes);
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        if self.head.starts_with(b"<") {
            return self.xml.finish();
        }
        let passed = self.sql.whole()?;
        let check = if self.footless.is_some() { "statements" } else { "statements, footer" };
        Ok(Passed { check: check.to_owned(), degraded: self.footless, ..passed })
    }
}

/// The files that a dump was cut into: each is statements.
struct Files {
    dialect: Dialect,
    open: Option<(String, Split)>,
    broken: Option<String>,
}

impl Files {
    fn end(&mut self) {
        if let Some((path, split)) = self.open.take()
            && let Err(Incomplete(what)) = split.whole()
        {
            self.broken.get_or_insert(format!("its file {path} is not whole: {what}"));
        }
    }
}

impl TreeCheck for Files {
    fn begin(&mut self, path: &str, _bytes: u64) -> bool {
        self.end();
        self.open = Some((path.to_owned(), split(self.dialect, UNSEEN)));
        true
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some((_, split)) = &mut self.open {
            split.follow(bytes);
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        self.end();
        self.broken.map_or(Ok(Passed::by("statements")), |what| Err(Incomplete(what)))
    }
}
