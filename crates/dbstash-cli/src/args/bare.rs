//! The command line of most schedulers: none.

use std::ffi::OsString;

use super::{Args, Command, Target};
use crate::settings::Selection;

impl Args {
    /// What a command line without flags asks a scheduler for: its settings are in the environment. clap would say the
    /// same; but what it builds of all flags would be 1.1 MiB that stay resident while the scheduler waits.
    pub fn bare(words: &[OsString]) -> Option<Self> {
        let is_bare = match words {
            [_] => true,
            [_, command] => command == "run",
            _ => false,
        };
        is_bare.then(|| Self {
            command: Command::Run,
            flags: std::collections::BTreeMap::new(),
            selection: Selection::default(),
            target: Target::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn no_flags_are_read_as_clap_reads_them() {
        for line in [&["dbstash"][..], &["dbstash", "run"]] {
            let words: Vec<OsString> = line.iter().map(OsString::from).collect();
            let (ours, clap) = (Args::bare(&words).unwrap(), args::parse(words).unwrap());
            assert_eq!((ours.command, ours.flags), (clap.command, clap.flags), "{line:?}");
            assert_eq!(ours.selection.jobs, clap.selection.jobs, "{line:?}");
            assert_eq!(ours.selection.required, clap.selection.required, "{line:?}");
            assert_eq!(ours.target, clap.target, "{line:?}");
        }
        for line in [&[][..], &["dbstash", "backup"], &["dbstash", "-h"], &["dbstash", "run", "x"]]
        {
            let words: Vec<OsString> = line.iter().map(OsString::from).collect();
            assert!(Args::bare(&words).is_none(), "{line:?}");
        }
    }
}
