//! PostgreSQL: `pg_dump` for one database, `pg_dumpall` for all of a server.

mod balance;
mod blocks;
mod checkup;
mod conninfo;
mod copied;
mod custom;
mod directory;
mod drill;
mod environment;
mod explain;
mod flags;
mod footer;
mod lexer;
mod load;
mod stored;
mod tally;

use dbstash_core::checkup::Checkup;
use dbstash_core::drill::{Drill, Ground};
use dbstash_core::engine::{
    Check, Companion, Dump, Engine, Format, Plan, PlanError, Stdout, Step, Stream, Structure, Tree,
};
use dbstash_core::invocation::{Arg, Invocation, Var};
use dbstash_core::job::{Database, EngineKey, Globals, Job, Mode, Server, Source};
use dbstash_core::load::{Load, Survey, Target, Wish as Restoration};
use dbstash_core::manifest::Object;
use dbstash_core::recipe::Subject;
use dbstash_core::secret::{ExposeSecret as _, SecretString};
use dbstash_core::tally::{Counting, TreeCounting};

use self::flags::{Compression, Flags, Output, Wish};
use crate::passing;
use crate::tally::{Script, Writer};
use crate::tar::Tar;

/// The engine.
pub(crate) struct Pg;

/// The section of the service file that holds what no variable can.
const SERVICE: &str = "dbstash";

impl Engine for Pg {
    fn key(&self) -> EngineKey {
        EngineKey::Pg
    }

    fn plan(&self, job: &Job, database: &Database) -> Result<Plan, PlanError> {
        let server = server(job)?;
        let mut flags = Flags::read(&job.extra_args);
        if flags.names_database {
            // It would be filed under another one's name, and its password would show in argv.
            return Err(PlanError(
                "DUMP_EXTRA_ARGS names a database (-d, --dbname): set DB_URI or DB_NAME instead"
                    .into(),
            ));
        }
        let dump = match (database, job.mode) {
            (Database::One(name), Mode::Stream) => {
                flags.warnings.append(&mut flags.no_stream);
                Dump::Stream(stream(job, &mut flags, server, name)?)
            }
            (Database::One(name), Mode::Directory | Mode::Tar) => {
                flags.warnings.append(&mut flags.no_directory);
                Dump::Tree(tree(job, &flags, server, name)?)
            }
            (Database::All, Mode::Stream) => {
                flags.warnings.append(&mut flags.no_stream);
                Dump::Stream(cluster(job, &mut flags, server)?)
            }
            (Database::All, mode) => {
                return Err(PlanError(format!(
                    "BACKUP_MODE={} needs one database at a time, because pg_dumpall only writes one script: set \
                     BACKUP_SPLIT_DATABASES=true",
                    mode.as_str()
                )));
            }
        };
        let name = match database {
            Database::One(name) => Some(name.as_str()),
            Database::All => None,
        };
        let mut companions = Vec::new();
        if let (Some(name), Globals::Auto | Globals::On) = (name, job.globals) {
            companions.push(Companion {
                what: "the roles and tablespaces of the server",
                ways: globals(server, name)?,
                required: job.globals == Globals::On,
            });
        }
        Ok(Plan { dump, companions, warnings: flags.warnings })
    }

    fn checkup(&self, job: &Job, database: &Database) -> Result<Checkup, PlanError> {
        checkup::checkup(job, database)
    }

    fn list_databases(&self, job: &Job) -> Result<Invocation, PlanError> {
        let server = server(job)?;
        let named = server.params.iter().any(|(key, _)| key == "dbname");
        let args = [
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--record-separator-zero",
            "--command=SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1",
        ];
        let args = args.map(str::to_owned).to_vec();
        client("psql", server, (!named).then_some("postgres"), args)
    }

    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none() || passing::passes(stderr)
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        load::explain(stderr).or_else(|| explain::explain(stderr))
    }

    fn by_hand(&self, stored: Subject<'_>) -> Option<Vec<String>> {
        crate::by_hand::pg(stored)
    }

    fn structure(&self, object: &Object) -> Option<Structure> {
        stored::structure(object)
    }

    fn survey(&self, wish: &Restoration<'_>) -> Result<Survey, PlanError> {
        load::survey(wish)
    }

    fn load(&self, wish: &Restoration<'_>, target: &Target) -> Result<Load, PlanError> {
        load::load(wish, target)
    }

    fn drill(&self, ground: &Ground<'_>) -> Result<Drill, PlanError> {
        drill::drill(ground)
    }

    fn is_surroundings(&self, stderr: &str) -> bool {
        drill::is_surroundings(stderr)
    }
}

/// One database as it comes.
fn stream(job: &Job, flags: &mut Flags, server: &Server, name: &str) -> Result<Stream, PlanError> {
    if job.native_compression && flags.output.is_none() && flags.compression == Wish::Unsaid {
        flags.output = Some(Output::Custom);
    }
    let (format, check) = format(flags);
    let mut args = Vec::new();
    if !flags.names_format {
        let format = if flags.output == Some(Output::Custom) { "custom" } else { "plain" };
        args.push(format!("--format={format}"));
    }
    args.extend(job.extra_args.iter().cloned());
    let invocation = client("pg_dump", server, Some(name), args)?;
    Ok(Stream::of_tool(invocation, format, check).counted(counting(flags)))
}

/// One database as the files of the directory format.
fn tree(job: &Job, flags: &Flags, server: &Server, name: &str) -> Result<Tree, PlanError> {
    let mut args = Vec::new();
    if !flags.names_format {
        args.push("--format=directory".to_owned());
    }
    if !job.native_compression && flags.compression == Wish::Unsaid {
        args.push("--compress=0".to_owned());
    }
    if job.jobs > 1 {
        args.push(format!("--jobs={}", job.jobs));
    }
    let mut invocation = client("pg_dump", server, Some(name), args)?;
    let (before, nothing) = ("--file=".to_owned(), String::new());
    invocation.args.push(Arg::Tree { before, inside: nothing.clone(), after: nothing });
    invocation.args.extend(job.extra_args.iter().cloned().map(Arg::Plain));
    let compressed = match flags.compression {
        Wish::Unsaid => job.native_compression,
        wish => wish != Wish::Off,
    };
    Ok(Tree {
        steps: vec![Step { invocation, stdout: Stdout::Ignored }],
        format: Format { name: "directory", extension: "", compressed },
        check: Some(Box::new(directory::Directory::default())),
        counting: if compressed {
            TreeCounting::Not(COMPRESSED)
        } else {
            TreeCounting::Files(Box::<tally::Files>::default())
        },
        file: None,
    })
}

/// The whole server as it comes.
fn cluster(job: &Job, flags: &mut Flags, server: &Server) -> Result<Stream, PlanError> {
    if job.native_compression {
        flags
            .warnings
            .push("BACKUP_COMPRESS has no effect: pg_dumpall only writes plain SQL".into());
    }
    let excluded = job.exclude.iter().map(|glob| format!("--exclude-database={glob}"));
    let args = excluded.chain(job.extra_args.iter().cloned()).collect();
    let invocation = client("pg_dumpall", server, None, args)?;
    let check = Box::new(footer::Footer::new("database cluster"));
    let counting = Counting::By(Box::new(Script::new(Writer::Pg, true)));
    Ok(Stream::of_tool(invocation, PLAIN, check).counted(counting))
}

fn server(job: &Job) -> Result<&Server, PlanError> {
    match &job.source {
        Source::Server(server) => Ok(server),
        Source::File(_) => {
            Err(PlanError("pg needs a server: set DB_URI=postgresql://... or DB_HOST".into()))
        }
    }
}

/// A client program that connects to the server: the address as an argument, secrets elsewhere.
fn client(
    program: &str,
    server: &Server,
    database: Option<&str>,
    args: Vec<String>,
) -> Result<Invocation, PlanError> {
    let service = (!server.secret_params.is_empty()).then_some(SERVICE);
    let named = server.params.iter().any(|(key, _)| key == "service");
    if let (Some((secret, _)), true) = (server.secret_params.first(), named) {
        return Err(PlanError(format!(
            "DB_URI cannot have both service and {secret}: write {secret} into the service file"
        )));
    }
    let address = format!("--dbname={}", conninfo::conninfo(server, database, service));
    let ours = ["--no-password".to_owned(), address];
    let mut invocation = Invocation::new(program, ours.into_iter().chain(args));
    invocation.inherits = environment::inherited(server);
    if let Some(password) = &server.password {
        invocation.env.push(("PGPASSWORD".into(), Var::Secret(password.clone())));
    }
    if service.is_some() {
        let file = service_file(&server.secret_params)?;
        invocation.env.push(("PGSERVICEFILE".into(), Var::File(file)));
    }
    Ok(invocation)
}

/// Roles and tablespaces: with the roles' passwords, which only a superuser may read, or without.
fn globals(server: &Server, database: &str) -> Result<Vec<Stream>, PlanError> {
    let ways = [&[][..], &["--no-role-passwords"]].map(|more: &[&str]| {
        // The login's own database: a role may not be let into any other one.
        let mut args = vec![
            "--globals-only".to_owned(),
            format!("--database={}", conninfo::database(database)),
        ];
        args.extend(more.iter().map(|&word| word.to_owned()));
        let format = Format { extension: "globals.sql", ..PLAIN };
        let check = Box::new(footer::Footer::new("database cluster"));
        Ok(Stream::of_tool(client("pg_dumpall", server, None, args)?, format, check))
    });
    ways.into_iter().collect()
}

const PLAIN: Format = Format { name: "plain", extension: "sql", compressed: false };

/// What will come out, and what can tell that it is whole.
fn format(flags: &Flags) -> (Format, Box<dyn Check>) {
    match (flags.output.unwrap_or(Output::Plain), flags.compression) {
        (Output::Custom, compression) => {
            let compressed = compression != Wish::Off;
            let format = Format { name: "custom", extension: "dump", compressed };
            (format, Box::new(custom::Custom::default()))
        }
        (Output::Tar, _) => {
            let format = Format { name: "tar", extension: "tar", compressed: false };
            (format, Box::new(Tar::default()))
        }
        (Output::Directory, _) => {
            // It writes no stream at all; the run will fail on its empty output.
            (PLAIN, Box::new(footer::Footer::new("database")))
        }
        (Output::Plain, Wish::By(compression)) => compressed(compression),
        (Output::Plain, Wish::Unsaid | Wish::Off) => {
            (PLAIN, Box::new(footer::Footer::new("database")))
        }
    }
}

/// Why nothing is counted.
const COMPRESSED: &str = "pg_dump compressed it itself";

/// Who counts what will come out.
fn counting(flags: &Flags) -> Counting {
    match (flags.output.unwrap_or(Output::Plain), flags.compression) {
        (Output::Plain, Wish::Unsaid | Wish::Off) => {
            Counting::By(Box::new(Script::new(Writer::Pg, false)))
        }
        (Output::Plain, Wish::By(_)) => Counting::Not(COMPRESSED),
        (Output::Custom, compression) if compression != Wish::Off => Counting::Not(COMPRESSED),
        _ => Counting::Not("the rows of an archive of pg_dump are not looked into"),
    }
}

fn compressed(compression: Compression) -> (Format, Box<dyn Check>) {
    let extension = match compression {
        Compression::Gzip => "sql.gz",
        Compression::Zstd => "sql.zst",
        Compression::Lz4 => "sql.lz4",
    };
    let format = Format { extension, compressed: true, ..PLAIN };
    (format, Box::new(footer::Compressed::new(compression)))
}

/// Secret parameters that no variable can carry, in the file that libpq reads them from.
fn service_file(params: &[(String, SecretString)]) -> Result<SecretString, PlanError> {
    let mut text = format!("[{SERVICE}]\n");
    for (name, value) in params {
        let value = value.expose_secret();
        if value.contains(['\n', '\r']) || value.trim() != value {
            return Err(PlanError(format!(
                "{name} in DB_URI cannot begin or end with a blank or hold a line break"
            )));
        }
        text.extend([name, "=", value, "\n"]);
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests;
