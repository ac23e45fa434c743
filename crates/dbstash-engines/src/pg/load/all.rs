//! What of the script of a whole server, or of its roles, is said to another one.

use std::collections::BTreeSet;

use super::reader::{Fate, Judge};
use crate::sql;

/// Decides for a server: what it has already stays as it is.
pub(super) struct All {
    roles: BTreeSet<Vec<u8>>,
    tablespaces: BTreeSet<Vec<u8>>,
    /// Whether it is a part of a transaction.
    in_one: bool,
}

impl All {
    /// `facts` are the survey's.
    pub(super) fn new(facts: &[String], in_one: bool) -> Self {
        let of = |word: &'static str| {
            facts.iter().filter_map(move |fact| Some(fact.strip_prefix(word)?.as_bytes().to_vec()))
        };
        Self { roles: of("role ").collect(), tablespaces: of("tablespace ").collect(), in_one }
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
        // A role that is there may be the one that restores: its password must not change meanwhile.
        if is_there("CREATE ROLE ", &self.roles) || is_there("ALTER ROLE ", &self.roles) {
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
            b"connect" | b"encoding" if !self.in_one => Ok(Fate::Keep),
            other => Err(super::one::no_command(other)),
        }
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
    }
}
