//! PostgreSQL: all of a server, into one that has no databases of its own.

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use super::pg::{ODD, PASSWORD, databases, product, seeded};
use super::{expect_refused, restore};
use crate::scene::PATIENCE;

#[test]
fn a_whole_server_and_its_roles() {
    let Some((server, digest)) = seeded(ODD, 20) else { return };
    let Some(other) = PgServer::start(PASSWORD) else { return };
    other.psql("postgres", "ALTER ROLE stash SUPERUSER");
    server.psql("postgres", "CREATE ROLE \"it's bob\"");
    server.psql(ODD, "CREATE TABLE of_bob (); ALTER TABLE of_bob OWNER TO \"it's bob\"");
    let digest_with_bob = server.digest(ODD);
    assert_ne!(digest, digest_with_bob);
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, ODD);
    run.run(PATIENCE).expect_code(0);
    let to = other.uri("new");
    // The role is missing, and all of it goes back.
    let before = databases(&other);
    expect_refused(&run, &["--to", &to], &["no role \"it's bob\"", "--globals", "as it was"]);
    assert_eq!(databases(&other), before);
    restore(&run, &["--to", &to, "--globals"]).expect_code(0).expect_no_leftovers();
    crate::pg::expect_same(&other.digest("new"), &digest_with_bob, "--globals");
    // All of it.
    let all = run.clone().env("BACKUP_ALL_DATABASES", "true").env("DB_URI", server.uri("postgres"));
    all.run(PATIENCE).expect_code(0);
    let to = other.uri("postgres");
    expect_refused(&all, &["--to", &to, "--clean", "--db", "*"], &["database new"]);
    other.psql("postgres", "DROP DATABASE new; DROP ROLE \"it's bob\"");
    restore(&all, &["--to", &to, "--db", "*"]).expect_code(0).expect_no_leftovers();
    crate::pg::expect_same(&other.digest(ODD), &digest_with_bob, "all");
    assert_eq!(databases(&other), databases(&server));
}

#[test]
fn half_a_server_is_no_backup() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    let Some(other) = PgServer::start(PASSWORD) else { return };
    for one in [&server, &other] {
        one.psql("postgres", "ALTER ROLE stash SUPERUSER");
    }
    server.createdb("a1");
    server.createdb("b2");
    server.psql("postgres", "ALTER ROLE stash IN DATABASE b2 SET work_mem TO '7MB'");
    // It cannot be loaded anywhere else.
    server.psql(
        "b2",
        "CREATE TABLE here AS SELECT pg_catalog.current_setting('data_directory') AS a; \
         ALTER TABLE here ADD CHECK (a = pg_catalog.current_setting('data_directory'))",
    );
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let all = product(&server, &remote, "postgres").env("BACKUP_ALL_DATABASES", "true");
    all.run(PATIENCE).expect_code(0);
    let words = ["--to", &other.uri("postgres"), "--db", "*"];
    let told = ["violates check constraint", "drop the databases that it has made, and then"];
    expect_refused(&all, &words, &told);
    expect_refused(&all, &[&words[..], &["--clean"]].concat(), &["drop them first"]);
    // Neither all of it, nor that which is half there; the one that is whole is.
    let second = TestRemote::start(RemoteKind::Local).unwrap();
    let half = product(&other, &second, "b2");
    let whole = half.clone().env("DB_URI", other.uri("postgres"));
    let of_all = whole.clone().env("BACKUP_ALL_DATABASES", "true");
    let each = whole.env("BACKUP_SPLIT_DATABASES", "true").env("DB_EXCLUDE", "b2");
    for run in [&half, &of_all, &each] {
        let done = run.run(PATIENCE);
        done.expect_code(1);
        assert!(done.stderr.contains("the database holds an interrupted restore"), "{done}");
    }
    let names = second.names();
    let has = |name: &str| names.iter().any(|stored| stored.contains(name));
    assert!(has("a1") && !has("b2") && !has("incomplete"), "{names:?}");
    // Nor is it a good one that lies between two databases.
    other.psql("postgres", "DROP DATABASE b2");
    let done = of_all.run(PATIENCE);
    done.expect_code(1);
    assert!(done.stderr.contains("the database holds an interrupted restore"), "{done}");

    server.psql("b2", "DROP TABLE here");
    all.run(PATIENCE).expect_code(0);
    other.psql("postgres", "DROP DATABASE a1");
    restore(&all, &[&words[..], &["--clean"]].concat()).expect_code(0).expect_no_leftovers();
    assert_eq!(databases(&other), databases(&server));
    for database in ["a1", "b2", "postgres", "template1"] {
        crate::pg::expect_same(&other.digest(database), &server.digest(database), database);
        let marks = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'dbstash%'";
        assert_eq!(other.psql(database, marks).trim(), "0", "{database}");
    }
    let told = "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase \
        WHERE datname = 'b2'";
    assert_eq!(other.psql("postgres", told).trim(), "{work_mem=7MB}");
}
