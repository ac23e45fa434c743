//! A script for a server that is not the one around its database: what names others of that one is left out.

use memchr::memmem::find;

use super::one::BYTES;
use super::reader::{Fate, Judge};
use crate::sql;

/// Decides before another judge does.
pub(super) struct Bare {
    within: Box<dyn Judge>,
    /// Whether the roles are there.
    roles: bool,
    /// Whether it is on trial.
    trial: bool,
}

impl Bare {
    pub(super) fn new(within: Box<dyn Judge>, roles: bool, trial: bool) -> Self {
        Self { within, roles, trial }
    }
}

impl Judge for Bare {
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String> {
        if is_of_tablespaces(statement) || !self.roles && is_of_roles(statement) {
            return Ok(Fate::Omit);
        }
        // A database that has one cannot be dropped.
        if self.trial && is_of_subscriptions(statement) {
            return Ok(Fate::Omit);
        }
        // Nobody will read it there: that a database of another encoding takes it is enough.
        if statement == BYTES {
            return Ok(Fate::Keep);
        }
        let fate = self.within.statement(statement)?;
        // Its locale may not be on this machine.
        let made = statement.strip_prefix(b"CREATE DATABASE ").and_then(sql::name);
        match made.filter(|_| fate == Fate::Keep) {
            Some((_, after)) => {
                let begin = &statement[..statement.len() - after.len()];
                Ok(Fate::Say([begin, b" TEMPLATE template0;"].concat()))
            }
            None => Ok(fate),
        }
    }

    fn command(&mut self, line: &[u8]) -> Result<Fate, String> {
        self.within.command(line)
    }

    fn rest(&mut self) -> Result<Vec<u8>, String> {
        self.within.rest()
    }
}

fn is_of_tablespaces(statement: &[u8]) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| statement.starts_with(word.as_bytes()));
    begins(&[
        "SET default_tablespace",
        "CREATE TABLESPACE ",
        "ALTER TABLESPACE ",
        "COMMENT ON TABLESPACE ",
        "SECURITY LABEL ON TABLESPACE ",
    ]) || begins(&["GRANT ", "REVOKE "]) && find(statement, b" ON TABLESPACE ").is_some()
}

fn is_of_subscriptions(statement: &[u8]) -> bool {
    let begins = |words: &str| statement.starts_with(words.as_bytes());
    ["CREATE SUBSCRIPTION ", "ALTER SUBSCRIPTION ", "COMMENT ON SUBSCRIPTION "]
        .iter()
        .any(|w| begins(w))
        || begins("SECURITY LABEL ") && find(statement, b" ON SUBSCRIPTION ").is_some()
}

/// Whether it names a role.
fn is_of_roles(statement: &[u8]) -> bool {
    let begins = |words: &[&str]| words.iter().any(|word| statement.starts_with(word.as_bytes()));
    begins(&[
        "GRANT ",
        "REVOKE ",
        "ALTER DEFAULT PRIVILEGES ",
        "ALTER ROLE ",
        "CREATE USER MAPPING ",
        "SET SESSION AUTHORIZATION ",
        "RESET SESSION AUTHORIZATION",
        "COMMENT ON POLICY ",
    ]) || begins(&["CREATE POLICY "]) && find(statement, b" TO ").is_some()
        || begins(&["ALTER "]) && gives_owner(statement)
}

/// Whether its last words are an owner.
fn gives_owner(statement: &[u8]) -> bool {
    const WORDS: &[u8] = b" OWNER TO ";
    let Some(at) = memchr::memmem::rfind(statement, WORDS) else { return false };
    let owner = sql::name(&statement[at + WORDS.len()..]);
    owner.is_some_and(|(_, after)| after == b";")
}

#[cfg(test)]
mod tests {
    use dbstash_core::load::Edit as _;

    use super::super::all::All;
    use super::super::one::One;
    use super::super::reader::Reader;
    use super::*;

    fn seen(within: Box<dyn Judge>, roles: bool, script: &str) -> Vec<String> {
        let judge: Box<dyn Judge> = Box::new(Bare::new(within, roles, false));
        let (mut reader, mut out) = (Box::new(Reader::new(judge)), Vec::new());
        reader.feed(script.as_bytes(), &mut out).unwrap();
        reader.finish(&mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    const KEPT: [&str; 5] = [
        "CREATE TABLE public.t (a text DEFAULT ' OWNER TO x;');",
        "ALTER TABLE public.t ALTER COLUMN a SET DEFAULT ' OWNER TO x;';",
        "ALTER TABLE public.\" OWNER TO x\" ADD COLUMN b int;",
        "CREATE POLICY p ON public.t USING (true);",
        "ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;",
    ];
    const OF_ROLES: [&str; 9] = [
        "ALTER TABLE public.t OWNER TO bob;",
        "ALTER FUNCTION public.f(a text) OWNER TO \"it's; bob\";",
        "ALTER DATABASE shop OWNER TO bob;",
        "GRANT SELECT ON TABLE public.t TO bob;",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;",
        "ALTER DEFAULT PRIVILEGES FOR ROLE bob GRANT SELECT ON TABLES TO x;",
        "CREATE POLICY q ON public.t TO bob USING (true);",
        "CREATE USER MAPPING FOR bob SERVER s;",
        "SET SESSION AUTHORIZATION 'bob';",
    ];
    const OF_TABLESPACES: [&str; 2] =
        ["SET default_tablespace = fast;", "GRANT CREATE ON TABLESPACE fast TO bob;"];

    #[test]
    fn on_trial_there_are_no_subscriptions() {
        let script = "CREATE SUBSCRIPTION s CONNECTION 'host=h' PUBLICATION p WITH (connect = false);\n\
            ALTER SUBSCRIPTION s OWNER TO bob;\nCOMMENT ON SUBSCRIPTION s IS 'x';\nCREATE PUBLICATION q;\n";
        for (trial, left) in [(true, 1), (false, 3)] {
            let (mut out, within) = (Vec::new(), Box::new(One::new("x")));
            let mut reader = Reader::new(Bare::new(within, false, trial));
            reader.feed(script.as_bytes(), &mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.lines().filter(|line| !line.is_empty()).count(), left, "{out}");
        }
    }

    #[test]
    fn bytes_of_no_encoding_are_taken_anywhere() {
        let script = "SET client_encoding = 'SQL_ASCII';\n";
        assert_eq!(seen(Box::new(One::new("x")), false, script), [script.trim_end()]);
    }

    #[test]
    fn what_names_others_is_left_out() {
        let script = [&KEPT[..], &OF_ROLES, &OF_TABLESPACES].concat().join("\n");
        assert_eq!(seen(Box::new(One::new("shop")), false, &script), KEPT);
        let with_roles = [&KEPT[..], &OF_ROLES].concat().join("\n");
        let owned = seen(Box::new(One::new("drill")), true, &script).join("\n");
        assert_eq!(owned, with_roles.replace("DATABASE shop", "DATABASE \"drill\""));
    }

    #[test]
    fn of_a_whole_server_neither_places_nor_locales() {
        let script = "CREATE ROLE bob;\nCREATE TABLESPACE fast OWNER bob LOCATION '/x';\nCREATE DATABASE \"my shop\" WITH \
            TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'de_DE.UTF-8' TABLESPACE = fast;\nCREATE DATABASE \
            template1 WITH LOCALE = 'C';\nALTER DATABASE \"my shop\" OWNER TO bob;\n\\connect shop\n";
        assert_eq!(
            seen(Box::new(All::new(&[], false)), true, script),
            [
                "CREATE ROLE bob;",
                "CREATE DATABASE \"my shop\" TEMPLATE template0;",
                "ALTER DATABASE \"my shop\" OWNER TO bob;",
                "\\connect shop"
            ]
        );
    }
}
