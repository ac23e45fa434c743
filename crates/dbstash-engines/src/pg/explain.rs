//! What pg_dump's complaints mean, and the way out.

/// One sentence for a known complaint.
pub(super) fn explain(stderr: &str) -> Option<String> {
    let quoted = |after: &str| {
        let rest = &stderr[stderr.find(after)? + after.len()..];
        rest.split('"').nth(1).map(str::to_owned)
    };
    let has = |text: &str| stderr.contains(text);
    if has("server version mismatch") {
        let after = |text: &str| {
            let rest = &stderr[stderr.find(text)? + text.len()..];
            rest.split([';', '\n']).next().map(|version| version.trim().to_owned())
        };
        let server = after("server version: ")?;
        let tool = after("pg_dump version: ").or_else(|| after("pg_dumpall version: "))?;
        return Some(format!(
            "the server is PostgreSQL {server} and the dump tool is only {tool}: use the client of the server's \
             major version or a newer one"
        ));
    }
    if has("password authentication failed for user") {
        let user = quoted("password authentication failed for user").unwrap_or_default();
        return Some(format!(
            "the server refuses the password of user \"{user}\": check DB_URI or DB_PASSWORD"
        ));
    }
    if has("no password supplied") {
        return Some(
            "the server asks for a password and none is set: set it in DB_URI or DB_PASSWORD"
                .into(),
        );
    }
    // Only the server's own words: pg_dumpall names the database in any complaint.
    let missing = |what: &str| {
        stderr.lines().filter(|line| line.ends_with("does not exist")).find_map(|line| {
            let rest = &line[line.find(what)? + what.len()..];
            rest.strip_suffix("\" does not exist").map(str::to_owned)
        })
    };
    if let Some(role) = missing("FATAL:  role \"") {
        return Some(format!(
            "the server has no role \"{role}\": check the user in DB_URI or DB_USER"
        ));
    }
    if let Some(database) = missing("FATAL:  database \"") {
        return Some(format!("the server has no database \"{database}\": check DB_URI or DB_NAME"));
    }
    if has("Peer authentication failed") || has("Ident authentication failed") {
        return Some(
            "the server lets a local user in only under its own name: set a password in DB_URI or DB_PASSWORD and \
             connect by host, or add a line to its pg_hba.conf"
                .into(),
        );
    }
    if has("invalid connection option") || has("invalid URI query parameter") {
        let option = quoted("invalid ").unwrap_or_default();
        return Some(format!(
            "libpq does not know the parameter \"{option}\" of DB_URI: leave it out, or use a newer client"
        ));
    }
    if has("too many clients already")
        || has("remaining connection slots")
        || has("too many connections")
    {
        return Some(
            "the server has no connection left: raise max_connections, or back up when it is quieter".into(),
        );
    }
    if has("unrecognized option") || has("invalid option --") || has("option requires an argument")
    {
        return Some(
            "the dump tool does not know an option of DUMP_EXTRA_ARGS: see pg_dump --help".into(),
        );
    }
    if has("could not translate host name") {
        let host = quoted("could not translate host name").unwrap_or_default();
        return Some(format!(
            "the name \"{host}\" cannot be resolved: check the host, and the network's name server"
        ));
    }
    if has("permission denied for table pg_authid") {
        return Some(
            "only a superuser may read the roles' passwords: set DUMP_EXTRA_ARGS=--no-role-passwords".into(),
        );
    }
    if has("permission denied for") {
        let what = stderr[stderr.find("permission denied for")?..].lines().next()?.to_owned();
        return Some(format!(
            "{what}: the role may not read everything; GRANT pg_read_all_data to it, or dump as the owner"
        ));
    }
    if has("affected by row-level security policy") {
        let table = quoted("affected by row-level security policy").unwrap_or_default();
        return Some(format!(
            "the row security of table \"{table}\" hides rows from the role: dump as the owner, or as a role with \
             BYPASSRLS"
        ));
    }
    if has("no pg_hba.conf entry") {
        return Some(
            "the server's pg_hba.conf lets this user, host and encryption not in: add a line there"
                .into(),
        );
    }
    if [
        "certificate verify failed",
        "SSL error",
        "server does not support SSL",
        "root certificate file",
    ]
    .into_iter()
    .any(has)
    {
        return Some(
            "the TLS connection was refused: check sslmode and sslrootcert of DB_URI".into(),
        );
    }
    let silent =
        ["Connection refused", "timeout expired", "Connection timed out", "Is the server running"];
    if silent.into_iter().any(has) {
        let server = stderr.find("connection to server").map(|at| {
            let end = stderr[at..].find(" failed").map_or(stderr.len(), |end| at + end);
            stderr[at + "connection to server ".len()..end].to_owned()
        });
        return Some(format!(
            "the server {} does not answer: check host, port and firewall, and that it runs",
            server.unwrap_or_default()
        ));
    }
    if has("server closed the connection unexpectedly") || has("terminating connection") {
        return Some(
            "the server ended the connection in the middle of the dump: see its log".into(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_complaints() {
        for (stderr, told) in [
            (
                "pg_dump: error: aborting because of server version mismatch\n\
                 pg_dump: detail: server version: 18.1 (Debian 18.1-1); pg_dump version: 15.18 (Debian)",
                "PostgreSQL 18.1 (Debian 18.1-1) and the dump tool is only 15.18",
            ),
            (
                "pg_dump: error: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  password \
                 authentication failed for user \"stash\"",
                "password of user \"stash\"",
            ),
            ("... FATAL:  database \"nonesuch\" does not exist", "no database \"nonesuch\""),
            (
                "pg_dump: error: connection to database \"shop\" failed: FATAL:  role \"bob\" does not exist",
                "no role \"bob\"",
            ),
            (
                "pg_dumpall: error: query failed: ERROR:  permission denied for table pg_authid\nd",
                "--no-role-passwords",
            ),
            (
                "pg_dump: error: connection to server on socket \"/nonexist/.s.PGSQL.5432\" failed: No such file or \
                 directory\n\tIs the server running locally and accepting connections on that socket?",
                "on socket \"/nonexist/.s.PGSQL.5432\" does not answer",
            ),
            ("pg_dump: error: invalid connection option \"schema\"", "parameter \"schema\""),
            (
                "connection to server on socket \"/run/x\" failed: FATAL:  Peer authentication failed for user \"a\"",
                "under its own name",
            ),
            ("FATAL:  sorry, too many clients already", "max_connections"),
            ("/usr/lib/postgresql/15/bin/pg_dump: unrecognized option '--Fc'", "DUMP_EXTRA_ARGS"),
            (
                "failed: root certificate file \"/root/.postgresql/root.crt\" does not exist\nEither",
                "sslrootcert",
            ),
            (
                "pg_dump: error: could not translate host name \"no.invalid\" to address: Name or service not known",
                "\"no.invalid\" cannot be resolved",
            ),
            (
                "pg_dump: error: connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs",
                "at \"127.0.0.1\", port 1 does not answer",
            ),
            (
                "pg_dump: error: query failed: ERROR:  permission denied for table secret\nq",
                "table secret: the role",
            ),
            (
                "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for \
                 table \"Of Others\"\npg_dump: detail: Query was: COPY",
                "row security of table \"Of Others\"",
            ),
        ] {
            let sentence = explain(stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(explain("something new"), None);
        // Not about the database, although it is named.
        let stderr = "pg_dump: error: query failed: ERROR:  relation \"x\" does not exist\n\
                      pg_dumpall: error: pg_dump failed on database \"shop\", exiting";
        assert_eq!(explain(stderr), None);
    }
}
