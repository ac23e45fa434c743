//! What `dbstash restore` is asked for.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use dbstash_core::load::{Extent, OnExisting, Side};

use super::{Command, Moment};

/// What is to be restored, and how. Not `Debug`: the target may hold a password.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The newest backup of then or earlier.
    pub at: Option<Moment>,
    /// The target's URI, in the place of `RESTORE_TO`.
    pub to: Option<String>,
    /// A file to be made, in the place of a server (redis).
    pub to_file: Option<String>,
    /// How much of it.
    pub extent: Extent,
    /// Whether what is there may be replaced.
    pub clean: bool,
    /// How many connections may load at once.
    pub jobs: u32,
    /// Only show how it is done without dbstash.
    pub print_command: bool,
    /// Without asking.
    pub yes: bool,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("extent", &self.extent).finish_non_exhaustive()
    }
}

pub(super) fn arguments() -> Vec<Arg> {
    let value = |name: &'static str, metavar: &'static str| {
        Arg::new(name).long(name).value_name(metavar).num_args(1)
    };
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    vec![
        Arg::new("id")
            .value_name("ID")
            // A variable that was not set means no backup.
            .value_parser(NonEmptyStringValueParser::new())
            .help("Its id, the beginning of its id, the path of its object, or latest (the default)"),
        value("at", "TIME")
            .value_parser(Moment::parse)
            .conflicts_with("id")
            .help("The newest one begun then or earlier: a time (RFC 3339), a day, or how long ago (12h)"),
        value("db", "NAME").help("Only among the backups of this database"),
        value("to", "URI").help(
            "Where to, as DB_URI says it; RESTORE_TO is the same and shows in no process list. Without \
             it: where the backup is from",
        ),
        value("to-file", "PATH").conflicts_with("to").help("Into a new file (redis: for a stopped server)"),
        value("table", "NAME")
            .action(ArgAction::Append)
            .help("Only this table or collection; may be given several times"),
        switch("schema-only").conflicts_with("data-only").help("Structure without rows"),
        switch("data-only").help("Rows without structure"),
        switch("globals")
            .conflicts_with("no-owner")
            .help("The roles and tablespaces stored beside it, first (pg)"),
        switch("no-owner").help(
            "Without owners, rights, policies of roles and tablespaces: all of it belongs to whoever restores (pg)",
        ),
        value("on-existing", "WHAT")
            .value_parser(on_existing)
            .help("A key that is there already: fail (the default), skip or replace (redis)"),
        value("jobs", "N")
            .value_parser(clap::value_parser!(u32).range(1..=64))
            .help("So many connections load at once, from a copy in BACKUP_TEMP_DIR"),
        switch("clean").help("Replace what the target holds"),
        switch("print-command").help("Only print how to restore it with rclone and stock tools"),
    ]
}

pub(super) fn read(matches: &ArgMatches) -> Command {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let side = if matches.get_flag("schema-only") {
        Side::Schema
    } else if matches.get_flag("data-only") {
        Side::Data
    } else {
        Side::All
    };
    Command::Restore(Box::new(Wanted {
        at: matches.get_one("at").copied(),
        to: text("to"),
        to_file: text("to-file"),
        extent: Extent {
            tables: matches.get_many::<String>("table").into_iter().flatten().cloned().collect(),
            side,
            globals: matches.get_flag("globals"),
            bare: matches.get_flag("no-owner"),
            trial: false,
            on_existing: matches.get_one("on-existing").copied(),
        },
        clean: matches.get_flag("clean"),
        jobs: matches.get_one("jobs").copied().unwrap_or(1),
        print_command: matches.get_flag("print-command"),
        yes: matches.get_flag("yes"),
    }))
}

fn on_existing(text: &str) -> Result<OnExisting, &'static str> {
    match text {
        "fail" => Ok(OnExisting::Fail),
        "skip" => Ok(OnExisting::Skip),
        "replace" => Ok(OnExisting::Replace),
        _ => Err("accepted are fail, skip and replace"),
    }
}
