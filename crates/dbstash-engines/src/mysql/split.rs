//! One dump, cut at its section markers into files: loaded in the order of their names, by the
//! stock client, they restore the database, and each can be loaded alone.
//!
//! Each file has the dump's own header, its part of the dump, and a footer that takes the header's
//! settings back. A table is a file with its rows; so are the triggers of a table and a view; the
//! routines and the events of a database are one file each. Views are the last ones, after their
//! placeholders; nothing else looks at what it refers to before it is used.

pub(super) mod lexer;
pub(super) mod mark;

use std::fmt::Write as _;

use dbstash_core::engine::{Check as _, Incomplete, Passed, Piece, Splitter};

use self::lexer::Lexer;
use self::mark::{Kind, Mark};
use super::footer::Footer;
use super::statements::{Known, Statements};

/// No header and no line of interest is nearly as long.
const LONGEST_HEADER: usize = 64 * 1024;
const LONGEST_LINE: usize = 4 * 1024;
/// Names of files stay below what file systems take.
pub(super) const LONGEST_NAME: usize = 120;

/// See the module.
pub(super) struct Split {
    footer: Box<Footer>,
    lexer: Lexer,
    /// What has come of a line that may be of interest, while such a one can begin.
    line: Option<Vec<u8>>,
    /// Whether a marker's frame has been kept back, which belongs to the part that follows.
    has_frame: bool,
    cut: Cut,
    /// Reads the statements, too.
    within: Option<Box<Statements>>,
}

/// Which file bytes go to.
struct Cut {
    header: Vec<u8>,
    /// Takes the header's settings back.
    reset: Vec<u8>,
    /// The kind and the quoted name of the file that is open.
    open: Option<(Kind, Vec<u8>)>,
    /// The database that the statements are about, when the dump says it, and those it has said.
    database: Option<Vec<u8>>,
    databases: Vec<Vec<u8>>,
    count: u32,
    /// Whether the rows of a table are a file of their own.
    apart: bool,
    /// A database whose name the dump does not tell in one line.
    unclear: Option<Vec<u8>>,
}

impl Split {
    /// For a dump that this footer is the end of.
    pub(super) fn new(footer: Footer) -> Self {
        Self {
            footer: Box::new(footer),
            lexer: Lexer::new(),
            line: Some(Vec::new()),
            has_frame: false,
            cut: Cut {
                header: Vec::new(),
                reset: Vec::new(),
                open: None,
                database: None,
                databases: Vec::new(),
                count: 0,
                apart: false,
                unclear: None,
            },
            within: None,
        }
    }

    /// The same, with the rows of a table apart from its structure.
    pub(super) fn apart(footer: Footer) -> Self {
        let mut split = Self::new(footer);
        split.cut.apart = true;
        split
    }

    /// The same, to look at every statement.
    pub(super) fn thorough(footer: Footer) -> Self {
        Self { within: Some(Box::new(Statements::new(Known::default()))), ..Self::new(footer) }
    }

    /// Bytes of statements, texts and comments: how many are dealt with, and whether a line begins that is no part
    /// of them.
    fn advance(&mut self, bytes: &[u8]) -> (usize, bool) {
        let is_block = self.lexer.is_block();
        let (n, begins) = self.lexer.advance(bytes);
        if let Some(within) = self.within.as_mut().filter(|_| !is_block) {
            within.feed(&bytes[..n]);
        }
        (n, begins)
    }

    /// At a line that may be of interest: how many bytes are dealt with.
    fn look(&mut self, bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) -> usize {
        let line = self.line.get_or_insert_default();
        let room = &bytes[..bytes.len().min(LONGEST_LINE - line.len())];
        let taken = memchr::memchr(b'\n', room).map_or(room.len(), |at| at + 1);
        let known = line.len();
        // Enough to tell by; what is no such line may have a gigabyte.
        line.extend_from_slice(&bytes[..taken.min(16)]);
        if !mark::may_matter(line) {
            line.truncate(known);
            self.go_on(out);
            return 0;
        }
        line.extend_from_slice(&bytes[taken.min(16)..taken]);
        if line.ends_with(b"\n") {
            let line = std::mem::take(line);
            self.line(&line, out);
        } else if line.len() == LONGEST_LINE {
            self.go_on(out);
        }
        taken
    }

    /// What was kept of a line is of no interest.
    fn go_on(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        let kept = self.line.take().unwrap_or_default();
        self.frame(out);
        self.advance(&kept);
        self.cut.put(&kept, out);
    }

    /// A frame that framed nothing.
    fn frame(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if std::mem::take(&mut self.has_frame) {
            self.cut.put(b"--\n", out);
        }
    }

    /// A whole line between two statements.
    fn line(&mut self, line: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        let is_between = self.lexer.is_between();
        match mark::read(line) {
            Mark::Frame if is_between => {
                self.frame(out);
                self.has_frame = true;
                return;
            }
            Mark::Section(kind, name) if is_between => {
                if let Some(within) = &mut self.within {
                    within.rules.section(matches!(kind, Kind::Table | Kind::Rows).then_some(name));
                }
                self.cut.section(kind, name, out);
            }
            Mark::Trigger if is_between => self.cut.trigger(out),
            Mark::Delimiter(is_default) => {
                self.frame(out);
                self.lexer.delimiter(is_default);
                self.cut.put(line, out);
                return;
            }
            Mark::Sandbox => {
                self.frame(out);
                self.cut.put(line, out);
                return;
            }
            Mark::SqlMode(mode) => self.lexer.quoting(mode),
            _ => {}
        }
        self.frame(out);
        let (_, begins) = self.advance(line);
        self.cut.put(line, out);
        if !begins {
            self.line = None;
        }
    }
}

impl Split {
    /// The next bytes of a dump that is not cut.
    pub(super) fn follow(&mut self, bytes: &[u8]) {
        self.feed(bytes, &mut |_| {});
    }

    /// Whether every statement of it has its end, and it its footer.
    pub(super) fn whole(mut self) -> Result<Passed, Incomplete> {
        self.go_on(&mut |_| {});
        if !self.lexer.is_between() {
            return Err(Incomplete("it ends in the middle of a statement".into()));
        }
        if let Some(within) = self.within {
            within.finish().map_err(Incomplete)?;
        }
        self.footer.finish()
    }
}

impl Splitter for Split {
    fn feed(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        self.footer.feed(bytes);
        while !bytes.is_empty() {
            let dealt_with = if self.line.is_some() {
                self.look(bytes, out)
            } else {
                let (n, begins) = self.advance(bytes);
                self.cut.put(&bytes[..n], out);
                self.line = begins.then(Vec::new);
                n
            };
            bytes = &bytes[dealt_with..];
        }
    }

    fn finish(mut self: Box<Self>, out: &mut dyn FnMut(Piece<'_>)) -> Result<Passed, Incomplete> {
        self.go_on(out);
        if !self.lexer.is_between() {
            return Err(Incomplete("it ends in the middle of a statement".into()));
        }
        let passed = self.footer.finish()?;
        self.cut.finish(out)?;
        Ok(Passed { check: "sections".to_owned(), ..passed })
    }
}

impl Cut {
    /// Bytes of the part at hand.
    fn put(&mut self, bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        if self.open.is_some() {
            out(Piece::Bytes(bytes));
        } else {
            let room = (LONGEST_HEADER + 1).saturating_sub(self.header.len());
            self.header.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    /// A marker: a new file, unless it is about the table at hand, or comes back to a database.
    fn section(&mut self, kind: Kind, name: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        let kind = if kind == Kind::Rows && !self.apart { Kind::Table } else { kind };
        let goes_on = self.open.as_ref().is_some_and(|(at, of)| *at == kind && of == name);
        if matches!(kind, Kind::Table | Kind::Rows) && goes_on {
            return;
        }
        if kind == Kind::Database && !name.ends_with(b"`") {
            // A line break in the name: the rest of it is on another line, which says nothing by itself.
            self.unclear.get_or_insert_with(|| name.to_vec());
            return;
        }
        if kind == Kind::Database {
            let database = mark::unquoted(name);
            let is_known = self.databases.contains(&database);
            self.database = None;
            if !is_known {
                self.databases.push(database.clone());
                self.begin(kind, name, out);
            }
            self.database = Some(database);
            return;
        }
        self.begin(kind, name, out);
    }

    /// The first line of triggers, when it follows a table.
    fn trigger(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if let Some((Kind::Table | Kind::Rows, name)) = &self.open {
            let name = name.clone();
            self.begin(Kind::Triggers, &name, out);
        }
    }

    fn begin(&mut self, kind: Kind, name: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        match self.open {
            Some(_) => out(Piece::Bytes(&self.reset)),
            None => self.reset = reset(&self.header),
        }
        self.count += 1;
        let mut words = Vec::new();
        let is_of_database = matches!(kind, Kind::Database | Kind::Routines | Kind::Events);
        if let Some(database) = self.database.as_ref().filter(|_| !is_of_database) {
            words.push(safe(database));
        }
        words.push(safe(&mark::unquoted(name)));
        words.retain(|word| !word.is_empty());
        let (digit, word) = kind.words();
        let name_of_it = words.join(".");
        let dash = if name_of_it.is_empty() { "" } else { "-" };
        out(Piece::File(&format!("{digit}{:05}-{word}{dash}{name_of_it}.sql", self.count)));
        out(Piece::Bytes(&self.header));
        if let Some(database) = &self.database {
            let mut line = b"USE `".to_vec();
            for byte in database {
                line.extend_from_slice(if *byte == b'`' {
                    b"``"
                } else {
                    std::slice::from_ref(byte)
                });
            }
            line.extend_from_slice(b"`;\n\n");
            out(Piece::Bytes(&line));
        }
        self.open = Some((kind, name.to_vec()));
    }

    fn finish(&mut self, out: &mut dyn FnMut(Piece<'_>)) -> Result<(), Incomplete> {
        if let Some(name) = &self.unclear {
            let name = String::from_utf8_lossy(name);
            return Err(Incomplete(format!(
                "the name of database {name}... has a line break, so the dump of all cannot be cut into files: set \
                 BACKUP_SPLIT_DATABASES=true, or BACKUP_MODE=stream"
            )));
        }
        if self.header.len() > LONGEST_HEADER {
            return Err(Incomplete("no section of it begins where one should".into()));
        }
        if self.open.is_none() {
            // A database with nothing in it, not even a place for routines.
            self.begin(Kind::End, b"", out);
            return Ok(());
        }
        out(Piece::Bytes(&self.reset));
        Ok(())
    }
}

/// The lines that take back what the header has set, and kept the former value of.
fn reset(header: &[u8]) -> Vec<u8> {
    let mut reset = String::from("\n");
    let header = String::from_utf8_lossy(header);
    for line in header.lines() {
        let Some((before, after)) = line.split_once("SET @OLD_") else { continue };
        let Some((name, _)) = after.split_once('=') else { continue };
        let end = if before.is_empty() { ";" } else { " */;" };
        // With a server's own database, a setting of the whole server is among them.
        let global = if header.contains(&format!("SET GLOBAL {name}=")) { "GLOBAL " } else { "" };
        let _ = writeln!(reset, "{before}SET {global}{name}=@OLD_{name}{end}");
    }
    if header.contains("SET @MYSQLDUMP_TEMP_LOG_BIN") {
        reset.push_str("SET @@SESSION.SQL_LOG_BIN = @MYSQLDUMP_TEMP_LOG_BIN;\n");
    }
    reset.into_bytes()
}

/// A name that any file system and remote takes; a long one loses its end, for a number tells it
/// from the others.
pub(super) fn safe(name: &[u8]) -> String {
    let mut safe = String::new();
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => safe.push(char::from(*byte)),
            byte => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
        if safe.len() > LONGEST_NAME {
            break;
        }
    }
    safe
}

#[cfg(test)]
mod tests;
