//! What `dbstash doctor` is asked for.

use clap::{Arg, ArgAction, ArgMatches};

use super::Command;

pub(super) fn arguments() -> [Arg; 1] {
    let notify = Arg::new("notify").long("notify").action(ArgAction::SetTrue);
    [notify.help("Send a test notice to everybody who is told of failures")]
}

pub(super) fn read(matches: &ArgMatches) -> Command {
    Command::Doctor { json: matches.get_flag("json"), notify: matches.get_flag("notify") }
}
