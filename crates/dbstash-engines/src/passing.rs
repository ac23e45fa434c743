//! Complaints that need nobody to do anything: a server that is away for a while, or has no room for one more client.

/// In lower case; any of them.
const PASSING: [&str; 18] = [
    "connection refused",
    "timed out",
    "timeout expired",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
    "name resolution",
    "could not translate host name",
    "connection reset",
    "closed the connection",
    "terminating connection",
    "lost connection",
    "server has gone away",
    "starting up",
    "shutting down",
    "too many c",
    "max number of clients",
    "server selection error",
];
/// What is only told along with one of those, and has to be put right.
const LASTING: [&str; 4] = ["password", "authentication", "auth error", "access denied"];

/// Whether a tool that says this may succeed when it is run again.
pub(crate) fn passes(stderr: &str) -> bool {
    let stderr = stderr.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    has(&PASSING) && !has(&LASTING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_and_a_wrong_password() {
        for (stderr, passing) in [
            ("connection to server at \"db\", port 5432 failed: Connection refused", true),
            ("FATAL:  sorry, too many clients already", true),
            ("mysqldump: Got error: 2013: Lost connection to MySQL server", true),
            ("FATAL:  the database system is starting up", true),
            ("Failed: can't create session: server selection error: auth error", false),
            ("FATAL:  password authentication failed for user \"x\"; Connection refused", false),
            ("permission denied for table secret", false),
        ] {
            assert_eq!(passes(stderr), passing, "{stderr}");
        }
    }
}
