//! What a dump needs of a MySQL or MariaDB server: a login, its privileges, and tools of the same family.

use std::fmt::Write as _;
use std::path::PathBuf;

use dbstash_core::checkup::{Answer, Ask, Checkup, Finding, Place, Question, Reading, Tool};
use dbstash_core::dialogue::Endpoint;
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::Arg;
use dbstash_core::job::{Database, Databases, Job, Server, Source};
use dbstash_core::load::MARK;

use super::Dialect;
use super::grants::Grants;
use super::load::mark::again;
use crate::rows::version;

const PORT: u16 = 3306;

/// Lines of a word and what belongs to it, and the server's own lines on privileges. `$` is the database's name, `@`
/// the mark of a restore.
const ASKED: [&str; 7] = [
    "SELECT 'server', VERSION()",
    "SELECT 'clock', FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000)",
    "SELECT 'user', CURRENT_USER()",
    "SELECT 'schema', schema_name FROM information_schema.schemata WHERE schema_name = $",
    "SELECT 'routines', COUNT(*) FROM information_schema.routines WHERE routine_schema = $ AND definer <> CURRENT_USER()",
    "SELECT 'mark', table_comment FROM information_schema.tables WHERE table_schema = $ AND table_name = '@'",
    "SHOW SESSION STATUS LIKE 'Ssl_version'",
];

pub(super) fn checkup(
    dialect: Dialect,
    job: &Job,
    database: &Database,
) -> Result<Checkup, PlanError> {
    let Source::Server(server) = &job.source else {
        return Err(PlanError(format!("{} needs a server: set DB_URI or DB_HOST", job.engine)));
    };
    let name = match database {
        Database::One(name) => name.as_str(),
        Database::All => "",
    };
    let hex = name.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}");
        hex
    });
    let literal = format!("CONVERT(x'{hex}' USING utf8)");
    let asked = ASKED.map(|sql| sql.replace('$', &literal).replace('@', MARK)).join("; ");
    let mut invocation = dialect.invocation(dialect.client(), server)?;
    let args = ["--batch", "--raw", "--skip-column-names", "--execute"].map(str::to_owned);
    let args = args.into_iter().chain([format!("{asked}; SHOW GRANTS")]);
    invocation.args.extend(args.map(Arg::Plain));
    let mut tool = Tool::any(dialect.dump_tool(), "--version", package(dialect));
    tool.complaint = match dialect {
        Dialect::Mysql => |said| {
            said.contains("MariaDB").then(|| {
                let way_out = "install Oracle's client, or set DBSTASH_ENGINE=mariadb";
                ("it is MariaDB's".to_owned(), way_out.to_owned())
            })
        },
        Dialect::Mariadb => |said| {
            (!said.contains("MariaDB"))
                .then(|| ("it is not MariaDB's".to_owned(), "install MariaDB's client".to_owned()))
        },
    };
    let reading = Rights {
        dialect,
        name: matches!(database, Database::One(_)).then(|| name.to_owned()),
        // Each of them is asked for by itself.
        only_login: job.databases == Databases::Each && *database == Database::All,
        local: server
            .hosts
            .iter()
            .all(|host| host.name.starts_with('/') || super::options::is_loopback(&host.name)),
        words: job.extra_args.clone(),
    };
    let question = Question { ask: Ask::Program(invocation), reading: Box::new(reading) };
    Ok(Checkup {
        places: places(server),
        tools: vec![tool],
        questions: vec![question],
        each: false,
    })
}

pub(super) fn package(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Mysql => "Oracle's MySQL client, mysqldump and mysql",
        Dialect::Mariadb => "mariadb-client",
    }
}

fn places(server: &Server) -> Vec<Place> {
    let socket = server.params.iter().find(|(key, _)| {
        ["socket", "unix_socket", "unix-socket"].contains(&key.to_ascii_lowercase().as_str())
    });
    let endpoint = match (server.hosts.first(), socket) {
        (Some(host), _) if host.name.starts_with('/') => Endpoint::Unix(PathBuf::from(&host.name)),
        (Some(host), _) => {
            let name = if host.name.is_empty() { "localhost" } else { &host.name };
            Endpoint::Tcp(name.to_owned(), host.port.unwrap_or(PORT))
        }
        (None, Some((_, path))) => Endpoint::Unix(PathBuf::from(path)),
        (None, None) => return Vec::new(),
    };
    vec![Place::Server(endpoint)]
}

/// What a login may, in the light of what the job asks for.
struct Rights {
    dialect: Dialect,
    /// The database; all of them, if none is named.
    name: Option<String>,
    only_login: bool,
    local: bool,
    words: Vec<String>,
}

impl Reading for Rights {
    fn read(&self, answer: &[u8], versions: &[String]) -> Answer {
        let text = String::from_utf8_lossy(answer);
        let one = |word: &str| {
            let mut found = text.lines().filter_map(|line| line.strip_prefix(word));
            found.find_map(|rest| rest.strip_prefix('\t')).unwrap_or_default()
        };
        let user = quoted_user(one("user"));
        let grants = Grants::read(&text);
        let mut all = vec![Finding::ok("login", format!("{user} is let in"))];
        match one("Ssl_version") {
            "" if self.local => {}
            "" => all.push(Finding::warn(
                "tls",
                "the connection is not encrypted",
                "add ssl-mode=VERIFY_IDENTITY, or ssl-mode=REQUIRED, to DB_URI",
            )),
            version => {
                all.push(Finding::ok("tls", format!("the connection is encrypted ({version})")));
            }
        }
        all.push(self.server(one("server"), versions));
        let mark = one("mark");
        all.extend((!mark.is_empty()).then(|| {
            let again = again(mark).map(|again| {
                format!("dbstash restore {again} makes it whole, and leaves what else is there")
            });
            Finding { way_out: again.or(Finding::marked(mark).way_out), ..Finding::marked(mark) }
        }));
        if !self.only_login {
            let found = self.missing(&grants, &user, one("routines"));
            let has_any = self.name.as_ref().is_none_or(|name| grants.any(name));
            if let Some(name) = self.name.as_ref().filter(|_| one("schema").is_empty() && has_any) {
                all.push(Finding::fail(
                    "database",
                    format!("the server has no database '{name}'"),
                    "check DB_URI or DB_NAME",
                ));
            } else if found.is_empty() {
                let scope = self.scope();
                all.push(Finding::ok("privileges", format!("{user} may read all of {scope}")));
            }
            all.extend(found);
        }
        Answer { findings: all, clock: one("clock").parse().ok() }
    }
}

impl Rights {
    /// What a privilege is granted on.
    fn scope(&self) -> String {
        match &self.name {
            Some(name) => format!("`{}`.*", name.replace('`', "``")),
            None => "*.*".to_owned(),
        }
    }

    fn has(&self, flags: &[&str]) -> bool {
        let name = |word: &String| word.split('=').next().unwrap_or(word).replace('_', "-");
        self.words.iter().any(|word| flags.contains(&name(word).as_str()))
    }

    fn server(&self, server: &str, versions: &[String]) -> Finding {
        let is_mariadb = server.contains("MariaDB");
        let name = self.dialect.name();
        if is_mariadb != (self.dialect == Dialect::Mariadb) {
            let (is, key) = if is_mariadb { ("MariaDB", "mariadb") } else { ("MySQL", "mysql") };
            return Finding::fail(
                "server",
                format!("the server is {is} {server}, not {name}"),
                format!("set DBSTASH_ENGINE={key}"),
            );
        }
        let tool = versions.first().and_then(|text| tool_version(text));
        match (version(server), tool) {
            (Some((theirs, _)), Some((ours, _))) if theirs > ours => Finding::warn(
                "server",
                format!(
                    "{name} {server}, and the dump tool is of version {ours}: it may not know all that is there"
                ),
                format!("install the client of {name} {theirs}"),
            ),
            _ => Finding::ok("server", format!("{name} {server}")),
        }
    }

    /// Each privilege that is missing, with its grant.
    fn missing(&self, grants: &Grants, user: &str, routines: &str) -> Vec<Finding> {
        let scope = self.scope();
        let name = self.name.as_deref();
        let mut wanted: Vec<(&str, &str, &str)> = vec![
            ("SELECT", &scope, "no table can be read"),
            ("SHOW VIEW", &scope, "a view makes the dump fail"),
        ];
        if !self.has(&["--skip-triggers"]) {
            wanted.push(("TRIGGER", &scope, "triggers are left out, silently"));
        }
        if !self.has(&["--skip-events"]) {
            wanted.push(("EVENT", &scope, "events cannot be read"));
        }
        let data = ["--source-data", "--master-data", "--dump-replica", "--dump-slave"];
        let locks = ["--skip-single-transaction", "--lock-all-tables", "-x", "--lock-tables", "-l"];
        if self.has(&locks) {
            wanted.push(("LOCK TABLES", &scope, "DUMP_EXTRA_ARGS asks for locks"));
        }
        if self.has(&["--lock-all-tables", "-x", "--flush-logs", "-F", "--set-gtid-purged"])
            || self.has(&data)
        {
            wanted.push(("RELOAD", "*.*", "DUMP_EXTRA_ARGS asks for what flushes tables or logs"));
        }
        if self.has(&data) {
            wanted.push((
                "REPLICATION CLIENT",
                "*.*",
                "DUMP_EXTRA_ARGS asks for binary log positions",
            ));
        }
        if self.has(&["--skip-no-tablespaces", "--tablespaces", "--all-tablespaces", "-Y"]) {
            wanted.push(("PROCESS", "*.*", "DUMP_EXTRA_ARGS asks for tablespaces"));
        }
        let lack = |&(privilege, on, why): &(&str, &str, &str)| {
            let name = if on == "*.*" { None } else { name };
            (!grants.has(privilege, name)).then(|| {
                let what = format!("{user} lacks {privilege} on {on}: {why}");
                let way_out = format!("GRANT {privilege} ON {on} TO {user}");
                if grants.roles {
                    Finding::warn(
                        "privileges",
                        format!("{what} (unless one of its roles has it)"),
                        way_out,
                    )
                } else if privilege == "SELECT" && name.is_some_and(|name| grants.any(name)) {
                    let what =
                        format!("{user} may read parts of {on} only, and the rest is in no dump");
                    Finding::warn("privileges", what, way_out)
                } else {
                    Finding::fail("privileges", what, way_out)
                }
            })
        };
        let mut all: Vec<_> = wanted.iter().filter_map(lack).collect();
        if !self.has(&["--skip-routines"]) {
            all.extend(self.routines(grants, user, routines));
        }
        all
    }

    /// Routines of others: their text is a privilege of its own.
    fn routines(&self, grants: &Grants, user: &str, others: &str) -> Option<Finding> {
        let (seen, way_out) = match self.dialect {
            Dialect::Mysql => {
                let seen = grants.has("SHOW_ROUTINE", None) || grants.has("SELECT", None);
                (seen, format!("GRANT SHOW_ROUTINE ON *.* TO {user}"))
            }
            Dialect::Mariadb => {
                let seen = grants.table("mysql", "proc")
                    || ["SHOW CREATE ROUTINE", "SELECT"].iter().any(|one| {
                        grants.has(one, self.name.as_deref().filter(|_| *one != "SELECT"))
                            || grants.has(one, Some("mysql"))
                    });
                (seen, format!("GRANT SELECT ON mysql.proc TO {user}"))
            }
        };
        if seen || grants.roles {
            return None;
        }
        Some(match others {
            "" | "0" => {
                let what =
                    format!("{user} may not see the routines of others: they are in no dump");
                Finding::warn("privileges", what, way_out)
            }
            count => {
                let what =
                    format!("{user} may not read {count} routines of others in {}", self.scope());
                Finding::fail("privileges", what, way_out)
            }
        })
    }
}

/// `user@host` as statements have it.
pub(super) fn quoted_user(user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    format!("'{}'@'{host}'", name.replace('\'', "''"))
}

/// `mysqldump  Ver 8.0.36 for Linux`, `mariadb-dump from 11.4.2-MariaDB, client 10.19 for ...`, `... Ver 10.19 Distrib
/// 10.11.6-MariaDB, ...`.
fn tool_version(said: &str) -> Option<(u32, u32)> {
    let own = |mark: &str| said.find(mark).and_then(|at| version(&said[at..]));
    own("Distrib ").or_else(|| own(" from ")).or_else(|| own("Ver "))
}

#[cfg(test)]
mod tests {
    use dbstash_core::checkup::Verdict;

    use super::*;

    fn told(words: &[&str], lines: &[&str]) -> Vec<(Verdict, String)> {
        let rights = Rights {
            dialect: Dialect::Mysql,
            name: Some("sh_op".into()),
            only_login: false,
            local: true,
            words: words.iter().map(|&word| word.to_owned()).collect(),
        };
        let base =
            ["server\t8.4.2", "clock\t1500", "user\tback'up@%", "schema\tsh_op", "routines\t2"];
        let text = [&base[..], lines].concat().join("\n");
        let Answer { findings, clock } =
            rights.read(text.as_bytes(), &["mysqldump  Ver 8.4.2 for".into()]);
        assert_eq!(clock, Some(1500));
        let line = |f: Finding| (f.verdict, f.what + ": " + &f.way_out.unwrap_or_default());
        findings.into_iter().filter(|f| f.verdict != Verdict::Ok).map(line).collect()
    }

    #[test]
    fn each_missing_privilege_has_its_grant() {
        let none = told(&["--tablespaces", "-F"], &["GRANT USAGE ON *.* TO `back'up`@`%`"]);
        let wanted = [
            "GRANT SELECT ON `sh_op`.* TO 'back''up'@'%'",
            "GRANT SHOW VIEW ON `sh_op`.* TO",
            "GRANT TRIGGER ON `sh_op`.* TO",
            "GRANT EVENT ON `sh_op`.* TO",
            "GRANT RELOAD ON *.* TO",
            "GRANT PROCESS ON *.* TO",
            "GRANT SHOW_ROUTINE ON *.* TO",
        ];
        assert_eq!(none.len(), wanted.len(), "{none:?}");
        for (line, wanted) in none.iter().zip(wanted) {
            assert!(line.0 == Verdict::Fail && line.1.contains(wanted), "{line:?}");
        }
        let enough = "GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `sh\\_op`.* TO `back'up`@`%`";
        let routines = "GRANT SHOW_ROUTINE ON *.* TO `back'up`@`%`";
        assert_eq!(told(&[], &[enough, routines]), []);
        let role = told(&[], &["GRANT `reader`@`%` TO `back'up`@`%`"]);
        assert!(role.iter().all(|(verdict, _)| *verdict == Verdict::Warn), "{role:?}");
    }

    #[test]
    fn families_and_versions() {
        for (said, version) in [
            ("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", (8, 0)),
            (
                "mariadb-dump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)",
                (10, 11),
            ),
            (
                "mariadb-dump from 11.4.2-MariaDB, client 10.19 for debian-linux-gnu (x86_64)",
                (11, 4),
            ),
        ] {
            assert_eq!(tool_version(said), Some(version), "{said}");
        }
    }
}
