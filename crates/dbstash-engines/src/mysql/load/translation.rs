//! A dump for a server of the other family, or for a database of another name: what the target would not understand, or
//! what would reach another database than it, is said in another way.

use std::collections::BTreeSet;

use dbstash_core::load::{Edit, MARK};

use super::super::Dialect;
use super::super::split::lexer::Lexer;
use super::super::split::mark::{self, Mark};

/// Of a longer line nothing is changed.
const LONGEST: usize = 64 * 1024;
/// Statements about the log of the server that the dump is from.
const OF_THE_LOG: [&[u8]; 6] = [
    b"SET @@GLOBAL.GTID_PURGED",
    b"SET @@SESSION.SQL_LOG_BIN",
    b"SET @MYSQLDUMP_TEMP_LOG_BIN",
    b"SET GLOBAL gtid_slave_pos",
    b"CHANGE MASTER TO",
    b"CHANGE REPLICATION SOURCE TO",
];
/// Statements about events, whose bodies may name any database.
const OF_EVENTS: [&[u8]; 3] =
    [b"/*!50106 DROP EVENT ", b"/*!50106 CREATE*/ ", b"/*!50106 CREATE EVENT "];
/// Statements that name a database.
const OF_DATABASES: [&[u8]; 4] =
    [b"ALTER DATABASE ", b"CREATE DATABASE ", b"USE ", b"ALTER SCHEMA "];
/// What comes before the name of a collation.
const BEFORE: [&[u8]; 3] = [b"collate", b"collation_connection", b"collation_database"];

/// The collations of MySQL 8, and what is nearest to them in MariaDB since 10.10, and before.
const TO_MARIADB: [(&str, &str, &str); 4] = [
    ("utf8mb4_0900_ai_ci", "utf8mb4_uca1400_nopad_ai_ci", "utf8mb4_unicode_520_nopad_ci"),
    ("utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci", "utf8mb4_unicode_520_nopad_ci"),
    ("utf8mb4_0900_as_cs", "utf8mb4_uca1400_nopad_as_cs", "utf8mb4_nopad_bin"),
    ("utf8mb4_0900_bin", "utf8mb4_nopad_bin", "utf8mb4_nopad_bin"),
];
const TO_MYSQL: [(&str, &str); 6] = [
    ("utf8mb4_uca1400_ai_ci", "utf8mb4_0900_ai_ci"),
    ("utf8mb4_uca1400_as_ci", "utf8mb4_0900_as_ci"),
    ("utf8mb4_uca1400_as_cs", "utf8mb4_0900_as_cs"),
    ("utf8mb4_uca1400_nopad_ai_ci", "utf8mb4_0900_ai_ci"),
    ("utf8mb4_uca1400_nopad_as_ci", "utf8mb4_0900_as_ci"),
    ("utf8mb4_uca1400_nopad_as_cs", "utf8mb4_0900_as_cs"),
];

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(super) struct Translation {
    lexer: Lexer,
    line: Vec<u8>,
    /// In the middle of a line that is too long to be changed.
    is_long: bool,
    /// In the middle of rows.
    is_rows: bool,
    /// In the middle of a statement that is left out.
    is_out: bool,
    collations: Vec<(&'static str, &'static str)>,
    keeps_sandbox: bool,
    /// Whether the log of another server is none of this one's business.
    logless: bool,
    /// Whether nothing may happen by itself.
    eventless: bool,
    /// Whether the server does not know a mode any more that older ones and MariaDB have.
    drops_mode: bool,
    /// The former name and the new one, quoted.
    names: Option<[String; 2]>,
    /// Where each database holds a mark from its beginning to the end of all: the mark's comment.
    marks: Option<String>,
    /// Those that have one, quoted.
    marked: BTreeSet<String>,
}

impl Translation {
    /// From a server of a family to one of another, or the same: `to` is the client's, `ours` the server's, of this version.
    pub(super) fn new(of: Dialect, to: Dialect, ours: Dialect, version: &str) -> Self {
        let collations = match (of, ours) {
            (Dialect::Mysql, Dialect::Mariadb) => {
                let is_new = knows_uca1400(version);
                TO_MARIADB.map(|(mysql, new, old)| (mysql, if is_new { new } else { old })).to_vec()
            }
            (Dialect::Mariadb, Dialect::Mysql) => TO_MYSQL.to_vec(),
            _ => Vec::new(),
        };
        Self {
            lexer: Lexer::new(),
            line: Vec::new(),
            is_long: false,
            is_rows: false,
            is_out: false,
            collations,
            keeps_sandbox: to == Dialect::Mariadb,
            logless: of != ours,
            eventless: false,
            drops_mode: ours == Dialect::Mysql && of != ours,
            names: None,
            marks: None,
            marked: BTreeSet::new(),
        }
    }

    /// The same, of all databases: each of the user's is marked as one that is not complete, with this comment.
    pub(super) fn marking(mut self, comment: String) -> Self {
        self.marks = Some(comment);
        self
    }

    /// The same, for a database of another name.
    pub(super) fn renaming(mut self, from: &str, to: &str) -> Self {
        self.names = (from != to).then(|| [super::name(from), super::name(to)]);
        self
    }

    /// The same, on trial: the server's log stays as it is, and no event runs in it.
    pub(super) fn on_trial(mut self) -> Self {
        (self.logless, self.eventless) = (true, true);
        self
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, _) = self.lexer.advance(bytes);
            bytes = &bytes[taken..];
        }
    }

    /// A line, or the beginning of a long one.
    fn whole(&mut self, line: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if self.lexer.is_idle() {
            match mark::read(line) {
                Mark::Delimiter(is_default) => {
                    self.lexer.delimiter(is_default);
                    out.extend_from_slice(line);
                    return Ok(());
                }
                Mark::Sandbox => {
                    if self.keeps_sandbox {
                        out.extend_from_slice(line);
                    }
                    return Ok(());
                }
                Mark::SqlMode(mode) => self.lexer.quoting(mode),
                _ => {}
            }
            self.is_rows = line.starts_with(b"INSERT") || line.starts_with(b"REPLACE");
            self.is_out = self.is_left_out(line);
        }
        let begins = self.lexer.is_between();
        self.follow(line);
        match () {
            () if self.is_out => {}
            () if self.is_rows => out.extend_from_slice(line),
            () => out.extend_from_slice(&self.changed(line, begins)?),
        }
        if begins {
            self.marked(line, out);
        }
        self.is_out &= !self.lexer.is_idle();
        Ok(())
    }

    /// After the first line that goes into a database.
    fn marked(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let Some(comment) = &self.marks else { return };
        let Some(database) = line.strip_prefix(b"USE ").and_then(|rest| rest.strip_suffix(b";\n"))
        else {
            return;
        };
        let Ok(database) = String::from_utf8(mark::unquoted(database)) else { return };
        if !super::is_its_own(&database) && self.marked.insert(super::name(&database)) {
            let mark = format!("CREATE TABLE IF NOT EXISTS `{MARK}` (x INT) {comment};\n");
            out.extend_from_slice(mark.as_bytes());
        }
    }

    fn is_left_out(&self, line: &[u8]) -> bool {
        self.logless && OF_THE_LOG.iter().any(|start| line.starts_with(start))
            || self.eventless && OF_EVENTS.iter().any(|start| line.starts_with(start))
            || self.names.is_some() && line.starts_with(b"/*!40000 DROP DATABASE ")
    }

    fn changed(&self, line: &[u8], begins: bool) -> Result<Vec<u8>, String> {
        let mut line = line.to_vec();
        if let Some([from, to]) = &self.names
            && begins
            && OF_DATABASES.iter().any(|start| line.starts_with(start))
        {
            let Some(at) = memchr::memmem::find(&line, from.as_bytes()) else {
                let line = String::from_utf8_lossy(&line);
                return Err(format!(
                    "it speaks of another database than {from}, and so cannot be restored under another name: {:.100}",
                    line.trim_end()
                ));
            };
            line.splice(at..at + from.len(), to.bytes());
        }
        if self.drops_mode && matches!(mark::read(&line), Mark::SqlMode(_)) {
            for word in
                [&b",NO_AUTO_CREATE_USER"[..], b"NO_AUTO_CREATE_USER,", b"NO_AUTO_CREATE_USER"]
            {
                if let Some(at) = memchr::memmem::find(&line, word) {
                    line.splice(at..at + word.len(), []);
                }
            }
        }
        for (from, to) in &self.collations {
            let mut at = 0;
            while let Some(found) = memchr::memmem::find(&line[at..], from.as_bytes()) {
                let (start, end) = (at + found, at + found + from.len());
                at = end;
                if is_collation(&line[..start], &line[end..]) {
                    line.splice(start..end, to.bytes());
                    at = start + to.len();
                }
            }
        }
        Ok(line)
    }
}

impl Edit for Translation {
    fn feed(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        while !bytes.is_empty() {
            let end = memchr::memchr(b'\n', bytes);
            let (now, rest) = bytes.split_at(end.map_or(bytes.len(), |at| at + 1));
            bytes = rest;
            if self.is_long {
                self.follow(now);
                if !self.is_out {
                    out.extend_from_slice(now);
                }
                self.is_long = end.is_none();
                continue;
            }
            self.line.extend_from_slice(now);
            if end.is_some() || self.line.len() > LONGEST {
                let line = std::mem::take(&mut self.line);
                self.whole(&line, out)?;
                self.is_long = end.is_none();
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        let line = std::mem::take(&mut self.line);
        self.whole(&line, out)?;
        for database in &self.marked {
            let gone = format!("\nDROP TABLE IF EXISTS {database}.`{MARK}`;\n");
            out.extend_from_slice(gone.as_bytes());
        }
        Ok(())
    }
}

/// Whether what is between these is the name of a collation, and no part of a text.
fn is_collation(before: &[u8], after: &[u8]) -> bool {
    let end = before.iter().rposition(|byte| !b" =".contains(byte)).map_or(0, |at| at + 1);
    let ends = |word: &&[u8]| {
        end.checked_sub(word.len()).is_some_and(|at| before[at..end].eq_ignore_ascii_case(word))
    };
    let goes_on = after.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    !goes_on && BEFORE.iter().any(ends)
}

/// MariaDB since 10.10.
fn knows_uca1400(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(10), Some(10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(translation: impl Fn() -> Translation, text: &str) -> Result<String, String> {
        let all = [1, 7, 4096].map(|size| {
            let (mut edit, mut out) = (Box::new(translation()), Vec::new());
            text.as_bytes().chunks(size).try_for_each(|chunk| edit.feed(chunk, &mut out))?;
            edit.finish(&mut out)?;
            Ok(String::from_utf8(out).unwrap())
        });
        assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
        all[0].clone()
    }

    #[test]
    fn a_dump_of_mysql_is_said_for_mariadb() {
        let to = |version: &'static str| {
            move || Translation::new(Dialect::Mysql, Dialect::Mariadb, Dialect::Mariadb, version)
        };
        let text = "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a:1-5,\nb:1';\nCREATE TABLE `t` (\n  `x` text COLLATE \
            utf8mb4_0900_ai_ci DEFAULT 'utf8mb4_0900_ai_ci'\n) COLLATE=utf8mb4_0900_ai_ci;\n\
            INSERT INTO `t` VALUES (' COLLATE utf8mb4_0900_ai_ci\nSET @@GLOBAL.GTID_PURGED');\n\
            /*!50003 SET collation_connection  = utf8mb4_0900_ai_ci */ ;\nDELIMITER ;;\nCREATE FUNCTION f() COLLATE \
            utf8mb4_0900_as_cs ;;\nDELIMITER ;\n";
        let want = "CREATE TABLE `t` (\n  `x` text COLLATE utf8mb4_uca1400_nopad_ai_ci DEFAULT 'utf8mb4_0900_ai_ci'\n) \
            COLLATE=utf8mb4_uca1400_nopad_ai_ci;\nINSERT INTO `t` VALUES (' COLLATE utf8mb4_0900_ai_ci\nSET \
            @@GLOBAL.GTID_PURGED');\n/*!50003 SET collation_connection  = utf8mb4_uca1400_nopad_ai_ci */ ;\nDELIMITER \
            ;;\nCREATE FUNCTION f() COLLATE utf8mb4_uca1400_nopad_as_cs ;;\nDELIMITER ;\n";
        assert_eq!(said(to("10.11.14-MariaDB"), text).unwrap(), want);
        let old = said(to("10.6.2-MariaDB"), text).unwrap();
        assert!(old.contains("COLLATE=utf8mb4_unicode_520_nopad_ci;"), "{old}");
    }

    #[test]
    fn a_dump_of_mariadb_is_said_for_mysql() {
        let to = || Translation::new(Dialect::Mariadb, Dialect::Mysql, Dialect::Mysql, "9.7.0");
        for sandbox in [
            "/*M!999999\\- enable the sandbox mode */ \n",
            "/*!999999\\- enable the sandbox mode */ \n",
        ] {
            let text =
                format!("{sandbox}-- x\nCREATE TABLE t (x text) COLLATE=utf8mb4_uca1400_ai_ci;\n");
            assert_eq!(
                said(to, &text).unwrap(),
                "-- x\nCREATE TABLE t (x text) COLLATE=utf8mb4_0900_ai_ci;\n"
            );
        }
    }

    #[test]
    fn a_mode_that_mysql_has_given_up_is_not_asked_for() {
        let to = || Translation::new(Dialect::Mariadb, Dialect::Mysql, Dialect::Mysql, "9.7.0");
        for (mode, want) in [
            ("A,NO_AUTO_CREATE_USER,B", "A,B"),
            ("NO_AUTO_CREATE_USER,B", "B"),
            ("NO_AUTO_CREATE_USER", ""),
            ("A", "A"),
        ] {
            let line = |mode: &str| format!("/*!50003 SET sql_mode              = '{mode}' */ ;\n");
            assert_eq!(said(to, &line(mode)).unwrap(), line(want));
        }
    }

    #[test]
    fn another_name_is_said_wherever_the_former_one_is_meant() {
        let of = Dialect::Mysql;
        let to = || Translation::new(of, of, of, "9.7.0").renaming("shop", "a`b");
        let text = "/*!40000 DROP DATABASE IF EXISTS `shop`*/;\nUSE `shop`;\nALTER DATABASE `shop` CHARACTER SET \
            latin1;\nINSERT INTO t VALUES ('\nUSE `shop`;\n');\n";
        let want = "USE `a``b`;\nALTER DATABASE `a``b` CHARACTER SET latin1;\nINSERT INTO t VALUES ('\nUSE `shop`;\n');\n";
        assert_eq!(said(to, text).unwrap(), want);
        let log = "SET @@SESSION.SQL_LOG_BIN= 0;\n";
        assert_eq!(said(to, log).as_deref(), Ok(log));
        assert_eq!(said(|| to().on_trial(), log).as_deref(), Ok(""));
        assert!(said(to, "USE `other`;\n").unwrap_err().contains("another database than `shop`"));
    }

    #[test]
    fn on_trial_no_event_is_made() {
        let of = Dialect::Mariadb;
        let to = || Translation::new(of, of, of, "10.11.14-MariaDB").on_trial();
        let around = |event: &str| {
            format!(
                "DELIMITER ;;\n/*!50003 SET time_zone             = 'SYSTEM' */ ;;\n\
                 {event}/*!50003 SET time_zone             = @saved_time_zone */ ;;\nDELIMITER ;\nINSERT INTO t VALUES \
                 ('\n/*!50106 CREATE*/ /*!50106 EVENT');\n"
            )
        };
        let body = "EVENT `e` ON SCHEDULE EVERY 1 SECOND DO BEGIN\n  INSERT INTO shop.t VALUES (';;\n');\n\n  -- it's\n\
                    END */ ;;\n";
        for start in ["CREATE*/ /*!50117 DEFINER=`a`@`b`*/ /*!50106 ", "CREATE "] {
            let text = around(&format!("/*!50106 {start}{body}"));
            let text = format!("/*!50106 DROP EVENT IF EXISTS `e` */;\n{text}");
            assert_eq!(said(to, &text).unwrap(), around(""));
        }
        let text = around(&format!("/*!50106 CREATE*/ /*!50117 DEFINER=`a`@`b`*/ /*!50106 {body}"));
        assert_eq!(
            said(|| Translation::new(of, of, of, "9").renaming("a", "b"), &text).unwrap(),
            text
        );
    }

    #[test]
    fn each_database_is_marked_until_all_are_there() {
        let of = Dialect::Mysql;
        let to = || Translation::new(of, of, of, "9.7.0").marking("COMMENT='x'".to_owned());
        let text = "USE `mysql`;\nUSE `a``b`;\nINSERT INTO t VALUES ('\nUSE `c`;\n');\nUSE `shop`;\nUSE `a``b`;\n";
        let mark = format!("CREATE TABLE IF NOT EXISTS `{MARK}` (x INT) COMMENT='x';\n");
        let gone = |name: &str| format!("\nDROP TABLE IF EXISTS `{name}`.`{MARK}`;\n");
        let want = format!(
            "USE `mysql`;\nUSE `a``b`;\n{mark}INSERT INTO t VALUES ('\nUSE `c`;\n');\nUSE `shop`;\n{mark}USE \
             `a``b`;\n{}{}",
            gone("a``b"),
            gone("shop")
        );
        assert_eq!(said(to, text).unwrap(), want);
    }
}
