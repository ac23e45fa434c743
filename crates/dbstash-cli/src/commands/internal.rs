//! What a run asks a process of ours to do, in the way of a dump tool: started by the launcher, with its secrets in a
//! private file, killed like any other. Not for people, and not in the help.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

use anyhow::{Context as _, Result};
use dbstash_engines::LIST_MONGO_DATABASES;
use mongodb::Client;

use crate::app::{complain, print};
use crate::exit::Exit;

/// The server's own; they are in no split.
const OF_SERVER: [&str; 3] = ["admin", "config", "local"];

/// Does what `dbstash internal ...` asks for; `None` for every other command line.
pub fn run(args: &[OsString]) -> Option<ExitCode> {
    let words: Vec<_> = args.iter().skip(1).map(|word| word.to_str().unwrap_or_default()).collect();
    let done = match words[..] {
        ["internal", LIST_MONGO_DATABASES, file] => mongo_databases(Path::new(file)),
        ["internal", ..] => {
            complain("error: dbstash internal is for dbstash itself");
            return Some(Exit::Usage.into());
        }
        _ => return None,
    };
    Some(match done {
        Ok(()) => Exit::Done.into(),
        Err(error) => {
            complain(&format!("error: {error:#}"));
            Exit::Failed.into()
        }
    })
}

/// Prints the names of a server's databases, a NUL after each. mongodump cannot tell them, and no image has to have a
/// shell for it.
fn mongo_databases(file: &Path) -> Result<()> {
    let uri =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let names = runtime.block_on(async {
        let client = Client::with_uri_str(&uri).await?;
        client.list_database_names().await
    });
    // Its connections are not waited for.
    runtime.shutdown_background();
    let names = names.map_err(|error| io::Error::other(format!("{}", error.kind)))?;
    let names = names.iter().filter(|name| !OF_SERVER.contains(&name.as_str()));
    print(&names.flat_map(|name| [name.as_str(), "\0"]).collect::<String>())?;
    Ok(())
}
