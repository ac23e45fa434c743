//! A table of many rows, kept as the text of its cells.

use std::fmt::{self, Write as _};

/// Columns under their headings, two spaces apart.
#[derive(Debug)]
pub struct Table {
    widths: Vec<usize>,
    cells: String,
    /// Where each cell ends, row by row.
    ends: Vec<usize>,
}

impl Table {
    /// A table with a column for each heading, and no rows.
    pub fn new(headings: &[&str]) -> Self {
        let widths = vec![0; headings.len()];
        let mut table = Self { widths, cells: String::new(), ends: Vec::new() };
        for heading in headings {
            table.cell(heading);
        }
        table
    }

    /// The next cell, a row after the other.
    pub fn cell(&mut self, text: &str) {
        self.written(|cells| cells.write_str(text));
    }

    /// The same of a text that is made in its place.
    pub fn written(&mut self, write: impl FnOnce(&mut String) -> fmt::Result) {
        let start = self.cells.len();
        // A text takes everything.
        let _ = write(&mut self.cells);
        let column = self.ends.len() % self.widths.len();
        let width = &mut self.widths[column];
        *width = wide(&self.cells[start..]).max(*width);
        self.ends.push(self.cells.len());
    }

    /// All of it as text.
    pub fn text(&self) -> String {
        let line = self.widths.iter().sum::<usize>() + 2 * self.widths.len();
        let mut text = String::with_capacity(self.ends.len() / self.widths.len() * line);
        let mut start = 0;
        for row in self.ends.chunks(self.widths.len()) {
            for (&end, &width) in row.iter().zip(&self.widths) {
                let cell = &self.cells[start..end];
                text.push_str(cell);
                text.extend(std::iter::repeat_n(' ', width - wide(cell) + 2));
                start = end;
            }
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
        }
        text
    }
}

/// In characters, of which few are anything but ASCII.
fn wide(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lines_up() {
        let mut table = Table::new(&["NAME", "N"]);
        for cell in ["é", "1", "longer", ""] {
            table.cell(cell);
        }
        assert_eq!(table.text(), "NAME    N\né       1\nlonger\n");
        assert_eq!(Table::new(&["A", "B"]).text(), "A  B\n");
    }
}
