//! PostgreSQL as somebody who is nobody there: no superuser, and without the roles of the server that it is from.

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, dbstash, shop_file};

const MADE: &str = "CREATE SCHEMA hers AUTHORIZATION bob; CREATE TABLE hers.t (a int PRIMARY KEY, b text); \
                    ALTER TABLE hers.t OWNER TO bob; INSERT INTO hers.t SELECT n, 'x' FROM generate_series(1, 50) n; \
                    GRANT SELECT ON hers.t TO alice; ALTER TABLE hers.t ENABLE ROW LEVEL SECURITY; \
                    CREATE VIEW v AS SELECT count(*) FROM hers.t; ALTER VIEW v OWNER TO alice; \
                    SELECT lo_from_bytea(7, 'large'); ALTER LARGE OBJECT 7 OWNER TO bob; \
                    ALTER DEFAULT PRIVILEGES FOR ROLE bob GRANT SELECT ON TABLES TO alice";
const OWNERS: &str = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class \
                      WHERE relnamespace IN ('hers'::regnamespace, 'public'::regnamespace)";
const HELD: &str = "SELECT (SELECT sum(a) FROM hers.t), (SELECT pg_get_userbyid(lomowner) FROM \
                    pg_largeobject_metadata WHERE oid = 7), (SELECT count(*) FROM pg_default_acl), (SELECT relacl \
                    FROM pg_class WHERE relname = 't')";

#[test]
fn owners_that_are_not_there_are_left_out() {
    let (Some(server), Some(other)) = (PgServer::start("one"), PgServer::start("two")) else {
        return;
    };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    server.createdb("shop");
    server.psql("postgres", "CREATE ROLE bob; CREATE ROLE alice; ALTER ROLE stash SUPERUSER");
    server.psql("shop", MADE);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let to = other.uri("new");
    other.psql("postgres", "ALTER ROLE stash NOSUPERUSER CREATEDB");
    let jobs = ["--jobs", "2"];
    for (settings, more) in [
        (&[("BACKUP_COMPRESSION", "zstd")][..], &[][..]),
        (&[("BACKUP_COMPRESS", "true")], &[]),
        (&[("BACKUP_COMPRESS", "true")], &jobs),
        (&[("BACKUP_MODE", "directory")], &jobs),
    ] {
        run.clone().envs(settings.iter().copied()).run(PATIENCE).expect_code(0);
        let words = [&["--to", &*to][..], more].concat();
        expect_refused(&run, &words, &["no role \"", "--no-owner"]);
        let words = [&words[..], &["--no-owner"]].concat();
        let done = restore(&run, &words);
        done.expect_code(0).expect_no_leftovers();
        assert!(
            done.stdout.contains("owners, rights, policies of roles and tablespaces"),
            "{done}"
        );
        assert_eq!(other.psql("new", OWNERS), "stash", "{settings:?} {more:?}");
        assert_eq!(other.psql("new", HELD), "1275|stash|0|", "{settings:?} {more:?}");
        other.psql("postgres", "DROP DATABASE new");
    }
    // It is there, and belongs to another.
    other.psql("postgres", "CREATE ROLE bob; CREATE ROLE alice");
    expect_refused(&run, &["--to", &to], &["is no member of it", "--no-owner"]);
    restore(&run, &["--to", &to, "--no-owner"]).expect_code(0);
    let both = restore(&run, &["--to", &to, "--no-owner", "--globals"]);
    both.expect_code(2);

    run.clone().env("BACKUP_ALL_DATABASES", "true").run(PATIENCE).expect_code(0);
    let words = ["--db", "*", "--to", &other.uri("postgres"), "--no-owner"];
    let done = restore(&run, &words);
    assert!(done.expect_code(2).stderr.contains("a whole server brings its roles"), "{done}");
}

/// Were they not refused, what is there would go: what stays is only for keys.
#[test]
fn flags_of_others_change_nothing() {
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let Some(file) = shop_file(5) else { return };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    run.run(PATIENCE).expect_code(0);
    let target = shop_file(3).unwrap();
    let before = dbstash_testkit::sqlite::digest(&target.path);
    let to = target.uri();
    for (words, told) in [
        (
            &["--on-existing", "skip"][..],
            "--on-existing is for backups of redis, and this one is of sqlite",
        ),
        (&["--on-existing", "replace"], "--on-existing is for backups of redis"),
        (&["--globals"], "--globals is for backups of pg"),
        (&["--no-owner"], "--no-owner is for backups of pg"),
    ] {
        let done = restore(&run, &[&["--to", &*to][..], words].concat());
        assert!(done.expect_code(2).stderr.contains(told), "{done}");
        assert_eq!(dbstash_testkit::sqlite::digest(&target.path), before, "{words:?}");
    }
}
