//! How many rows the files of a directory archive have, by table.

use std::collections::BTreeMap;

use dbstash_core::engine::Check as _;
use dbstash_core::tally::{Counts, Sums, TreeTally};

use super::custom::Custom;
use crate::tally::Lines;

/// Why nothing is counted.
const LOST: &str = "its table of contents could not be followed";

/// Counts lines, and knows at the end whose they are.
#[derive(Default)]
pub(super) struct Files {
    current: Current,
    /// By the names of the files.
    rows: BTreeMap<String, u64>,
    contents: Option<Custom>,
}

#[derive(Default)]
enum Current {
    #[default]
    Nothing,
    Contents,
    Rows(String, Box<Lines>),
}

impl Files {
    fn end(&mut self) {
        if let Current::Rows(path, lines) = std::mem::take(&mut self.current)
            && lines.is_over()
        {
            self.rows.insert(path, lines.rows());
        }
    }
}

/// Large objects are in others.
fn is_rows(path: &str) -> bool {
    path.strip_suffix(".dat").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

impl TreeTally for Files {
    fn begin(&mut self, path: &str) -> bool {
        self.end();
        self.current = if path == "toc.dat" {
            self.contents = Some(Custom::thorough());
            Current::Contents
        } else if is_rows(path) {
            Current::Rows(path.to_owned(), Box::new(Lines::new()))
        } else {
            Current::Nothing
        };
        !matches!(self.current, Current::Nothing)
    }

    fn feed(&mut self, bytes: &[u8]) {
        match &mut self.current {
            Current::Nothing => {}
            Current::Contents => self.contents.iter_mut().for_each(|toc| toc.feed(bytes)),
            Current::Rows(_, lines) => {
                lines.feed(bytes);
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Counts {
        self.end();
        let files = self.contents.and_then(|toc| toc.into_files().ok()?.1);
        let Some(files) = files else { return Counts::without(LOST) };
        let mut sums = Sums::default();
        for named in files.named {
            match (named.table, self.rows.get(&named.file)) {
                (Some(table), Some(rows)) => sums.add(&table, *rows),
                // Large objects.
                (None, None) if !is_rows(&named.file) => {}
                _ => return Counts::without("its rows are statements, or have no end"),
            }
        }
        sums.counts()
    }
}
