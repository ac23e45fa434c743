//! The lines of a dump that mean something to whoever cuts it.

/// What a whole line between two statements is.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) enum Mark<'a> {
    /// `--` alone: a marker's frame, above it and below.
    Frame,
    /// A part begins.
    Section(Kind, &'a [u8]),
    /// `DELIMITER`; whether back to `;`.
    Delimiter(bool),
    /// The mode by which the next routine is read.
    SqlMode(&'a [u8]),
    /// The first line of a table's triggers, for which there is no marker.
    Trigger,
    /// MariaDB's word to the client, in a comment that is no statement.
    Sandbox,
    /// Nothing of interest.
    Other,
}

/// What a part of a dump holds. In the order in which the parts have to be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Kind {
    /// Where in the server's log the dump is.
    Position,
    /// `CREATE DATABASE`.
    Database,
    /// What tables may be told to hide.
    Policies,
    Sequence,
    Table,
    /// The rows of a table, where they are wanted apart.
    Rows,
    /// A view's columns, which other views may ask for before it is there itself.
    Columns,
    Triggers,
    Routines,
    Events,
    View,
    /// What comes after everything else.
    End,
}

impl Kind {
    /// What a file of it is called: a digit by which files sort, and a word.
    pub(in super::super) fn words(self) -> (u8, &'static str) {
        match self {
            Self::Position => (0, "position"),
            Self::Database => (0, "database"),
            Self::Policies => (1, "masking-policies"),
            Self::Sequence => (1, "sequence"),
            Self::Table => (2, "table"),
            Self::Rows => (2, "rows"),
            Self::Columns => (3, "view-columns"),
            Self::Triggers => (4, "triggers"),
            Self::Routines => (5, "routines"),
            Self::Events => (6, "events"),
            Self::View => (7, "view"),
            Self::End => (8, "end"),
        }
    }
}

/// Both families' markers, of all versions.
const SECTIONS: [(&[u8], Kind); 15] = [
    (b"-- Table structure for table ", Kind::Table),
    (b"-- Dumping data for table ", Kind::Rows),
    (b"-- Temporary table structure for view ", Kind::Columns),
    (b"-- Temporary view structure for view ", Kind::Columns),
    (b"-- Final view structure for view ", Kind::View),
    (b"-- View structure for view ", Kind::View),
    (b"-- Sequence structure for ", Kind::Sequence),
    (b"-- Dumping routines for database ", Kind::Routines),
    (b"-- Dumping events for database ", Kind::Events),
    (b"-- Current Database: ", Kind::Database),
    (b"-- Dumping column masking policies ", Kind::Policies),
    (b"-- Masking policy structure for policy ", Kind::Policies),
    (b"-- GTID state at the ", Kind::Position),
    (b"-- Position to start replication ", Kind::Position),
    (b"-- Flush Grant Tables", Kind::End),
];
const DELIMITER: &[u8] = b"DELIMITER ";
const SQL_MODE: &[u8] = b"/*!50003 SET sql_mode ";
const TRIGGERS: [&[u8]; 2] = [b"/*!50003 SET @saved_cs_client ", b"/*!50032 DROP TRIGGER "];
const SANDBOX: [&[u8]; 2] = [b"/*M!999999\\-", b"/*!999999\\-"];

/// Whether a line that begins so can be anything but [`Mark::Other`].
pub(in super::super) fn may_matter(beginning: &[u8]) -> bool {
    let fits = |start: &[u8]| {
        let len = beginning.len().min(start.len());
        beginning[..len] == start[..len]
    };
    fits(b"--") || fits(DELIMITER) || fits(b"/*!500") || SANDBOX.iter().any(|start| fits(start))
}

/// What a whole line is, with the newline at its end.
pub(in super::super) fn read(line: &[u8]) -> Mark<'_> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    if line == b"--" {
        return Mark::Frame;
    }
    if let Some(word) = line.strip_prefix(DELIMITER) {
        return Mark::Delimiter(word.trim_ascii() == b";");
    }
    if let Some(mode) = line.strip_prefix(SQL_MODE) {
        return Mark::SqlMode(mode);
    }
    if TRIGGERS.iter().any(|start| line.starts_with(start)) {
        return Mark::Trigger;
    }
    if SANDBOX.iter().any(|start| line.starts_with(start)) {
        return Mark::Sandbox;
    }
    let section = SECTIONS.iter().find_map(|(start, kind)| {
        let name = line.strip_prefix(*start)?;
        Some(Mark::Section(
            *kind,
            if matches!(kind, Kind::Position | Kind::Policies) { b"" } else { name },
        ))
    });
    section.unwrap_or(Mark::Other)
}

/// A name as it is, of a quoted one.
pub(in super::super) fn unquoted(name: &[u8]) -> Vec<u8> {
    let name = name.trim_ascii();
    let Some(quote) = name.first().copied().filter(|b| b"`'\"".contains(b)) else {
        return name.to_vec();
    };
    let inner = &name[1..];
    let inner = inner.strip_suffix(&[quote]).unwrap_or(inner);
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(byte);
        if byte == quote {
            // Its double.
            bytes.next();
        }
    }
    plain
}
