//! What `dbstash verify` is asked for.

use clap::builder::NonEmptyStringValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use dbstash_core::verify::{Level, Sample};

use super::Command;

/// Which backups are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// So many of them.
    Some(Sample),
    /// The one of this id, or with an object of this name.
    One(String),
}

const ID: &str = "id";
const ALL: &str = "all";
const SAMPLE: &str = "sample";
const LEVEL: &str = "level";

pub(super) fn arguments() -> [Arg; 4] {
    [
        Arg::new(ID).value_name("ID").value_parser(NonEmptyStringValueParser::new()).help(
            "The id of a backup or the name of its object, or the beginning of ids: all of those; \"latest\" (the \
             default) is the newest of each database",
        ),
        Arg::new(ALL)
            .long(ALL)
            .action(ArgAction::SetTrue)
            .conflicts_with(ID)
            .help("Every backup that is there"),
        Arg::new(SAMPLE)
            .long(SAMPLE)
            .value_name("SHARE")
            .value_parser(share)
            .conflicts_with_all([ID, ALL])
            .help("Such a share of them (10%), those first that were never verified, or longest ago"),
        Arg::new(LEVEL)
            .long(LEVEL)
            .value_name("LEVEL")
            .value_parser(level)
            .default_value("structure")
            .help("bytes: read back, counted, hashed; structure: and read as the dump it is; restore: restored on trial, into a \
             private server or DRILL_URI, and compared with what was counted"),
    ]
}

pub(super) fn read(matches: &ArgMatches) -> Command {
    let wanted = if matches.get_flag(ALL) {
        Wanted::Some(Sample::All)
    } else if let Some(share) = matches.get_one::<Sample>(SAMPLE) {
        Wanted::Some(*share)
    } else {
        match matches.get_one::<String>(ID).map(String::as_str) {
            None | Some("latest") => Wanted::Some(Sample::Latest),
            Some(id) => Wanted::One(id.to_owned()),
        }
    };
    let level = matches.get_one::<Level>(LEVEL).copied().unwrap_or(Level::Structure);
    Command::Verify { wanted, level }
}

fn share(text: &str) -> Result<Sample, &'static str> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let share = number.filter(|number| (1..=100).contains(number)).map(Sample::Share);
    share.ok_or("accepted are 1% to 100%")
}

fn level(text: &str) -> Result<Level, &'static str> {
    match text {
        "bytes" => Ok(Level::Bytes),
        "structure" => Ok(Level::Structure),
        "restore" => Ok(Level::Restore),
        _ => Err("accepted are bytes, structure and restore"),
    }
}
