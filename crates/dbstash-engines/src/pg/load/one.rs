//! What of the script of one database goes into another one, in one transaction.

use super::reader::{Fate, Judge};

/// Words that would end the transaction, or begin a part of it.
const CONTROL: [&[u8]; 9] = [
    b"COMMIT",
    b"ROLLBACK",
    b"END",
    b"ABORT",
    b"PREPARE",
    b"START",
    b"BEGIN",
    b"SAVEPOINT",
    b"RELEASE",
];
/// Encodings in which half a character may look like a quote.
const TWOFOLD: [&[u8]; 7] =
    [b"SJIS", b"BIG5", b"GBK", b"UHC", b"GB18030", b"JOHAB", b"SHIFT_JIS_2004"];

/// What a dump says first that has bytes of no known encoding.
pub(super) const BYTES: &[u8] = b"SET client_encoding = 'SQL_ASCII';";
/// A database of another one would take the rows of a `COPY` as they are, and could not read them.
const ONLY_BYTES: &[u8] =
    b"DO $dbstash$ BEGIN IF pg_catalog.current_setting('server_encoding') <> 'SQL_ASCII' THEN \
    RAISE EXCEPTION 'the backup is in SQL_ASCII, and the database in %', \
    pg_catalog.current_setting('server_encoding'); END IF; END $dbstash$;";

/// Decides for a database that is there.
pub(super) struct One {
    /// Its name, quoted.
    database: String,
    /// Whether the dump has begun to make things: what it drops before that is not there.
    makes: bool,
}

impl One {
    pub(super) fn new(database: &str) -> Self {
        Self { database: quoted(database), makes: false }
    }
}

impl Judge for One {
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String> {
        let first = word(statement);
        if matches!(statement, b"BEGIN;" | b"COMMIT;") {
            // Around large objects; all of it is one transaction here.
            return Ok(Fate::Omit);
        }
        if CONTROL.contains(&first.to_ascii_uppercase().as_slice()) {
            return Err(format!(
                "a statement of it begins with {}, which no dump has",
                String::from_utf8_lossy(first)
            ));
        }
        let starts = |text: &str| statement.starts_with(text.as_bytes());
        let encoding = statement.strip_prefix(b"SET client_encoding = '");
        if encoding.is_some_and(|rest| TWOFOLD.iter().any(|name| rest.starts_with(name))) {
            return Err("its encoding is one of clients only: restore it with psql".to_owned());
        }
        if statement == BYTES {
            return Ok(Fate::Say([statement, b" ", ONLY_BYTES].concat()));
        }
        if starts("CREATE DATABASE ") || starts("DROP DATABASE ") {
            return Ok(Fate::Omit);
        }
        // Of the database itself, which may have another name here.
        for begin in ["ALTER DATABASE ", "COMMENT ON DATABASE ", "SECURITY LABEL ON DATABASE "] {
            if let Some(rest) = statement.strip_prefix(begin.as_bytes()) {
                return Ok(self.renamed(begin.as_bytes(), rest));
            }
        }
        let is_right = starts("GRANT ") || starts("REVOKE ");
        if let Some(at) = memchr::memmem::find(statement, b" ON DATABASE ").filter(|_| is_right) {
            let (begin, rest) = statement.split_at(at + b" ON DATABASE ".len());
            return Ok(self.renamed(begin, rest));
        }
        // What --clean of pg_dump would have dropped is not there.
        if starts("DROP ") || !self.makes && starts("ALTER ") && drops(statement) {
            return Ok(Fate::Omit);
        }
        self.makes |= starts("CREATE ");
        Ok(adapted(statement).unwrap_or_else(|| {
            if starts("COMMENT ON EXTENSION ") || starts("COMMENT ON SCHEMA public ") {
                lenient(statement)
            } else {
                Fate::Keep
            }
        }))
    }

    fn command(&mut self, line: &[u8]) -> Result<Fate, String> {
        match word(&line[1..]) {
            // Nothing but these passes here: there is nothing to be restricted.
            b"restrict" | b"unrestrict" | b"connect" | b"encoding" => Ok(Fate::Omit),
            other => Err(no_command(other)),
        }
    }
}

impl One {
    /// The same of the target, where `rest` begins with a name.
    fn renamed(&self, begin: &[u8], rest: &[u8]) -> Fate {
        match crate::sql::name(rest) {
            Some((_, after)) => Fate::Say([begin, self.database.as_bytes(), after].concat()),
            None => Fate::Keep,
        }
    }
}

/// What has to be said in other words to a database that is there, or to an older server.
pub(super) fn adapted(statement: &[u8]) -> Option<Fate> {
    Some(match statement {
        b"CREATE SCHEMA public;" => Fate::Say(b"CREATE SCHEMA IF NOT EXISTS public;".to_vec()),
        // Of version 17; tools of it write it for older servers, too.
        b"SET transaction_timeout = 0;" => Fate::Say(
            b"SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
              WHERE name = 'transaction_timeout';"
                .to_vec(),
        ),
        _ => return None,
    })
}

/// What is wrong with a dump that has such a command of psql.
pub(super) fn no_command(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name).chars().take(20).collect::<String>();
    format!("it holds the psql command \\{name}, which no dump has there")
}

/// What only the owner may say, and nobody misses.
fn lenient(statement: &[u8]) -> Fate {
    if memchr::memmem::find(statement, b"$dbstash$").is_some() {
        return Fate::Keep;
    }
    let (begin, end): (&[u8], &[u8]) = (
        b"DO $dbstash$ BEGIN ",
        b" EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING 'left out: %', SQLERRM; END $dbstash$;",
    );
    Fate::Say([begin, statement, end].concat())
}

/// Whether an `ALTER` takes something away.
fn drops(statement: &[u8]) -> bool {
    [&b" DROP CONSTRAINT "[..], b" DROP DEFAULT;", b" DETACH PARTITION ", b" DROP IDENTITY"]
        .iter()
        .any(|words| memchr::memmem::find(statement, words).is_some())
}

/// The first word.
pub(super) fn word(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !byte.is_ascii_alphabetic());
    &text[..end.unwrap_or(text.len())]
}

/// A name as SQL takes it literally.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL takes it literally.
pub(super) fn literal(text: &str) -> String {
    let escapes = if text.contains('\\') { " E" } else { "" };
    format!("{escapes}'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
