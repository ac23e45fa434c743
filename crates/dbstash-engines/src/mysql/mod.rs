//! MySQL by Oracle's `mysqldump`, MariaDB by `mariadb-dump`: one dialect each of one family.

mod checkup;
mod drill;
mod explain;
mod flags;
mod footer;
mod grants;
mod load;
mod options;
mod rows;
mod split;
mod statements;
mod stored;
mod tab;

use dbstash_core::checkup::Checkup;
use dbstash_core::drill::{Drill, Ground};
use dbstash_core::engine::{
    Check, Dump, Engine, Format, Plan, PlanError, Stdout, Step, Stream, Structure, Tree, TreeCheck,
};
use dbstash_core::invocation::{Arg, Invocation, Var};
use dbstash_core::job::{Database, EngineKey, Job, Mode, Server, Source};
use dbstash_core::load::{Load, Survey, Target, Wish};
use dbstash_core::manifest::Object;
use dbstash_core::recipe::Subject;
use dbstash_core::tally::{Counting, TreeCounting};

use self::flags::Flags;
use self::footer::{Footer, Seen};
use self::split::Split;
use crate::passing;
use crate::tally::{Script, Writer};

/// The two families. They share their ancestors, and differ in clients, servers and TLS options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Oracle's.
    Mysql,
    /// MariaDB's.
    Mariadb,
}

/// Consistent without locks, row by row, and with everything a database holds.
const DEFAULTS: [&str; 9] = [
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
    // A value may have that many bytes, and its row in hex twice as many.
    "--max-allowed-packet=1G",
];
/// The databases that every server has, as SQL has their names.
const OWN_DATABASES: &str = "'information_schema', 'performance_schema', 'sys', 'mysql', 'ndbinfo'";
const FORMAT: Format = Format { name: "plain", extension: "sql", compressed: false };
const FILES: Format = Format { name: "sql-files", extension: "", compressed: false };
const TAB: Format = Format { name: "tab-files", extension: "", compressed: false };

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

    /// What only its own dump tool knows. `--loose-`: what an older one does not know is let pass.
    fn own_defaults(self) -> &'static [&'static str] {
        match self {
            // A server with transactions of its own refuses those of another; the statistics are
            // asked for by some versions alone, and fail with servers that have none.
            Self::Mysql => &["--set-gtid-purged=OFF", "--loose-skip-column-statistics"],
            // A column that counts by a sequence cannot be loaded while only its table is locked.
            Self::Mariadb => &["--skip-add-locks"],
        }
    }

    /// The name of the system, for people.
    fn name(self) -> &'static str {
        match self {
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
        }
    }

    /// One dump as files: cut into them by us, or written by the server.
    fn tree(self, invocation: Invocation, flags: &Flags, several: bool) -> Result<Tree, PlanError> {
        if flags.tab {
            let steps = vec![Step { invocation, stdout: Stdout::Ignored }];
            let check = tab::Tab::new(flags.check);
            let counting = TreeCounting::Not("the server wrote the rows");
            let check = Some(Box::new(check) as Box<dyn TreeCheck>);
            return Ok(Tree { steps, format: TAB, check, counting, file: None });
        }
        let in_the_way = match flags.check {
            Seen::Nothing(flag) => Some(flag),
            Seen::Xml => Some("--xml"),
            Seen::Footer => flags.uncut.as_deref(),
        };
        if let Some(flag) = in_the_way {
            return Err(PlanError(format!(
                "{flag} in DUMP_EXTRA_ARGS leaves a dump that cannot be cut into files: drop it, or set \
                 BACKUP_MODE=stream"
            )));
        }
        let counting = TreeCounting::Output(Box::new(Script::new(Writer::Mysql, several)));
        let split = Split::new(Footer::new(self, flags.check, flags.wants_rows));
        let steps = vec![Step { invocation, stdout: Stdout::Split(Box::new(split)) }];
        Ok(Tree { steps, format: FILES, check: None, counting, file: None })
    }

    /// Where the credentials are: in a private file that no other option file can overrule.
    fn invocation(self, program: &str, server: &Server) -> Result<Invocation, PlanError> {
        let mut invocation = Invocation::new(program, [""; 0]);
        let content = options::file(self, server)?;
        invocation.args.push(Arg::File { before: "--defaults-file=".to_owned(), content });
        if self == Self::Mysql {
            // The login path in the user's home would win over any option file.
            let none = Var::Plain("/dev/null".to_owned());
            invocation.env.push(("MYSQL_TEST_LOGIN_FILE".to_owned(), none));
        }
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
        let is_tree = job.mode != Mode::Stream;
        let mut flags = Flags::read(self.dump_tool(), &job.extra_args, is_tree);
        if job.native_compression {
            let way_out = match job.mode {
                Mode::Directory => "BACKUP_MODE=tar with BACKUP_COMPRESSION=zstd does",
                Mode::Stream | Mode::Tar => "BACKUP_COMPRESSION=zstd does",
            };
            let tool = self.dump_tool();
            flags
                .warnings
                .push(format!("BACKUP_COMPRESS has no effect: {tool} cannot compress; {way_out}"));
        }
        if is_tree && job.jobs > 1 {
            let tool = self.dump_tool();
            flags.warnings.push(format!("BACKUP_JOBS has no effect: {tool} has one job"));
        }
        let mut invocation = self.invocation(self.dump_tool(), server)?;
        let plain = |arg: &str| Arg::Plain(arg.to_owned());
        invocation.args.extend(DEFAULTS.iter().chain(self.own_defaults()).map(|arg| plain(arg)));
        if *self == Self::Mariadb && flags.keeps_history {
            invocation.args.push(plain("--loose-dump-history"));
        }
        invocation.args.extend(flags.words.iter().map(|arg| plain(arg)));
        if flags.tab {
            let (before, nothing) = ("--tab=".to_owned(), String::new());
            invocation.args.push(Arg::Tree { before, inside: nothing.clone(), after: nothing });
        }
        match database {
            Database::All if !job.exclude.is_empty() => {
                return Err(PlanError(format!(
                    "DB_EXCLUDE needs BACKUP_SPLIT_DATABASES=true: {} cannot leave databases out of one dump of all",
                    self.dump_tool()
                )));
            }
            Database::All if flags.tab => {
                return Err(PlanError(
                    "--tab in DUMP_EXTRA_ARGS writes the tables of one database: set DB_NAME, or \
                     BACKUP_SPLIT_DATABASES=true"
                        .to_owned(),
                ));
            }
            Database::All => invocation.args.push(plain("--all-databases")),
            // A name may begin with a dash.
            Database::One(name) => invocation.args.extend([plain("--"), plain(name)]),
        }
        let several = *database == Database::All;
        let dump = if is_tree {
            Dump::Tree(self.tree(invocation, &flags, several)?)
        } else {
            let check: Box<dyn Check> = Box::new(Footer::new(*self, flags.check, flags.wants_rows));
            let counting = match (flags.check, &flags.uncut) {
                (Seen::Xml, _) => Counting::Not("it is XML"),
                (_, Some(_)) => {
                    Counting::Not("in its character set a quote may be half a character")
                }
                _ => Counting::By(Box::new(Script::new(Writer::Mysql, several))),
            };
            Dump::Stream(Stream::of_tool(invocation, FORMAT, check).counted(counting))
        };
        Ok(Plan { dump, companions: Vec::new(), warnings: flags.warnings })
    }

    fn checkup(&self, job: &Job, database: &Database) -> Result<Checkup, PlanError> {
        checkup::checkup(*self, job, database)
    }

    fn list_databases(&self, job: &Job) -> Result<Invocation, PlanError> {
        let Source::Server(server) = &job.source else {
            return Err(PlanError(format!("{} needs a server: set DB_URI or DB_HOST", job.engine)));
        };
        let mut invocation = self.invocation(self.client(), server)?;
        let query = format!(
            "SELECT CONCAT(schema_name, CHAR(0)) FROM information_schema.schemata WHERE schema_name NOT IN \
             ({OWN_DATABASES}) ORDER BY 1"
        );
        let args = [
            "--batch",
            "--raw",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
            "--execute",
            &query,
        ];
        invocation.args.extend(args.map(|arg| Arg::Plain(arg.to_owned())));
        Ok(invocation)
    }

    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none() || passing::passes(stderr)
    }

    fn by_hand(&self, stored: Subject<'_>) -> Option<Vec<String>> {
        crate::by_hand::mysql(stored, self.client())
    }

    fn structure(&self, object: &Object) -> Option<Structure> {
        stored::structure(*self, object)
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        load::explain(*self, stderr).or_else(|| explain::explain(*self, stderr))
    }

    fn is_kin(&self, other: EngineKey) -> bool {
        matches!(other, EngineKey::Mysql | EngineKey::Mariadb)
    }

    fn survey(&self, wish: &Wish<'_>) -> Result<Survey, PlanError> {
        load::survey(*self, wish)
    }

    fn load(&self, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
        load::load(*self, wish, target)
    }

    fn drill(&self, ground: &Ground<'_>) -> Result<Drill, PlanError> {
        drill::drill(*self, ground)
    }

    fn is_surroundings(&self, stderr: &str) -> bool {
        drill::is_surroundings(stderr)
    }
}
