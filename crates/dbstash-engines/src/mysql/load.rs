//! A dump back into a server, by the stock client: verified before, and marked in the target until all of it is there.

mod complaint;
mod question;

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{EngineKey, Server, Source};
use dbstash_core::load::{Load, Script, Stage, Survey, Target, Wish, older};

use super::Dialect;

pub(super) use self::complaint::explain;

/// The table that is in the target as long as a restore of it is not complete; its comment says of which backup.
const MARK: &str = "dbstash_restore_incomplete";

/// How the client is asked for answers.
const ANSWERS: [&str; 4] =
    ["--batch", "--raw", "--skip-column-names", "--default-character-set=utf8mb4"];
/// How it reads a dump: bytes as they are, nothing but statements in them, and one session from the first to the last.
const LOADS: [&str; 6] = [
    "--batch",
    "--binary-mode",
    "--comments",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
    "--skip-reconnect",
];

pub(super) fn survey(of: Dialect, wish: &Wish<'_>) -> Result<Survey, PlanError> {
    refuse(wish)?;
    let to = At::of(of, wish)?;
    let question = to.statement(&question::text(wish.database))?;
    Ok(Survey::Ask { question, read: question::read, missing: |_| None })
}

pub(super) fn load(of: Dialect, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    refuse(wish)?;
    let to = At::of(of, wish)?;
    let object = wish.dump()?;
    let ours = Dialect::of_version(target.version.as_deref()).unwrap_or(to.dialect);
    let versions = (object.passed.server_version.as_deref(), target.version.as_deref());
    if let Some(why) = (ours == of).then(|| older(versions.0, versions.1)).flatten() {
        return Err(PlanError(why));
    }
    let mut stages = vec![Stage::Run {
        what: "the database cannot be made ready",
        invocation: to.statement(&prepared(wish, target))?,
    }];
    match object.format.as_str() {
        "plain" => stages.push(Stage::Script(Script::of(0, to.loader(wish.database)?))),
        other => {
            return Err(PlanError(format!(
                "a dump of the format {other} is not known to this version"
            )));
        }
    }
    stages.push(Stage::Run {
        what: "all of it is there, and the mark cannot be taken away",
        invocation: to.statement(&format!("DROP TABLE {}.`{MARK}`", name(wish.database)))?,
    });
    Ok(Load { atomic: false, stages, ..Load::default() })
}

/// What this format cannot be asked for.
fn refuse(wish: &Wish<'_>) -> Result<(), PlanError> {
    let object = wish.dump()?;
    if wish.manifest.database == "*" {
        return Err(PlanError(
            "a dump of all databases has those of the server itself in it, with its users and passwords: restore it by \
             hand (--print-command) into a new server, or set BACKUP_SPLIT_DATABASES=true for backups of each"
                .to_owned(),
        ));
    }
    wish.refuse_parts(&object.format)
}

/// The target: its address, and the family of its client.
struct At<'a> {
    dialect: Dialect,
    server: &'a Server,
}

impl<'a> At<'a> {
    fn of(of: Dialect, wish: &Wish<'a>) -> Result<Self, PlanError> {
        let dialect = match wish.engine {
            EngineKey::Mysql => Dialect::Mysql,
            EngineKey::Mariadb => Dialect::Mariadb,
            _ => of,
        };
        match wish.source {
            Source::Server(server) => Ok(Self { dialect, server }),
            Source::File(_) => Err(PlanError(format!(
                "{} is restored into a server: --to {}://user@host/database",
                dialect.name(),
                dialect.client()
            ))),
        }
    }

    /// The client with these words.
    fn client<'w>(
        &self,
        words: impl IntoIterator<Item = &'w str>,
    ) -> Result<Invocation, PlanError> {
        let mut invocation = self.dialect.invocation(self.dialect.client(), self.server)?;
        invocation.args.extend(words.into_iter().map(|word| Arg::Plain(word.to_owned())));
        Ok(invocation)
    }

    /// A few statements of our own.
    fn statement(&self, text: &str) -> Result<Invocation, PlanError> {
        self.client(ANSWERS.into_iter().chain(["--execute", text]))
    }

    /// What a dump goes into. It ends at the first error.
    fn loader(&self, database: &str) -> Result<Invocation, PlanError> {
        let database = format!("--database={database}");
        self.client(LOADS.into_iter().chain([&*database]))
    }
}

impl Dialect {
    /// Of the server that says it is of this version.
    fn of_version(version: Option<&str>) -> Option<Self> {
        let is_maria = version?.contains("MariaDB");
        Some(if is_maria { Self::Mariadb } else { Self::Mysql })
    }
}

/// An empty database with a mark in it.
fn prepared(wish: &Wish<'_>, target: &Target) -> String {
    let database = name(wish.database);
    let mut text = String::new();
    if !target.exists {
        text.push_str(&format!("CREATE DATABASE {database}; "));
    } else if !target.is_empty() {
        // What the user gave it stays: a dump of one database does not say it.
        let charset = target.facts.first().map(|charset| format!(" {charset}")).unwrap_or_default();
        text.push_str(&format!("DROP DATABASE {database}; CREATE DATABASE {database}{charset}; "));
    }
    let of: String = wish.manifest.id.chars().map(|c| if is_safe(c) { c } else { '?' }).collect();
    text.push_str(&format!("CREATE TABLE {database}.`{MARK}` (x INT) COMMENT='{of}'"));
    text
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.:/ ".contains(c)
}

/// A name as SQL has it.
fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
