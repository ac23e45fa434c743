//! Whose a setting is: each job's, or the process's as a whole.

use super::table::{DBSTASH_CONFIG, DBSTASH_JOB, DBSTASH_SHARD, Kind, Setting};

/// Where in a job file a setting may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// In a job, and for all jobs under `defaults:`.
    Job,
    /// Only under `defaults:`, because a process has it once.
    Process,
    /// Nowhere: it says which job file, which jobs of it, or, as their keys, what they are called.
    Start,
}

/// What a process has once, also in versions to come.
const PROCESS: &[&str] = &[
    "BACKUP_PARALLEL",
    "DBSTASH_STATE_DIR",
    "DRY_RUN",
    "HEALTH_ADDR",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "METRICS_ENABLED",
    "METRICS_LISTEN_ADDRESS",
    "METRICS_PORT",
    "STATUS_AUTH",
];

/// What a list in a job file becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Several by comma; a comma and a backslash in one of them get a backslash.
    Escaped,
    /// Several by comma, none with a comma in it.
    Commas,
    /// Words, quoted as for a shell.
    Words,
}

impl Setting {
    /// Whose it is.
    pub fn scope(&self) -> Scope {
        if [DBSTASH_CONFIG.name, DBSTASH_JOB.name, DBSTASH_SHARD.name].contains(&self.name) {
            Scope::Start
        } else if PROCESS.contains(&self.name) {
            Scope::Process
        } else {
            Scope::Job
        }
    }

    /// What a list of values means for it; `None` when it has only one.
    pub(super) fn list(&self) -> Option<List> {
        match self.kind {
            Kind::Words => Some(List::Words),
            Kind::Text("NAME[,NAME]") => Some(List::Escaped),
            Kind::Text(word) if word.contains("[,") => Some(List::Commas),
            _ => None,
        }
    }
}

/// The key of a variable in a job file.
pub fn key_of(variable: &str) -> String {
    variable.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::later::NOT_YET;
    use crate::settings::table;

    #[test]
    fn what_a_process_has_once_is_a_setting() {
        for name in PROCESS {
            let known = table::ALL.iter().any(|s| s.name == *name) || NOT_YET.contains(name);
            assert!(known, "{name}");
        }
        assert_eq!(table::BACKUP_PARALLEL.scope(), Scope::Process);
        assert_eq!(table::BACKUP_JOBS.scope(), Scope::Job);
    }
}
