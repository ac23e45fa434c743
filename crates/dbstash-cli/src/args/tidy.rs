//! What `dbstash rm` and `dbstash gc` are asked for.

use clap::{Arg, ArgAction, ArgMatches};

use super::Command;

/// What `dbstash gc` takes and what it never takes.
pub(super) const GARBAGE: &str = "\
gc takes what is dbstash's own beyond doubt, and nothing else: uploads that killed runs of this \
state directory left, by their journals; temporaries in .dbstash-tmp/ that are older than a day by \
their names; pins and verification results, older than a day, whose backup is gone altogether; and \
on S3 the parts of uploads that have been unfinished below RCLONE_REMOTE for more than a day. It \
never takes a backup, a manifest, a file without a manifest that none of these speaks of (it may \
be somebody's, or a backup that is just being made elsewhere), nor any parts where RCLONE_REMOTE \
is a whole bucket.";

/// What `dbstash rm` takes.
pub(super) fn removal() -> [Arg; 3] {
    let id = "An id, the beginning of one, the path of an object, or latest; several at once";
    let db = Arg::new("db").long("db").value_name("NAME").num_args(1);
    let last = Arg::new("even-last").long("even-last").action(ArgAction::SetTrue);
    [
        Arg::new("ids").value_name("ID").required(true).num_args(1..).help(id),
        db.help("Only among the backups of this database"),
        last.help("Even the last good backup of a database"),
    ]
}

pub(super) fn read(matches: &ArgMatches) -> Command {
    Command::Remove {
        ids: matches.get_many::<String>("ids").into_iter().flatten().cloned().collect(),
        yes: matches.get_flag("yes"),
        even_last: matches.get_flag("even-last"),
    }
}
