//! The command line, made from the table of settings.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::builder::{NonEmptyStringValueParser, Styles, styling::AnsiColor};
use clap::{Arg, ArgAction, ArgMatches, Command as Clap};
use dbstash_core::verify::Level;

mod bare;
mod doctor;
mod list;
mod moment;
mod restore;
mod tidy;
mod verify;

pub use self::list::Query;
pub use self::moment::Moment;
pub use self::restore::Wanted as Restoration;
pub use self::verify::Wanted;

use crate::settings::Selection;
use crate::settings::table::{self, Fallback, Kind, Setting};

/// What the command line asks for. Not `Debug`: a flag may hold a secret.
#[derive(Clone)]
pub struct Args {
    /// What to do.
    pub command: Command,
    /// The settings given as flags, by the names of their variables.
    pub flags: BTreeMap<String, String>,
    /// Which jobs of a job file are meant.
    pub selection: Selection,
    /// Which backup is meant, by the commands that are about one.
    pub target: Target,
}

/// A backup, as people name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Its id, the beginning of it, or `latest`.
    pub id: String,
    /// Its database's label.
    pub database: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Once or on schedule, as the settings say.
    Run,
    /// One backup now, whatever the schedule.
    Backup,
    /// Show the backups that are there.
    List(Query),
    /// Show everything about one.
    Show {
        /// As JSON.
        json: bool,
    },
    /// Delete these, whatever retention says.
    Remove {
        /// As people name them.
        ids: Vec<String>,
        /// Without asking.
        yes: bool,
        /// Even the last good one of a database.
        even_last: bool,
    },
    /// Delete what is ours and no backup.
    Collect {
        /// Without asking.
        yes: bool,
    },
    /// Read backups back, and say whether they are what was stored.
    Verify {
        /// Which ones.
        wanted: Wanted,
        /// How far.
        level: Level,
    },
    /// Restore a backup.
    Restore(Box<Restoration>),
    /// Apply the retention settings now. `--dry-run` is the setting `DRY_RUN`.
    Prune {
        /// Without asking.
        yes: bool,
    },
    /// Keep a backup whatever retention says.
    Pin,
    /// No longer.
    Unpin,
    /// Show how it is with the jobs of the schedulers of this machine.
    Status {
        /// As JSON.
        json: bool,
    },
    /// Look at everything a backup needs, without making one.
    Doctor {
        /// As JSON.
        json: bool,
        /// With a test notice to everybody who is told.
        notify: bool,
    },
    /// Show the settings and where each is from.
    Config {
        /// As JSON.
        json: bool,
    },
    /// Show the JSON Schema of a job file.
    Schema,
}

/// Reads a command line, the program's name first. The error also stands for `--help` and
/// `--version`; it knows its text, its stream and its exit code.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, clap::Error> {
    let matches = command().try_get_matches_from(args)?;
    let (name, sub) = matches.subcommand().unwrap_or(("run", &matches));
    let given = |flag: &str| sub.get_flag(flag);
    let command = match name {
        "backup" => Command::Backup,
        "list" => list::read(sub),
        "show" => Command::Show { json: given("json") },
        "rm" => tidy::read(sub),
        "gc" => Command::Collect { yes: given("yes") },
        "verify" => verify::read(sub),
        "restore" => restore::read(sub),
        "prune" => Command::Prune { yes: given("yes") },
        "pin" => Command::Pin,
        "unpin" => Command::Unpin,
        "config" if given("schema") => Command::Schema,
        "doctor" => doctor::read(sub),
        "status" => Command::Status { json: given("json") },
        "config" => Command::Config { json: given("json") },
        _ => Command::Run,
    };
    let jobs = sub.get_many::<String>(JOB).into_iter().flatten().cloned().collect();
    let required = command == Command::Backup && !given("all");
    let text = |id: &str| sub.try_get_one::<String>(id).ok().flatten().cloned();
    let target = Target { id: text("id").unwrap_or_default(), database: text("db") };
    Ok(Args { command, flags: flags(sub), selection: Selection { jobs, required }, target })
}

/// The flag that selects jobs of a job file.
const JOB: &str = "job";

fn flags(matches: &ArgMatches) -> BTreeMap<String, String> {
    table::variables()
        .filter_map(|name| {
            let text = matches.get_one::<String>(&name)?.clone();
            Some((name, text))
        })
        .collect()
}

const AFTER_SHORT: &str = "Every setting is an environment variable and a flag; --help lists them.";

const AFTER_LONG: &str = "\
Exit codes: 0 done; 1 failed; 2 settings or usage; 3 skipped, another run holds the lock; 4 a \
verification that could not be made; 128+n ended by signal n.";

/// The command line as clap knows it.
pub fn command() -> Clap {
    let json = || {
        let help = "Print JSON";
        Arg::new("json").long("json").action(ArgAction::SetTrue).help(help)
    };
    let yes =
        || Arg::new("yes").long("yes").short('y').action(ArgAction::SetTrue).help("Do not ask");
    let job = Arg::new(JOB)
        .long(JOB)
        .value_name("NAME")
        .num_args(1)
        .action(ArgAction::Append)
        .global(true)
        .help("Only this job of the job file; may be given several times");
    let all = Arg::new("all")
        .long("all")
        .action(ArgAction::SetTrue)
        .conflicts_with(JOB)
        .help("Every job of the job file");
    let schema = Arg::new("schema")
        .long("schema")
        .action(ArgAction::SetTrue)
        .conflicts_with("json")
        .help("Print the JSON Schema of a job file instead");
    let one = || {
        let id = "Its id, the beginning of its id, the path of its object, or latest";
        let db = Arg::new("db").long("db").value_name("NAME").num_args(1);
        [
            Arg::new("id")
                .value_name("ID")
                .required(true)
                .value_parser(NonEmptyStringValueParser::new())
                .help(id),
            db.help("Only among the backups of this database"),
        ]
    };
    let sub = |name: &'static str, about: &'static str| {
        Clap::new(name).about(about).after_help(AFTER_SHORT).after_long_help(AFTER_LONG)
    };
    Clap::new("dbstash")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Streams database dumps through rclone to any storage, and lists only what restores")
        .styles(Styles::styled().header(AnsiColor::Green.on_default().bold()))
        .override_usage("dbstash [COMMAND] [SETTINGS]")
        .after_help(AFTER_SHORT)
        .after_long_help(AFTER_LONG)
        .subcommands([
            sub("run", "Back up once or on schedule, as the settings say (the default)"),
            sub("backup", "Make one backup now, whatever the schedule").arg(all),
            sub("list", "List the backups that are there").args(list::arguments()).arg(json()),
            sub("show", "Show everything about a backup, and how to restore it")
                .args(one())
                .arg(json()),
            sub("restore", "Restore a backup: show the plan, ask, and do it")
                .args(restore::arguments())
                .arg(yes()),
            sub("verify", "Read backups back and compare them with what was stored")
                .args(verify::arguments()),
            sub("prune", "Delete what the retention settings do not keep; --dry-run only shows it")
                .arg(yes()),
            sub(
                "rm",
                "Delete backups, whatever the retention settings say; --dry-run only shows it",
            )
            .args(tidy::removal())
            .arg(yes()),
            sub("gc", "Delete what is dbstash's own and no backup; --dry-run only shows it")
                .before_long_help(tidy::GARBAGE)
                .arg(yes()),
            sub("pin", "Keep a backup, whatever the retention settings say").args(one()),
            sub("unpin", "Let the retention settings decide on a backup again").args(one()),
            sub("doctor", "Look at everything a backup needs; exit 1 if one cannot be made")
                .args(doctor::arguments())
                .arg(json()),
            sub(
                "status",
                "Show how it is with the jobs of this machine's schedulers; exit 1 if not well",
            )
            .arg(json()),
            sub("config", "Show every setting and where it is from").args([json(), schema]),
        ])
        .arg(job)
        .args(table::ALL.iter().flat_map(|setting| arguments(setting)))
}

fn arguments(setting: &'static Setting) -> impl Iterator<Item = Arg> {
    let value = Arg::new(setting.name)
        .long(setting.flag())
        .value_name(setting.kind.metavar())
        .help(help(setting))
        // A password or an argument for another program may well start with a dash.
        .allow_hyphen_values(setting.kind == Kind::Words || setting.is_secret());
    let value = if setting.kind == Kind::Bool {
        value.num_args(0..=1).require_equals(true).default_missing_value("true")
    } else {
        value.num_args(1)
    };
    let file = setting.file_variable().map(|variable| {
        Arg::new(variable.clone())
            .long(table::flag_of(&variable))
            .value_name("PATH")
            .num_args(1)
            .help(format!("The path of a file that holds {}.\n[env: {variable}]", setting.name))
    });
    std::iter::once(value).chain(file).map(|arg| {
        arg.global(true)
            .hide_short_help(true)
            .help_heading(setting.group.title())
            .action(ArgAction::Set)
    })
}

fn help(setting: &Setting) -> String {
    let (doc, name) = (setting.doc().replace('`', ""), setting.name);
    let doc = wrapped(&doc);
    match setting.default {
        Fallback::Unset => format!("{doc}\n[env: {name}]"),
        Fallback::Is(text) | Fallback::Computed(text) => {
            format!("{doc}\n[env: {name}] [default: {text}]")
        }
    }
}

/// Lines that fit beside the indentation into 90 columns.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < 80 => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
