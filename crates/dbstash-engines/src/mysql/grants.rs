//! What `SHOW GRANTS` says.

/// The privileges of a login.
#[derive(Debug, Default)]
pub(super) struct Grants {
    /// Whether there are roles, whose privileges are not told.
    pub(super) roles: bool,
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    privileges: Vec<String>,
    on: On,
    revoked: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum On {
    Everything,
    /// As LIKE has it.
    Database(String),
    Table(String, String),
}

impl Grants {
    /// Reads the lines that are grants; passes over others.
    pub(super) fn read(text: &str) -> Self {
        let mut grants = Self::default();
        for line in text.lines() {
            let (rest, revoked) = match (line.strip_prefix("GRANT "), line.strip_prefix("REVOKE "))
            {
                (Some(rest), _) => (rest, false),
                (None, Some(rest)) => (rest, true),
                (None, None) => continue,
            };
            let Some(at) = bare(rest, " ON ") else {
                grants.roles = true;
                continue;
            };
            let Some(on) = on(&rest[at + 4..]) else { continue };
            let privileges = split(&rest[..at]);
            grants.lines.push(Line { privileges, on, revoked });
        }
        grants
    }

    /// Whether a privilege is there on all of a database, or of the server.
    pub(super) fn has(&self, privilege: &str, database: Option<&str>) -> bool {
        let applies = |line: &&Line| match (&line.on, database) {
            (On::Everything, _) => true,
            (On::Database(pattern), Some(name)) => is_like(pattern, name),
            _ => false,
        };
        let tells = |line: &&Line| {
            line.privileges.iter().any(|one| one == privilege || one.starts_with("ALL PRIVILEGES"))
        };
        let of = |revoked| {
            let mut lines = self.lines.iter().filter(move |line| line.revoked == revoked);
            lines.any(|line| applies(&line) && tells(&line))
        };
        of(false) && !of(true)
    }

    /// Whether a table may be read.
    pub(super) fn table(&self, database: &str, table: &str) -> bool {
        let is = |line: &Line| matches!(&line.on, On::Table(db, t) if db == database && t == table);
        let reads = |line: &Line| {
            line.privileges.iter().any(|one| one == "SELECT" || one.starts_with("ALL"))
        };
        self.lines.iter().any(|line| !line.revoked && is(line) && reads(line))
    }

    /// Whether there is anything at all that may be done in a database.
    pub(super) fn any(&self, database: &str) -> bool {
        self.lines.iter().filter(|line| !line.revoked).any(|line| match &line.on {
            On::Everything => {
                line.privileges.iter().any(|one| one == "SELECT" || one.starts_with("ALL"))
            }
            On::Database(pattern) => is_like(pattern, database),
            On::Table(name, _) => name == database,
        })
    }
}

/// Where `mark` stands outside of quotes and brackets.
fn bare(text: &str, mark: &str) -> Option<usize> {
    let (mut quote, mut depth) = (None, 0_usize);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '`' | '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) if depth == 0 && text[at..].starts_with(mark) => return Some(at),
            _ => {}
        }
    }
    None
}

fn split(text: &str) -> Vec<String> {
    let (mut all, mut rest) = (Vec::new(), text);
    while let Some(at) = bare(rest, ",") {
        all.push(rest[..at].trim().to_owned());
        rest = &rest[at + 1..];
    }
    all.push(rest.trim().to_owned());
    all
}

fn on(text: &str) -> Option<On> {
    let object = &text[..bare(text, " TO ").or_else(|| bare(text, " FROM "))?];
    if object == "*.*" {
        return Some(On::Everything);
    }
    let dot = bare(object, ".")?;
    let name = unquoted(&object[..dot])?;
    match &object[dot + 1..] {
        "*" => Some(On::Database(name)),
        table => Some(On::Table(name, unquoted(table)?)),
    }
}

/// A name as it is; none of what is no table's or database's.
fn unquoted(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| "`\"'".contains(*c));
    match quote {
        Some(quote) => {
            let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
            Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
        }
        None => (!text.contains(' ')).then(|| text.to_owned()),
    }
}

/// Whether a name fits a pattern with `%`, `_` and `\`.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('%') => {
            let rest = rest.as_str();
            (0..=name.len())
                .filter(|at| name.is_char_boundary(*at))
                .any(|at| is_like(rest, &name[at..]))
        }
        Some(c) => {
            let (c, any) = match c {
                '\\' => (rest.next().unwrap_or('\\'), false),
                c => (c, c == '_'),
            };
            let mut chars = name.chars();
            chars.next().is_some_and(|first| any || first == c)
                && is_like(rest.as_str(), chars.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read() {
        let grants = Grants::read(
            "server\t8\nGRANT USAGE, PROCESS ON *.* TO `u`@`%`\n\
             GRANT SELECT, LOCK TABLES, SHOW VIEW ON `a``b ON c`.* TO `u`@`%` WITH GRANT OPTION\n\
             GRANT SELECT (`x`, `y`), INSERT ON `t`.`w` TO `u`@`%`\n\
             GRANT SELECT ON `mysql`.`proc` TO `u`@`%`\n\
             GRANT EXECUTE ON FUNCTION `t`.`f` TO `u`@`%`\n\
             GRANT PROXY ON ''@'%' TO `u`@`%`",
        );
        assert!(grants.has("PROCESS", Some("any")) && grants.has("SELECT", Some("a`b ON c")));
        assert!(!grants.has("SELECT", None) && !grants.has("SELECT", Some("t")) && !grants.roles);
        assert!(grants.table("mysql", "proc") && grants.any("t") && !grants.any("other"));
        assert!(!grants.table("t", "w"), "columns are not all");
        let all = Grants::read(
            "GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost'\nREVOKE SELECT ON `m`.* FROM 'root'@'localhost'\n\
             GRANT `r`@`%` TO `u`@`%`",
        );
        assert!(all.has("EVENT", Some("x")) && all.has("SELECT", Some("x")) && all.roles);
        assert!(!all.has("SELECT", Some("m")) && all.has("EVENT", Some("m")));
    }

    #[test]
    fn patterns() {
        for (pattern, name, fits) in [
            ("shop", "shop", true),
            ("sh_p", "shop", true),
            ("sh\\_p", "shop", false),
            ("sh\\_p", "sh_p", true),
            ("s%", "shop", true),
            ("%é", "xé", true),
            ("s%x", "shop", false),
        ] {
            assert_eq!(is_like(pattern, name), fits, "{pattern} {name}");
        }
    }
}
