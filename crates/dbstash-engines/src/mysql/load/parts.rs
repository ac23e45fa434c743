//! Some tables of a dump, or one side of them: its sections are told apart by their markers, and the others are left out.

use std::collections::BTreeSet;

use dbstash_core::engine::{Piece, PlanError, Splitter as _};
use dbstash_core::load::{self, Edit, Extent, Side};

use super::super::Dialect;
use super::super::footer::{Footer, Seen};
use super::super::split::mark::Kind;
use super::super::split::{LONGEST_NAME, Split, safe};
use super::question::There;

/// What belongs to a table, a view or a sequence.
const OF_ONE: [Kind; 6] =
    [Kind::Sequence, Kind::Table, Kind::Rows, Kind::Columns, Kind::Triggers, Kind::View];

/// See the module.
pub(super) struct Parts {
    split: Box<Split>,
    choice: Choice,
}

/// What is wanted, and what of it has been seen.
struct Choice {
    /// Names as files have them; all when empty.
    tables: Vec<String>,
    side: Side,
    /// Whether a table is emptied before its rows come.
    empties: bool,
    found: BTreeSet<String>,
    /// Which tables rows can go into; all when there is none.
    is_there: Option<There>,
    /// The first one that they cannot.
    absent: Option<String>,
    is_wanted: bool,
    /// Said after the header of the part at hand.
    next: String,
}

impl Parts {
    /// With `clean`, rows that come alone take the place of others.
    pub(super) fn new(of: Dialect, extent: &Extent, clean: bool) -> Result<Self, PlanError> {
        let tables = in_files(extent);
        if let Some(at) =
            tables.iter().position(|name| name.is_empty() || name.len() > LONGEST_NAME)
        {
            return Err(PlanError(format!(
                "--table {}: such a name cannot be told from others: restore all of it elsewhere, and copy the table",
                extent.tables[at]
            )));
        }
        // Of files, no footer tells.
        let split = Split::apart(Footer::new(of, Seen::Nothing("a part"), false));
        Ok(Self {
            split: Box::new(split),
            choice: Choice {
                tables,
                side: extent.side,
                empties: clean && extent.side == Side::Data,
                found: BTreeSet::new(),
                is_there: None,
                absent: None,
                is_wanted: false,
                next: String::new(),
            },
        })
    }

    /// The same, where rows go only into some tables: those that are there.
    pub(super) fn into_those(mut self, is_there: There) -> Self {
        self.choice.is_there = Some(is_there);
        self
    }
}

/// Why rows cannot go into a table.
pub(super) fn no_table(table: &str) -> String {
    format!("there is no table {table} to put rows into: restore with --schema-only before")
}

/// Which files of a dump that is cut are read: those of the tables, where some are named. In a file of triggers, nothing
/// but its own name tells whose they are.
pub(super) fn files(extent: &Extent) -> load::Choice {
    let tables = in_files(extent);
    Box::new(move |path| {
        let path = path.rsplit('/').next().unwrap_or(path);
        let mut names = OF_ONE.into_iter().filter_map(|kind| named(path, kind));
        tables.is_empty() || names.any(|name| tables.contains(&name))
    })
}

/// The names of what is wanted, as files have them.
fn in_files(extent: &Extent) -> Vec<String> {
    extent.tables.iter().map(|table| safe(table.as_bytes())).collect()
}

impl Choice {
    fn take(&mut self, piece: Piece<'_>, out: &mut Vec<u8>) {
        match piece {
            Piece::File(path) => self.begin(path),
            Piece::Bytes(bytes) if self.is_wanted => {
                out.extend_from_slice(bytes);
                out.extend_from_slice(std::mem::take(&mut self.next).as_bytes());
            }
            Piece::Bytes(_) => {}
        }
    }

    fn begin(&mut self, path: &str) {
        let one = OF_ONE.into_iter().find_map(|kind| Some((kind, named(path, kind)?)));
        let is_of_side = match self.side {
            Side::All => true,
            Side::Schema => !matches!(one, Some((Kind::Rows, _))),
            Side::Data => matches!(one, Some((Kind::Rows, _))),
        };
        let is_named = match &one {
            _ if self.tables.is_empty() => true,
            Some((_, name)) => self.tables.contains(name),
            None => false,
        };
        self.is_wanted = is_of_side && is_named;
        let Some((kind, name)) = one.filter(|_| is_named) else { return };
        if self.is_wanted && kind == Kind::Rows {
            let one = plain(&name);
            if self.is_there.as_ref().is_some_and(|is_there| !is_there(&one)) {
                self.absent.get_or_insert(one);
            }
        }
        if self.is_wanted && self.empties && kind == Kind::Rows {
            self.next = format!("TRUNCATE TABLE {};\n", super::name(&plain(&name)));
        }
        self.found.insert(name);
    }
}

impl Edit for Parts {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let choice = &mut self.choice;
        self.split.feed(bytes, &mut |piece| choice.take(piece, out));
        Ok(())
    }

    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        let mut choice = self.choice;
        let done = self.split.finish(&mut |piece| choice.take(piece, out));
        done.map_err(|incomplete| incomplete.0)?;
        if let Some(table) = &choice.absent {
            return Err(no_table(table));
        }
        let missing = choice.tables.iter().find(|name| !choice.found.contains(*name));
        missing.map_or(Ok(()), |name| Err(format!("it has no table {}", plain(name))))
    }
}

/// The name, as a file has it, of what is in a file of this kind.
fn named(path: &str, kind: Kind) -> Option<String> {
    let (digit, word) = kind.words();
    let (number, rest) = path.split_once('-')?;
    let name = rest.strip_prefix(word)?.strip_prefix('-')?.strip_suffix(".sql")?;
    // Before a dot is the database.
    let name = name.rsplit_once('.').map_or(name, |(_, name)| name);
    number.starts_with(&digit.to_string()).then(|| name.to_owned())
}

/// The name itself.
pub(super) fn plain(safe: &str) -> String {
    percent_encoding::percent_decode_str(safe).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- MariaDB dump\n/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\n\
        --\n-- Table structure for table `a b`\n--\n\nCREATE TABLE `a b` (x INT);\n\n--\n-- Dumping data for table `a b`\n--\n\n\
        INSERT INTO `a b` VALUES (1);\n/*!50003 SET @saved_cs_client      = @@character_set_client */ ;\nDELIMITER ;;\n\
        CREATE TRIGGER tr BEFORE INSERT ON `a b` FOR EACH ROW BEGIN END ;;\nDELIMITER ;\n\n--\n-- Table structure for table \
        `c`\n--\n\nCREATE TABLE `c` (x INT);\n\n--\n-- Dumping data for table `c`\n--\n\nINSERT INTO `c` VALUES (2);\n\n--\n\
        -- Dumping routines for database 'shop'\n--\nCREATE FUNCTION f() RETURNS INT RETURN 1;\n-- Dump completed\n";

    fn said(tables: &[&str], side: Side, clean: bool) -> Result<Vec<String>, String> {
        let tables = tables.iter().map(|table| (*table).to_owned()).collect();
        let extent = Extent { tables, side, ..Extent::default() };
        let parts = Parts::new(Dialect::Mariadb, &extent, clean).unwrap();
        let (mut edit, mut out) = (Box::new(parts), Vec::new());
        DUMP.as_bytes().chunks(5).try_for_each(|chunk| edit.feed(chunk, &mut out))?;
        edit.finish(&mut out)?;
        let text = String::from_utf8(out).unwrap();
        let words = ["CREATE", "INSERT", "TRUNCATE"];
        let of_interest = |line: &&str| words.iter().any(|word| line.starts_with(word));
        Ok(text.lines().filter(of_interest).map(str::to_owned).collect())
    }

    const TABLE: &str = "CREATE TABLE `a b` (x INT);";
    const ROWS: &str = "INSERT INTO `a b` VALUES (1);";
    const TRIGGER: &str = "CREATE TRIGGER tr BEFORE INSERT ON `a b` FOR EACH ROW BEGIN END ;;";

    #[test]
    fn one_table_comes_with_what_belongs_to_it() {
        assert_eq!(said(&["a b"], Side::All, false).unwrap(), [TABLE, ROWS, TRIGGER]);
        assert_eq!(said(&["a b"], Side::Schema, false).unwrap(), [TABLE, TRIGGER]);
        assert_eq!(said(&["a b"], Side::Data, false).unwrap(), [ROWS]);
        assert_eq!(said(&["a b"], Side::Data, true).unwrap(), ["TRUNCATE TABLE `a b`;", ROWS]);
        assert_eq!(said(&["nonesuch"], Side::All, false).unwrap_err(), "it has no table nonesuch");
    }

    #[test]
    fn rows_go_into_tables_that_are_there() {
        let said = |extent: &Extent| {
            let parts = Parts::new(Dialect::Mariadb, extent, false).unwrap();
            let mut edit = Box::new(parts.into_those(Box::new(|name| name == "a b")));
            edit.feed(DUMP.as_bytes(), &mut Vec::new())?;
            edit.finish(&mut Vec::new())
        };
        let all = Extent { side: Side::Data, ..Extent::default() };
        assert!(said(&all).unwrap_err().starts_with("there is no table c to put rows into"));
        assert_eq!(said(&Extent { tables: vec!["a b".to_owned()], ..all }), Ok(()));
    }

    #[test]
    fn files_of_other_tables_are_not_read() {
        let wanted = |tables: &[&str], path: &str| {
            let tables = tables.iter().map(|table| (*table).to_owned()).collect();
            files(&Extent { tables, ..Extent::default() })(path)
        };
        let a = ["200001-table-a.sql", "x/400004-triggers-a.sql", "200001-table-shop.a.sql"];
        let b = ["200002-table-b.sql", "400005-triggers-b.sql", "500006-routines-a.sql"];
        for path in a {
            assert!(wanted(&["a"], path) && wanted(&["c d", "a"], path), "{path}");
        }
        for path in b {
            assert!(!wanted(&["a"], path) && wanted(&[], path), "{path}");
        }
        for path in ["300003-view-columns-c%20d.sql", "700008-view-c%20d.sql"] {
            assert!(wanted(&["c d"], path), "{path}");
        }
    }

    #[test]
    fn one_side_of_all() {
        let other = ["CREATE TABLE `c` (x INT);", "INSERT INTO `c` VALUES (2);"];
        let function = "CREATE FUNCTION f() RETURNS INT RETURN 1;";
        assert_eq!(said(&[], Side::Schema, true).unwrap(), [TABLE, TRIGGER, other[0], function]);
        assert_eq!(said(&[], Side::Data, false).unwrap(), [ROWS, other[1]]);
    }
}
