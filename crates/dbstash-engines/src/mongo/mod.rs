//! MongoDB by `mongodump`: an archive of one database or of all, or its files.

mod address;
mod archive;
mod bson;
mod checkup;
mod crc64;
mod drill;
mod elements;
mod explain;
mod flags;
mod gzip;
mod json;
mod load;
mod tally;
mod tree;

use dbstash_core::checkup::Checkup;
use dbstash_core::drill::{Drill, Ground};
use dbstash_core::engine::{
    Check, Dump, Engine, Format, Incomplete, Passed, Plan, PlanError, Stdout, Step, Stream,
    Structure, Tree,
};
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Database, EngineKey, Job, Mode, Server, Source};
use dbstash_core::load::{Load, Survey, Target, Wish};
use dbstash_core::manifest::Object;
use dbstash_core::recipe::Subject;
use dbstash_core::tally::{Counting, TreeCounting};

use self::archive::Archive;
use self::flags::Flags;
use self::gzip::Gzip;
use self::tree::Files;
use crate::conn::mongo::{is_srv, param};
use crate::passing;
use crate::unpack::Unpacked;

/// The engine.
pub(crate) struct Mongo;

/// A program of ours, beside dbstash, that asks a server for the names of its databases.
const ASKER: &str = "dbstash-mongo";

/// Why nothing is counted.
const ZIP: &str = "mongodump compressed it itself";

const ARCHIVE: Format = Format { name: "archive", extension: "archive", compressed: false };
const ZIPPED: Format = Format { name: "archive", extension: "archive.gz", compressed: true };
const BARE: Format = Format { name: "bson", extension: "bson", compressed: false };

impl Engine for Mongo {
    fn key(&self) -> EngineKey {
        EngineKey::Mongo
    }

    fn plan(&self, job: &Job, database: &Database) -> Result<Plan, PlanError> {
        let server = server(job)?;
        let mut flags = Flags::read(&job.extra_args)?;
        let name = match database {
            Database::One(name) => Some(name.as_str()),
            Database::All => None,
        };
        if name.is_none() && !job.exclude.is_empty() {
            return Err(PlanError(
                "DB_EXCLUDE needs BACKUP_SPLIT_DATABASES=true: mongodump cannot leave databases out of one dump of all"
                    .into(),
            ));
        }
        if name.is_some() && flags.oplog {
            return Err(PlanError(
                "DUMP_EXTRA_ARGS: --oplog is of the whole server: set BACKUP_ALL_DATABASES=true, or leave it out; and \
                 only a replica set has an oplog"
                    .into(),
            ));
        }
        let dump = match job.mode {
            Mode::Stream => Dump::Stream(stream(job, &mut flags, server, name)),
            Mode::Directory | Mode::Tar => Dump::Tree(tree(job, &mut flags, server, name)),
        };
        flags.warnings.extend(login_lost(server, name));
        Ok(Plan { dump, companions: Vec::new(), warnings: flags.warnings })
    }

    fn checkup(&self, job: &Job, database: &Database) -> Result<Checkup, PlanError> {
        checkup::checkup(job, database)
    }

    fn list_databases(&self, job: &Job) -> Result<Invocation, PlanError> {
        let mut invocation = Invocation::new(ASKER, ["databases"]);
        let content = address::for_driver(server(job)?)?;
        invocation.args.push(Arg::File { before: String::new(), content });
        Ok(invocation)
    }

    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none() || passing::passes(stderr)
    }

    fn drill(&self, ground: &Ground<'_>) -> Result<Drill, PlanError> {
        drill::drill(ground)
    }

    fn by_hand(&self, stored: Subject<'_>) -> Option<Vec<String>> {
        crate::by_hand::mongo(stored)
    }

    fn structure(&self, object: &Object) -> Option<Structure> {
        Some(match object.format.as_str() {
            "archive" => Structure::Stream(Box::new(Unpacked::new(Box::new(Archive::new(None))))),
            "bson" => {
                Structure::Stream(Box::new(Bare { walk: bson::Walk::thorough(), broken: None }))
            }
            "directory" => Structure::Files(Box::new(Files::thorough())),
            _ => return None,
        })
    }

    fn survey(&self, wish: &Wish<'_>) -> Result<Survey, PlanError> {
        load::survey(wish)
    }

    fn load(&self, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
        load::load(wish, target)
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        explain::explain(stderr)
    }
}

fn server(job: &Job) -> Result<&Server, PlanError> {
    let Source::Server(server) = &job.source else {
        return Err(PlanError("mongo needs a server: set DB_URI=mongodb://... or DB_HOST".into()));
    };
    if server.user.is_none() && server.password.is_some() {
        return Err(PlanError(
            "there is a password and no user: set DB_USER, or name it in DB_URI".into(),
        ));
    }
    Ok(server)
}

/// An archive as it comes.
fn stream(job: &Job, flags: &mut Flags, server: &Server, name: Option<&str>) -> Stream {
    let mut args = Vec::new();
    if !flags.archive && !flags.bare {
        args.push(Arg::Plain("--archive".to_owned()));
    }
    if flags.out && !flags.archive && !flags.bare {
        flags.warnings.push(flags::elsewhere("--out", "a directory"));
    }
    flags.warnings.append(&mut flags.no_stream);
    let zipped = !flags.bare && is_zipped(job, flags, &mut args);
    let counting = match (flags.bare, zipped) {
        (true, _) => Counting::Not("documents of one collection come without its name"),
        (false, true) => Counting::Not(ZIP),
        (false, false) => Counting::By(Box::new(tally::Documents::new(name))),
    };
    let (format, check): (_, Box<dyn Check>) = match (flags.bare, zipped) {
        (true, _) => (BARE, Box::new(Bare::default())),
        (false, true) => (ZIPPED, Box::new(Gzip::new(Archive::new(name)))),
        (false, false) => (ARCHIVE, Box::new(Archive::new(name))),
    };
    Stream::of_tool(mongodump(job, flags, server, name, args), format, check).counted(counting)
}

/// Two files for each collection, in a folder for each database.
fn tree(job: &Job, flags: &mut Flags, server: &Server, name: Option<&str>) -> Tree {
    let (before, nothing) = ("--out=".to_owned(), String::new());
    let mut args = vec![Arg::Tree { before, inside: nothing.clone(), after: nothing }];
    if flags.out || flags.archive {
        flags.warnings.push(format!(
            "DUMP_EXTRA_ARGS: --out or --archive makes mongodump write elsewhere, and nothing is left for \
             BACKUP_MODE={}",
            job.mode.as_str()
        ));
    }
    if !flags.parallel {
        args.push(Arg::Plain(format!("--numParallelCollections={}", job.jobs)));
    }
    let compressed = is_zipped(job, flags, &mut args);
    let format = Format { name: "directory", extension: "", compressed };
    let invocation = mongodump(job, flags, server, name, args);
    let steps = vec![Step { invocation, stdout: Stdout::Ignored }];
    let counting = if compressed {
        TreeCounting::Not(ZIP)
    } else {
        TreeCounting::Files(Box::new(tally::Files::new(name)))
    };
    Tree { steps, format, check: Some(Box::new(Files::new(name))), counting, file: None }
}

/// Whether the tool compresses; it is told to when the settings say so.
fn is_zipped(job: &Job, flags: &Flags, args: &mut Vec<Arg>) -> bool {
    if job.native_compression && !flags.gzip {
        args.push(Arg::Plain("--gzip".to_owned()));
    }
    job.native_compression || flags.gzip
}

/// mongodump, its address and secrets in a private file.
fn mongodump(
    job: &Job,
    flags: &Flags,
    server: &Server,
    name: Option<&str>,
    args: Vec<Arg>,
) -> Invocation {
    let mut invocation = Invocation::new("mongodump", [""; 0]);
    let content = address::config(server, flags.selection_timeout);
    invocation.args.push(Arg::File { before: "--config=".to_owned(), content });
    invocation.args.extend(args);
    // A name may begin with a dash.
    invocation.args.extend(name.map(|name| Arg::Plain(format!("--db={name}"))));
    invocation.args.extend(job.extra_args.iter().cloned().map(Arg::Plain));
    invocation.inherits = inherited(server);
    invocation
}

/// Authorities of the user's own, which Go looks for; and who the user is, where AWS says it.
fn inherited(server: &Server) -> &'static [&'static str] {
    match param(server, "authMechanism") {
        Some("MONGODB-AWS") => &["SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_*"],
        _ => &["SSL_CERT_FILE", "SSL_CERT_DIR"],
    }
}

/// With SRV nobody knows here which database knows the user.
fn login_lost(server: &Server, database: Option<&str>) -> Option<String> {
    let login = param(server, "dbname")?;
    let unsaid = is_srv(server) && param(server, "authSource").is_none();
    (unsaid && server.user.is_some() && database != Some(login)).then(|| {
        format!("DB_URI names the database {login} and no authSource: the user is looked up in the one that the zone says, or in admin; if that is wrong, add authSource={login}")
    })
}

/// Documents of one collection, one after the other.
#[derive(Default)]
struct Bare {
    walk: bson::Walk,
    broken: Option<String>,
}

impl Check for Bare {
    fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.broken = self.walk.feed(bytes).err();
        }
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        match self.broken {
            Some(what) => Err(Incomplete(format!("it is no BSON: {what}"))),
            None if !self.walk.is_between() => Err(Incomplete("it ends within a document".into())),
            None => Ok(Passed::by("documents")),
        }
    }
}

#[cfg(test)]
mod tests;
