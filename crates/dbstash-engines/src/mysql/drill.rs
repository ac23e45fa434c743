//! A backup restored on trial: into a server that is only ours, behind a socket, or into one of the user's.

mod census;
mod permit;

use std::path::Path;

use dbstash_core::checkup::Tool;
use dbstash_core::drill::{Drill, Goal, Ground, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{EngineKey, Host, Server, Source};
use dbstash_core::load::{Extent, Wish};

use super::{Dialect, load};

/// Where servers are that are not on people's PATH. A `mysqld` there may be the other family's.
const FOLDERS: [&str; 4] = [Invocation::PATH, "/usr/sbin", "/usr/local/sbin", "/usr/libexec"];
/// Longer paths no socket has.
const LONGEST: usize = 107;

/// What both families are told: nothing of it has to outlive a crash, nobody but us is there, and nothing happens in it
/// by itself. `--loose-`: what only some versions know.
const SETTINGS: [&str; 9] = [
    "--skip-networking",
    "--skip-log-bin",
    "--event-scheduler=OFF",
    "--max-allowed-packet=1G",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-log-at-trx-commit=0",
    "--loose-innodb-doublewrite=OFF",
    "--loose-innodb-flush-method=nosync",
    "--loose-performance-schema=OFF",
];
/// What MySQL is told when its files are made, too.
const OF_MYSQL: [&str; 6] = [
    "--loose-mysqlx=OFF",
    // Its own place for files is another user's.
    "--secure-file-priv=NULL",
    "--loose-innodb-redo-log-capacity=64M",
    "--loose-auto-generate-certs=OFF",
    "--loose-sha256-password-auto-generate-rsa-keys=OFF",
    "--loose-caching-sha2-password-auto-generate-rsa-keys=OFF",
];
/// A dump may say which transactions were in it.
const GTIDS: [&str; 2] = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"];

pub(super) fn drill(of: Dialect, ground: &Ground<'_>) -> Result<Drill, PlanError> {
    let manifest = ground.manifest;
    let is_whole = manifest.database == load::ALL;
    let mut drill = Drill::new();
    let (engine, source, database) = match ground.place {
        Place::Private(dir) => {
            let server = private(of, dir, &mut drill)?;
            (manifest.engine, Source::Server(server), manifest.database.as_str())
        }
        Place::Scratch(..) if is_whole => {
            return Err(PlanError(
                "a dump of all databases needs a server of its own for its drill: leave DRILL_URI unset".to_owned(),
            ));
        }
        Place::Scratch(engine @ (EngineKey::Mysql | EngineKey::Mariadb), source, name) => {
            (engine, source.clone(), name)
        }
        Place::Scratch(other, ..) => return Err(ground.is_not_for(other)),
    };
    let Source::Server(server) = &source else {
        return Err(PlanError("DRILL_URI has to name a server".to_owned()));
    };
    let client = if engine == EngineKey::Mysql { Dialect::Mysql } else { Dialect::Mariadb };
    // A server of our own may be told of the log of another one; its user stays ours.
    let is_scratch = matches!(ground.place, Place::Scratch(..));
    let extent = Extent { bare: is_scratch || is_whole, ..Extent::default() };
    let (clean, jobs) = (false, 1);
    // Before a server is started for nothing.
    let wish = Wish { manifest, engine, source: &source, database, extent: &extent, clean, jobs };
    load::refuse(&wish)?;
    if is_scratch {
        let drop = format!(
            "SET SESSION lock_wait_timeout = 5; DROP DATABASE IF EXISTS {}",
            load::name(database)
        );
        drill.dropped = Some(asking(client, server, &["--execute", &drop])?);
        drill.permit = Some(permit::permit(client, server)?);
    }
    drill.tools.push(Tool::any(client.client(), "--version", super::checkup::package(client)));
    drill.census = Some(census::census(client, manifest, server, database)?);
    let within = (!is_whole).then(|| format!("--database={database}"));
    let assertion = |text: &String| {
        let words = within.as_deref().into_iter().chain(["--execute", text]);
        asking(client, server, &words.collect::<Vec<_>>())
    };
    drill.assertions = ground.assertions.iter().map(assertion).collect::<Result<_, PlanError>>()?;
    let database = database.to_owned();
    let (own, former) = (database.clone(), manifest.database.clone());
    drill.is_outside = Box::new(move |stderr| is_outside(stderr, &own, &former));
    drill.goal = Some(Goal { engine, source, database, extent });
    Ok(drill)
}

/// The client, whose answers are lines.
fn asking(dialect: Dialect, server: &Server, words: &[&str]) -> Result<Invocation, PlanError> {
    let mut invocation = dialect.invocation(dialect.client(), server)?;
    let words = load::ANSWERS.iter().chain(words);
    invocation.args.extend(words.map(|word| Arg::Plain((*word).to_owned())));
    Ok(invocation)
}

/// The server that has all its files in this folder.
fn private(of: Dialect, dir: &Path, drill: &mut Drill) -> Result<Server, PlanError> {
    let dir = dir.to_string_lossy();
    let socket = format!("{dir}/s");
    if socket.len() > LONGEST {
        return Err(PlanError(format!(
            "the path {socket} is too long for a socket: set BACKUP_TEMP_DIR to one that is shorter by {} bytes",
            socket.len() - LONGEST
        )));
    }
    drill.folders = FOLDERS.map(str::to_owned).to_vec();
    let places = [
        "--no-defaults".to_owned(),
        format!("--datadir={dir}/data"),
        format!("--tmpdir={dir}"),
        format!("--pid-file={dir}/pid"),
    ];
    let words = |more: &[&[&str]]| {
        let more = more.concat().into_iter().map(str::to_owned);
        places.iter().cloned().chain(more).collect::<Vec<_>>()
    };
    let (maker, made, program, more): (_, &[&str], _, &[&[&str]]) = match of {
        Dialect::Mysql => {
            ("mysqld", &["--initialize-insecure"], "mysqld", &[&SETTINGS, &OF_MYSQL, &GTIDS])
        }
        // --force: this machine's name may be unknown to it.
        Dialect::Mariadb => (
            "mariadb-install-db",
            &["--auth-root-authentication-method=normal", "--skip-test-db", "--force"],
            "mariadbd",
            &[&SETTINGS],
        ),
    };
    let making = if of == Dialect::Mysql {
        [&SETTINGS[..], &OF_MYSQL, made]
    } else {
        [&SETTINGS[..], &[], made]
    };
    drill.prepare.push(Invocation::new(maker, words(&making)));
    let mut started = Invocation::new(program, words(more));
    started.args.push(Arg::Plain(format!("--socket={socket}")));
    drill.server = Some(started);
    drill.tools = tools(of);
    let server = Server {
        hosts: vec![Host { name: socket, port: None }],
        user: Some("root".to_owned()),
        ..Server::default()
    };
    drill.ready = Some(asking(of, &server, &["--execute", "SELECT 1"])?);
    Ok(server)
}

/// The programs of the private server. One that makes its files is a script without a version.
fn tools(of: Dialect) -> Vec<Tool> {
    let server = |program: &str, from| Tool {
        version: Invocation::new(program, ["--no-defaults", "--version"]),
        complaint: |said| {
            let is_other = said.contains("MariaDB") && !said.contains("mariadbd");
            is_other.then(|| {
                let way_out = "install MySQL's, or let DRILL_URI name a server for drills";
                ("mysqld on this machine is MariaDB's".to_owned(), way_out.to_owned())
            })
        },
        ..Tool::any(program, "", from)
    };
    match of {
        Dialect::Mysql => vec![server("mysqld", "MySQL's server")],
        Dialect::Mariadb => {
            let script = ["-c", "command -v \"$0\" || true", "mariadb-install-db"];
            let maker = Tool {
                version: Invocation::new("sh", script),
                complaint: |said| {
                    said.trim().is_empty().then(|| {
                        let way_out = "install the database server's package, or let DRILL_URI name a server for drills";
                        let what = "mariadb-install-db is not installed on this machine";
                        (what.to_owned(), way_out.to_owned())
                    })
                },
                ..Tool::any("sh", "", "a shell")
            };
            vec![server("mariadbd", "MariaDB's server"), maker]
        }
    }
}

/// Whether this is about the server, its machine or its user, and not about what is restored.
pub(super) fn is_surroundings(stderr: &str) -> bool {
    /// Of the client's complaints: no room, no memory, no right, no such thing in this server, nothing written there, no time,
    /// no server any more.
    const CODES: [&str; 28] = [
        "3", "1021", "1026", "1030", "1037", "1038", "1040", "1041", "1044", "1045", "1053",
        "1114", "1135", "1142", "1143", "1227", "1286", "1290", "1317", "1370", "1449", "1836",
        "1927", "1969", "2002", "2006", "2013", "3024",
    ];
    const WORDS: [&str; 5] = [
        "No space left on device",
        "Cannot allocate memory",
        "out of memory",
        "Out of memory",
        "got signal",
    ];
    let says = |line: &str| match line.strip_prefix("ERROR ") {
        // What is restored is quoted in its words.
        Some(rest) => {
            rest.split(' ').next().is_some_and(|code| CODES.contains(&code))
                || rest.contains("(errno: 28 ")
        }
        None => WORDS.iter().any(|words| line.contains(words)),
    };
    stderr.lines().any(says)
}

/// Whether this is about another database than the one that is restored, by the name of `own`: a view that reads another
/// one's tables, or that names its own by their `former` database.
fn is_outside(stderr: &str, own: &str, former: &str) -> bool {
    let is_in = |name: &str, database: &str| {
        let start = name.get(..database.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(database))
            && name[database.len()..].starts_with('.')
    };
    let says = |line: &str| {
        let Some((code, rest)) = line.strip_prefix("ERROR ").and_then(|rest| rest.split_once(' '))
        else {
            return false;
        };
        let quoted = rest.split_once('\'').map(|(_, rest)| rest);
        let Some(name) = quoted.and_then(|rest| rest.split('\'').next()) else { return false };
        match code {
            "1049" => !name.eq_ignore_ascii_case(own),
            "1146" => name.contains('.') && !is_in(name, own),
            "1054" => !own.eq_ignore_ascii_case(former) && is_in(name, former),
            _ => false,
        }
    };
    own != load::ALL && stderr.lines().any(says)
}

#[cfg(test)]
mod tests;
