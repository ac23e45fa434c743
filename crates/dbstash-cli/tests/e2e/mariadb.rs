//! What is MariaDB's own: how it is logged in to, what it has, what it complains about. The rest is in `engines`.

use dbstash_testkit::{MysqlServer, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, backups, dbstash, listed, summary};

#[test]
fn failures_are_explained_and_leave_nothing() {
    let (Some(mut server), Some(remote)) =
        (MysqlServer::start_mariadb("right%pass"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.sql("shop", "CREATE TABLE t (x INT); CREATE TABLE u (x INT); INSERT INTO t VALUES (1)");
    server.sql(
        "",
        "CREATE USER poor@'127.0.0.1' IDENTIFIED BY 'poor'; GRANT SELECT ON shop.t TO poor@'127.0.0.1'; \
         GRANT LOCK TABLES, TRIGGER ON shop.* TO poor@'127.0.0.1'",
    );
    let good = server.uri("shop");
    let uri = |user: &str| format!("mariadb://{user}@127.0.0.1:{}/shop", server.port());
    let view =
        "CREATE TABLE gone (x INT); CREATE VIEW broken AS SELECT x FROM gone; DROP TABLE gone";
    let cells = [
        (good.replace("right", "wrong"), "refuses the user or its password"),
        (server.uri("nonesuch"), "no database 'nonesuch'"),
        (uri("poor:poor"), "may not read everything"),
        ("mariadb://u:p@127.0.0.1:1/shop".to_owned(), "nothing answers at the server's address"),
        ("mariadb://u:p@no-such-host.invalid/shop".to_owned(), "cannot be resolved"),
        (format!("{good}?ssl-mode=VERIFY_IDENTITY"), "the TLS connection to the server failed"),
    ];
    let failed = |uri: &str, told: &str| {
        let done = dbstash(&remote).env("DB_URI", uri).run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let event = summary(&done);
        assert!(event["error"].as_str().unwrap().contains(told), "{told}: {done}");
        assert_eq!(event["phase"], "dump");
        assert!(
            !done.to_string().contains("pass%") && !done.to_string().contains("%pass"),
            "{done}"
        );
        assert_eq!(remote.names(), [""; 0]);
    };
    for (uri, told) in &cells {
        failed(uri, told);
    }
    server.sql("shop", view);
    failed(&good, "a view refers to what is not there");
    server.stop();
    failed(&good, "nothing answers at the server's address");
}

#[test]
fn a_password_shows_nowhere() {
    const CANARY: &str = "canary 16180339\\ \"'#;";
    let (Some(server), Some(remote)) =
        (MysqlServer::start_mariadb(CANARY), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 20_000);
    let run = dbstash(&remote).env("DB_URI", server.uri("shop")).env("LOG_LEVEL", "trace");
    let done = run.sampled().run(PATIENCE);
    done.expect_code(0);
    assert!(!done.to_string().contains("16180339"), "{done}");
    let samples = done.samples.as_ref().unwrap();
    assert!(samples.programs().contains(&"mariadb-dump"), "{:?}", samples.programs());
    assert_eq!(samples.args_with("16180339"), [""; 0]);
    let holders = samples.environment_with("16180339");
    let ours =
        |holder: &String| ["dbstash: ", "reaper: "].iter().any(|own| holder.starts_with(own));
    assert!(holders.iter().all(ours), "{holders:?}");
}

#[test]
fn all_and_each_of_the_databases() {
    let (Some(server), Some(remote)) =
        (MysqlServer::start_mariadb("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    for database in ["one", "two words", "tmp_1"] {
        server.createdb(database);
        server.sql(database, "CREATE TABLE t (x INT); INSERT INTO t VALUES (1)");
    }
    let run = dbstash(&remote).env("DB_URI", server.uri(""));
    let each = run.clone().env("BACKUP_SPLIT_DATABASES", "true").env("DB_EXCLUDE", "tmp_*");
    each.run(PATIENCE).expect_code(0).expect_no_leftovers();
    let labels = |run| {
        let all = listed(run);
        let all = all["backups"].as_array().unwrap().iter();
        let mut labels: Vec<_> =
            all.map(|backup| backup["database"].as_str().unwrap().to_owned()).collect();
        labels.sort_unstable();
        labels
    };
    assert_eq!(labels(&run), ["one", "two words"]);
    // Seen once: a busy server that dropped the connection, which fails a run as it has to.
    let all = run.clone().env("BACKUP_ALL_DATABASES", "true");
    let mut done = all.run(PATIENCE);
    if done.stderr.contains("the server went away") {
        eprintln!("{done}\n{}", server.log());
        done = all.run(PATIENCE);
    }
    done.expect_code(0);
    assert_eq!(labels(&run), ["*", "one", "two words"]);
    let whole = String::from_utf8(remote.read(&backups(&run)[0])).unwrap();
    assert!(["`one`", "`two words`", "`tmp_1`"].iter().all(|name| whole.contains(name)));
    // One object with all of it cannot leave anything out.
    let refused = run.env("BACKUP_ALL_DATABASES", "true").env("DB_EXCLUDE", "tmp_*").run(PATIENCE);
    refused.expect_code(2);
    assert!(refused.stderr.contains("BACKUP_SPLIT_DATABASES=true"), "{refused}");
}
