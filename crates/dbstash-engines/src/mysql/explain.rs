//! What the clients' complaints mean, and the way out.

use super::Dialect;

/// One sentence for a known complaint.
pub(super) fn explain(dialect: Dialect, stderr: &str) -> Option<String> {
    let has = |text: &str| stderr.contains(text);
    // In brackets after a statement; bare where the connection fails; otherwise in the mouth of the client.
    let code = |code: &str| {
        let said = [format!("({code})"), format!("error: {code}: "), format!("ERROR {code} (")];
        said.iter().any(|said| has(said))
    };
    let quoted = |after: &str| {
        let rest = &stderr[stderr.find(after)? + after.len()..];
        rest.split('\'').nth(1).map(str::to_owned)
    };
    let (name, tool) = (dialect.name(), dialect.dump_tool());
    if has("requires secure connection") {
        return Some(
            "without TLS the server's key has to be asked for, and anybody in between could answer: use TLS (drop \
             ssl-mode=DISABLED), or add get-server-public-key=true to DB_URI"
                .into(),
        );
    }
    if has("INTO OUTFILE") {
        return Some(
            "with --tab the server itself writes the rows: it needs to reach BACKUP_TEMP_DIR, and the user the FILE \
             privilege; without --tab nothing is written on the server's host"
                .into(),
        );
    }
    // A private server of MySQL is told NULL there; Debian has the other family's under its name.
    if dialect == Dialect::Mysql && has("Failed to normalize the argument for --secure-file-priv") {
        return Some(
            "mysqld on this machine is MariaDB's: install MySQL's, or let DRILL_URI name a server for drills".into(),
        );
    }
    // The families' passwords are of different kinds.
    let loaded = has("cannot be loaded") || has("could not be loaded");
    if loaded && dialect == Dialect::Mysql && has("mysql_native_password") {
        return Some(
            "the server is MariaDB, or older than this mysqldump can log in to: set DBSTASH_ENGINE=mariadb, or install \
             the client of the server's version"
                .into(),
        );
    }
    if loaded && has("mysql_native_password") {
        return Some("mariadb-dump on PATH is MySQL's: install MariaDB's client".into());
    }
    if loaded && dialect == Dialect::Mariadb && has("caching_sha2_password") {
        return Some("the server is MySQL, not MariaDB: set DBSTASH_ENGINE=mysql".into());
    }
    if has("caching_sha2_password") || has("unknown variable 'set-gtid-purged") {
        return Some(format!(
            "{tool} on PATH is not {name}'s, or too old for this server: install the client of the server's family"
        ));
    }
    if has("Access denied for user") && has("1045") {
        return Some(
            "the server refuses the user or its password: check DB_URI, or DB_USER and DB_PASSWORD"
                .into(),
        );
    }
    if has("max_allowed_packet") {
        return Some(
            "a row is larger than the client takes: give --max-allowed-packet in DUMP_EXTRA_ARGS, at most 2G, or none \
             for 1G"
                .into(),
        );
    }
    if has("transaction-precise history") {
        return Some(
            "a system-versioned table goes by transactions, whose history cannot be dumped: give --skip-dump-history \
             in DUMP_EXTRA_ARGS"
                .into(),
        );
    }
    if has("PROCESS privilege") {
        return Some("the user lacks a privilege: GRANT PROCESS ON *.* TO it".into());
    }
    if has("Unknown database") {
        let database = quoted("Unknown database").unwrap_or_default();
        return Some(format!("the server has no database '{database}': check DB_URI or DB_NAME"));
    }
    if ["1044", "1142", "1143", "1227", "1370"].into_iter().any(code)
        || has("insufficient privileges")
        || has("insufficent privileges")
    {
        return Some(
            "the user may not read everything: GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES on the database to \
             it, EXECUTE if a view calls a function, and SHOW_ROUTINE, or SELECT on mysql.proc for MariaDB"
                .into(),
        );
    }
    if code("1356") {
        return Some(
            "a view refers to what is not there any more, or its definer may not see it: drop it, or leave it out with \
             --ignore-table=db.view in DUMP_EXTRA_ARGS"
                .into(),
        );
    }
    if has("Unknown MySQL server host") || has("Unknown server host") || code("2005") {
        return Some("the server's host name cannot be resolved: check DB_URI or DB_HOST".into());
    }
    if code("2002") || code("2003") || has("Can't connect to") {
        return Some(
            "nothing answers at the server's address: check host and port, and that it runs".into(),
        );
    }
    if code("2026") || has("SSL is required") || has("TLS/SSL error") {
        return Some("the TLS connection to the server failed: check ssl-mode, ssl-ca and the server's certificate".into());
    }
    if has("Lost connection to") || has("server has gone away") || code("2013") || code("2006") {
        return Some("the server went away in the middle of the dump".into());
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
                "mariadb-dump: Got error: 1045: \"Access denied for user 'u'@'localhost'\" when trying to connect",
                "password",
            ),
            (
                "mariadb-dump: Got error: 1049: \"Unknown database 'nonesuch'\" when selecting the database",
                "'nonesuch'",
            ),
            ("mysqldump: unknown variable 'set-gtid-purged=OFF'", "not MySQL's"),
            (
                "0 [Warning] Failed to normalize the argument for --secure-file-priv.",
                "mysqld on this machine is MariaDB's",
            ),
            ("mysqldump: Got error: 2026: SSL connection error: certificate verify failed", "TLS"),
            ("ERROR 2026 (HY000): SSL connection error: CA certificate is required", "TLS"),
            ("mysqldump: Got error: 2003: \"Can't connect to server on 'x'\"", "nothing answers"),
        ] {
            let sentence = explain(Dialect::Mysql, stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(explain(Dialect::Mysql, "something new"), None);
    }
}
