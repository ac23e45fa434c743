//! The statements of mysqldump and mariadb-dump between the bodies of routines: which there are, that those of a table
//! name it, that its rows have its columns, and that what is set back was saved.

use std::collections::BTreeMap;

use crate::sql::{Columns, Rules, Script, Writer, first_word, name};

/// The statements of a dump.
pub(super) type Statements = Script<Known>;

/// What begins a statement, in any dump of any version.
const VERBS: [&str; 54] = [
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "BINLOG",
    "CALL",
    "CHANGE",
    "CHECK",
    "COMMIT",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DO",
    "DROP",
    "END",
    "EXECUTE",
    "FLUSH",
    "GRANT",
    "HANDLER",
    "IMPORT",
    "INSERT",
    "INSTALL",
    "KILL",
    "LOAD",
    "LOCK",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "RENAME",
    "REPAIR",
    "REPLACE",
    "RESET",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SELECT",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "SLAVE",
    "START",
    "STOP",
    "TABLE",
    "TRUNCATE",
    "UNINSTALL",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VALUES",
    "WITH",
    "XA",
    "BACKUP",
    "CACHE",
    "CLONE",
];
/// Character sets in which every byte of ASCII is itself.
const PLAIN: [&[u8]; 6] = [b"utf8", b"utf8mb3", b"utf8mb4", b"latin1", b"ascii", b"binary"];
/// More names are not kept.
const MOST: usize = 256;

/// What is known so far.
#[derive(Default)]
pub(super) struct Known {
    /// Whether the dump says in which character set it is, and whether that is a plain one.
    is_plain: Option<bool>,
    is_utf8: bool,
    /// Whether the character set at hand is that of the dump.
    is_own: bool,
    /// The table that the last marker names.
    table: Option<Vec<u8>>,
    /// How many columns it has.
    columns: Option<u64>,
    /// What was saved in a variable, in capitals.
    saved: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Known {
    /// A marker: what follows is about this table, or none.
    pub(super) fn section(&mut self, table: Option<&[u8]>) {
        let is_one =
            |name: &&[u8]| name.len() > 2 && name.starts_with(b"`") && name.ends_with(b"`");
        let table = table.filter(is_one).and_then(|table| Some(name(table)?.0));
        if table != self.table {
            (self.table, self.columns) = (table, None);
        }
    }

    fn of_table(&self, found: &[u8]) -> Result<(), String> {
        // Markers may be in another character set.
        let is_told = |table: &&Vec<u8>| self.is_utf8 || table.is_ascii();
        match self.table.as_ref().filter(is_told) {
            Some(table) if table != found => Err(format!(
                "a statement about table {} names another one",
                String::from_utf8_lossy(table)
            )),
            _ => Ok(()),
        }
    }

    fn set(&mut self, text: &[u8]) -> Result<(), String> {
        if let Some(set) = text.strip_prefix(b"NAMES ") {
            let word = first_word(set.trim_ascii_start());
            self.is_plain = Some(PLAIN.contains(&word));
            self.is_utf8 = word.starts_with(b"utf8");
            self.is_own = true;
            return Ok(());
        }
        let words: [&[u8]; 5] = [b"PASSWORD", b"ROLE", b"DEFAULT", b"TRANSACTION", b"CHARACTER"];
        if words.contains(&first_word(text)) {
            return Ok(());
        }
        outside(text, b',').into_iter().try_for_each(|one| self.assign(one.trim_ascii()))
    }

    fn assign(&mut self, text: &[u8]) -> Result<(), String> {
        let Some([left, right]) = text.iter().position(|byte| *byte == b'=').map(|at| {
            let left = text[..at].strip_suffix(b":").unwrap_or(&text[..at]);
            [left.trim_ascii(), text[at + 1..].trim_ascii()]
        }) else {
            return Err("a SET of it sets nothing".to_owned());
        };
        if !left.iter().all(|b| b.is_ascii_alphanumeric() || b"@_. `".contains(b)) {
            return Err("a SET of it sets nothing that there is".to_owned());
        }
        let wrong = || {
            let what = String::from_utf8_lossy(left);
            Err(format!("what it sets {what} to was saved from something else"))
        };
        if left.eq_ignore_ascii_case(b"character_set_client") {
            self.is_own = right.starts_with(b"@");
            self.is_own |= self.is_utf8 && right.starts_with(b"utf8");
        }
        if left.starts_with(b"@") && !left.starts_with(b"@@") {
            let from = right.strip_prefix(b"@@").map(bare).unwrap_or_default();
            let left = left[1..].to_ascii_uppercase();
            if let Some(of) = left.strip_prefix(b"OLD_")
                && of != from
            {
                return wrong();
            }
            if self.saved.len() < MOST {
                self.saved.insert(left, from);
            }
        } else if let Some(from) = right.strip_prefix(b"@").filter(|rest| !rest.starts_with(b"@")) {
            let is_simple = from.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
            let saved = self.saved.get(&from.to_ascii_uppercase());
            let is_right = saved.is_some_and(|saved| saved.is_empty() || *saved == bare(left));
            if is_simple && !is_right && self.saved.len() < MOST {
                return wrong();
            }
        }
        Ok(())
    }
}

/// A server's variable without what says whose it is, in capitals.
fn bare(variable: &[u8]) -> Vec<u8> {
    let mut name = variable.trim_ascii().to_ascii_uppercase();
    for scope in [&b"@@"[..], b"GLOBAL", b"SESSION", b"LOCAL"] {
        if let Some(rest) = name.strip_prefix(scope) {
            let rest = rest.trim_ascii_start();
            name = rest.strip_prefix(b".").unwrap_or(rest).to_vec();
        }
    }
    name
}

/// The parts of a text between these bytes, where they are in no quotes.
fn outside(text: &[u8], at: u8) -> Vec<&[u8]> {
    let mut quote = None;
    let is_cut = |byte: &u8| {
        match quote {
            Some(open) if open == *byte => quote = None,
            None if b"'\"`".contains(byte) => quote = Some(*byte),
            _ => {}
        }
        quote.is_none() && *byte == at
    };
    text.split(is_cut).collect()
}

impl Rules for Known {
    const WRITER: Writer = Writer::Mysql;

    fn is_known(&self) -> bool {
        self.is_plain == Some(true)
    }

    fn is_foreign(&self) -> bool {
        self.is_plain == Some(false)
    }

    fn is_utf8(&self) -> bool {
        self.is_utf8 && self.is_own
    }

    fn statement(&mut self, statement: &[u8], columns: &Columns) -> Result<(), String> {
        let verb = first_word(statement);
        let rest = statement[verb.len()..].trim_ascii_start();
        if verb == b"SET" {
            return self.set(rest);
        }
        if !self.is_known() || statement.is_empty() {
            return Ok(());
        }
        if !VERBS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(verb)) {
            let verb: String = String::from_utf8_lossy(statement).chars().take(20).collect();
            return Err(format!("a statement of it begins with {verb:?}, as none does"));
        }
        let end = |rest: &[u8], words: &[&[u8]]| {
            let rest = rest.trim_ascii();
            if words.contains(&rest) { Ok(()) } else { Err(told(statement)) }
        };
        match verb {
            b"LOCK" => {
                let rest = rest.strip_prefix(b"TABLES ").ok_or_else(|| told(statement))?;
                let (table, rest) = named(rest)?;
                self.of_table(&table)?;
                if rest.starts_with(b",") {
                    Ok(())
                } else {
                    end(rest, &[b"WRITE", b"READ", b"READ LOCAL", b"READ /*!32311 LOCAL"])
                }
            }
            b"UNLOCK" => end(rest, &[b"TABLES"]),
            b"DROP" => self.drop(statement, rest),
            b"ALTER" if rest.starts_with(b"TABLE ") => {
                let (table, rest) = named(&rest[6..])?;
                self.of_table(&table)?;
                match first_word(rest.trim_ascii_start()) {
                    b"DISABLE" | b"ENABLE" => end(rest, &[b"DISABLE KEYS", b"ENABLE KEYS"]),
                    word if word.iter().all(u8::is_ascii_uppercase) && word.len() > 2 => Ok(()),
                    _ => Err(told(statement)),
                }
            }
            b"CREATE" if rest.starts_with(b"TABLE ") => {
                let rest = rest[6..].trim_ascii_start();
                let rest = rest.strip_prefix(b"IF NOT EXISTS ").unwrap_or(rest);
                let (table, rest) = named(rest)?;
                self.of_table(&table)?;
                if !rest.trim_ascii_start().starts_with(b"(") {
                    return Err(told(statement));
                }
                // Of those that are made of others, or hidden, some are not dumped.
                let odd: [&[u8]; 5] =
                    [b" GENERATED ", b" AS (", b"INVISIBLE", b"VERSIONING", b"PERIOD FOR"];
                let is_odd = odd.iter().any(|word| memchr::memmem::find(rest, word).is_some());
                self.columns = columns.count().filter(|_| !is_odd && self.table.is_some());
                Ok(())
            }
            b"INSERT" | b"REPLACE" if memchr::memmem::find(rest, b"SELECT").is_none() => {
                Err("an INSERT of it has no rows".to_owned())
            }
            b"USE" => named(rest).and_then(|(_, rest)| end(rest, &[b""])),
            b"CREATE" | b"ALTER" => {
                let word = first_word(rest);
                if word.len() > 2 && word.iter().all(|byte| byte.is_ascii_alphabetic()) {
                    Ok(())
                } else {
                    Err(told(statement))
                }
            }
            _ => Ok(()),
        }
    }

    fn insert(&mut self, statement: &[u8]) -> Result<Option<u64>, String> {
        let at = memchr::memmem::find(statement, b" INTO ").ok_or_else(|| told(statement))?;
        let words: [&[u8]; 6] = [
            b"INSERT",
            b"INSERT IGNORE",
            b"INSERT  IGNORE",
            b"REPLACE",
            b"INSERT DELAYED",
            b"INSERT  DELAYED IGNORE",
        ];
        let lead = statement[..at].trim_ascii();
        if !words.contains(&lead) && !lead.ends_with(b"IGNORE") && !lead.ends_with(b"DELAYED") {
            return Err(told(statement));
        }
        let (table, rest) = name(&statement[at + 6..]).ok_or_else(|| told(statement))?;
        self.of_table(&table)?;
        let rest = rest.strip_suffix(b"VALUES").unwrap_or(rest).trim_ascii();
        if rest.is_empty() {
            return Ok(self.columns);
        }
        // A name of another database, or columns.
        let list = rest.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
        match list {
            Some(list) => Ok(Some(outside(list, b',').len() as u64)),
            None if rest.starts_with(b".") => Ok(None),
            None => Err(told(statement)),
        }
    }
}

impl Known {
    fn drop(&self, statement: &[u8], rest: &[u8]) -> Result<(), String> {
        const KINDS: [&[u8]; 18] = [
            b"TABLE",
            b"VIEW",
            b"TRIGGER",
            b"FUNCTION",
            b"PROCEDURE",
            b"PACKAGE BODY",
            b"PACKAGE",
            b"EVENT",
            b"SEQUENCE",
            b"DATABASE",
            b"SCHEMA",
            b"SERVER",
            b"USER",
            b"ROLE",
            b"TEMPORARY TABLE",
            b"INDEX",
            b"TABLESPACE",
            b"LOGFILE GROUP",
        ];
        let Some(kind) = KINDS.iter().find(|kind| rest.starts_with(kind)) else {
            let word = first_word(rest);
            // One of a later version.
            let is_word = word.len() > 2 && word.iter().all(u8::is_ascii_uppercase);
            return if is_word && rest[word.len()..].starts_with(b" IF EXISTS ") {
                Ok(())
            } else {
                Err(told(statement))
            };
        };
        let rest = rest[kind.len()..].trim_ascii_start();
        let Some(rest) = rest.strip_prefix(b"IF EXISTS ") else {
            let is_of_data = matches!(*kind, b"TABLE" | b"VIEW");
            return if rest.starts_with(b"`") || !is_of_data && !rest.is_empty() {
                Ok(())
            } else {
                Err(told(statement))
            };
        };
        let (found, _) = name(rest.trim_ascii_start()).ok_or_else(|| told(statement))?;
        if *kind == b"TABLE" { self.of_table(&found) } else { Ok(()) }
    }
}

fn named(text: &[u8]) -> Result<(Vec<u8>, &[u8]), String> {
    name(text).ok_or_else(|| "a statement of it names nothing".to_owned())
}

fn told(statement: &[u8]) -> String {
    let beginning: String = String::from_utf8_lossy(statement).chars().take(60).collect();
    format!("a statement of it makes no sense: {beginning:?}")
}
