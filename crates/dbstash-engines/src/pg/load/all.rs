//! What of the script of a whole server, or of its roles, is said to another one.

use std::collections::BTreeSet;

use super::ask::{MARK, marked};
use super::reader::{Fate, Judge};
use crate::sql;

/// Decides for a server: what it has already stays as it is.
pub(super) struct All {
    roles: BTreeSet<Vec<u8>>,
    tablespaces: BTreeSet<Vec<u8>>,
    /// Whether it is a part of a transaction.
    in_one: bool,
    /// The backup, where each database holds the mark as long as its part of the script goes on.
    marking: Option<String>,
    /// Whether the database at hand holds it.
    is_marked: bool,
}

impl All {
    /// `facts` are the survey's.
    pub(super) fn new(facts: &[String], in_one: bool) -> Self {
        let of = |word: &'static str| {
            facts.iter().filter_map(move |fact| Some(fact.strip_prefix(word)?.as_bytes().to_vec()))
        };
        let (roles, tablespaces) = (of("role ").collect(), of("tablespace ").collect());
        Self { roles, tablespaces, in_one, marking: None, is_marked: false }
    }

    /// The same, and the database that is half there in the middle of it says so.
    pub(super) fn marking(self, backup: &str) -> Self {
        Self { marking: Some(backup.to_owned()), ..self }
    }

    /// What ends the part of a database.
    fn unmark(&mut self) -> String {
        if !std::mem::take(&mut self.is_marked) {
            return String::new();
        }
        // Whoever owns what came last may own nothing else there.
        format!(
            "RESET SESSION AUTHORIZATION; SET client_min_messages = warning; DROP SCHEMA IF EXISTS {MARK} CASCADE; "
        )
    }

    /// A word to connect, and what is said before and after it, on the same line.
    fn connected(&mut self, line: &[u8]) -> Fate {
        let Some(backup) = self.marking.clone() else { return Fate::Keep };
        let mut text = self.unmark().into_bytes();
        text.extend_from_slice(line);
        // New databases of other people are made from this one.
        if line != b"\\connect template1" {
            self.is_marked = true;
            let mark = format!(
                " \\\\ SET client_min_messages = warning; DROP SCHEMA IF EXISTS {MARK} CASCADE; {}",
                marked(&backup)
            );
            text.extend_from_slice(mark.as_bytes());
        }
        text.push(b'\n');
        Fate::Say(text)
    }
}

impl Judge for All {
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String> {
        let named = |start: &str| {
            sql::name(statement.strip_prefix(start.as_bytes())?).map(|(name, _)| name)
        };
        let is_there = |start: &str, names: &BTreeSet<Vec<u8>>| {
            named(start).is_some_and(|name| names.contains(&name))
        };
        // What a role is told in a database is of the database.
        let of_database = !self.in_one
            && statement
                .strip_prefix(b"ALTER ROLE ")
                .and_then(sql::name)
                .is_some_and(|(_, after)| after.starts_with(b" IN DATABASE "));
        // A role that is there may be the one that restores: its password must not change meanwhile.
        if !of_database
            && (is_there("CREATE ROLE ", &self.roles) || is_there("ALTER ROLE ", &self.roles))
        {
            return Ok(Fate::Omit);
        }
        if is_there("CREATE TABLESPACE ", &self.tablespaces) {
            return Ok(Fate::Omit);
        }
        if let Some(name) = named("CREATE TABLESPACE ").filter(|_| self.in_one) {
            return Err(format!(
                "the target has no tablespace \"{}\", and none can be made in a transaction: make it first",
                String::from_utf8_lossy(&name)
            ));
        }
        let always = |name: Vec<u8>| name == b"postgres" || name == b"template1";
        // Nothing that is there is dropped.
        if statement.starts_with(b"DROP ") || named("CREATE DATABASE ").is_some_and(always) {
            return Ok(Fate::Omit);
        }
        if self.in_one && matches!(super::one::word(statement), b"COMMIT" | b"ROLLBACK" | b"END") {
            return Err(
                "a statement of it ends the transaction, which none of roles does".to_owned()
            );
        }
        Ok(super::one::adapted(statement).unwrap_or(Fate::Keep))
    }

    fn command(&mut self, line: &[u8]) -> Result<Fate, String> {
        match super::one::word(&line[1..]) {
            b"restrict" | b"unrestrict" => Ok(Fate::Omit),
            b"connect" if !self.in_one => Ok(self.connected(line)),
            b"encoding" if !self.in_one => Ok(Fate::Keep),
            other => Err(super::one::no_command(other)),
        }
    }

    fn rest(&mut self) -> Result<Vec<u8>, String> {
        Ok(self.unmark().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use dbstash_core::load::Edit as _;

    use super::super::reader::Reader;
    use super::*;

    fn seen(script: &str, in_one: bool) -> Result<String, String> {
        let facts = ["role stash", "role it's \"x\"", "tablespace fast", "superuser"];
        let all = All::new(&facts.map(str::to_owned), in_one);
        let (mut reader, mut out) = (Box::new(Reader::new(all)), Vec::new());
        reader.feed(script.as_bytes(), &mut out)?;
        reader.finish(&mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_database_is_marked_as_long_as_it_is_half_there() {
        let script = "CREATE ROLE bob;\n\\connect template1\nSET a = 1;\n\\connect -reuse-previous=on \"dbname='x'\"\n\
            CREATE TABLE t ();\nSET SESSION AUTHORIZATION bob;\n\\connect b\nCREATE TABLE u ();\n";
        let (mut reader, mut out) =
            (Box::new(Reader::new(All::new(&[], false).marking("it's"))), Vec::new());
        reader.feed(script.as_bytes(), &mut out).unwrap();
        reader.finish(&mut out).unwrap();
        let said = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines[..3], ["CREATE ROLE bob;", "\\connect template1", "SET a = 1;"]);
        let marks = |line: &str| {
            line.contains(" \\\\ SET ")
                && line.contains("CREATE SCHEMA dbstash_restore_incomplete ")
        };
        assert!(lines[3].starts_with("\\connect -reuse") && marks(lines[3]), "{said}");
        let unmark = "RESET SESSION AUTHORIZATION; SET client_min_messages = warning; \
             DROP SCHEMA IF EXISTS dbstash_restore_incomplete CASCADE; ";
        let rest = lines[6].strip_prefix(unmark).unwrap();
        assert!(rest.starts_with("\\connect b \\\\ ") && marks(rest), "{said}");
        assert_eq!((lines.len(), lines[8]), (9, unmark));
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
        let script = "DROP ROLE bob;\nCREATE ROLE bob;\nALTER ROLE bob WITH LOGIN;\nCREATE ROLE stash;\n\
            ALTER ROLE stash WITH PASSWORD 'a;b';\nALTER ROLE \"it's \"\"x\"\"\" SET a TO 'b';\nGRANT bob TO stash;\n\
            CREATE TABLESPACE fast OWNER x LOCATION 'y';\n";
        let said = "\nCREATE ROLE bob;\nALTER ROLE bob WITH LOGIN;\n\n\n\nGRANT bob TO stash;\n\n";
        for in_one in [false, true] {
            assert_eq!(seen(script, in_one).as_deref(), Ok(said));
        }
        let of_server = "CREATE TABLESPACE slow LOCATION 'y';\n\\connect shop\nBEGIN;\nCOMMIT;\n";
        assert_eq!(seen(of_server, false).as_deref(), Ok(of_server));
        for script in of_server.split_inclusive('\n').filter(|line| !line.starts_with("BEGIN")) {
            assert!(seen(script, true).is_err(), "{script}");
        }
        assert!(seen("\\! date\n", false).is_err());
        let told = "ALTER ROLE stash IN DATABASE shop SET work_mem TO '7MB';\n";
        assert_eq!(seen(told, false).as_deref(), Ok(told));
        assert_eq!(seen(told, true).as_deref(), Ok("\n"));
    }
}
