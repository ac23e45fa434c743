//! What `dbstash list` is asked for.

use clap::{Arg, ArgAction, ArgMatches};
use dbstash_core::job::EngineKey;

use super::{Command, Moment};

/// Which backups are to be listed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// Of this database, by its label.
    pub database: Option<String>,
    /// Of this kind.
    pub engine: Option<EngineKey>,
    /// Begun then or later.
    pub since: Option<Moment>,
    /// Begun then or earlier.
    pub until: Option<Moment>,
    /// Only the newest of each job and database.
    pub latest: bool,
    /// With all that is no backup.
    pub all: bool,
    /// As JSON.
    pub json: bool,
}

pub(super) fn arguments() -> [Arg; 6] {
    let value = |name: &'static str, metavar: &'static str| {
        Arg::new(name).long(name).value_name(metavar).num_args(1)
    };
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    let moment = "accepted are a time (RFC 3339), a day (2026-02-07, of TZ), or how long ago (7d)";
    [
        value("db", "NAME").help("Only the backups of this database"),
        value("engine", "ENGINE")
            .value_parser(engine)
            .help("Only those of pg, mysql, mariadb, mongo, redis or sqlite"),
        value("since", "TIME")
            .value_parser(Moment::parse)
            .help(format!("Only those begun then or later; {moment}")),
        value("until", "TIME")
            .value_parser(Moment::parse)
            .help("Only those begun then or earlier; a day is meant to its end"),
        switch("latest").help("Only the newest of each job and database"),
        switch("all").help("Also what is no backup, by name: broken ones, leftovers, other files"),
    ]
}

pub(super) fn read(matches: &ArgMatches) -> Command {
    Command::List(Query {
        database: matches.get_one("db").cloned(),
        engine: matches.get_one("engine").copied(),
        since: matches.get_one("since").copied(),
        until: matches.get_one("until").copied(),
        latest: matches.get_flag("latest"),
        all: matches.get_flag("all"),
        json: matches.get_flag("json"),
    })
}

fn engine(text: &str) -> Result<EngineKey, String> {
    let found = EngineKey::ALL.into_iter().find(|key| key.as_str() == text);
    found.ok_or_else(|| {
        let all = EngineKey::ALL.map(EngineKey::as_str);
        format!("accepted are {}", all.join(", "))
    })
}
