//! MySQL by Oracle's `mysqldump`, MariaDB by `mariadb-dump`: one dialect each of one family.

mod explain;
mod flags;
mod footer;
mod options;

use dbstash_core::engine::{Check, Dump, Engine, Format, Plan, PlanError, Stream};
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Database, EngineKey, Job, Server, Source};

use self::flags::Flags;
use self::footer::Footer;

/// The two families. They share their ancestors, and differ in clients, servers and TLS options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Oracle's.
    Mysql,
    /// MariaDB's.
    Mariadb,
}

/// Consistent without locks, row by row, and with everything a database holds.
const DEFAULTS: [&str; 8] = [
    "--single-transaction",
    "--quick",
    "--routines",
    "--events",
    "--triggers",
    "--hex-blob",
    // Not every version's default: with the former utf8, an emoji would be lost.
    "--default-character-set=utf8mb4",
    // They would ask for the PROCESS privilege, and hold nothing of a database.
    "--no-tablespaces",
];
const FORMAT: Format = Format { name: "plain", extension: "sql", compressed: false };

impl Dialect {
    fn dump_tool(self) -> &'static str {
        match self {
            Self::Mysql => "mysqldump",
            Self::Mariadb => "mariadb-dump",
        }
    }

    fn client(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }

    /// The name of the system, for people.
    fn name(self) -> &'static str {
        match self {
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
        }
    }

    /// Where the credentials are: in a private file that no other option file can overrule.
    fn invocation(self, program: &str, server: &Server) -> Result<Invocation, PlanError> {
        let mut invocation = Invocation::new(program, [""; 0]);
        let content = options::file(self, server)?;
        invocation.args.push(Arg::File { before: "--defaults-file=".to_owned(), content });
        Ok(invocation)
    }
}

impl Engine for Dialect {
    fn key(&self) -> EngineKey {
        match self {
            Self::Mysql => EngineKey::Mysql,
            Self::Mariadb => EngineKey::Mariadb,
        }
    }

    fn plan(&self, job: &Job, database: &Database) -> Result<Plan, PlanError> {
        let Source::Server(server) = &job.source else {
            return Err(PlanError(format!("{} needs a server: set DB_URI or DB_HOST", job.engine)));
        };
        let Flags { check, mut warnings } = Flags::read(self.dump_tool(), &job.extra_args);
        if job.native_compression {
            warnings.push(format!(
                "BACKUP_COMPRESS has no effect: {} cannot compress; BACKUP_COMPRESSION=zstd does",
                self.dump_tool()
            ));
        }
        let mut invocation = self.invocation(self.dump_tool(), server)?;
        let plain = |arg: &str| Arg::Plain(arg.to_owned());
        invocation.args.extend(DEFAULTS.iter().map(|arg| plain(arg)));
        invocation.args.extend(job.extra_args.iter().map(|arg| plain(arg)));
        match database {
            Database::All if !job.exclude.is_empty() => {
                return Err(PlanError(format!(
                    "DB_EXCLUDE needs BACKUP_SPLIT_DATABASES=true: {} cannot leave databases out of one dump of all",
                    self.dump_tool()
                )));
            }
            Database::All => invocation.args.push(plain("--all-databases")),
            // A name may begin with a dash.
            Database::One(name) => invocation.args.extend([plain("--"), plain(name)]),
        }
        let check: Box<dyn Check> = Box::new(Footer::new(*self, check));
        let dump = Dump::Stream(Stream { invocation, format: FORMAT, check });
        Ok(Plan { dump, companions: Vec::new(), warnings })
    }

    fn list_databases(&self, job: &Job) -> Result<Invocation, PlanError> {
        let Source::Server(server) = &job.source else {
            return Err(PlanError(format!("{} needs a server: set DB_URI or DB_HOST", job.engine)));
        };
        let mut invocation = self.invocation(self.client(), server)?;
        let query = "SELECT CONCAT(schema_name, CHAR(0)) FROM information_schema.schemata WHERE schema_name \
            NOT IN ('information_schema', 'performance_schema', 'sys', 'mysql') ORDER BY 1";
        let args = [
            "--batch",
            "--raw",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
            "--execute",
            query,
        ];
        invocation.args.extend(args.map(|arg| Arg::Plain(arg.to_owned())));
        Ok(invocation)
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        explain::explain(*self, stderr)
    }
}
