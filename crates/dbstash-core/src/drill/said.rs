//! What is told of programs that say why they end, and of what they leave.

use super::Drilled;
use crate::artifact::ProduceError;
use crate::restore::RestoreError;
use crate::verify::Flaw;

/// The line that says what is wrong: after it programs show where.
pub(super) fn gist(said: &str) -> &str {
    let told =
        said.lines().find(|line| ["ERROR", "FATAL", "error:"].iter().any(|w| line.contains(w)));
    told.or_else(|| said.trim_end().lines().last()).unwrap_or_default()
}

/// A confined program can only say itself that it is not there.
pub(crate) fn missing(error: &ProduceError) -> Option<String> {
    let ProduceError::Exit { program, stderr, .. } = error else { return None };
    let reason = gist(stderr).strip_prefix(program.as_str())?;
    reason.starts_with(": No such file or directory").then(|| {
        format!(
            "{program} is not installed on this machine: install the database server's package, or let DRILL_URI name \
             a server for drills"
        )
    })
}

/// Whether the server itself said that it makes no scratch database: there is none to drop.
pub(super) fn is_refused(error: &RestoreError) -> bool {
    matches!(error, RestoreError::Unmade { stderr, .. } if stderr.contains("ERROR:  "))
}

/// Of a scratch database that cannot be dropped. What is known of the backup stays known.
pub(super) fn left(done: Result<Drilled, Flaw>, scratch: &str, why: &str) -> Flaw {
    match done {
        Err(Flaw::Corrupt(what)) => {
            Flaw::Corrupt(format!("{what}; the scratch database {scratch} is left: {why}"))
        }
        // What keeps us from dropping it kept us from making it.
        Err(Flaw::Untested(first)) if first.contains(why) => Flaw::Untested(first),
        // Nor is it known whether it was made.
        Err(Flaw::Untested(first)) => Flaw::Untested(format!(
            "{first}; the scratch database {scratch} may be left, and cannot be dropped: {why}"
        )),
        _ => Flaw::Untested(format!("the scratch database {scratch} is left: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_it() {
        for (said, line) in [
            ("ERROR:  relation \"x\" is missing\nLINE 1: SELECT x\n               ^\n", 0),
            ("one\n[ERROR] two\n[ERROR] Aborting\n", 1),
            ("one\ntwo\n\n", 1),
        ] {
            assert_eq!(Some(gist(said)), said.lines().nth(line));
        }
        assert_eq!(gist(""), "");
    }

    #[test]
    fn a_program_that_is_not_there() {
        let of = |stderr: &str| {
            let (program, exit) = ("initdb".to_owned(), "exited with code 127".to_owned());
            missing(&ProduceError::Exit { program, exit, stderr: stderr.to_owned() })
        };
        assert!(
            of("initdb: No such file or directory (os error 2)").unwrap().contains("DRILL_URI")
        );
        assert_eq!(of("initdb: error: could not access x: No such file or directory"), None);
    }

    #[test]
    fn what_is_left_does_not_hide_what_was_found() {
        let left = |done| left(done, "x", "why");
        assert!(
            matches!(left(Err(Flaw::Corrupt("bad".to_owned()))), Flaw::Corrupt(what) if what.contains("bad; "))
        );
        let untested = left(Err(Flaw::Untested("far".to_owned())));
        assert!(matches!(untested, Flaw::Untested(what) if what.starts_with("far; ")));
    }
}
