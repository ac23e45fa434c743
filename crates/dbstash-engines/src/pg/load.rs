//! How a backup gets into a server: through psql, in one transaction wherever there can be one.

mod all;
mod ask;
mod bare;
mod clean;
mod complaint;
mod one;
mod parts;
mod reader;
pub(super) mod tools;
mod unpacking;

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::Arg;
use dbstash_core::job::{Server, Source};
use dbstash_core::load::{
    Edit, Feed, Load, Script, Side, Stage, Survey, Target, Wish, major, older,
};

use self::all::All;
use self::ask::{DEFAULTS, KEPT_DEFAULTS, MARK, SPLIT};
use self::bare::Bare;
pub(super) use self::complaint::explain;
use self::one::{One, literal, quoted};
use self::parts::{Parts, Wanted};
use self::reader::{Judge, Reader};
use self::unpacking::Unpacking;

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    let server = server(wish)?;
    let ask = |database: &str, text: String| {
        let question = tools::asking(server, database, &text)?;
        Ok::<_, PlanError>(Survey::Ask { question, read: ask::read, missing: ask::missing })
    };
    let names = if wish.extent.globals { ask::NAMES } else { "" };
    if is_whole_server(wish) {
        return ask(tools::maintenance(server), ask::of_server());
    }
    if matches!(wish.database, "template0" | "template1") {
        return Err(PlanError(format!(
            "{} is what new databases are made from: name another (--to)",
            wish.database
        )));
    }
    let of_database = if is_part(wish) {
        let wanted = wish.extent.tables.iter().map(|word| Wanted::read(word));
        let wanted: Vec<Wanted> = wanted.collect::<Result<_, _>>().map_err(PlanError)?;
        ask::of_parts(&wanted, wish.extent.side)
    } else {
        ask::of_database()
    };
    Ok(Survey::Any(vec![
        ask(wish.database, of_database + names)?,
        ask(tools::maintenance(server), ask::SERVER.to_owned() + names)?,
    ]))
}

pub(super) fn load(wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    let server = server(wish)?;
    let object = wish.dump()?;
    if let Some(why) = older(object.passed.server_version.as_deref(), target.version.as_deref()) {
        return Err(PlanError(why));
    }
    if is_whole_server(wish) {
        return whole(wish, server, target);
    }
    let is_tree = object.format == "directory";
    if !is_tree && !matches!(object.format.as_str(), "plain" | "custom" | "tar") {
        return Err(PlanError(format!(
            "a dump of the format {} is not known to this version",
            object.format
        )));
    }
    if let Some(of) = target.mark.as_ref().filter(|_| is_part(wish)) {
        return Err(PlanError(format!(
            "the target holds an interrupted restore of {of}: restore all of it with --clean"
        )));
    }
    if wish.extent.side == Side::Data {
        for_rows_only(wish, target)?;
    }
    if let Some(table) = target.facts.iter().find_map(|fact| fact.strip_prefix(SPLIT)) {
        return Err(PlanError(parts::no_split(table, wish.extent.side)));
    }
    let mut load = Load { atomic: true, ..Load::default() };
    if wish.jobs > 1 {
        if !is_tree && object.format != "custom" {
            return Err(PlanError(format!(
                "--jobs {} needs an archive that can be read at random, and this is {}: leave it out",
                wish.jobs, object.format
            )));
        }
        wish.refuse_parts("--jobs")?;
        load.atomic = false;
        load.stages.push(Stage::Copy { object: 0, file: "dump" });
    }
    if wish.extent.globals {
        load.stages.push(globals(wish, server, target)?);
        load.notes.push(
            "--globals: roles that are there stay as they are; those that are made stay, whatever becomes of the rest"
                .to_owned(),
        );
    }
    if wish.extent.bare {
        load.notes
            .push("owners, rights, policies of roles and tablespaces are left out".to_owned());
    }
    if !target.exists {
        load.stages.push(made(server, wish.database, target)?);
        load.notes.push(
            "the database is made with the server's encoding and locale, and belongs to whoever restores: make it \
             first where that matters"
                .to_owned(),
        );
    }
    if wish.clean && !target.is_empty() {
        load.notes.push(cleaning(wish, load.atomic));
    }
    let kept =
        if wish.clean && !is_part(wish) && !target.is_empty() { KEPT_DEFAULTS } else { DEFAULTS };
    if wish.extent.side != Side::Data && target.facts.iter().any(|fact| fact == kept) {
        load.notes.push(
            "the target's default privileges change the rights to what is restored: \\ddp shows them, and ALTER DEFAULT \
             PRIVILEGES ... REVOKE takes them away"
                .to_owned(),
        );
    }
    if replicates(wish, target) {
        load.notes.push(
            "--data-only: foreign keys are not checked and triggers do not fire, for the rows are loaded with \
             session_replication_role = replica: what they refer to has to be there"
                .to_owned(),
        );
    }
    if load.atomic {
        in_one(wish, server, target, &mut load)?;
    } else {
        by_several(wish, server, target, &mut load)?;
    }
    Ok(load)
}

/// Whether less than all of it is wanted in a way that leaves alone what else is there.
fn is_part(wish: &Wish<'_>) -> bool {
    !wish.extent.tables.is_empty() || wish.extent.side == Side::Data
}

/// Rows go into tables that are there, and are empty.
fn for_rows_only(wish: &Wish<'_>, target: &Target) -> Result<(), PlanError> {
    if !target.exists {
        return Err(PlanError(format!(
            "--data-only: there is no database {} that has the tables: restore it with --schema-only first",
            wish.database
        )));
    }
    if wish.clean {
        return Err(PlanError(
            "--data-only cannot have --clean: TRUNCATE the tables first".to_owned(),
        ));
    }
    if !target.holds.is_empty() {
        return Err(PlanError(format!(
            "--data-only: the target has {}: TRUNCATE the tables first",
            target.holds.join(", ")
        )));
    }
    Ok(())
}

/// What goes before, for people.
fn cleaning(wish: &Wish<'_>, atomic: bool) -> String {
    if is_part(wish) {
        return "--clean: the tables that are there go in the same transaction, and their foreign keys, triggers and \
                rules with them: those are not made again"
            .to_owned();
    }
    let which = if atomic { "the same" } else { "a" };
    format!("--clean: what the database holds goes in {which} transaction")
}

/// Whether rows come without their checks: foreign keys would want the tables in another order.
fn replicates(wish: &Wish<'_>, target: &Target) -> bool {
    wish.extent.side == Side::Data && target.facts.iter().any(|fact| fact == "superuser")
}

/// What has to be gone before, on one line: psql counts the dump's own.
fn cleaned(wish: &Wish<'_>, target: &Target) -> String {
    if replicates(wish, target) {
        return "SET session_replication_role = replica; ".to_owned();
    }
    if wish.clean && is_part(wish) {
        let tables = target.holds.iter().filter_map(|table| table.strip_prefix("table "));
        let tables: Vec<&str> = tables.collect();
        return match tables.as_slice() {
            [] => String::new(),
            tables => in_time(&format!("DROP TABLE {}; ", tables.join(", "))),
        };
    }
    if wish.clean && !target.is_empty() {
        let all = clean::everything(target.version.as_deref());
        in_time(&format!("SET client_min_messages = warning; {all}"))
    } else {
        String::new()
    }
}

/// Who waits for a session that goes on would say nothing for ever. Only while cleaning, and a limit of the role stays.
fn in_time(cleaning: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('lock_timeout', '60s', false) \
         WHERE pg_catalog.current_setting('lock_timeout') = '0'; {cleaning}RESET lock_timeout; "
    )
}

/// All of it in one transaction.
fn in_one(
    wish: &Wish<'_>,
    server: &Server,
    target: &Target,
    load: &mut Load,
) -> Result<(), PlanError> {
    let mut script = Script::of(0, tools::loader(server, wish.database)?);
    let one = One::new(wish.database);
    let judge: Box<dyn Judge> = if wish.extent.tables.is_empty() && wish.extent.side == Side::All {
        Box::new(one)
    } else {
        Box::new(Parts::new(one, wish.extent).map_err(PlanError)?)
    };
    let mut edit: Box<dyn Edit> = Box::new(Reader::new(bared(wish, judge)));
    if !wish.extent.tables.is_empty() {
        load.notes.push(
            "--table: a table has its rows, indexes, sequences, constraints and policies; foreign keys, triggers and \
             rules are left out"
                .to_owned(),
        );
        if wish.extent.side != Side::Data {
            load.notes.push(
                "a schema that is missing is made, and belongs to whoever restores".to_owned(),
            );
        }
    }
    match wish.dump()?.format.as_str() {
        "directory" => {
            load.stages.push(Stage::Copy { object: 0, file: "dump" });
            script.feed = Feed::Program(tools::pg_restore(vec![tools::in_copy("")]));
        }
        "plain" => edit = Box::new(Unpacking::new(edit)),
        _ => script.through = Some(tools::pg_restore(Vec::new())),
    }
    script.before = format!("BEGIN; {}", cleaned(wish, target));
    script.edit = Some(edit);
    "\nCOMMIT;\n".clone_into(&mut script.after);
    load.stages.push(Stage::Script(script));
    Ok(())
}

/// A copy of it by several connections, under a mark.
fn by_several(
    wish: &Wish<'_>,
    server: &Server,
    target: &Target,
    load: &mut Load,
) -> Result<(), PlanError> {
    let run = |what, invocation| Stage::Run { what, invocation };
    let copy = if wish.dump()?.format == "directory" { "" } else { "/dump" };
    let section = |name: &str| Arg::Plain(format!("--section={name}"));
    // What has no rows yet is made by the same transaction, where each statement of it is read.
    let mut mark = Script::of(0, tools::loader(server, wish.database)?);
    let only = vec![section("pre-data"), tools::in_copy(copy)];
    mark.feed = Feed::Program(tools::pg_restore(only));
    mark.before = format!("BEGIN; {}{} ", cleaned(wish, target), ask::marked(&wish.manifest.id));
    mark.edit = Some(Box::new(Reader::new(bared(wish, Box::new(One::new(wish.database))))));
    "\nCOMMIT;\n".clone_into(&mut mark.after);
    let mut restore = tools::pg_restore_into(server, wish.database, wish.jobs)?;
    if wish.extent.bare {
        let left_out = ["--no-owner", "--no-privileges", "--no-tablespaces"];
        restore.args.extend(left_out.map(|flag| Arg::Plain(flag.to_owned())));
    }
    restore.args.extend([section("data"), section("post-data"), tools::in_copy(copy)]);
    load.mark = Some(load.stages.len());
    let unmark = format!("SET client_min_messages = warning; DROP SCHEMA {MARK} CASCADE");
    load.stages.extend([
        Stage::Script(mark),
        run("the backup cannot be loaded", restore),
        run("the mark cannot be taken away", tools::saying(server, wish.database, &[&unmark])?),
    ]);
    load.notes.push(format!(
        "{} connections read a copy in BACKUP_TEMP_DIR: this cannot be one transaction",
        wish.jobs
    ));
    Ok(())
}

/// All databases and roles, into a server that has none.
fn whole(wish: &Wish<'_>, server: &Server, target: &Target) -> Result<Load, PlanError> {
    wish.refuse_parts("a dump of a whole server")?;
    if !target.holds.is_empty() {
        return Err(PlanError(format!(
            "a whole server is restored only into one without databases of its own, also with --clean, and this one \
             has: {}{}",
            target.holds.join(", "),
            if target.mark.is_some() { ", of an interrupted restore: drop them first" } else { "" }
        )));
    }
    let maintenance = tools::maintenance(server);
    let run = |what, commands: &[&str]| {
        let invocation = tools::saying(server, maintenance, commands)?;
        Ok::<_, PlanError>(Stage::Run { what, invocation })
    };
    let make = format!("CREATE DATABASE {MARK} TEMPLATE template0");
    let drop = format!("DROP DATABASE IF EXISTS {MARK}");
    let half = format!("DROP SCHEMA IF EXISTS {MARK} CASCADE");
    let comment = format!("COMMENT ON DATABASE {MARK} IS {}", literal(&wish.manifest.id));
    let mut load = Load::default();
    if target.mark.is_some() {
        load.stages.push(run("the mark cannot be taken away", &[&drop, &half])?);
    }
    load.mark = Some(load.stages.len());
    load.stages.push(run("the target cannot be marked", &[&make, &comment])?);
    let mut script = Script::of(0, tools::loader(server, maintenance)?);
    let all = All::new(&target.facts, false).marking(&wish.manifest.id);
    script.edit = Some(Box::new(Unpacking::new(Box::new(Reader::new(bared(wish, Box::new(all)))))));
    load.stages.push(Stage::Script(script));
    load.stages.push(run("the mark cannot be taken away", &[&drop])?);
    load.notes.push("roles that are there stay as they are, with their passwords".to_owned());
    Ok(load)
}

/// The roles that are stored beside the dump.
fn globals(wish: &Wish<'_>, server: &Server, target: &Target) -> Result<Stage, PlanError> {
    let objects = &wish.manifest.objects;
    let place = objects.iter().skip(1).position(|object| object.format == "plain");
    let Some(place) = place else {
        return Err(PlanError(
            "--globals: no roles are stored beside this backup (PG_GLOBALS was off, or the role could not read them)"
                .to_owned(),
        ));
    };
    let mut script = Script::of(place + 1, tools::loader(server, tools::maintenance(server))?);
    "BEGIN; ".clone_into(&mut script.before);
    let all = Box::new(All::new(&target.facts, true));
    script.edit = Some(Box::new(Reader::new(bared(wish, all))));
    "\nCOMMIT;\n".clone_into(&mut script.after);
    Ok(Stage::Script(script))
}

/// The database is made, and goes again if it cannot be filled.
fn made(server: &Server, database: &str, target: &Target) -> Result<Stage, PlanError> {
    let name = quoted(database);
    let force = match target.version.as_deref().and_then(major) {
        Some(13..) => " WITH (FORCE)",
        _ => "",
    };
    let say = |text: &str| tools::saying(server, tools::maintenance(server), &[text]);
    Ok(Stage::Make {
        what: "the database cannot be made",
        invocation: say(&format!("CREATE DATABASE {name} TEMPLATE template0"))?,
        undo: say(&format!("DROP DATABASE IF EXISTS {name}{force}"))?,
    })
}

/// A judge that lets less pass where less is wanted.
fn bared(wish: &Wish<'_>, judge: Box<dyn Judge>) -> Box<dyn Judge> {
    let roles = wish.extent.globals || is_whole_server(wish);
    if wish.extent.bare { Box::new(Bare::new(judge, roles, wish.extent.trial)) } else { judge }
}

fn is_whole_server(wish: &Wish<'_>) -> bool {
    wish.manifest.database == "*"
}

fn server<'a>(wish: &Wish<'a>) -> Result<&'a Server, PlanError> {
    match wish.source {
        Source::Server(server) => Ok(server),
        Source::File(_) => Err(PlanError(
            "pg is restored into a server: --to postgresql://user@host/database".to_owned(),
        )),
    }
}
