//! A dump back into a server, by the stock client: verified before, and marked in the target until all of it is there.

mod complaint;
pub(super) mod mark;
mod parts;
pub(super) mod question;
mod translation;
mod whole;

use core::cmp::Ordering;

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{EngineKey, Server, Source};
use dbstash_core::load::{
    Choice, Edit, Extent, Feed, Load, Script, Side, Stage, Survey, Target, Wish, older,
};

use self::parts::Parts;
use self::translation::Translation;
use super::split::mark::Kind;
use super::{Dialect, OWN_DATABASES};

pub(super) use self::complaint::explain;

/// What a backup of all databases says it is of.
pub(super) const ALL: &str = "*";

/// How the client is asked for answers.
pub(super) const ANSWERS: [&str; 4] =
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

/// It would quote the whole statement that failed, with the rows in it. Older clients do not, and do not know the word.
const QUIET: &str = "--loose-skip-print-query-on-error";

pub(super) fn survey(of: Dialect, wish: &Wish<'_>) -> Result<Survey, PlanError> {
    refuse(wish)?;
    if wish.manifest.database == ALL {
        return whole::survey(&At::of(of, wish)?);
    }
    not_its_own(wish.database)?;
    let question = At::of(of, wish)?.statement(&question::text(wish.database, wish.extent))?;
    Ok(Survey::Ask { question, read: question::read, missing: |_| None })
}

pub(super) fn load(of: Dialect, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    refuse(wish)?;
    if wish.manifest.database == ALL {
        return whole::load(of, wish, target);
    }
    not_its_own(wish.database)?;
    let to = At::of(of, wish)?;
    let object = wish.dump()?;
    let ours = Dialect::of_version(target.version.as_deref()).unwrap_or(to.dialect);
    let versions = (object.passed.server_version.as_deref(), target.version.as_deref());
    if let Some(why) = (ours == of).then(|| older(versions.0, versions.1)).flatten() {
        return Err(PlanError(why));
    }
    let mut notes = Vec::new();
    if ours != of {
        notes.push(format!(
            "a dump of {} goes into {}: a collation that is not there becomes the nearest one, and what only {} has \
             ends it",
            of.name(),
            ours.name(),
            of.name()
        ));
    }
    if !target.exists {
        notes.push(
            "the database is made with the server's default character set and collation: make it first where that matters"
                .to_owned(),
        );
    }
    if is_part(wish.extent) {
        part(wish, target)?;
        notes.push("what else is in the database stays".to_owned());
        if let Some(count) = fact(target, "referring ").filter(|_| wish.clean) {
            notes.push(format!(
                "foreign keys of other tables ({count}) refer to these, and are not looked at: their rows may then refer to \
                 nothing"
            ));
        }
    } else if let Some(again) = target.mark.as_deref().and_then(mark::again).filter(|_| !wish.clean)
    {
        return Err(PlanError(format!(
            "the target holds an interrupted restore of {}: dbstash restore {again} makes that whole; all of it, with \
             --clean, drops what else is there",
            target.mark.as_deref().unwrap_or_default()
        )));
    } else if let Some(count) = fact(target, "kin ").filter(|_| !target.is_empty()) {
        return Err(PlanError(format!(
            "there is another database whose name differs only in case, and the server would drop its events ({count}) with \
             this one: restore under another name, or into this one when it is empty"
        )));
    }
    let edits = || -> Result<Vec<Box<dyn Edit>>, PlanError> {
        let mut edits: Vec<Box<dyn Edit>> = Vec::new();
        if is_part(wish.extent) || wish.extent.side != Side::All {
            let parts = Parts::new(of, wish.extent, wish.clean)?;
            edits.push(Box::new(if wish.extent.side == Side::Data {
                parts.into_those(question::there(target))
            } else {
                parts
            }));
        }
        let on_trial = wish.extent.bare;
        if on_trial || ours != of || to.dialect != of || wish.database != wish.manifest.database {
            let version = target.version.as_deref().unwrap_or_default();
            let translation = Translation::new(of, to.dialect, ours, version);
            let translation = translation.renaming(&wish.manifest.database, wish.database);
            edits.push(Box::new(if on_trial { translation.on_trial() } else { translation }));
        }
        Ok(edits)
    };
    let loader = to.loader(Some(wish.database))?;
    let mut stages = loading(wish, wish.jobs, loader, edits()?, &mut notes)?;
    // A copy first: what cannot be copied changes nothing.
    let mut at = usize::from(matches!(stages.first(), Some(Stage::Copy { .. })));
    if is_part(wish.extent) {
        // What is not in the dump has to be known before.
        let feed = if at == 0 { Feed::Object(0) } else { Feed::Tree(parts::files(wish.extent)) };
        stages.insert(at, Stage::ReadThrough { feed, edit: Box::new(Chain(edits()?)) });
        at += 1;
    }
    let ready = if is_part(wish.extent) && target.exists {
        Stage::Mark(to.statement(&mark::added(wish, target))?)
    } else {
        let invocation = to.statement(&mark::emptied(wish, target))?;
        Stage::Run { what: "the database cannot be made ready", invocation }
    };
    stages.insert(at, ready);
    stages.push(Stage::Run {
        what: "all of it is there, and the mark cannot be taken away",
        invocation: to.statement(&mark::gone(wish))?,
    });
    Ok(Load { atomic: false, stages, mark: Some(at), notes, ..Load::default() })
}

/// The stages that bring the dump into the database.
fn loading(
    wish: &Wish<'_>,
    jobs: u32,
    loader: Invocation,
    edits: Vec<Box<dyn Edit>>,
    notes: &mut Vec<String>,
) -> Result<Vec<Stage>, PlanError> {
    let is_tree = wish.dump()?.format == "sql-files";
    let jobs = if is_tree && edits.is_empty() { jobs } else { 1 };
    if wish.jobs > jobs {
        let why = match () {
            () if !is_tree => "the dump is one stream",
            () if edits.is_empty() => "all databases are loaded by one session",
            () => "what is changed on its way is one stream",
        };
        notes.push(format!("--jobs has no effect: {why}"));
    }
    let edit: Option<Box<dyn Edit>> = (!edits.is_empty()).then(|| Box::new(Chain(edits)) as _);
    let script = |choice: Choice| {
        Stage::Script(Script { feed: Feed::Tree(choice), ..Script::of(0, loader.clone()) })
    };
    Ok(match (is_tree, jobs) {
        (false, _) => vec![Stage::Script(Script { edit, ..Script::of(0, loader) })],
        (true, 0 | 1) => {
            let feed = Feed::Tree(parts::files(wish.extent));
            let all = Stage::Script(Script { feed, edit, ..Script::of(0, loader) });
            vec![Stage::Copy { object: 0, file: "" }, all]
        }
        // Tables know of no order, for nothing that refers to another is looked at before the end. Triggers come
        // after all rows.
        (true, jobs) => vec![
            Stage::Copy { object: 0, file: "" },
            script(Box::new(|path| rank(path) < Ordering::Equal)),
            Stage::Parallel {
                files: Box::new(|path| rank(path) == Ordering::Equal),
                loader: loader.clone(),
                jobs,
            },
            script(Box::new(|path| rank(path) > Ordering::Equal)),
        ],
    })
}

/// Whether a file comes before the tables, is one, or comes after them.
fn rank(path: &str) -> Ordering {
    let tables = Kind::Table.words().0 + b'0';
    path.rsplit('/').next().and_then(|name| name.bytes().next()).unwrap_or(b'9').cmp(&tables)
}

/// Whether it goes into a database that keeps what it has.
fn is_part(extent: &Extent) -> bool {
    !extent.tables.is_empty() || extent.side == Side::Data
}

/// The server's own databases are none to restore into: it would not live on.
fn not_its_own(database: &str) -> Result<(), PlanError> {
    if is_its_own(database) {
        return Err(PlanError(format!("{database} is the server's own database: name another")));
    }
    Ok(())
}

fn is_its_own(database: &str) -> bool {
    let mut own = OWN_DATABASES.split(", ").map(|name| name.trim_matches('\''));
    own.any(|name| name.eq_ignore_ascii_case(database))
}

/// What this format cannot be asked for.
pub(super) fn refuse(wish: &Wish<'_>) -> Result<(), PlanError> {
    let object = wish.dump()?;
    let no = |why: &str| Err(PlanError(why.to_owned()));
    match &*object.format {
        // Each dump that is not XML says who made it, or that it does not.
        "plain" if object.passed.degraded.is_none() && object.passed.tool_version.is_none() => no(
            "it is XML (--xml in DUMP_EXTRA_ARGS): the clients load such by LOAD XML, table by table",
        ),
        "plain" if object.passed.degraded.is_some() && *wish.extent != Extent::default() => wish
            .refuse_parts("a dump without comments (DUMP_EXTRA_ARGS), by which its parts are told"),
        "sql-files" | "plain" => Ok(()),
        "tab-files" => no(
            "files of --tab are loaded by hand: each .sql by the client, and then each .txt by mysqlimport \
             (mariadb-import) --local",
        ),
        other => {
            Err(PlanError(format!("a dump of the format {other} is not known to this version")))
        }
    }
}

/// Some tables, or rows, into a database that goes on: what is in their way.
fn part(wish: &Wish<'_>, target: &Target) -> Result<(), PlanError> {
    if let Some(mark) = target.mark.as_ref().filter(|mark| !mark::is_all_of(wish, mark)) {
        return Err(PlanError(match mark::again(mark) {
            Some(again) => format!(
                "the target holds an interrupted restore of {mark}, which would be taken for done: first make that whole, by \
                 dbstash restore {again}"
            ),
            None => "the target holds an interrupted restore of all of it: restore all of it, with --clean".to_owned(),
        }));
    }
    if wish.extent.side != Side::Data {
        return Ok(());
    }
    if !target.exists {
        return Err(PlanError(
            "there is no database to put rows into: restore with --schema-only before".to_owned(),
        ));
    }
    let is_there = question::there(target);
    if let Some(table) = wish.extent.tables.iter().find(|table| !is_there(table)) {
        return Err(PlanError(parts::no_table(table)));
    }
    match fact(target, "fires ") {
        Some(count) => Err(PlanError(format!(
            "the target has triggers ({count}) that would fire for each row: drop them before, or restore the tables whole"
        ))),
        None => Ok(()),
    }
}

/// What the target was counted to have.
fn fact<'a>(target: &'a Target, what: &str) -> Option<&'a str> {
    target.facts.iter().find_map(|fact| fact.strip_prefix(what))
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
    fn loader(&self, database: Option<&str>) -> Result<Invocation, PlanError> {
        let database = database.map(|name| format!("--database={name}"));
        let quiet = (self.dialect == Dialect::Mariadb).then_some(QUIET);
        self.client(LOADS.into_iter().chain(quiet).chain(database.as_deref()))
    }
}

impl Dialect {
    /// Of the server that says it is of this version.
    fn of_version(version: Option<&str>) -> Option<Self> {
        let is_maria = version?.contains("MariaDB");
        Some(if is_maria { Self::Mariadb } else { Self::Mysql })
    }
}

/// One edit after the other.
struct Chain(Vec<Box<dyn Edit>>);

impl Edit for Chain {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let mut bytes = bytes.to_vec();
        for edit in &mut self.0 {
            let mut next = Vec::with_capacity(bytes.len());
            edit.feed(&bytes, &mut next)?;
            bytes = next;
        }
        out.extend_from_slice(&bytes);
        Ok(())
    }

    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        let mut bytes = Vec::new();
        for mut edit in self.0 {
            let mut next = Vec::new();
            edit.feed(&bytes, &mut next)?;
            edit.finish(&mut next)?;
            bytes = next;
        }
        out.extend_from_slice(&bytes);
        Ok(())
    }
}

/// A name as SQL has it.
pub(super) fn name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
