//! `dbstash-mongo databases FILE` prints the names of a server's databases, a NUL after each; `checkup FILE` what it tells
//! of itself and of who asks. FILE holds the URI.
//!
//! mongodump cannot tell them, and no image has to have a shell for it. A program of its own, because MongoDB's driver is
//! twice the size of dbstash, and a backup of anything else shall not carry it. dbstash starts it like a dump tool.

mod checkup;

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context as _, Result};
use mongodb::Client;

/// The server's own; they are in no split.
const OF_SERVER: [&str; 3] = ["admin", "config", "local"];

fn main() -> ExitCode {
    let args: Vec<_> = env::args_os().skip(1).collect();
    let done = match &args[..] {
        [command, file] if command == "databases" => databases(Path::new(file)),
        [command, file] if command == "checkup" => checkup(Path::new(file)),
        _ => {
            let _ = writeln!(io::stderr(), "usage: dbstash-mongo databases|checkup FILE-WITH-URI");
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

fn databases(file: &Path) -> Result<()> {
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
    let mut out = io::stdout().lock();
    for name in names.iter().filter(|name| !OF_SERVER.contains(&name.as_str())) {
        write!(out, "{name}\0")?;
    }
    out.flush()?;
    Ok(())
}
