//! Object names: a template, and what it expands to.

use std::fmt::Write as _;

use crate::zone::Zone;
use chrono::{DateTime, Offset as _, Utc};

/// A name template: literal text and tokens in braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Token(Token),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Db,
    Engine,
    Date,
    Time,
    Ts,
    Timestamp,
    Uuid,
    Job,
    Host,
    Node,
}

const TOKENS: [(&str, Token); 10] = [
    ("db", Token::Db),
    ("engine", Token::Engine),
    ("date", Token::Date),
    ("time", Token::Time),
    ("ts", Token::Ts),
    ("timestamp", Token::Timestamp),
    ("uuid", Token::Uuid),
    ("job", Token::Job),
    ("host", Token::Host),
    ("node", Token::Node),
];

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A token nobody knows.
    #[error("unknown token {{{0}}}; known are {tokens}", tokens = known_tokens())]
    UnknownToken(String),
    /// An opening brace without its closing one, or the other way round.
    #[error("unbalanced brace")]
    Unbalanced,
    /// The name would leave the remote's folder, or be no name at all.
    #[error("{0}")]
    BadPath(&'static str),
}

fn known_tokens() -> String {
    TOKENS.map(|(name, _)| format!("{{{name}}}")).join(" ")
}

/// What the tokens stand for in one run.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The database's label.
    pub db: &'a str,
    /// The engine's key.
    pub engine: &'a str,
    /// The job's id.
    pub job: &'a str,
    /// This machine's name.
    pub host: &'a str,
    /// When the run began.
    pub at: DateTime<Utc>,
    /// The zone of dates and times.
    pub zone: Zone,
    /// The run's random part; its first 8 characters are used.
    pub uuid: &'a str,
}

/// `{db}-{date}-{time}`.
impl Default for Template {
    fn default() -> Self {
        let dash = || Part::Text("-".to_owned());
        let (db, date, time) = (Token::Db, Token::Date, Token::Time);
        Self {
            source: "{db}-{date}-{time}".to_owned(),
            parts: vec![Part::Token(db), dash(), Part::Token(date), dash(), Part::Token(time)],
        }
    }
}

impl std::str::FromStr for Template {
    type Err = BadTemplate;

    fn from_str(source: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find(['{', '}']) {
            let (text, tail) = rest.split_at(open);
            let name = tail.strip_prefix('{').ok_or(BadTemplate::Unbalanced)?;
            let close = name.find('}').ok_or(BadTemplate::Unbalanced)?;
            let name_text = &name[..close];
            let token = TOKENS
                .iter()
                .find(|(known, _)| *known == name_text)
                .ok_or_else(|| BadTemplate::UnknownToken(name_text.to_owned()))?;
            if !text.is_empty() {
                parts.push(Part::Text(text.to_owned()));
            }
            parts.push(Part::Token(token.1));
            rest = &name[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        check_path(source)?;
        Ok(Self { source: source.to_owned(), parts })
    }
}

fn check_path(source: &str) -> Result<(), BadTemplate> {
    if source.is_empty() || source.ends_with('/') {
        return Err(BadTemplate::BadPath("a name is needed after the last '/'"));
    }
    if source.chars().any(char::is_control) {
        return Err(BadTemplate::BadPath("control characters cannot be in a name"));
    }
    for folder in source.split('/') {
        match folder {
            "" => {
                return Err(BadTemplate::BadPath(
                    "empty folder name; names are relative to RCLONE_REMOTE",
                ));
            }
            "." | ".." => return Err(BadTemplate::BadPath("'.' and '..' cannot be folder names")),
            _ if folder.starts_with(['.', '-']) => {
                return Err(BadTemplate::BadPath("a name cannot start with '.' or '-'"));
            }
            _ => {}
        }
    }
    Ok(())
}

impl Template {
    /// The name, without its extension, for these values.
    pub fn expand(&self, values: &Values<'_>) -> String {
        let local = values.at.with_timezone(&values.zone);
        let mut name = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Token(token) => {
                    let _ = match token {
                        Token::Db => write!(
                            name,
                            "{}",
                            as_file_name(values.db, name.is_empty() || name.ends_with('/'))
                        ),
                        Token::Engine => write!(name, "{}", values.engine),
                        Token::Job => write!(name, "{}", values.job),
                        Token::Host | Token::Node => {
                            write!(
                                name,
                                "{}",
                                as_file_name(values.host, name.is_empty() || name.ends_with('/'))
                            )
                        }
                        Token::Date => write!(name, "{}", local.format("%Y-%m-%d")),
                        Token::Time => write!(name, "{}", local.format("%H%M%S")),
                        Token::Ts => write!(name, "{}", values.at.timestamp()),
                        Token::Timestamp => write!(name, "{}", timestamp(values.at, values.zone)),
                        Token::Uuid => {
                            write!(name, "{}", values.uuid.get(..8).unwrap_or(values.uuid))
                        }
                    };
                }
            }
        }
        name
    }

    /// Whether two runs a second apart get different names.
    pub fn is_unique(&self) -> bool {
        let has = |wanted: Token| self.parts.contains(&Part::Token(wanted));
        has(Token::Uuid)
            || has(Token::Ts)
            || has(Token::Timestamp)
            || (has(Token::Date) && has(Token::Time))
    }

    /// Whether two databases of one job get different names at the same instant.
    pub fn tells_databases_apart(&self) -> bool {
        self.parts.iter().any(|p| matches!(p, Part::Token(Token::Db | Token::Uuid)))
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

/// `20260207T020000Z`, or with the zone's offset when the zone is not UTC.
pub fn timestamp(at: DateTime<Utc>, zone: Zone) -> String {
    let local = at.with_timezone(&zone);
    let basic = local.format("%Y%m%dT%H%M%S");
    if zone == Zone::UTC
        || local.offset().fix().local_minus_utc() == 0 && zone.name().contains("UTC")
    {
        format!("{basic}Z")
    } else {
        format!("{basic}{}", local.format("%z"))
    }
}

/// A database or host name as one path component: `%XX` for what a folder, a shell or an option parser would take
/// for its own.
fn as_file_name(text: &str, first: bool) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        let special =
            c.is_control() || "/\\%{}".contains(c) || (first && i == 0 && "-.~".contains(c));
        if special {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// `base` with `-2`, `-3`, ... for the second and later try, then the extension.
pub fn object_name(base: &str, attempt: u32, extension: &str) -> String {
    let suffix = if attempt > 1 { format!("-{attempt}") } else { String::new() };
    if extension.is_empty() {
        format!("{base}{suffix}")
    } else {
        format!("{base}{suffix}.{extension}")
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use proptest::prelude::*;

    use super::*;
    use crate::zone::zone;

    fn expand(template: &str, db: &str, zone: Zone) -> String {
        let at = Utc.with_ymd_and_hms(2026, 2, 7, 2, 0, 0).unwrap();
        let template: Template = template.parse().unwrap();
        template.expand(&Values {
            db,
            engine: "pg",
            job: "pg-h-5432",
            host: "box",
            at,
            zone,
            uuid: "a1b2c3d4e5f6",
        })
    }

    #[test]
    fn every_token() {
        assert_eq!(expand("{db}-{date}-{time}", "shop", Zone::UTC), "shop-2026-02-07-020000");
        assert_eq!(
            expand("{engine}/{job}/{ts}-{uuid}", "shop", Zone::UTC),
            "pg/pg-h-5432/1770429600-a1b2c3d4"
        );
        assert_eq!(expand("{timestamp}@{host}{node}", "x", Zone::UTC), "20260207T020000Z@boxbox");
        assert_eq!(expand("{timestamp}", "x", zone("Asia/Kolkata")), "20260207T073000+0530");
        assert_eq!(expand("{date}-{time}", "x", zone("Asia/Kolkata")), "2026-02-07-073000");
    }

    #[test]
    fn the_default_is_what_it_says() {
        let default = Template::default();
        assert_eq!(default.as_str().parse(), Ok(default));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |t: &str| t.parse::<Template>().unwrap_err().to_string();
        assert!(error("{dbname}").starts_with("unknown token {dbname}; known are {db}"));
        assert_eq!(error("{db"), "unbalanced brace");
        assert_eq!(error("db}"), "unbalanced brace");
        for bad in ["", "/x", "a//b", "../x", "a/..", "x/", "-x", ".hidden", "a\nb"] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn uniqueness_is_known() {
        let unique = |t: &str| t.parse::<Template>().unwrap().is_unique();
        assert!(unique("{db}-{date}-{time}") && unique("{uuid}") && unique("{timestamp}"));
        assert!(!unique("{db}") && !unique("{db}-{date}"));
    }

    #[test]
    fn a_later_try_goes_before_the_extension() {
        assert_eq!(object_name("a/b.c", 1, "sql"), "a/b.c.sql");
        assert_eq!(object_name("a/b.c", 2, "sql.zst"), "a/b.c-2.sql.zst");
        assert_eq!(object_name("a", 3, ""), "a-3");
    }

    proptest! {
        #[test]
        fn a_database_name_never_adds_a_folder(db in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
            let name = expand("{db}", &db, Zone::UTC);
            prop_assert!(!name.contains(['/', '\\', '\n']) && !name.starts_with(['.', '-']), "{name:?}");
        }

        #[test]
        fn different_databases_have_different_names(a in "\\PC{1,12}", b in "\\PC{1,12}") {
            prop_assume!(a != b);
            prop_assert_ne!(expand("{db}", &a, Zone::UTC), expand("{db}", &b, Zone::UTC));
        }

        #[test]
        fn any_name_is_a_relative_path(
            parts in prop::collection::vec(
                prop::sample::select(vec!["{db}", "{host}", "{node}", "{date}", "{time}", "{ts}", "{timestamp}", "{uuid}",
                    "{job}", "{engine}", "/", "-", ".", "..", " ", "x", "é", "~", "{db}/{host}"]),
                1..8,
            ),
            db in "\\PC{1,12}|[\\x00-\\x7f]{1,6}|\\.{1,3}",
            host in "\\PC{1,12}|[\\x00-\\x7f]{1,6}|\\.{1,3}",
            at in 0_i64..40_000_000_000,
        ) {
            let Ok(template) = parts.concat().parse::<Template>() else { return Ok(()) };
            prop_assert_eq!(template.as_str().parse::<Template>().unwrap(), template.clone());
            let at = DateTime::from_timestamp(at, 0).unwrap();
            let name = template.expand(&Values {
                db: &db, engine: "pg", job: "pg-h-1", host: &host, at, zone: Zone::UTC, uuid: "a1b2c3d4e5f6",
            });
            for folder in name.split('/') {
                prop_assert!(!matches!(folder, "" | "." | ".."), "{name:?}");
                prop_assert!(!folder.starts_with('-') && !folder.starts_with('.'), "{name:?}");
            }
            prop_assert!(!name.chars().any(char::is_control), "{name:?}");
            prop_assert!(!name.contains('\\'), "{name:?}");
        }

        #[test]
        fn each_try_has_a_name_of_its_own(
            base in "[a-z0-9./-]{1,12}", extension in "(sql|sql\\.zst|x-2|)", a in 1_u32..40, b in 1_u32..40,
        ) {
            let (one, other) = (object_name(&base, a, &extension), object_name(&base, b, &extension));
            prop_assert_eq!(one == other, a == b);
            prop_assert!(one.starts_with(&base) && one.ends_with(&extension));
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Template>();
        }
    }
}
