//! What a dump needs of a PostgreSQL server: a login, the right to read all of it, and tools that are new enough.

use std::path::PathBuf;

use dbstash_core::checkup::{
    Answer, Ask, Checkup, Finding, Place, Question, Reading, Tool, Verdict,
};
use dbstash_core::dialogue::Endpoint;
use dbstash_core::engine::PlanError;
use dbstash_core::job::{Database, Databases, Globals, Host, Job, Server};
use dbstash_core::load::MARK;

use super::{client, server};
use crate::rows::{more, rows, version};

const PORT: u16 = 5432;
const PACKAGE: &str = "postgresql-client, of the server's major version or newer";
/// As many of a kind are named one by one.
const NAMED: usize = 10;

/// In rows of three: what it is about, and two things to say. What an extension owns is not dumped; what the catalog
/// owns everybody may read.
const ASKED: &str = "\
WITH tables AS (SELECT c.oid, c.relkind, c.relrowsecurity, n.oid AS space, quote_ident(n.nspname) AS schema, \
 quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name \
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
 AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')), \
closed AS (SELECT DISTINCT schema FROM tables WHERE NOT has_schema_privilege(space, 'USAGE')), \
unread AS (SELECT * FROM tables WHERE NOT has_table_privilege(oid, 'SELECT')), \
blobs AS (SELECT l.oid FROM pg_catalog.pg_largeobject_metadata l \
 WHERE current_setting('lo_compat_privileges') = 'off' AND NOT pg_has_role(l.lomowner, 'USAGE') \
 AND NOT EXISTS (SELECT 1 FROM aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT' \
 AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))) \
SELECT 'server', current_setting('server_version'), current_setting('server_version_num') \
UNION ALL SELECT 'clock', (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text, '' \
UNION ALL SELECT 'role', quote_ident(rolname), rolsuper::text FROM pg_catalog.pg_roles WHERE rolname = current_user \
UNION ALL SELECT 'tls', ssl::text, coalesce(version, '') FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid() \
UNION ALL SELECT 'database', quote_ident(datname), has_database_privilege(oid, 'CONNECT')::text \
 FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate \
UNION ALL SELECT 'here', quote_ident(current_database()), (SELECT count(*) FROM tables)::text \
UNION ALL (SELECT 'usage', schema, '' FROM closed ORDER BY 2 LIMIT 100) \
UNION ALL (SELECT 'select', name, CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END FROM unread ORDER BY 2 LIMIT 1000) \
UNION ALL (SELECT 'rows', name, '' FROM tables WHERE relrowsecurity AND row_security_active(oid) ORDER BY 2 LIMIT 1000) \
UNION ALL (SELECT 'blob', oid::text, '' FROM blobs ORDER BY oid LIMIT 1000)";

pub(super) fn checkup(job: &Job, database: &Database) -> Result<Checkup, PlanError> {
    let server = server(job)?;
    let named = server.params.iter().any(|(key, _)| key == "dbname");
    let name = match database {
        Database::One(name) => Some(name.as_str()),
        Database::All => (!named).then_some("postgres"),
    };
    let args = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-z", "-0"];
    let mark = format!(
        "SELECT 'mark', coalesce(obj_description(oid, 'pg_namespace'), '?'), '' FROM pg_catalog.pg_namespace \
         WHERE nspname = '{MARK}' UNION ALL SELECT 'mark', coalesce(shobj_description(oid, 'pg_database'), '?'), '' \
         FROM pg_catalog.pg_database WHERE datname = '{MARK}' AND datname = current_database()"
    );
    let asked = format!("--command={ASKED} UNION ALL {mark}");
    let args = args.into_iter().map(str::to_owned).chain([asked]);
    let question = client("psql", server, name, args.collect())?;
    let whole = job.databases == Databases::All;
    let mut programs = vec![if whole { "pg_dumpall" } else { "pg_dump" }];
    if !whole && job.globals != Globals::Off {
        programs.push("pg_dumpall");
    }
    let mut tools: Vec<_> =
        programs.into_iter().map(|program| Tool::any(program, "--version", PACKAGE)).collect();
    if let (Some(tool), false, Globals::Auto) = (tools.get_mut(1), whole, job.globals) {
        tool.without = Some("roles are not stored beside the dump");
    }
    let reading = Rights {
        local: server.hosts.iter().all(|host| is_local(&host.name)),
        here: matches!(database, Database::One(_)),
        job: job.clone(),
    };
    let question = Question { ask: Ask::Program(question), reading: Box::new(reading) };
    Ok(Checkup { places: places(server), tools, questions: vec![question], each: whole })
}

fn is_local(host: &str) -> bool {
    host.is_empty() || host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host)
}

/// Where the client will look, if that is said here.
fn places(server: &Server) -> Vec<Place> {
    if server.params.iter().any(|(key, _)| ["hostaddr", "service"].contains(&key.as_str())) {
        return Vec::new();
    }
    let place = |host: &Host| {
        let port = host.port.unwrap_or(PORT);
        Some(Place::Server(match host.name.as_str() {
            "" => return None,
            dir if dir.starts_with('/') => {
                Endpoint::Unix(PathBuf::from(format!("{dir}/.s.PGSQL.{port}")))
            }
            name => Endpoint::Tcp(name.to_owned(), port),
        }))
    };
    server.hosts.iter().filter_map(place).collect()
}

/// What a login may, in the light of what the job asks for.
struct Rights {
    local: bool,
    /// Whether the database that was asked is dumped, too.
    here: bool,
    job: Job,
}

impl Reading for Rights {
    fn read(&self, answer: &[u8], versions: &[String]) -> Answer {
        let rows = rows::<3>(answer);
        let of = |kind: &str| -> Vec<(&str, &str)> {
            let rows = rows.iter().filter(|row| row[0] == kind);
            rows.map(|[_, a, b]| (a.as_str(), b.as_str())).collect()
        };
        let one = |kind: &str| of(kind).first().copied().unwrap_or_default();
        let (role, is_super) = one("role");
        let is_super = is_super == "true";
        let (here, tables) = one("here");
        let mut all = vec![Finding::ok("login", format!("the role {role} is let into {here}"))];
        all.extend(self.tls(one("tls")));
        all.push(age(one("server").0, versions));
        all.extend(of("mark").first().map(|(of, _)| Finding::marked(of)));
        if self.here {
            let missing = self.missing(role, &of);
            if missing.is_empty() {
                let text = format!("{role} may read all {tables} tables and sequences of {here}");
                all.push(Finding::ok("privileges", text));
            }
            all.extend(missing);
        } else {
            all.extend(self.closed(role, &of("database")));
        }
        all.extend(self.roles(role, is_super));
        Answer { findings: all, clock: one("clock").0.parse().ok() }
    }
}

/// Flags that leave things out, which may be just those that are missing.
const PARTIAL: [&str; 9] =
    ["-n", "-N", "-t", "-T", "-s", "--schema", "--exclude-", "--table", "--filter"];

impl Rights {
    fn has(&self, flags: &[&str]) -> bool {
        self.job.extra_args.iter().any(|word| flags.iter().any(|flag| word.starts_with(flag)))
    }

    fn tls(&self, (on, version): (&str, &str)) -> Option<Finding> {
        match on {
            "true" => Some(Finding::ok("tls", format!("the connection is encrypted ({version})"))),
            "false" if self.local => None,
            "false" => Some(Finding::warn(
                "tls",
                "the connection is not encrypted",
                "add sslmode=verify-full, or sslmode=require, to DB_URI",
            )),
            _ => None,
        }
    }

    /// Each thing that may not be read, with the grant for it.
    fn missing<'a>(
        &self,
        role: &str,
        of: &impl Fn(&str) -> Vec<(&'a str, &'a str)>,
    ) -> Vec<Finding> {
        let mut all = Vec::new();
        let mut lack = |list: Vec<(&str, &str)>, tell: &dyn Fn(&str, &str) -> (String, String)| {
            let count = list.len();
            for (n, (name, kind)) in list.into_iter().take(NAMED).enumerate() {
                let (what, way_out) = tell(name, kind);
                let rest = if n + 1 == NAMED { more(count, NAMED) } else { String::new() };
                all.push(Finding::fail("privileges", format!("{what}{rest}"), way_out));
            }
        };
        lack(of("usage"), &|schema, _| {
            let way_out = format!("GRANT USAGE ON SCHEMA {schema} TO {role}");
            (format!("{role} may not look into the schema {schema}"), way_out)
        });
        lack(of("select"), &|name, kind| {
            let way_out = format!(
                "GRANT SELECT ON {kind}{name} TO {role}, or for all there is and will be GRANT pg_read_all_data TO {role}"
            );
            (format!("{role} may not read {name}"), way_out)
        });
        if !self.has(&["--enable-row-security"]) {
            lack(of("rows"), &|name, _| {
                let way_out = format!("ALTER ROLE {role} BYPASSRLS, or dump as the owner");
                (format!("row security hides rows of {name} from {role}"), way_out)
            });
        }
        if !self.has(&["--no-blobs", "--no-large-objects", "-B"]) {
            lack(of("blob"), &|oid, _| {
                let way_out = format!("GRANT SELECT ON LARGE OBJECT {oid} TO {role}");
                (format!("{role} may not read the large object {oid}"), way_out)
            });
        }
        if self.has(&PARTIAL) {
            for finding in &mut all {
                finding.verdict = Verdict::Warn;
                finding.what.push_str(" (unless DUMP_EXTRA_ARGS leaves it out)");
            }
        }
        all
    }

    /// Databases that are dumped, and cannot be connected to.
    fn closed(&self, role: &str, databases: &[(&str, &str)]) -> Vec<Finding> {
        let is_left_out = |name: &str| {
            let bare = name.trim_matches('"').replace("\"\"", "\"");
            self.job.exclude.iter().any(|pattern| pattern.matches(&bare))
        };
        let closed = databases.iter().filter(|(name, open)| *open != "true" && !is_left_out(name));
        let tell = |(name, _): &(&str, &str)| {
            let way_out = format!(
                "GRANT CONNECT ON DATABASE {name} TO {role}, or leave it out by DB_EXCLUDE"
            );
            Finding::fail("privileges", format!("{role} may not connect to {name}"), way_out)
        };
        closed.map(tell).collect()
    }

    /// What becomes of roles.
    fn roles(&self, role: &str, is_super: bool) -> Option<Finding> {
        if is_super || self.has(&["--no-role-passwords"]) {
            return None;
        }
        if self.job.databases == Databases::All {
            return Some(Finding::fail(
                "privileges",
                format!("{role} is no superuser, and pg_dumpall reads the passwords of roles"),
                format!("set DUMP_EXTRA_ARGS=--no-role-passwords, or ALTER ROLE {role} SUPERUSER"),
            ));
        }
        (self.job.globals != Globals::Off).then(|| {
            let what = "roles are stored beside the dump, without their passwords: the login is no superuser";
            Finding::ok("privileges", what)
        })
    }
}

/// Whether the dump tool is as new as the server.
fn age(server: &str, versions: &[String]) -> Finding {
    let tool = versions.iter().find(|text| !text.is_empty());
    let tool = tool.and_then(|text| version(text));
    match (version(server), tool) {
        (Some((theirs, _)), Some((ours, _))) if theirs > ours => Finding::fail(
            "server",
            format!("PostgreSQL {server}, and the dump tool is only of version {ours}"),
            format!("install the client of PostgreSQL {theirs} or newer"),
        ),
        _ => Finding::ok("server", format!("PostgreSQL {server}")),
    }
}

#[cfg(test)]
mod tests {
    use dbstash_core::job::{EngineKey, Source};

    use super::*;

    fn poor(words: &[&str]) -> Rights {
        let (source, databases) = (Source::Server(Server::default()), Databases::Named(vec![]));
        let mut job = Job::new("j".parse().unwrap(), EngineKey::Pg, source, databases);
        job.extra_args = words.iter().map(|&word| word.to_owned()).collect();
        job.globals = Globals::Off;
        Rights { local: false, here: true, job }
    }

    fn whole(words: &[&str]) -> Rights {
        let mut rights = poor(words);
        (rights.here, rights.job.databases) = (false, Databases::All);
        rights
    }

    fn told(rights: &Rights, rows: &[[&str; 3]], tool: &str) -> Vec<(Verdict, String)> {
        let mut answer = String::new();
        for field in rows.iter().flatten() {
            answer.push_str(field);
            answer.push('\0');
        }
        let Answer { findings, clock } = rights.read(answer.as_bytes(), &[tool.to_owned()]);
        assert_eq!(clock, Some(1500));
        let line = |f: Finding| (f.verdict, f.what + ": " + &f.way_out.unwrap_or_default());
        findings.into_iter().map(line).collect()
    }

    const BASE: [[&str; 3]; 5] = [
        ["server", "16.2 (Debian)", "160002"],
        ["clock", "1500", ""],
        ["role", "\"back up\"", "false"],
        ["tls", "false", ""],
        ["here", "shop", "7"],
    ];

    #[test]
    fn what_is_missing_is_named_with_its_grant() {
        let rows = [
            &BASE[..],
            &[
                ["usage", "hidden", ""],
                ["select", "public.\"T\"", ""],
                ["select", "public.s", "SEQUENCE "],
                ["rows", "public.r", ""],
                ["blob", "4711", ""],
            ],
        ]
        .concat();
        let all = told(&poor(&[]), &rows, "pg_dump (PostgreSQL) 17.1");
        let fails: Vec<_> = all.iter().filter(|(v, _)| *v == Verdict::Fail).collect();
        let wanted = [
            "GRANT USAGE ON SCHEMA hidden TO \"back up\"",
            "GRANT SELECT ON public.\"T\" TO \"back up\"",
            "GRANT SELECT ON SEQUENCE public.s TO \"back up\"",
            "ALTER ROLE \"back up\" BYPASSRLS",
            "GRANT SELECT ON LARGE OBJECT 4711 TO \"back up\"",
        ];
        assert_eq!(fails.len(), wanted.len(), "{all:?}");
        for (fail, wanted) in fails.iter().zip(wanted) {
            assert!(fail.1.contains(wanted), "{fail:?}");
        }
        let tls = all.iter().find(|(_, text)| text.contains("not encrypted")).unwrap();
        assert_eq!(tls.0, Verdict::Warn);
        let partial = told(&poor(&["--exclude-table=x"]), &rows, "");
        assert!(partial.iter().all(|(verdict, _)| *verdict != Verdict::Fail), "{partial:?}");
    }

    #[test]
    fn many_are_counted() {
        let names: Vec<String> = (0..25).map(|n| format!("t{n}")).collect();
        let mut rows = BASE.to_vec();
        rows.extend(names.iter().map(|name| ["select", name.as_str(), ""]));
        let all = told(&poor(&[]), &rows, "");
        let fails: Vec<_> = all.iter().filter(|(v, _)| *v == Verdict::Fail).collect();
        assert_eq!(fails.len(), NAMED);
        assert!(fails[NAMED - 1].1.contains("t9, and 15 more"), "{fails:?}");
    }

    #[test]
    fn a_closed_database_is_named() {
        let rows =
            [&BASE[..], &[["database", "\"Of Others\"", "false"], ["database", "shop", "true"]]];
        let all = told(&whole(&["--no-role-passwords"]), &rows.concat(), "");
        let fails: Vec<_> = all.iter().filter(|(v, _)| *v == Verdict::Fail).collect();
        assert!(
            fails.len() == 1 && fails[0].1.contains("GRANT CONNECT ON DATABASE \"Of Others\" TO"),
            "{all:?}"
        );
    }

    #[test]
    fn an_old_tool_and_roles() {
        let all = told(&poor(&[]), &BASE, "pg_dump (PostgreSQL) 15.14");
        let old = all.iter().find(|(_, text)| text.contains("only of version 15")).unwrap();
        assert_eq!(old.0, Verdict::Fail);
        let all = told(&whole(&[]), &BASE, "");
        let roles = all.iter().find(|(_, text)| text.contains("--no-role-passwords")).unwrap();
        assert_eq!(roles.0, Verdict::Fail);
        let bare = told(&whole(&["--no-role-passwords"]), &BASE, "");
        assert!(bare.iter().all(|(verdict, _)| *verdict != Verdict::Fail), "{bare:?}");
    }
}
