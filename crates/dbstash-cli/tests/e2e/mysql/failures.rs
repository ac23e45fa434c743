//! What goes wrong is named, and nothing is listed.

use std::process::Stdio;
use std::time::Duration;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{Finished, MysqlServer, RemoteKind, TestRemote};

use super::{each_family, product};
use crate::scene::{PATIENCE, summary};

/// The run failed for this reason, and the remote is as it was.
fn failed(done: &Finished, remote: &TestRemote, told: &str) {
    done.expect_code(1).expect_no_leftovers();
    let event = summary(done);
    assert!(event["error"].as_str().unwrap().contains(told), "{told}: {done}");
    assert_eq!(event["phase"], "dump");
    assert!(!done.to_string().contains("pass%") && !done.to_string().contains("%pass"), "{done}");
    assert_eq!(remote.names(), [""; 0]);
}

#[test]
fn failures_are_explained_and_leave_nothing() {
    each_family(explained, "right%pass");
}

fn explained(server: &mut MysqlServer) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("shop");
    server.sql("shop", "CREATE TABLE t (x INT); CREATE TABLE u (x INT); INSERT INTO t VALUES (1)");
    server.sql(
        "",
        "CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'poor'; GRANT SELECT ON shop.t TO poor@'127.0.0.1'; \
         GRANT LOCK TABLES, TRIGGER, EVENT ON shop.* TO poor@'127.0.0.1'",
    );
    let (good, scheme) = (server.uri("shop"), server.family().scheme());
    // MariaDB's tool leaves the rows out and says nothing; MySQL's fails.
    let unread = match server.family() {
        Family::Mariadb => "the rows of table `u` are not in it",
        Family::Mysql => "may not read everything",
    };
    let uri = |rest: &str| format!("{scheme}://{rest}/shop");
    let cells = [
        (good.replace("right", "wrong"), "refuses the user or its password"),
        (server.uri("nonesuch"), "no database 'nonesuch'"),
        (uri(&format!("poor:poor@127.0.0.1:{}", server.port())), unread),
        (uri("u:p@127.0.0.1:1"), "nothing answers at the server's address"),
        (uri("u:p@no-such-host.invalid"), "cannot be resolved"),
        (format!("{good}?ssl-mode=VERIFY_IDENTITY"), "the TLS connection to the server failed"),
    ];
    let run = product(server, &remote);
    for (uri, told) in &cells {
        for mode in ["stream", "directory"] {
            let run = run.clone().env("BACKUP_MODE", mode);
            failed(&run.env("DB_URI", uri).run(PATIENCE), &remote, told);
        }
    }
    let view =
        "CREATE TABLE gone (x INT); CREATE VIEW broken AS SELECT x FROM gone; DROP TABLE gone";
    server.sql("shop", view);
    failed(
        &run.clone().env("DB_URI", &good).run(PATIENCE),
        &remote,
        "a view refers to what is not",
    );
    server.stop();
    failed(&run.env("DB_URI", &good).run(PATIENCE), &remote, "nothing answers at the server's");
}

#[test]
fn a_server_that_restarts_in_the_middle() {
    each_family(restarted, "right%pass");
}

fn restarted(server: &mut MysqlServer) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("shop");
    server.sql(
        "shop",
        "CREATE TABLE a (x INT); CREATE TABLE locked (x INT); INSERT INTO a VALUES (1)",
    );
    let run = product(server, &remote).env("DB_URI", server.uri("shop"));
    for mode in ["stream", "directory"] {
        // The dump comes to a table that somebody else has for himself.
        let mut holder = server.client(server.family().scheme());
        holder.args(["--database=shop", "--execute=LOCK TABLES locked WRITE; SELECT SLEEP(600)"]);
        let mut holder = holder.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let is = |user: &str, state: &str| {
            let all = server.sql("", "SHOW FULL PROCESSLIST");
            all.lines().any(|line| line.contains(user) && line.contains(state))
        };
        let patience = Duration::from_secs(60);
        assert!(dbstash_testkit::server::eventually(patience, || is("root", "User sleep")));
        let mut running =
            run.clone().env("DB_URI", server.uri("shop")).env("BACKUP_MODE", mode).spawn();
        running.wait_until(patience, |_| is("stash", "metadata lock"));
        server.kill();
        server.restart();
        failed(&running.wait(PATIENCE), &remote, "the server went away in the middle of the dump");
        holder.wait().unwrap();
    }
}

#[test]
fn the_server_writes_only_when_asked_to() {
    each_family(
        |server| {
            let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
            server.createdb("shop");
            server.sql("shop", "CREATE TABLE t (x INT); INSERT INTO t VALUES (1)");
            let run = product(&server, &remote).env("DB_URI", server.uri("shop"));
            let run = run.env("BACKUP_MODE", "directory").env("DUMP_EXTRA_ARGS", "--tab=/anywhere");
            // The user may not, and then the server cannot: the directory is the run's own.
            for _ in 0..2 {
                let work = crate::modes::Work::under(run.clone());
                let done = work.run.run(PATIENCE);
                failed(&done, &remote, "with --tab the server itself writes the rows");
                assert!(done.stderr.contains("on its own host"), "{done}");
                work.is_empty();
                server.sql(
                    "",
                    "GRANT FILE ON *.* TO stash@localhost; GRANT FILE ON *.* TO stash@'127.0.0.1'",
                );
            }
        },
        "right%pass",
    );
}

#[test]
fn what_cannot_be_cut_is_refused_at_the_start() {
    for family in Family::ALL {
        let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
        let run = crate::scene::dbstash(&remote).env("BACKUP_MODE", "directory");
        let run = run.env("DB_URI", format!("{}://u:p@127.0.0.1:1/shop", family.scheme()));
        for words in
            ["--compact", "--skip-comments", "--xml", "-r x", "--default-character-set=gbk"]
        {
            let done = run.clone().env("DUMP_EXTRA_ARGS", words).run(PATIENCE);
            done.expect_code(2);
            let flag = words.split(' ').next().unwrap();
            assert!(
                done.stderr.contains(flag) && done.stderr.contains("BACKUP_MODE=stream"),
                "{done}"
            );
        }
    }
}
