//! A backup restored on trial: into a server that is only ours, behind a socket, or into one of the user's.

mod census;

use std::path::Path;

use dbstash_core::checkup::Tool;
use dbstash_core::drill::{Drill, Goal, Granted, Ground, Permit, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{EngineKey, Host, Server, Source};
use dbstash_core::load::{Extent, major};

use super::load::tools;

/// The private server's only user.
const USER: &str = "postgres";
/// The name of the socket is made of it.
const PORT: u16 = 5432;
/// Longer paths no socket has.
const LONGEST: usize = 107;
/// So many major versions may be newer than the server that the dump is of.
const NEWER: u32 = 10;
/// Versions that may be there, where the dump does not say its own.
const ANY: (u32, u32) = (13, 30);

const PACKAGE: &str = "PostgreSQL's server";

/// What the private server is told: nothing of it has to outlive a crash, nobody but us is there, and what it logs
/// holds nobody's data. It has locks for a great many objects in one transaction.
const SETTINGS: [&str; 15] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "shared_buffers=32MB",
    "max_connections=10",
    "max_locks_per_transaction=8192",
    // Elsewhere it would outlive a kill.
    "dynamic_shared_memory_type=mmap",
    "logging_collector=off",
    "log_destination=stderr",
    "log_min_messages=log",
    "log_min_error_statement=panic",
];

pub(super) fn drill(ground: &Ground<'_>) -> Result<Drill, PlanError> {
    let manifest = ground.manifest;
    let is_whole = manifest.database == "*";
    let has_globals = manifest.objects.iter().skip(1).any(|object| object.format == "plain");
    let mut drill = Drill::new();
    let (source, database, globals) = match ground.place {
        Place::Private(dir) => {
            let server = private(ground, dir, &mut drill)?;
            let name = if is_whole { USER } else { &manifest.database };
            (Source::Server(server), name, has_globals && !is_whole)
        }
        Place::Scratch(..) if is_whole => {
            return Err(PlanError(
                "a dump of a whole server needs one of its own for its drill: leave DRILL_URI unset".to_owned(),
            ));
        }
        // Of a server that others use too, roles are none of our business.
        Place::Scratch(EngineKey::Pg, source, name) => (source.clone(), name, false),
        Place::Scratch(other, ..) => return Err(ground.is_not_for(other)),
    };
    let Source::Server(server) = &source else {
        return Err(PlanError("DRILL_URI has to name a server".to_owned()));
    };
    if let Place::Scratch(..) = ground.place {
        drill.dropped = Some(dropped(server, database)?);
        drill.permit = Some(permit(server)?);
    }
    drill.tools.push(Tool::any("psql", "--version", "PostgreSQL's client"));
    drill.census = census::census(manifest, server, database)?;
    let assertion = |text: &String| {
        let more = vec!["--tuples-only".to_owned(), "--no-align".to_owned()];
        let mut invocation = tools::psql(server, database, more)?;
        invocation.args.push(Arg::Plain(format!("--command={text}")));
        Ok(invocation)
    };
    drill.assertions = ground.assertions.iter().map(assertion).collect::<Result<_, PlanError>>()?;
    let extent = Extent { globals, bare: true, trial: true, ..Extent::default() };
    let database = database.to_owned();
    drill.goal = Some(Goal { engine: EngineKey::Pg, source, database, extent });
    Ok(drill)
}

/// The server that has all its files in this folder.
fn private(ground: &Ground<'_>, dir: &Path, drill: &mut Drill) -> Result<Server, PlanError> {
    let dir = dir.to_string_lossy();
    let socket = format!("{dir}/.s.PGSQL.{PORT}");
    if socket.len() > LONGEST {
        return Err(PlanError(format!(
            "the path {socket} is too long for a socket: set BACKUP_TEMP_DIR to one that is shorter by {} bytes",
            socket.len() - LONGEST
        )));
    }
    let passed = ground.manifest.dump().map(|dump| &dump.passed);
    let version = passed.and_then(|passed| passed.server_version.as_deref()).and_then(major);
    let (oldest, newest) = version.map_or(ANY, |version| (version, version + NEWER));
    let each = |version: u32| {
        [format!("/usr/lib/postgresql/{version}/bin"), format!("/usr/pgsql-{version}/bin")]
    };
    drill.folders = (oldest..=newest).flat_map(each).collect();
    let data = format!("{dir}/data");
    // With the characters of all languages, whatever locales this machine has.
    let made = ["-D", &data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"];
    drill.prepare.push(Invocation::new("initdb", made.into_iter().chain(["--no-sync"])));
    let mut started = Invocation::new("postgres", ["-D", &data, "-k", &dir, "-p"]);
    started.args.push(Arg::Plain(PORT.to_string()));
    for setting in SETTINGS {
        started.args.extend(["-c", setting].map(|word| Arg::Plain(word.to_owned())));
    }
    drill.server = Some(started);
    drill.tools = ["initdb", "postgres"].map(|name| Tool::any(name, "--version", PACKAGE)).into();
    let server = Server {
        hosts: vec![Host { name: dir.into_owned(), port: Some(PORT) }],
        user: Some(USER.to_owned()),
        is_ours: true,
        ..Server::default()
    };
    drill.ready = Some(tools::saying(&server, USER, &["SELECT 1"])?);
    Ok(server)
}

/// The scratch database goes, whoever of us is still in it.
fn dropped(server: &Server, database: &str) -> Result<Invocation, PlanError> {
    let ours = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
         WHERE datname = '{database}' AND usename = current_user"
    );
    let drop = format!("DROP DATABASE IF EXISTS \"{database}\"");
    tools::saying(server, tools::maintenance(server), &[&ours, &drop])
}

/// Whether a database may be made there.
fn permit(server: &Server) -> Result<Permit, PlanError> {
    let asked = "SELECT rolcreatedb OR rolsuper, pg_catalog.current_setting('server_version'), rolname \
                 FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let words = ["--tuples-only", "--no-align", "--field-separator=|"].map(str::to_owned);
    let mut question = tools::psql(server, tools::maintenance(server), words.into())?;
    question.args.push(Arg::Plain(format!("--command={asked}")));
    Ok(Permit { question, read: granted })
}

fn granted(said: &str) -> Granted {
    let mut fields = said.trim_end_matches('\n').splitn(3, '|');
    let (may, version) = (fields.next() == Some("t"), fields.next().unwrap_or_default());
    let user = fields.next().unwrap_or_default();
    let lack = || {
        let way_out = format!("ALTER ROLE \"{}\" CREATEDB", user.replace('"', "\"\""));
        (format!("{user} may make no scratch database at DRILL_URI"), way_out)
    };
    Granted {
        user: user.to_owned(),
        server: format!("PostgreSQL {version}"),
        lacks: (!may).then(lack).into_iter().collect(),
        unsure: None,
    }
}

/// Whether this is about the server, its machine or its user, and not about what is restored.
pub(super) fn is_surroundings(stderr: &str) -> bool {
    const WORDS: [&str; 34] = [
        "No space left on device",
        // It wrote a part of a block, and no more.
        "could not extend file",
        "could not write",
        "could not create file",
        "could not open file",
        "could not fsync",
        "could not resize",
        "Cannot allocate memory",
        "out of memory",
        "Out of memory",
        "out of shared memory",
        "too many open files",
        "could not fork",
        "is not available",
        "could not open extension control file",
        "could not access file \"",
        "could not load library",
        "must be loaded via",
        "must be preloaded",
        "is not loaded",
        "could not create locale",
        "invalid locale name",
        "could not connect to server \"",
        "permission denied",
        "must be superuser",
        "is shutting down",
        "the database system is in ",
        "the database system is not ",
        "recovery is in progress",
        "during recovery",
        "in a read-only transaction",
        "canceling statement due to ",
        "terminating connection",
        "closed the connection",
    ];
    const QUOTING: [&str; 4] = ["CONTEXT:", "DETAIL:", "LINE ", "QUERY:"];
    const PAIRS: [(&str, &str); 5] = [
        ("ERROR:  role \"", "\" does not exist"),
        ("ERROR:  collation \"", "\" does not exist"),
        ("ERROR:  tablespace \"", "\" does not exist"),
        ("connection to server", " failed"),
        ("server process", " was terminated by signal"),
    ];
    let says = |line: &str| {
        WORDS.iter().any(|words| line.contains(words))
            || PAIRS.iter().any(|(one, two)| line.contains(one) && line.contains(two))
    };
    // What is restored is quoted in others.
    let quotes = |line: &&str| QUOTING.iter().any(|word| line.starts_with(word));
    stderr.lines().filter(|line| !quotes(line)).any(says)
}

#[cfg(test)]
mod tests;
