//! What a dump needs of a MongoDB server: a login that may read it, and a mongodump that takes a private file.

use std::path::PathBuf;

use dbstash_core::checkup::{Answer, Ask, Checkup, Finding, Place, Question, Reading, Tool};
use dbstash_core::dialogue::Endpoint;
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Database, Databases, Job, Server};

use super::{ASKER, address, server};
use crate::conn::mongo::{is_srv, param};
use crate::rows::{rows, version};

const PORT: u16 = 27017;
/// Roles of `admin` that read every database.
const ANYWHERE: [&str; 5] =
    ["backup", "root", "__system", "readAnyDatabase", "readWriteAnyDatabase"];
/// Roles of a database that read it.
const THERE: [&str; 3] = ["read", "readWrite", "dbOwner"];

pub(super) fn checkup(job: &Job, database: &Database) -> Result<Checkup, PlanError> {
    let server = server(job)?;
    let mut tool = Tool::any("mongodump", "--version", "MongoDB's database tools, 100.3 or newer");
    tool.complaint = |said| {
        let (major, minor) = version(said)?;
        // Before 100, the tools had the server's versions.
        ((major, minor) < (100, 3)).then(|| {
            let what =
                format!("version {major}.{minor} reads neither address nor password from a file");
            (what, "install the database tools 100.3 or newer".to_owned())
        })
    };
    // What the driver cannot do, mongodump may do all the same.
    let question = address::for_driver(server).ok().map(|content| {
        let mut invocation = Invocation::new(ASKER, ["checkup"]);
        invocation.args.push(Arg::File { before: String::new(), content });
        let reading = Rights {
            name: match database {
                Database::One(name) => Some(name.clone()),
                Database::All => None,
            },
            only_login: job.databases == Databases::Each && *database == Database::All,
            open: is_open(server),
        };
        Question { ask: Ask::Program(invocation), reading: Box::new(reading) }
    });
    let places = if is_srv(server) { Vec::new() } else { places(server) };
    Ok(Checkup {
        places,
        tools: vec![tool],
        questions: question.into_iter().collect(),
        each: false,
    })
}

fn places(server: &Server) -> Vec<Place> {
    let place = |host: &dbstash_core::job::Host| {
        Place::Server(match host.name.as_str() {
            path if path.starts_with('/') => Endpoint::Unix(PathBuf::from(path)),
            "" => Endpoint::Tcp("localhost".to_owned(), host.port.unwrap_or(PORT)),
            name => Endpoint::Tcp(name.to_owned(), host.port.unwrap_or(PORT)),
        })
    };
    server.hosts.iter().map(place).collect()
}

/// Whether it is known that everybody on the way can read along.
fn is_open(server: &Server) -> bool {
    let on = |name| param(server, name).is_some_and(|value| value == "true");
    let here = |name: &str| {
        name.is_empty()
            || name.starts_with('/')
            || ["localhost", "127.0.0.1", "::1"].contains(&name)
    };
    !is_srv(server) && !on("tls") && !on("ssl") && !server.hosts.iter().all(|host| here(&host.name))
}

struct Rights {
    /// The database; all of them, if none is named.
    name: Option<String>,
    only_login: bool,
    open: bool,
}

impl Reading for Rights {
    fn read(&self, answer: &[u8], _versions: &[String]) -> Answer {
        let rows = rows::<3>(answer);
        let of = |kind: &str| -> Vec<(&str, &str)> {
            let rows = rows.iter().filter(|row| row[0] == kind);
            rows.map(|[_, a, b]| (a.as_str(), b.as_str())).collect()
        };
        let one = |kind: &str| of(kind).first().map_or("", |(value, _)| value);
        let mut all = Vec::new();
        let user = of("user").first().copied();
        all.push(match user {
            Some((user, database)) => {
                Finding::ok("login", format!("{user} of {database} is let in"))
            }
            None => Finding::warn(
                "login",
                "the server lets everybody in",
                "switch authorization on, and give DB_URI a user with the role backup",
            ),
        });
        if self.open {
            all.push(Finding::warn(
                "tls",
                "the connection is not encrypted",
                "add tls=true to DB_URI",
            ));
        }
        all.push(Finding::ok("server", format!("MongoDB {}", one("server"))));
        let there = of("database");
        let is_told = of("unlisted").is_empty();
        if let Some(name) =
            self.name.as_deref().filter(|name| is_told && there.iter().all(|(n, _)| n != name))
        {
            all.push(Finding::fail(
                "database",
                format!("the server has no database '{name}', or does not show it to this user"),
                "check DB_URI or DB_NAME: an empty dump would be a success to mongodump",
            ));
        }
        if let (Some(user), false) = (user, self.only_login) {
            all.push(self.rights(user, &of("role"), &of("find")));
        }
        Answer { findings: all, clock: one("clock").parse().ok() }
    }
}

impl Rights {
    fn rights(
        &self,
        (user, home): (&str, &str),
        roles: &[(&str, &str)],
        finds: &[(&str, &str)],
    ) -> Finding {
        let name = self.name.as_deref();
        let reads = |&(role, of): &(&str, &str)| {
            of == "admin" && ANYWHERE.contains(&role)
                || name.is_some_and(|name| of == name) && THERE.contains(&role)
        };
        let reaches = |&(database, collection): &(&str, &str)| {
            collection.is_empty() && (database.is_empty() || name == Some(database))
        };
        let what = name.map_or_else(|| "every database".to_owned(), str::to_owned);
        if roles.iter().any(reads) || finds.iter().any(reaches) {
            return Finding::ok("privileges", format!("{user} may read {what}"));
        }
        let (role, database) = name.map_or(("backup", "admin"), |name| ("read", name));
        Finding::fail(
            "privileges",
            format!("{user} may not read {what}"),
            format!(
                "in {home}: db.grantRolesToUser(\"{user}\", [{{ role: \"{role}\", db: \"{database}\" }}])"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use dbstash_core::checkup::Verdict;

    use super::*;

    fn worst(name: Option<&str>, rows: &[[&str; 3]]) -> (Verdict, String) {
        let rights = Rights { name: name.map(str::to_owned), only_login: false, open: false };
        let base = [["server", "7.0.1", ""], ["clock", "1500", ""], ["database", "shop", ""]];
        let text: String =
            base.iter().chain(rows).flatten().flat_map(|field| [field, "\0"]).collect();
        let Answer { findings, clock } = rights.read(text.as_bytes(), &[]);
        assert_eq!(clock, Some(1500));
        let worst = findings.into_iter().max_by_key(|finding| finding.verdict).unwrap();
        (worst.verdict, worst.what + ": " + &worst.way_out.unwrap_or_default())
    }

    #[test]
    fn who_may_read_what() {
        let user = ["user", "stash", "admin"];
        for (name, row) in [
            (Some("shop"), ["role", "read", "shop"]),
            (Some("shop"), ["role", "backup", "admin"]),
            (Some("shop"), ["find", "shop", ""]),
            (None, ["role", "root", "admin"]),
            (None, ["find", "", ""]),
        ] {
            assert_eq!(worst(name, &[user, row]).0, Verdict::Ok, "{row:?}");
        }
        for (name, row, told) in [
            (Some("shop"), ["role", "read", "other"], "role: \"read\", db: \"shop\""),
            (Some("shop"), ["find", "shop", "t"], "stash may not read shop"),
            (None, ["role", "read", "shop"], "role: \"backup\", db: \"admin\""),
            (Some("gone"), ["role", "root", "admin"], "no database 'gone'"),
        ] {
            let (verdict, text) = worst(name, &[user, row]);
            assert!(verdict == Verdict::Fail && text.contains(told), "{row:?}: {text}");
        }
        assert_eq!(worst(Some("shop"), &[]).0, Verdict::Warn, "everybody is let in");
    }
}
