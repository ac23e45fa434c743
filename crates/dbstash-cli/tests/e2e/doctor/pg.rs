//! PostgreSQL: address, login, privileges, versions.

use std::os::unix::fs::symlink;

use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{Dbstash, FakeTools, PgServer, RemoteKind, Scratch, TestRemote, tools};

use super::{Line, each, findings, finds, nowhere, tells, well};
use crate::scene::{PATIENCE, dbstash};

#[test]
fn a_server_and_its_rights() {
    let (Some(server), Some(remote)) =
        (PgServer::start("right-canary"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    for database in ["shop", "poor", "hidden"] {
        server.createdb(database);
        server.psql(database, "CREATE TABLE mine (x int); ALTER TABLE mine OWNER TO stash");
    }
    server.psql(
        "poor",
        "CREATE TABLE \"Secret\" (x int); CREATE SEQUENCE counter; SELECT lo_from_bytea(4711, 'x');
         CREATE SCHEMA closed; CREATE TABLE closed.t (x int); GRANT SELECT ON closed.t TO stash",
    );
    server.psql(
        "hidden",
        "CREATE TABLE others (x int); ALTER TABLE others ENABLE ROW LEVEL SECURITY; GRANT SELECT ON others TO stash",
    );
    let run = dbstash(&remote).env("PATH", server.path());
    let found = well(&run.clone().env("DB_URI", server.uri("shop")));
    for (topic, words) in [
        ("login", "stash is let into shop"),
        ("privileges", "may read all 1 tables"),
        ("server", "PostgreSQL 1"),
        ("clock", "of the server agrees"),
        ("tool", "pg_dump (PostgreSQL)"),
    ] {
        tells(&found, (topic, "ok", &[words]));
    }
    let old = FakeTools::new().tool("pg_dump", "out pg_dump (PostgreSQL) 9.6.24");
    let broken = FakeTools::new().tool("pg_dump", "err pg_dump: cannot load a library\nexit 127");
    let at = |rest: &str| format!("postgresql://stash:right-canary@{rest}");
    let port = server.port();
    let closed = free_port();
    let with = |uri: &str| nowhere(&run).env("DB_URI", uri);
    let shop = with(&server.uri("shop"));
    let drills = |run: Dbstash| run.env("DRILL_AFTER_BACKUP", "every");
    let elsewhere = |uri: &str| drills(shop.clone()).env("DRILL_URI", uri);
    let cases: [(_, Line<'_>); 16] = [
        (
            with(&at("no-such-host.invalid/shop")),
            ("address", "fail", &["no-such-host.invalid", "DB_HOST"]),
        ),
        (
            with(&at(&format!("127.0.0.1:{closed}/shop"))),
            ("address", "fail", &["refused", "check host and port"]),
        ),
        (
            with(&at(&format!("/shop?host=/nonexist&port={port}"))),
            ("address", "fail", &["/nonexist/.s.PGSQL"]),
        ),
        (
            with(&server.uri("shop").replace("right", "wrong")),
            ("login", "fail", &["refuses the password of user \"stash\"", "DB_PASSWORD"]),
        ),
        (
            with(&server.uri("nonesuch")),
            ("login", "fail", &["no database \"nonesuch\"", "DB_NAME"]),
        ),
        (
            with(&server.uri("shop").replace("stash:", "nobody:")),
            ("login", "fail", &["pg_hba.conf"]),
        ),
        (with(&(server.uri("shop") + "?sslmode=require")), ("login", "fail", &["TLS"])),
        (
            with(&server.uri("hidden")),
            ("privileges", "fail", &["hides rows of public.others", "ALTER ROLE stash BYPASSRLS"]),
        ),
        (
            shop.clone().env("PATH", old.path()),
            ("server", "fail", &["only of version 9", "install the client"]),
        ),
        (
            shop.clone().env("PATH", broken.path()),
            ("tool", "fail", &["pg_dump", "cannot load a library"]),
        ),
        (
            drills(shop.clone()),
            ("drill", "ok", &["private server", "postgres 1", "initdb 1", "psql 1"]),
        ),
        (
            drills(shop.clone()).env("DRILL_USER", "root"),
            ("drill", "fail", &["would run as root", "DRILL_USER"]),
        ),
        (
            elsewhere(&server.uri("postgres")),
            ("drill", "fail", &["stash may make no scratch", "ALTER ROLE \"stash\" CREATEDB"]),
        ),
        (
            elsewhere(&server.uri("postgres").replace("right", "wrong")),
            ("drill", "fail", &["DRILL_URI", "refuses the password"]),
        ),
        (
            elsewhere("mariadb://u:p@127.0.0.1:1/"),
            ("drill", "ok", &["private server", "postgres 1"]),
        ),
        (
            with(&server.uri("")).env("BACKUP_ALL_DATABASES", "true"),
            ("privileges", "fail", &["no superuser", "--no-role-passwords"]),
        ),
    ];
    each(&cases, |(run, line)| finds(run, *line, &["remote"]));
    let poor = findings(&with(&server.uri("poor")), &[]);
    for grant in [
        "GRANT SELECT ON public.\"Secret\" TO stash",
        "GRANT SELECT ON SEQUENCE public.counter TO stash",
        "GRANT USAGE ON SCHEMA closed TO stash",
        "GRANT SELECT ON LARGE OBJECT 4711 TO stash",
    ] {
        tells(&poor, ("privileges", "fail", &[grant]));
    }
    server.psql("postgres", "ALTER ROLE stash CREATEDB");
    let may: Line<'_> = ("drill", "ok", &["stash may make a scratch database on PostgreSQL 1"]);
    finds(&elsewhere(&server.uri("postgres")), may, &["remote"]);
    let marked: Line<'_> = ("database", "fail", &["interrupted restore of 2026-x", "--clean"]);
    let mark = "dbstash_restore_incomplete";
    server.psql("shop", &format!("CREATE SCHEMA {mark}; COMMENT ON SCHEMA {mark} IS '2026-x'"));
    finds(&shop, marked, &["remote"]);
    server.psql("shop", &format!("DROP SCHEMA {mark}"));
    // Each of the server's databases is looked at by itself.
    server.psql("postgres", "REVOKE CONNECT ON DATABASE shop FROM public, stash");
    let all = [("BACKUP_ALL_DATABASES", "--no-role-passwords"), ("BACKUP_SPLIT_DATABASES", "")];
    for (setting, words) in all {
        let run = with(&server.uri("")).env(setting, "true").env("DUMP_EXTRA_ARGS", words);
        let found = findings(&run, &[]);
        tells(&found, ("databases", "ok", &["4 to back up"]));
        for words in
            ["public.others", "LARGE OBJECT 4711", "GRANT CONNECT ON DATABASE shop TO stash"]
        {
            tells(&found, ("privileges", "fail", &[words]));
        }
    }
    // One that was made for the time of a restore of all of them.
    server.createdb(mark);
    server.psql("postgres", &format!("COMMENT ON DATABASE {mark} IS '2026-x'"));
    tells(&findings(&with(&server.uri("")).env("BACKUP_ALL_DATABASES", "true"), &[]), marked);
    assert_eq!(remote.names(), [""; 0]);
}

#[test]
fn a_server_that_is_newer() {
    let (Some(server), Some(remote)) =
        (PgServer::start_18("right-canary"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    let old = nowhere(&dbstash(&remote)).env("DB_URI", server.uri("shop"));
    let told: Line<'_> = (
        "server",
        "fail",
        &["PostgreSQL 18", "only of version", "install the client of PostgreSQL 18"],
    );
    finds(&old, told, &["remote"]);
    // Nor can what is dumped of it be restored on trial by what this machine has.
    let run = dbstash(&remote).env("DB_URI", server.uri("shop")).env("PATH", server.path());
    run.run(PATIENCE).expect_code(0);
    let drills = run.env("DRILL_AFTER_BACKUP", "every");
    let late: Line<'_> =
        ("drill", "fail", &["is of version 18", "postgres on this machine is 1", "DRILL_URI"]);
    finds(&drills, late, &[]);
    let few = Scratch::new("few");
    for name in ["rclone", "psql", "pg_dump"] {
        symlink(tools::find(name).unwrap(), few.path().join(name)).unwrap();
    }
    let none = findings(&drills.env("PATH", few.path()), &[]);
    for name in ["initdb", "postgres"] {
        tells(&none, ("drill", "fail", &[name, "is not installed on this machine", "DRILL_URI"]));
    }
}
