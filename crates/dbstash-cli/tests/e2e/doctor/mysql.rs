//! MySQL and MariaDB: login, privileges, families.

use std::fs::read_link;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{MysqlServer, RemoteKind, Scratch, TestRemote};

use super::{Line, each, findings, finds, nowhere, tells, well};
use crate::scene::dbstash;

#[test]
fn mysql() {
    rights(Family::Mysql);
}

#[test]
fn mariadb() {
    rights(Family::Mariadb);
}

fn rights(family: Family) {
    let (Some(server), Some(remote)) =
        (MysqlServer::start(family, "right-canary"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.sql("shop", "CREATE TABLE t (x INT); CREATE TABLE u (x INT); CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1");
    for (user, granted) in [
        ("least", "SELECT, SHOW VIEW, EVENT, TRIGGER"),
        ("poor", "SELECT, EVENT"),
        ("none", "INSERT"),
    ] {
        server.sql(
            "",
            &format!(
                "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'right-canary'; GRANT {granted} ON shop.* TO {user}@'127.0.0.1'"
            ),
        );
    }
    let (scheme, port, closed) = (family.scheme(), server.port(), free_port());
    let (other, engine) = match family {
        Family::Mysql => ("mariadb", "set DBSTASH_ENGINE=mysql"),
        Family::Mariadb => ("mysql", "set DBSTASH_ENGINE=mariadb"),
    };
    let routines = match family {
        Family::Mysql => "GRANT SHOW_ROUTINE ON *.* TO 'least'@'127.0.0.1'",
        Family::Mariadb => "GRANT SELECT ON mysql.proc TO 'least'@'127.0.0.1'",
    };
    let run = dbstash(&remote).env("PATH", server.path());
    let found = well(&run.clone().env("DB_URI", server.uri("shop")));
    tells(&found, ("login", "ok", &["'stash'@'", "is let in"]));
    tells(&found, ("privileges", "ok", &["may read all of `shop`.*"]));
    tells(&found, ("clock", "ok", &["of the server agrees"]));
    let with = |uri: &str| nowhere(&run).env("DB_URI", uri);
    let user = |name: &str| with(&format!("{scheme}://{name}:right-canary@127.0.0.1:{port}/shop"));
    let foreign = format!("{other}:{}", server.uri("shop").split_once(':').unwrap().1);
    let cases: [(_, Line<'_>); 10] = [
        (
            with(&server.uri("shop").replace("right", "wrong")),
            ("login", "fail", &["refuses the user or its password", "DB_PASSWORD"]),
        ),
        (
            with(&server.uri("nonesuch")),
            ("database", "fail", &["no database 'nonesuch'", "DB_NAME"]),
        ),
        (
            with(&format!("{scheme}://u:p@127.0.0.1:{closed}/shop")),
            ("address", "fail", &["refused", "check host and port"]),
        ),
        (
            with(&format!("{scheme}://u:p@no-such-host.invalid/shop")),
            ("address", "fail", &["cannot be resolved"]),
        ),
        (with(&(server.uri("shop") + "?ssl-mode=VERIFY_IDENTITY")), ("login", "fail", &["TLS"])),
        (
            user("poor"),
            (
                "privileges",
                "fail",
                &["lacks SHOW VIEW", "GRANT SHOW VIEW ON `shop`.* TO 'poor'@'127.0.0.1'"],
            ),
        ),
        (
            user("poor"),
            (
                "privileges",
                "fail",
                &["left out, silently", "GRANT TRIGGER ON `shop`.* TO 'poor'@'127.0.0.1'"],
            ),
        ),
        (user("none"), ("privileges", "warn", &["GRANT SELECT ON `shop`.* TO 'none'"])),
        (
            user("least").env("DUMP_EXTRA_ARGS", "--skip-no-tablespaces"),
            ("privileges", "fail", &["lacks PROCESS", "GRANT PROCESS ON *.* TO 'least'"]),
        ),
        (user("least"), ("privileges", "warn", &["routines of others", routines])),
    ];
    each(&cases, |(run, line)| finds(run, *line, &["remote", "privileges"]));
    let elsewhere = with(&server.uri("shop")).env("DRILL_URI", server.uri("mysql"));
    let grant = "GRANT ALL ON `dbstash\\_drill\\_%`.* TO 'stash'@'";
    finds(&elsewhere, ("drill", "fail", &["lacks INSERT, CREATE, DROP", grant]), &["remote"]);
    for host in ["127.0.0.1", "localhost"] {
        server.sql("", &format!("{grant}{host}'"));
    }
    let may: Line<'_> = ("drill", "ok", &["'stash'@'", "may make a scratch database on M"]);
    finds(&elsewhere, may, &["remote"]);
    let here = with(&server.uri("shop")).env("DRILL_AFTER_BACKUP", "every");
    match family {
        Family::Mysql if read_link("/usr/sbin/mysqld").is_ok_and(|to| to.ends_with("mariadbd")) => {
            finds(&here, ("drill", "fail", &["mysqld on this machine is MariaDB's"]), &["remote"]);
            let own = Scratch::new("own");
            let here = here.env("PATH", server.path_with_server(own.path()));
            finds(&here, ("drill", "ok", &["private server", "mysqld 9", "mysql 9"]), &["remote"]);
        }
        Family::Mysql => {}
        Family::Mariadb => {
            let words: &[&str] =
                &["private server", "mariadbd 1", "/mariadb-install-db", "mariadb 1"];
            finds(&here, ("drill", "ok", words), &["remote"]);
        }
    }
    let marked: Line<'_> = ("database", "fail", &["interrupted restore of 2026-x", "--clean"]);
    server.sql("shop", "CREATE TABLE dbstash_restore_incomplete (x INT) COMMENT='2026-x'");
    finds(&with(&server.uri("shop")), marked, &["remote"]);
    let wrong = findings(&with(&foreign), &[]);
    let named = |topic| {
        let told: Line<'_> = (topic, "fail", &[engine]);
        std::panic::catch_unwind(|| tells(&wrong, told)).is_ok()
    };
    assert!(named("server") || named("login") || named("tool"), "{wrong:#?}");
    assert_eq!(remote.names(), [""; 0]);
}
