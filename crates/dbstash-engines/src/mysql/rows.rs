//! Which tables came without their rows: a table that the user may see and not read is dumped
//! without them, and the tools say nothing.

use memchr::memchr;

/// No line of interest is longer; a longer one is told by its beginning.
const LONGEST: usize = 1024;
const STRUCTURE: &[u8] = b"-- Table structure for table ";
const CREATE: &[u8] = b"CREATE TABLE ";
const DATA: &[u8] = b"-- Dumping data for table ";
const DELIMITER: &[u8] = b"DELIMITER ";
const ENGINE: &[u8] = b") ENGINE=";
/// Tables whose rows are somewhere else, or nowhere; the tools leave them out.
const ROWLESS: [&[u8]; 4] = [b"MRG_", b"FEDERATED", b"BLACKHOLE", b"S3 "];
/// Of the server's own database both tools leave out what the server makes by itself.
const DATABASE: &[u8] = b"-- Current Database: ";
const HOST: &[u8] = b"-- Host: ";

/// Follows the lines of a dump.
#[derive(Default)]
pub(super) struct Rows {
    /// What has come of a line of interest.
    line: Vec<u8>,
    /// Whether the line at hand is of none.
    skips: bool,
    /// Whether lines are those of a routine.
    in_block: bool,
    /// Whether this is the server's own database.
    is_servers: bool,
    /// The table whose definition has to follow, or the line above was a routine's own text.
    announced: Option<Vec<u8>>,
    /// The table whose rows have to follow.
    awaited: Option<Vec<u8>>,
    missing: Option<String>,
}

impl Rows {
    /// Costs a search for newlines.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let end = memchr(b'\n', bytes);
            let line = &bytes[..end.unwrap_or(bytes.len())];
            if !self.skips {
                let room = LONGEST - self.line.len();
                self.line.extend_from_slice(&line[..line.len().min(room).min(LONGEST)]);
                let interests = [STRUCTURE, CREATE, DATA, DELIMITER, ENGINE, DATABASE, HOST]
                    .iter()
                    .any(|start| {
                        let len = start.len().min(self.line.len());
                        start[..len] == self.line[..len]
                    });
                self.skips = !interests;
            }
            let Some(end) = end else { return };
            if !self.skips {
                let line = std::mem::take(&mut self.line);
                self.line(&line);
            }
            self.line.clear();
            self.skips = false;
            bytes = &bytes[end + 1..];
        }
    }

    /// The first table without rows.
    pub(super) fn missing(mut self) -> Option<String> {
        self.settle();
        self.missing
    }

    fn line(&mut self, line: &[u8]) {
        if let Some(word) = line.strip_prefix(DELIMITER) {
            self.in_block = word.trim_ascii() != b";";
            return;
        }
        if self.in_block {
            return;
        }
        if let Some(table) = line.strip_prefix(STRUCTURE) {
            self.settle();
            self.announced = (!self.is_servers).then(|| table.to_owned());
        } else if let Some(table) = line.strip_prefix(CREATE) {
            let definition = |name: &Vec<u8>| table.strip_prefix(&name[..]) == Some(b" (");
            self.awaited = self.announced.take().filter(definition);
        } else if let Some(database) = line.strip_prefix(DATABASE) {
            self.settle();
            self.is_servers = database == b"`mysql`";
        } else if line.starts_with(HOST) {
            self.is_servers = line.ends_with(b" Database: mysql");
        } else if let Some(table) = line.strip_prefix(DATA) {
            self.awaited.take_if(|awaited| awaited == table);
        } else if let Some(engine) = line.strip_prefix(ENGINE)
            && ROWLESS.iter().any(|rowless| engine.starts_with(rowless))
        {
            self.awaited = None;
        }
    }

    fn settle(&mut self) {
        if let Some(table) = self.awaited.take() {
            self.missing.get_or_insert_with(|| String::from_utf8_lossy(&table).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "-- Dump\n--\n-- Table structure for table `t`\n--\nCREATE TABLE `t` (\n) ENGINE=InnoDB;\n";
    const ROWS: &str =
        "--\n-- Dumping data for table `t`\n--\nINSERT INTO `t` VALUES\n(1),\n(2);\n";

    fn missing(text: &str) -> Option<String> {
        let verdicts = [1, 7, usize::MAX].map(|size| {
            let mut rows = Rows::default();
            text.as_bytes().chunks(size.min(text.len())).for_each(|chunk| rows.feed(chunk));
            rows.missing()
        });
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{verdicts:?}");
        verdicts[0].clone()
    }

    #[test]
    fn a_table_needs_its_rows() {
        assert_eq!(missing(&format!("{HEAD}{ROWS}")), None);
        assert_eq!(missing(HEAD).unwrap(), "`t`");
        let other = ROWS.replace("`t`", "`u`");
        assert_eq!(missing(&format!("{HEAD}{other}")).unwrap(), "`t`");
        assert_eq!(missing(&format!("{HEAD}{HEAD}{ROWS}")).unwrap(), "`t`");
        assert_eq!(missing(&HEAD.replace("InnoDB", "MRG_MyISAM")), None);
        for own in ["-- Current Database: `mysql`", "-- Host: x   Database: mysql"] {
            assert_eq!(missing(&format!("{own}\n{HEAD}")), None);
        }
        let then = format!("-- Current Database: `mysql`\n{HEAD}-- Current Database: `x`\n{HEAD}");
        assert_eq!(missing(&then).unwrap(), "`t`");
        assert_eq!(missing(&format!("DELIMITER ;;\n{HEAD}DELIMITER ;\n")), None);
        // A routine's text can look like anything.
        let text = "DELIMITER ;;\nDELIMITER ;\n--\n-- Table structure for table `q`\n--\n'\n";
        assert_eq!(missing(&format!("{HEAD}{ROWS}{text}")), None);
        assert_eq!(
            missing("-- Table structure for table `x\n-- y`\nCREATE TABLE `x\ny` (\n"),
            None
        );
        assert_eq!(missing(&format!("{}{ROWS}", "x".repeat(5000))), None);
    }
}
