//! What mongodump's complaints mean, and the way out.

/// One sentence for a known complaint.
pub(super) fn explain(stderr: &str) -> Option<String> {
    let has = |text: &str| stderr.contains(text);
    let any = |texts: &[&str]| texts.iter().any(|text| has(text));
    // Beside "server selection", which follows from it.
    if any(&["AuthenticationFailed", "Authentication failed", "auth error", "SCRAM failure"]) {
        return Some(
            "the server refuses the user or its password: check DB_URI, or DB_USER and DB_PASSWORD, and which database \
             knows the user (authSource in DB_URI, or DB_AUTH_SOURCE)"
                .into(),
        );
    }
    if any(&["error reading password", "reading password from standard input"]) {
        return Some("there is a user and no password: set it in DB_URI or DB_PASSWORD".into());
    }
    if any(&["(Unauthorized)", "not authorized on", "requires authentication"]) {
        let what = after(stderr, "not authorized on ").map_or(String::new(), |rest| {
            let database: String = rest.chars().take_while(|c| !c.is_whitespace()).collect();
            format!(" of {database}")
        });
        return Some(format!(
            "the user may not read everything{what}: give it the role backup on admin, or read on the one database"
        ));
    }
    if has("oplog")
        && any(&["no matching oplog", "error finding oplog", "error getting oplog start"])
    {
        return Some(
            "--oplog needs a replica set and the right to read local: leave it out of DUMP_EXTRA_ARGS, or give the \
             user the role backup"
                .into(),
        );
    }
    if has("oplog overflow") {
        return Some(
            "the oplog did not hold all that was written during the dump: make it larger, or back up when it is quieter"
                .into(),
        );
    }
    if any(&["can't use --oplog option when dumping from a mongos"]) {
        return Some(
            "a sharded cluster has no one oplog: leave --oplog out of DUMP_EXTRA_ARGS".into(),
        );
    }
    if has("unknown option") {
        let option = after(stderr, "unknown option ").and_then(|rest| {
            let name = rest.split_whitespace().next()?.trim_matches(['`', '"', '\'']).to_owned();
            Some(name)
        });
        return Some(match option.as_deref() {
            Some("config") => {
                "mongodump is too old to read a password from a file: use 100.3 or newer".into()
            }
            Some(name) => format!(
                "mongodump does not know the option --{name} of DUMP_EXTRA_ARGS: see mongodump --help"
            ),
            None => {
                "mongodump does not know an option of DUMP_EXTRA_ARGS: see mongodump --help".into()
            }
        });
    }
    if any(&["--out not allowed when --archive is specified"]) {
        return Some(
            "DUMP_EXTRA_ARGS has --out, and a stream is an archive: leave it out, or set BACKUP_MODE=directory".into(),
        );
    }
    if any(&["bad option:", "Invalid Options:", "illegal argument combination"]) {
        return Some(
            "mongodump refuses the options of DUMP_EXTRA_ARGS or DB_URI as they are combined"
                .into(),
        );
    }
    if has("error parsing config file") {
        return Some(
            "mongodump is too old to read its address from a file: use 100.3 or newer".into(),
        );
    }
    if any(&["x509:", "tls:", "certificate", "can't load CA file"]) {
        return Some(
            "the TLS connection failed: check tls, tlsCAFile and tlsCertificateKeyFile of DB_URI, and the server's \
             certificate"
                .into(),
        );
    }
    if any(&[
        "no such host",
        "server misbehaving",
        "Temporary failure in name resolution",
        "Name or service not known",
    ]) {
        let host = after(stderr, "lookup ")
            .and_then(|rest| rest.split([' ', ':']).next())
            .map_or(String::new(), |host| format!(" \"{host}\""));
        return Some(format!(
            "the server's host name{host} cannot be resolved: check DB_URI or DB_HOST"
        ));
    }
    if any(&["error parsing uri", "connection string failed validation"]) {
        return Some("mongodump does not take the connection: check the options of DB_URI".into());
    }
    if any(&["connection refused", "Connection refused"]) {
        return Some(
            "nothing answers at the server's address: check host and port, and that it runs".into(),
        );
    }
    // Of a dump at work, or of its beginning.
    if any(&[
        "error reading collection",
        "connection closed unexpectedly",
        "socket was unexpectedly closed",
    ]) || has("error writing data for collection")
    {
        return Some("the server went away, or ended the dump, in the middle: see its log".into());
    }
    if any(&["server selection error", "erver selection timeout", "no reachable servers"]) {
        return Some(
            "no server could be reached that can be asked: check host, port, replicaSet and readPreference of DB_URI, \
             the firewall, and that it runs (serverSelectionTimeoutMS says how long to look)"
                .into(),
        );
    }
    if has("does not exist") && has("namespace with DB") {
        return Some(
            "the server has no such collection: check --collection in DUMP_EXTRA_ARGS".into(),
        );
    }
    None
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.find(mark).map(|at| &text[at + mark.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_complaints() {
        for (stderr, told) in [
            (
                "2026-02-07T02:00:00.000+0000\tFailed: can't create session: failed to connect to mongodb://u@h:1/: \
                 connection() error occurred during connection handshake: auth error: sasl conversation error: unable \
                 to authenticate using mechanism \"SCRAM-SHA-256\": (AuthenticationFailed) Authentication failed.",
                "refuses the user or its password",
            ),
            (
                "Failed: can't create session: failed to connect to mongodb://127.0.0.1:1/: server selection error: \
                 context deadline exceeded, current topology: { Type: Single, Servers: [{ Addr: 127.0.0.1:1, Type: \
                 Unknown, Last error: dial tcp 127.0.0.1:1: connect: connection refused }, ] }",
                "nothing answers",
            ),
            (
                "server selection error: server selection timeout, current topology: { Type: ReplicaSetNoPrimary, \
                 Servers: [{ Addr: no-such.invalid:27017, Type: Unknown, Last error: dial tcp: lookup \
                 no-such.invalid: no such host }, ] }",
                "\"no-such.invalid\" cannot be resolved",
            ),
            (
                "server selection error: context deadline exceeded, current topology: { Type: Single, Servers: [{ \
                 Addr: h:1, Type: Unknown, Last error: connection() error occurred during connection handshake: client \
                 timed out waiting for server response: context deadline exceeded }, ] }",
                "no server could be reached",
            ),
            (
                "Failed: error creating intents to dump: error getting collections for database `shop`: (Unauthorized) \
                 not authorized on shop to execute command { listCollections: 1 }",
                "everything of shop: give it the role backup",
            ),
            (
                "Last error: connection() error occurred during connection handshake: tls: failed to verify \
                 certificate: x509: certificate signed by unknown authority",
                "tlsCAFile",
            ),
            ("error parsing command line options: unknown option `config`", "100.3 or newer"),
            ("error parsing command line options: unknown option `numJobs`", "--numJobs"),
            (
                "Failed: bad option: --out not allowed when --archive is specified",
                "BACKUP_MODE=directory",
            ),
            (
                "Failed: bad option: cannot dump a collection without a specified database",
                "combined",
            ),
            (
                "Failed: error writing data for collection `shop.t` to disk: error reading collection: connection(h:1[-5]) \
                 connection closed unexpectedly by the other side: EOF",
                "went away",
            ),
            ("Failed: error finding oplog: no matching oplog collections", "needs a replica set"),
            (
                "namespace with DB `shop` and collection `nonesuch` does not exist",
                "no such collection",
            ),
        ] {
            let sentence = explain(stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(explain("something new"), None);
    }
}
