//! The programs of a restore.

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::Server;

use super::super::client;

/// What psql is always told: none of the user's own settings, and to stop at the first error.
const OPTIONS: [&str; 3] = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"];

pub(in crate::pg) fn psql(
    server: &Server,
    database: &str,
    more: Vec<String>,
) -> Result<Invocation, PlanError> {
    let args = OPTIONS.iter().map(|&word| word.to_owned()).chain(more).collect();
    client("psql", server, Some(database), args)
}

/// psql, reading a script from its stdin.
pub(super) fn loader(server: &Server, database: &str) -> Result<Invocation, PlanError> {
    psql(server, database, vec!["--file=-".to_owned()])
}

/// psql with these commands, each for itself.
pub(in crate::pg) fn saying(
    server: &Server,
    database: &str,
    commands: &[&str],
) -> Result<Invocation, PlanError> {
    psql(server, database, commands.iter().map(|text| format!("--command={text}")).collect())
}

/// psql with a script of ours, and its answers as they are, a NUL after each.
pub(in crate::pg) fn asking(
    server: &Server,
    database: &str,
    text: &str,
) -> Result<Invocation, PlanError> {
    let more =
        ["--tuples-only", "--no-align", "--record-separator-zero"].map(str::to_owned).to_vec();
    let mut invocation = psql(server, database, more)?;
    // Too long for a command line that people read.
    let file = Arg::File { before: "--file=".to_owned(), content: text.to_owned().into() };
    invocation.args.push(file);
    Ok(invocation)
}

/// An archive as a script.
pub(super) fn pg_restore(more: Vec<Arg>) -> Invocation {
    let mut invocation = Invocation::new("pg_restore", ["--file=-"]);
    invocation.args.extend(more);
    invocation
}

/// An archive by several connections.
pub(super) fn pg_restore_into(
    server: &Server,
    database: &str,
    jobs: u32,
) -> Result<Invocation, PlanError> {
    let args = vec!["--exit-on-error".to_owned(), format!("--jobs={jobs}")];
    client("pg_restore", server, Some(database), args)
}

/// What is copied, or a file in it.
pub(super) fn in_copy(inside: &str) -> Arg {
    Arg::Tree { before: String::new(), inside: inside.to_owned(), after: String::new() }
}

/// The database that is there in any case.
pub(in crate::pg) fn maintenance(server: &Server) -> &str {
    let named = server.params.iter().find(|(key, _)| key == "dbname");
    named.map_or("postgres", |(_, name)| name)
}
