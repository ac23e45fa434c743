//! A job: everything one backup needs to know, resolved and immutable.

mod hooks;
mod id;
mod replication;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use glob::Pattern;
use serde::{Deserialize, Serialize};

pub use self::hooks::Hooks;
pub use self::id::{BadJobId, JobId};
pub use self::replication::{RedisMethod, Replication, SyncMode};
use crate::compression::Compression;
use crate::drill::Trial;
use crate::engine::{Dump, Format, Tree};
use crate::name::Template;
use crate::retention::Policy;
use crate::secret::SecretString;
use crate::verify::Level;
use crate::zone::Zone;

/// What to back up, how to name it, and how long to keep it. Where it goes is the [`Remote`].
///
/// [`Remote`]: crate::remote::Remote
#[derive(Debug, Clone)]
pub struct Job {
    /// Lock, list and retention hang on this identity.
    pub id: JobId,
    /// Which database system this is.
    pub engine: EngineKey,
    /// Where the database is.
    pub source: Source,
    /// Which databases of it.
    pub databases: Databases,
    /// Which of all its databases are left out.
    pub exclude: Vec<Pattern>,
    /// Whether the dump tool's own compression is asked for.
    pub native_compression: bool,
    /// What is done to a dump on its way, by us.
    pub compression: Option<Compression>,
    /// Whether roles and other things outside the databases are stored beside a dump (pg).
    pub globals: Globals,
    /// The user's own words for the dump tool, after ours.
    pub extra_args: Vec<String>,
    /// How backups are named.
    pub naming: Naming,
    /// When an attempt is given up.
    pub limits: Limits,
    /// How many further attempts a run has whose failure may pass.
    pub retries: u32,
    /// How far a backup is verified as soon as it is stored.
    pub verify_after: Option<Level>,
    /// A backup is restored on trial as soon as it is stored, unless one of so many before it was, itself included.
    pub drill_after: Option<usize>,
    /// How a backup is restored on trial.
    pub trial: Trial,
    /// What is kept.
    pub retention: Policy,
    /// Whether one run of this job excludes another.
    pub exclusive: bool,
    /// As what a dump is stored.
    pub mode: Mode,
    /// What a stream of a SQLite database is.
    pub sqlite_format: SqliteFormat,
    /// How many parallel jobs the dump tool may have where it makes files.
    pub jobs: u32,
    /// Where dumps are made that have to be files first.
    pub temp_dir: PathBuf,
    /// How a dump is got from a server that replicates.
    pub replication: Replication,
    /// What is run around each backup.
    pub hooks: Hooks,
    /// Whether it is counted what is in a dump.
    pub counts: bool,
    /// By how much less than in the one before, in percent, is worth a warning; 0 is never.
    pub drift: u8,
}

/// As what a dump is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One object, as it comes.
    Stream,
    /// A folder of files, made on local disk first.
    Directory,
    /// The same files in one tar.
    Tar,
}

impl Mode {
    /// The word for it, in settings and manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Directory => "directory",
            Self::Tar => "tar",
        }
    }
}

/// What a backup of a SQLite database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqliteFormat {
    /// A script that makes it.
    Sql,
    /// An exact copy of the file, made on local disk first.
    File,
}

/// The database systems, by the short names of the image tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKey {
    /// `PostgreSQL`.
    Pg,
    /// MySQL.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// MongoDB.
    Mongo,
    /// Redis and Valkey.
    Redis,
    /// `SQLite`.
    Sqlite,
}

impl EngineKey {
    /// Every engine, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Pg, Self::Mongo, Self::Mysql, Self::Mariadb, Self::Redis, Self::Sqlite];

    /// The short name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pg => "pg",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
            Self::Mongo => "mongo",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
        }
    }
}

impl fmt::Display for EngineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Source {
    /// A server, or several that stand for one.
    Server(Server),
    /// A database file.
    File(PathBuf),
}

/// A database server and how to log in. Unset fields are left to the client's own defaults.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// In the order in which they are tried; a host that starts with `/` is a socket directory. May be empty.
    pub hosts: Vec<Host>,
    /// The login role.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<SecretString>,
    /// Further connection parameters (`sslmode`, ...), decoded, in the order given.
    pub params: Vec<(String, String)>,
    /// Parameters whose value is a secret (`sslpassword`, ...).
    pub secret_params: Vec<(String, SecretString)>,
    /// Whether it was started by us: what is set around us says nothing of it.
    pub is_ours: bool,
}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// A name, an address without brackets, or a socket directory.
    pub name: String,
    /// The port, when given.
    pub port: Option<u16>,
}

/// Which databases of a server a job covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Databases {
    /// These, one backup each.
    Named(Vec<String>),
    /// All of them in one object.
    All,
    /// Those the server has when a run begins, one backup each.
    Each,
}

/// Whether what lies outside the databases of a server is stored, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Globals {
    /// As far as the login role may see it.
    Auto,
    /// A backup without them is a failed one.
    On,
    /// Not at all.
    Off,
}

/// One backup's subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A single database.
    One(String),
    /// The whole server.
    All,
}

impl Database {
    /// The name under which manifests, locks and retention know it: `*` for a whole server, so that a database that is
    /// called "all" is another one.
    pub fn label(&self) -> &str {
        match self {
            Self::One(name) => name,
            Self::All => "*",
        }
    }

    /// What `{db}` stands for.
    pub fn file_name(&self) -> &str {
        match self {
            Self::One(name) => name,
            Self::All => "all",
        }
    }
}

impl Job {
    /// A job with everything else as it is when nothing is set.
    pub fn new(id: JobId, engine: EngineKey, source: Source, databases: Databases) -> Self {
        Self {
            id,
            engine,
            source,
            databases,
            exclude: Vec::new(),
            native_compression: false,
            compression: None,
            globals: Globals::Auto,
            extra_args: Vec::new(),
            naming: Naming {
                template: Template::default(),
                extension: None,
                zone: Zone::UTC,
                host: "localhost".to_owned(),
            },
            limits: Limits { timeout: None, stall: Some(Duration::from_secs(3600)), min_size: 1 },
            retries: 0,
            verify_after: None,
            drill_after: None,
            trial: Trial::default(),
            retention: Policy::default(),
            exclusive: true,
            mode: Mode::Stream,
            sqlite_format: SqliteFormat::Sql,
            jobs: 1,
            temp_dir: PathBuf::from("/tmp/dbstash-work"),
            replication: Replication::default(),
            hooks: Hooks::default(),
            counts: true,
            drift: 40,
        }
    }

    /// The extension of an object of this format, without a leading dot.
    pub fn extension(&self, format: &Format) -> String {
        self.compressed(format.extension)
    }

    /// Whether this dump is stored as a folder.
    pub fn is_folder(&self, dump: &Dump) -> bool {
        self.mode == Mode::Directory && matches!(dump, Dump::Tree(Tree { file: None, .. }))
    }

    /// The extension of the dump itself: a tree is a tar, or a folder without one. The user may have given another.
    pub fn dump_extension(&self, dump: &Dump) -> String {
        if self.is_folder(dump) {
            return String::new();
        }
        let own = match dump {
            Dump::Tree(Tree { file: None, .. }) => "tar",
            dump => dump.format().extension,
        };
        self.naming.extension.clone().unwrap_or_else(|| self.compressed(own))
    }

    fn compressed(&self, extension: &str) -> String {
        match self.compression {
            Some(compression) => format!("{extension}.{}", compression.extension()),
            None => extension.to_owned(),
        }
    }

    /// The subjects of this job, one backup each; `None` when the server has to be asked for them.
    pub fn subjects(&self) -> Option<Vec<Database>> {
        match &self.databases {
            Databases::Named(names) => Some(names.iter().cloned().map(Database::One).collect()),
            Databases::All => Some(vec![Database::All]),
            Databases::Each => None,
        }
    }

    /// What stands for the job where something concerns none of its subjects in particular.
    pub fn subject(&self) -> Database {
        match &self.databases {
            Databases::Named(names) if names.len() == 1 => Database::One(names[0].clone()),
            _ => Database::All,
        }
    }
}

/// How backups are named.
#[derive(Debug, Clone)]
pub struct Naming {
    /// The name without its extension.
    pub template: Template,
    /// Replaces the engine's extension; without a leading dot.
    pub extension: Option<String>,
    /// The zone of dates in names.
    pub zone: Zone,
    /// This machine's name, for `{host}` and `{node}` and as the manifest's writer.
    pub host: String,
}

/// When an attempt is given up. `None` means never.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Dump, upload and commit together.
    pub timeout: Option<Duration>,
    /// No byte moved, between the first one and the last.
    pub stall: Option<Duration>,
    /// The least number of raw dump bytes a backup can have.
    pub min_size: u64,
}
