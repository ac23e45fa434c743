//! `dbstash-mongo databases FILE` prints the names of a server's databases, a NUL after each; `checkup FILE` what it tells
//! of itself and of who asks. FILE holds the URI.
//!
//! `survey FILE DATABASE` prints the server's version and what a database holds, `mark FILE DATABASE BACKUP` writes into
//! it that it is not complete, and, with `clean` after that, drops what else is there; `unmark FILE DATABASE` takes the
//! mark away. `survey-all FILE`, `mark-all FILE BACKUP` and `unmark-all FILE` do that with the whole server. `counts FILE
//! DATABASE` prints how many documents each collection has, `drop FILE DATABASE` drops a scratch database of a drill, and
//! no other. mongodump cannot tell or do that, and no image has to have a shell for it. A program of its own, because
//! MongoDB's driver is twice the size of dbstash, and a backup of anything else shall not carry it. dbstash starts it
//! like a dump tool.

mod checkup;
mod mark;
mod scratch;

use std::future::Future;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result};
use mongodb::Client;
use mongodb::error::Error;

use self::mark::Held;

/// The server's own; they are in no split.
const OF_SERVER: [&str; 3] = ["admin", "config", "local"];
const USAGE: &str = "usage: dbstash-mongo databases|checkup FILE-WITH-URI | survey FILE DATABASE | mark FILE DATABASE BACKUP \
                     [clean] | unmark|counts|drop FILE DATABASE | survey-all|unmark-all FILE | mark-all FILE BACKUP [clean]";

fn main() -> ExitCode {
    let args: Vec<_> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["databases", file] => databases(Path::new(file)),
        ["checkup", file] => checkup(Path::new(file)),
        ["survey", file, database] => {
            survey(Path::new(file), "collection", |client| mark::held(client, database))
        }
        ["survey-all", file] => survey(Path::new(file), "database", mark::held_by_all),
        ["mark", file, database, backup] => {
            told(Path::new(file), |client| mark::set(client, database, backup, false))
        }
        ["mark", file, database, backup, "clean"] => {
            told(Path::new(file), |client| mark::set(client, database, backup, true))
        }
        ["unmark", file, database] => {
            told(Path::new(file), |client| mark::take_away(client, database))
        }
        ["mark-all", file, backup] => {
            told(Path::new(file), |client| mark::set_for_all(client, backup, false))
        }
        ["mark-all", file, backup, "clean"] => {
            told(Path::new(file), |client| mark::set_for_all(client, backup, true))
        }
        ["unmark-all", file] => told(Path::new(file), mark::take_away_of_all),
        ["counts", file, database] => counts(Path::new(file), database),
        ["drop", file, database] => {
            told(Path::new(file), |client| scratch::dropped(client, database))
        }
        _ => {
            let _ = writeln!(io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn checkup(file: &Path) -> Result<()> {
    let uri =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done =
        runtime.block_on(async { checkup::checkup(&Client::with_uri_str(&uri).await?).await });
    runtime.shutdown_background();
    done
}

/// What comes of a talk with the server that this file names.
fn told<T, F: Future<Output = Result<T, Error>>>(
    file: &Path,
    talk: impl FnOnce(Client) -> F,
) -> Result<T> {
    let uri =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let said = runtime.block_on(async { talk(Client::with_uri_str(&uri).await?).await });
    // Its connections are not waited for.
    runtime.shutdown_background();
    Ok(said.map_err(|error| io::Error::other(format!("{}", error.kind)))?)
}

fn databases(file: &Path) -> Result<()> {
    let names = told(file, |client| async move { client.list_database_names().await })?;
    let mut out = io::stdout().lock();
    for name in of_users(names) {
        write!(out, "{name}\0")?;
    }
    out.flush()?;
    Ok(())
}

/// Without the server's own.
fn of_users(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !OF_SERVER.contains(&name.as_str()));
    names
}

fn counts(file: &Path, database: &str) -> Result<()> {
    let counts = told(file, |client| scratch::counts(client, database))?;
    let mut out = io::stdout().lock();
    for (name, count) in counts {
        write!(out, "{count} {name}\0")?;
    }
    out.flush()?;
    Ok(())
}

/// Prints what a database or the server holds, `what` before each name.
fn survey<F: Future<Output = Result<Held, Error>>>(
    file: &Path,
    what: &str,
    look: impl FnOnce(Client) -> F,
) -> Result<()> {
    let Held { version, names, mark } = told(file, look)?;
    let mut out = io::stdout().lock();
    write!(out, "version {version}\0")?;
    if let Some(of) = mark {
        write!(out, "mark {of}\0")?;
    }
    for name in names {
        write!(out, "{what} {name}\0")?;
    }
    write!(out, "end\0")?;
    out.flush()?;
    Ok(())
}
