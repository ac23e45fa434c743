//! The files of `--tab`: a table is one of statements, written by the client, and one of rows,
//! written by the server.

use std::collections::BTreeSet;

use dbstash_core::engine::{Incomplete, Passed, TreeCheck};

use super::footer::Seen;
use crate::ends::Ends;

const TAIL: usize = 1024;

/// Looks for the footer of each file of statements, and for one beside each file of rows.
pub(super) struct Tab {
    seen: Seen,
    open: Option<(String, Ends)>,
    short: Option<String>,
    statements: BTreeSet<String>,
    rows: BTreeSet<String>,
}

impl Tab {
    pub(super) fn new(seen: Seen) -> Self {
        let (statements, rows) = (BTreeSet::new(), BTreeSet::new());
        Self { seen, open: None, short: None, statements, rows }
    }

    fn close(&mut self) {
        let Some((path, ends)) = self.open.take() else { return };
        let last = ends.last_lines().find(|line| !line.is_empty()).unwrap_or_default();
        if self.seen == Seen::Footer && !last.starts_with(b"-- Dump completed") {
            self.short.get_or_insert(path);
        }
    }
}

impl TreeCheck for Tab {
    fn begin(&mut self, path: &str, _bytes: u64) -> bool {
        self.close();
        match (path.strip_suffix(".sql"), path.strip_suffix(".txt")) {
            (Some(table), _) => {
                self.statements.insert(table.to_owned());
                self.open = Some((path.to_owned(), Ends::new(0, TAIL)));
                true
            }
            (_, Some(table)) => {
                self.rows.insert(table.to_owned());
                false
            }
            _ => false,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        if let Some((_, ends)) = &mut self.open {
            ends.feed(bytes);
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Passed, Incomplete> {
        self.close();
        if let Some(path) = self.short {
            return Err(Incomplete(format!(
                "{path} does not end with the line '-- Dump completed'"
            )));
        }
        // A view has statements only.
        if let Some(table) = self.rows.difference(&self.statements).next() {
            return Err(Incomplete(format!("there is a {table}.txt and no {table}.sql")));
        }
        if self.statements.is_empty() {
            return Err(Incomplete("the database has no tables, or they are not here".into()));
        }
        Ok(Passed::by("files"))
    }
}
