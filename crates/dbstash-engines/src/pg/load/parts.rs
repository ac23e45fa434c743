//! Some tables of a script, or one side of it.

use std::collections::BTreeSet;

use dbstash_core::load::{Extent, Side};
use memchr::memmem::find;

use super::one::{One, literal};
use super::reader::{Fate, Judge};
use crate::sql;

/// A table as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    word: String,
    schema: Option<Vec<u8>>,
    table: Vec<u8>,
}

impl Wanted {
    /// `table`, `schema.table`, or either with quotes as in SQL.
    pub(super) fn read(word: &str) -> Result<Self, String> {
        let read = || {
            if word.contains('"') {
                let (name, rest) = qualified(word.as_bytes())?;
                return rest.is_empty().then_some(name);
            }
            let (schema, table) = word.split_once('.').map_or((None, word), |(s, t)| (Some(s), t));
            Some((schema.map(|s| s.as_bytes().to_vec()), table.as_bytes().to_vec()))
        };
        match read() {
            Some((schema, table)) if !table.is_empty() => {
                Ok(Self { word: word.to_owned(), schema, table })
            }
            _ => Err(format!("--table {word}: a name, or schema.name")),
        }
    }

    fn is(&self, (schema, table): &Name) -> bool {
        self.table == *table && (self.schema.is_none() || self.schema == *schema)
    }

    /// A condition on `n.nspname` and `c.relname`.
    pub(super) fn condition(&self) -> String {
        let text = |bytes: &[u8]| literal(&String::from_utf8_lossy(bytes));
        let schema = match &self.schema {
            Some(schema) => format!(" AND n.nspname = {}", text(schema)),
            None => String::new(),
        };
        format!("(c.relname = {}{schema})", text(&self.table))
    }
}

type Name = (Option<Vec<u8>>, Vec<u8>);

/// Decides on what is wanted before [`One`] does.
pub(super) struct Parts {
    one: One,
    side: Side,
    wanted: Vec<Wanted>,
    /// Of these, what is wanted was seen.
    found: BTreeSet<usize>,
    /// Wanted tables that were seen: of a view nothing but what is said about it may come.
    made: BTreeSet<Name>,
    /// Schemas that are there by now.
    schemas: BTreeSet<Vec<u8>>,
    /// A sequence whose table is not known yet.
    held: Option<(Name, Vec<u8>)>,
    /// Of the wanted tables.
    sequences: BTreeSet<Name>,
    /// Tables that have partitions.
    roots: BTreeSet<Name>,
    /// Whether a wanted table is a partition.
    of_root: bool,
}

impl Parts {
    pub(super) fn new(one: One, extent: &Extent) -> Result<Self, String> {
        let wanted = extent.tables.iter().map(|word| Wanted::read(word));
        Ok(Self {
            one,
            side: extent.side,
            wanted: wanted.collect::<Result<_, _>>()?,
            found: BTreeSet::new(),
            made: BTreeSet::new(),
            schemas: BTreeSet::from([b"public".to_vec()]),
            held: None,
            sequences: BTreeSet::new(),
            roots: BTreeSet::new(),
            of_root: false,
        })
    }

    /// Whether a text begins with the name of a wanted table that was seen.
    fn wants(&self, text: &[u8]) -> bool {
        let text = text.strip_prefix(b"ONLY ").unwrap_or(text);
        qualified(text).is_some_and(|(name, _)| self.made.contains(&name))
    }

    fn wants_name(&self, name: &Name) -> bool {
        self.wanted.iter().any(|wanted| wanted.is(name))
    }

    /// Whether this is a wanted table: what makes it, or its rows.
    fn is_wanted(&mut self, name: &Name, is_rows: bool) -> bool {
        let is = self.wants_name(name);
        if is && !self.made.contains(name) {
            self.made.insert(name.clone());
        }
        if self.side == Side::All || is_rows == (self.side == Side::Data) {
            let wanted = self.wanted.iter().enumerate();
            self.found.extend(wanted.filter(|(_, wanted)| wanted.is(name)).map(|(at, _)| at));
        }
        is
    }

    /// Of all statements of a script, what is to be done with this one for the tables' sake.
    fn of_tables(&mut self, statement: &[u8]) -> Fate {
        let after = |start: &str| statement.strip_prefix(start.as_bytes());
        let keep = |is: bool| if is { Fate::Keep } else { Fate::Omit };
        for start in [
            "CREATE TABLE ",
            "CREATE UNLOGGED TABLE ",
            "CREATE FOREIGN TABLE ",
            "COPY ",
            "INSERT INTO ",
        ] {
            if let Some((name, _)) = after(start).and_then(qualified) {
                let is_rows = !start.starts_with("CREATE ");
                let is_wanted = self.is_wanted(&name, is_rows);
                let schema = name.0.filter(|_| is_wanted && !is_rows);
                let schema = schema.filter(|schema| self.schemas.insert(schema.clone()));
                return schema
                    .and_then(|schema| made(&schema))
                    .map_or(keep(is_wanted), |make| Fate::Say([&make, statement].concat()));
            }
        }
        if let Some(table) = after("COMMENT ON TABLE ") {
            return keep(self.wants(table));
        }
        if let Some(rest) = after("ALTER TABLE ") {
            return self.altered(statement, rest);
        }
        if let Some((name, _)) = after("CREATE SEQUENCE ").and_then(qualified) {
            self.held = Some((name, [statement, b"\n"].concat()));
            return Fate::Omit;
        }
        if let Some((name, rest)) = after("ALTER SEQUENCE ").and_then(qualified) {
            return self.of_sequence(&name, rest, statement);
        }
        if let Some(rest) = after("SELECT pg_catalog.setval('") {
            let end = find(rest, b"',").unwrap_or(rest.len());
            let text = String::from_utf8_lossy(&rest[..end]).replace("''", "'");
            let name = qualified(text.as_bytes()).map(|(name, _)| name);
            return keep(name.is_some_and(|name| self.sequences.contains(&name)));
        }
        let index = after("CREATE INDEX ").or_else(|| after("CREATE UNIQUE INDEX "));
        if let Some(table) = index.and_then(name).and_then(|(_, rest)| rest.strip_prefix(b" ON ")) {
            return keep(self.wants(table));
        }
        if let Some((column, _)) = after("COMMENT ON COLUMN ").and_then(of_column) {
            return keep(self.made.contains(&column));
        }
        // Without them, a table with row level security shows its rows to nobody but its owner.
        let policy = after("CREATE POLICY ").or_else(|| after("COMMENT ON POLICY "));
        if let Some(table) = policy.and_then(name).and_then(|(_, rest)| rest.strip_prefix(b" ON "))
        {
            return keep(self.wants(table));
        }
        let is_right = statement.starts_with(b"GRANT ") || statement.starts_with(b"REVOKE ");
        if let Some(at) = find(statement, b" ON TABLE ").filter(|_| is_right) {
            return keep(self.wants(&statement[at + b" ON TABLE ".len()..]));
        }
        let is_setting = statement.starts_with(b"SET ")
            || statement.starts_with(b"SELECT pg_catalog.set_config");
        keep(is_setting)
    }

    /// A table with partitions has its rows in them, and a partition is nothing without its table: neither comes back
    /// for itself. Rows do, into a partition that is there, where they are stored as its own.
    fn refuse_partitions(&mut self, statement: &[u8]) -> Result<(), String> {
        let after = |starts: &[&str]| {
            starts.iter().find_map(|start| statement.strip_prefix(start.as_bytes()))
        };
        let made = ["CREATE TABLE ", "CREATE UNLOGGED TABLE ", "CREATE FOREIGN TABLE "];
        let attached = b" ATTACH PARTITION ";
        let (name, of) = if let Some((name, rest)) = after(&made).and_then(qualified) {
            if find(rest, b"\nPARTITION BY ").is_some() {
                self.roots.insert(name.clone());
                if self.wants_name(&name) {
                    return Err(self.no_part(&name));
                }
            }
            // So said before 11.
            (Some(name), rest.strip_prefix(b" PARTITION OF "))
        } else if let Some((of, rest)) =
            after(&["ALTER TABLE ONLY ", "ALTER TABLE "]).and_then(qualified)
            && let Some(rest) = rest.strip_prefix(attached)
        {
            if self.wants_name(&of) {
                return Err(self.no_part(&of));
            }
            (qualified(rest).map(|(name, _)| name), Some(rest))
        } else {
            let rows = after(&["COPY ", "INSERT INTO "]).and_then(qualified);
            return match rows.filter(|(name, _)| self.of_root && self.roots.contains(name)) {
                Some((name, _)) => Err(self.no_part(&name)),
                None => Ok(()),
            };
        };
        if let Some(name) = name.filter(|name| of.is_some() && self.wants_name(name)) {
            self.of_root = true;
            if self.side != Side::Data {
                return Err(self.no_part(&name));
            }
        }
        Ok(())
    }

    fn no_part(&self, (schema, table): &Name) -> String {
        let schema = schema.iter().map(|schema| String::from_utf8_lossy(schema) + ".");
        let name: String = schema.chain([String::from_utf8_lossy(table)]).collect();
        no_split(&name, self.side)
    }

    fn altered(&mut self, statement: &[u8], rest: &[u8]) -> Fate {
        let rest = rest.strip_prefix(b"ONLY ").unwrap_or(rest);
        let Some((name, what)) = qualified(rest) else { return Fate::Omit };
        // An older pg_dump says so of sequences, too.
        if self.held.as_ref().is_some_and(|(held, _)| *held == name) {
            return self.of_sequence(&name, what, statement);
        }
        let needs_others = [&b" FOREIGN KEY "[..], b" ATTACH PARTITION "];
        let is_left_out =
            needs_others.iter().any(|word| find(what, word).is_some()) || switches(what);
        // Before the rows of a dump that has only them.
        let is_seen = self.made.contains(&name) || what == b" DISABLE TRIGGER ALL;";
        if is_left_out || !is_seen || !self.wants_name(&name) {
            return Fate::Omit;
        }
        if let Some(at) = find(what, b"SEQUENCE NAME ") {
            let of = qualified(&what[at + b"SEQUENCE NAME ".len()..]);
            self.sequences.extend(of.map(|(name, _)| name));
        }
        Fate::Keep
    }

    /// What is said of a sequence waits for the table that it belongs to.
    fn of_sequence(&mut self, name: &Name, rest: &[u8], statement: &[u8]) -> Fate {
        match &mut self.held {
            Some((held, text)) if held == name => {
                text.extend_from_slice(statement);
                text.push(b'\n');
            }
            _ if self.sequences.contains(name) => return Fate::Keep,
            _ => return Fate::Omit,
        }
        let Some((table, _)) = rest.strip_prefix(b" OWNED BY ").and_then(of_column) else {
            return Fate::Omit;
        };
        let held = self.held.take();
        if !self.wants_name(&table) {
            return Fate::Omit;
        }
        self.sequences.insert(name.clone());
        held.map_or(Fate::Omit, |(_, text)| Fate::Say(text))
    }
}

impl Judge for Parts {
    fn statement(&mut self, statement: &[u8]) -> Result<Fate, String> {
        let fate = self.one.statement(statement)?;
        if fate == Fate::Omit {
            return Ok(fate);
        }
        let starts = |text: &str| statement.starts_with(text.as_bytes());
        let of_large_object =
            ["COMMENT ", "GRANT ", "REVOKE ", "ALTER "].iter().any(|word| starts(word))
                && find(statement, b"LARGE OBJECT ")
                    .is_some_and(|at| at < 200 && !has_text(statement, at));
        let is_rows = of_large_object
            || starts("COPY ")
            || starts("INSERT INTO ")
            || starts("REFRESH MATERIALIZED VIEW ")
            || starts("SELECT pg_catalog.setval(")
            || starts("SELECT pg_catalog.lo");
        let is_setting = starts("SET ") || starts("SELECT pg_catalog.set_config");
        // What tells whose a sequence is counts also where only its value is wanted.
        if !self.wanted.is_empty() {
            self.refuse_partitions(statement)?;
        }
        let of_tables = if self.wanted.is_empty() { Fate::Keep } else { self.of_tables(statement) };
        let is_of_side = is_setting
            || match self.side {
                Side::All => true,
                Side::Schema => !is_rows,
                Side::Data => is_rows,
            };
        Ok(match of_tables {
            _ if !is_of_side => Fate::Omit,
            Fate::Keep => fate,
            other => other,
        })
    }

    fn command(&mut self, line: &[u8]) -> Result<Fate, String> {
        self.one.command(line)
    }

    fn rest(&mut self) -> Result<Vec<u8>, String> {
        let missing = self.wanted.iter().enumerate().find(|(at, _)| !self.found.contains(at));
        match missing {
            Some((_, wanted)) => {
                let rows = if self.side == Side::Data { " with rows" } else { "" };
                Err(format!("it has no table {}{rows}", wanted.word))
            }
            None => Ok(Vec::new()),
        }
    }
}

/// Why `--table` cannot have a table that is partitioned.
pub(super) fn no_split(name: &str, side: Side) -> String {
    let more = match side {
        Side::Data => "; rows of one partition come back by its own name, where they are stored so",
        Side::All | Side::Schema => "",
    };
    format!(
        "--table: {name} has partitions or is one, and does not come back without the others: restore all of it into \
         another database (--to), and copy from there{more}"
    )
}

/// Whether an `ALTER TABLE` is about a trigger or rule, which are left out.
fn switches(what: &[u8]) -> bool {
    let on_or_off = [&b" ENABLE "[..], b" DISABLE "];
    let Some(rest) = on_or_off.iter().find_map(|word| what.strip_prefix(*word)) else {
        return false;
    };
    let when = [&b"ALWAYS "[..], b"REPLICA "].iter().find_map(|word| rest.strip_prefix(*word));
    let rest = when.unwrap_or(rest);
    rest.starts_with(b"RULE ") || rest.starts_with(b"TRIGGER ") && rest != b"TRIGGER ALL;"
}

/// Makes a schema where it is missing: who has it already may lack the right to.
fn made(schema: &[u8]) -> Option<Vec<u8>> {
    let doubled = |of: &[u8]| -> Vec<u8> {
        let twice = |byte: &u8| if of.contains(byte) { vec![*byte; 2] } else { vec![*byte] };
        schema.iter().flat_map(twice).collect()
    };
    find(schema, b"$dbstash$").is_none().then(|| {
        [
            b"DO $dbstash$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = E'",
            &doubled(b"'\\")[..],
            b"') THEN CREATE SCHEMA \"",
            &doubled(b"\""),
            b"\"; END IF; END $dbstash$; ",
        ]
        .concat()
    })
}

/// Whether a quote comes before this place.
fn has_text(statement: &[u8], at: usize) -> bool {
    statement[..at].iter().any(|byte| b"'\"$".contains(byte))
}

/// A name as pg_dump writes it, and what comes after it.
fn name(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if text.first() == Some(&b'"') {
        return sql::name(text);
    }
    let ends = |byte: &u8| !(byte.is_ascii_alphanumeric() || b"_$".contains(byte) || *byte >= 0x80);
    let end = text.iter().position(ends).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_vec(), &text[end..]))
}

/// A name with its schema, where it has one.
fn qualified(text: &[u8]) -> Option<(Name, &[u8])> {
    let (first, rest) = name(text)?;
    match rest.strip_prefix(b".").and_then(name) {
        Some((second, rest)) => Some(((Some(first), second), rest)),
        None => Some(((None, first), rest)),
    }
}

/// The table of a column with its schema.
fn of_column(text: &[u8]) -> Option<(Name, &[u8])> {
    let (table, rest) = qualified(text)?;
    let (_, rest) = name(rest.strip_prefix(b".")?)?;
    Some((table, rest))
}

#[cfg(test)]
mod tests;
