//! How a backup gets into a server: through psql, in one transaction wherever there can be one.

mod ask;
mod clean;
mod one;
mod reader;

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Server, Source};
use dbstash_core::load::{Feed, Load, Script, Stage, Survey, Target, Wish, major, older};

use self::one::{One, quoted};
use self::reader::Reader;
use super::client;

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    let server = server(wish)?;
    let ask = |database: &str, text: String| {
        let question = psql(server, database, &text)?;
        Ok::<_, PlanError>(Survey::Ask { question, read: ask::read, missing: ask::missing })
    };
    Ok(Survey::Any(vec![
        ask(wish.database, ask::of_database())?,
        ask(maintenance(server), ask::SERVER.to_owned())?,
    ]))
}

pub(super) fn load(wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    let server = server(wish)?;
    let object = wish.dump()?;
    if let Some(why) = older(object.passed.server_version.as_deref(), target.version.as_deref()) {
        return Err(PlanError(why));
    }
    let mut load = Load { atomic: true, ..Load::default() };
    if !target.exists {
        load.stages.push(made(server, wish.database, target)?);
    }
    let mut script = Script::of(0, loader(server, wish.database)?);
    match (object.format.as_str(), wish.manifest.mode.as_str()) {
        ("plain", _) => {}
        ("custom" | "tar", "stream") => script.through = Some(pg_restore(Vec::new())),
        ("directory", _) => {
            load.stages.push(Stage::Copy { object: 0, file: "dump" });
            script.feed = Feed::Program(pg_restore(vec![in_copy()]));
        }
        (other, _) => {
            return Err(PlanError(format!(
                "a dump of the format {other} is not known to this version"
            )));
        }
    }
    // On one line: psql counts the dump's own.
    script.before = "BEGIN; ".to_owned();
    if wish.clean && !target.is_empty() {
        script.before.push_str(&clean::everything(target.version.as_deref()));
        load.notes.push("--clean: what the database holds goes in the same transaction".to_owned());
    }
    script.edit = Some(Box::new(Reader::new(One::new(wish.database))));
    script.after = "\nCOMMIT;\n".to_owned();
    load.stages.push(Stage::Script(script));
    Ok(load)
}

/// The database is made, and goes again if it cannot be filled.
fn made(server: &Server, database: &str, target: &Target) -> Result<Stage, PlanError> {
    let name = quoted(database);
    let force = match target.version.as_deref().and_then(major) {
        Some(13..) => " WITH (FORCE)",
        _ => "",
    };
    let say = |text: String| {
        let args = OPTIONS.iter().map(|&word| word.to_owned());
        let args = args.chain([format!("--command={text}")]).collect();
        client("psql", server, Some(maintenance(server)), args)
    };
    Ok(Stage::Make {
        what: "the database cannot be made",
        invocation: say(format!("CREATE DATABASE {name} TEMPLATE template0"))?,
        undo: say(format!("DROP DATABASE IF EXISTS {name}{force}"))?,
    })
}

/// What psql is always told: none of the user's own settings, and to stop at the first error.
const OPTIONS: [&str; 3] = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"];

/// psql, reading a script from its stdin.
fn loader(server: &Server, database: &str) -> Result<Invocation, PlanError> {
    let args = OPTIONS.iter().copied().chain(["--file=-"]).map(str::to_owned).collect();
    client("psql", server, Some(database), args)
}

/// psql with a script of ours, and its answers as they are.
fn psql(server: &Server, database: &str, text: &str) -> Result<Invocation, PlanError> {
    let more = ["--tuples-only", "--no-align"];
    let args = OPTIONS.iter().copied().chain(more).map(str::to_owned).collect();
    let mut invocation = client("psql", server, Some(database), args)?;
    // Too long for a command line that people read.
    let file = Arg::File { before: "--file=".to_owned(), content: text.to_owned().into() };
    invocation.args.push(file);
    Ok(invocation)
}

/// An archive as a script.
fn pg_restore(more: Vec<Arg>) -> Invocation {
    let mut invocation = Invocation::new("pg_restore", ["--file=-"]);
    invocation.args.extend(more);
    invocation
}

fn in_copy() -> Arg {
    let nothing = String::new;
    Arg::Tree { before: nothing(), inside: nothing(), after: nothing() }
}

/// The database that is there in any case.
fn maintenance(server: &Server) -> &str {
    let named = server.params.iter().find(|(key, _)| key == "dbname");
    named.map_or("postgres", |(_, name)| name)
}

fn server<'a>(wish: &Wish<'a>) -> Result<&'a Server, PlanError> {
    match wish.source {
        Source::Server(server) => Ok(server),
        Source::File(_) => Err(PlanError(
            "pg is restored into a server: --to postgresql://user@host/database".to_owned(),
        )),
    }
}
