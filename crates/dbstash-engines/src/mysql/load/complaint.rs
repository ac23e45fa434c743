//! What the client's complaints about a statement of a dump mean, and the way out.

use super::super::Dialect;

/// One sentence for a known complaint; only about a statement, for the client tells of its line.
pub(in super::super) fn explain(dialect: Dialect, stderr: &str) -> Option<String> {
    let line =
        stderr.lines().find(|line| line.starts_with("ERROR ") && line.contains(") at line "))?;
    let code = line["ERROR ".len()..].split(' ').next()?;
    let quoted = || line.split('\'').nth(1).unwrap_or("?");
    Some(match code {
        "1044" | "1142" | "1143" | "1370" => {
            "the user may not write everything: GRANT ALL on the database to it".to_owned()
        }
        "3546" => "the dump names the transactions of its server (--set-gtid-purged), and this one has some of them \
                   already: restore into a server without them, or by hand (--print-command) and without that line"
            .to_owned(),
        "1227" | "4105" => "the dump has views, triggers, routines or events of other users, and the user may not make \
                     such: GRANT SET USER ON *.* to it (MariaDB), SET_ANY_DEFINER (MySQL 8.2 and later), SUPER (older ones)"
            .to_owned(),
        "1419" => "the server keeps a binary log, and lets only administrators make functions and triggers: set its \
                   log_bin_trust_function_creators=1"
            .to_owned(),
        "1273" => format!(
            "the server does not know the collation {}: restore into a newer version, or one of the same family",
            quoted()
        ),
        "1115" => format!("the server does not know the character set {}", quoted()),
        "1286" => format!("the server has no storage engine {}: enable it", quoted()),
        "1153" => "a row is larger than the server takes: SET GLOBAL max_allowed_packet=1073741824 there, and give it \
                   back afterwards"
            .to_owned(),
        "1021" | "1030" | "1114" | "3" | "1026" => {
            "the server could not store it: look whether its disk is full".to_owned()
        }
        "1836" => "the server takes no writes (read_only)".to_owned(),
        "1290" if line.contains("read-only") => {
            "the server takes no writes (read_only, super_read_only)".to_owned()
        }
        "1969" | "3024" => "the server ends what takes long (max_statement_time, max_execution_time): let it take its time"
            .to_owned(),
        "1205" | "1213" => "somebody else uses the tables: restore when nobody does".to_owned(),
        "1317" | "1053" | "1927" | "2006" | "2013" | "4031" => {
            "the server went away in the middle of the restore".to_owned()
        }
        "1064" if dialect == Dialect::Mariadb => {
            "the server does not understand a statement: the dump may be of a newer version, or use what only MariaDB has"
                .to_owned()
        }
        "1064" => "the server does not understand a statement: the dump may be of a newer version, or use what only MySQL has"
            .to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_about_a_statement_are_explained() {
        for (stderr, told) in [
            ("ERROR 1227 (42000) at line 30: Access denied; you need SUPER", "SET USER"),
            (
                "--------------\nERROR 1273 (HY000) at line 25: Unknown collation: 'utf8mb4_x'",
                "utf8mb4_x",
            ),
            ("ERROR 2013 (HY000) at line 7: Lost connection to server during query", "the restore"),
            (
                "ERROR 3546 (HY000) at line 30: @@GLOBAL.GTID_PURGED cannot be changed: the added gtid set must not \
                 overlap with @@GLOBAL.GTID_EXECUTED",
                "a server without them",
            ),
            ("ERROR 1114 (HY000) at line 7: The table 't' is full", "disk"),
            (
                "ERROR 1290 (HY000) at line 1: The MySQL server is running with the --super-read-only option so it \
                 cannot execute this statement",
                "no writes",
            ),
        ] {
            let sentence = explain(Dialect::Mariadb, stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(explain(Dialect::Mysql, "ERROR 1045 (28000): Access denied for user"), None);
        assert_eq!(explain(Dialect::Mysql, "ERROR 1136 (21S01) at line 2: Column count"), None);
    }
}
