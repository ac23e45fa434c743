//! PostgreSQL: a part of a backup, into what is there and stays.

use dbstash_testkit::{Dbstash, PgServer, RemoteKind, TestRemote};

use super::{expect_refused, restore};
use crate::matrix::dump::held::Held;
use crate::scene::{PATIENCE, dbstash};

const MADE: &str = "CREATE ROLE app; ALTER ROLE stash SUPERUSER";
const SHOP: &str = "CREATE TABLE o AS SELECT n, 'u' || n AS who FROM generate_series(1, 9) n; \
    ALTER TABLE o ENABLE ROW LEVEL SECURITY; CREATE POLICY \"of ON app\" ON o FOR SELECT TO app USING (n < 3); \
    COMMENT ON POLICY \"of ON app\" ON o IS 'x'; GRANT SELECT ON o TO app; \
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
    CREATE TRIGGER tr AFTER DELETE ON o EXECUTE FUNCTION f(); ALTER TABLE o DISABLE TRIGGER tr; \
    CREATE TABLE forced (n int); ALTER TABLE forced FORCE ROW LEVEL SECURITY; \
    CREATE POLICY p ON forced USING (EXISTS (SELECT FROM o)); \
    CREATE VIEW vw AS SELECT 1 AS n; CREATE MATERIALIZED VIEW mv AS SELECT 7 AS n; CREATE INDEX ON mv (n); \
    ALTER VIEW vw OWNER TO app; ALTER MATERIALIZED VIEW mv OWNER TO app; GRANT SELECT ON vw, mv TO stash; \
    COMMENT ON COLUMN mv.n IS 'x'; \
    CREATE SCHEMA \"it's\" AUTHORIZATION stash CREATE TABLE line (id serial PRIMARY KEY); INSERT INTO \"it's\".line VALUES (7)";
const SECURITY: &str = "SELECT string_agg(concat_ws(' ', relname, relrowsecurity, relforcerowsecurity, polname, \
    obj_description(p.oid, 'pg_policy')), ',' ORDER BY relname) FROM pg_class c LEFT JOIN pg_policy p ON polrelid = c.oid \
    WHERE relname IN ('o', 'forced')";

#[test]
fn tables_beside_others() {
    let Some(server) = PgServer::start("one") else { return };
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    server.psql("postgres", MADE);
    server.createdb("shop");
    server.psql("shop", SHOP);
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off");
    run.run(PATIENCE).expect_code(0);
    server.createdb("kept");
    restore(&run, &["--to", &server.uri("kept")]).expect_code(0);
    row_security_stays(&server, &run);
    a_view_is_no_table(&server, &run);
    a_schema_comes_with_its_table(&server, &run);
    templates_are_no_targets(&server, &run);
    rows_go_into_empty_tables(&server, &run);
    what_is_in_use_is_told(&server, &run);
}

/// With its rights and without its policies, a table would show everything.
fn row_security_stays(server: &PgServer, run: &Dbstash) {
    let before = server.psql("shop", SECURITY);
    let words =
        ["--to", &server.uri("kept"), "--clean", "--table", "public.o", "--table", "forced"];
    let done = restore(run, &words);
    done.expect_code(0).expect_no_leftovers();
    assert!(done.stdout.contains("triggers and rules are left out"), "{done}");
    assert_eq!(server.psql("kept", SECURITY), before);
    let seen = "SELECT count(*) FROM o; SET ROLE app; SELECT count(*) FROM o";
    assert_eq!(server.psql("kept", seen), "9\n2");
    // Those who have policies may be left out, not what keeps all others away.
    restore(run, &[&words[..], &["--no-owner"]].concat()).expect_code(0);
    server.psql("kept", "GRANT SELECT ON o TO app");
    assert_eq!(server.psql("kept", seen), "9\n0");
    // A policy may want more than there is.
    let words = ["--to", &server.uri("new"), "--table", "forced"];
    let told = ["relation \"public.o\" does not exist", "as it was"];
    expect_refused(run, &words, &told);
}

/// Whether it is there or not: what is said about it restores nothing of it.
fn a_view_is_no_table(server: &PgServer, run: &Dbstash) {
    server.psql("kept", "ALTER VIEW vw OWNER TO stash; ALTER MATERIALIZED VIEW mv OWNER TO stash");
    let owners = "SELECT string_agg(relowner::regrole::text, ',') FROM pg_class WHERE relkind IN ('v', 'm') \
        AND relnamespace = 'public'::regnamespace";
    for (database, table) in [("kept", "vw"), ("new", "public.vw")] {
        let words = ["--to", &server.uri(database), "--table", table];
        expect_refused(run, &words, &[&format!("it has no table {table}"), "as it was"]);
    }
    let words = ["--to", &server.uri("kept"), "--table", "mv", "--data-only"];
    expect_refused(run, &words, &["it has no table mv with rows", "as it was"]);
    assert_eq!(server.psql("kept", owners), "stash,stash");
}

fn a_schema_comes_with_its_table(server: &PgServer, run: &Dbstash) {
    let to = server.uri("new");
    let seen = "SELECT sum(id), nextval('\"it''s\".line_id_seq') FROM \"it's\".line";
    let done = restore(run, &["--to", &to, "--table", "it's.line", "--table", "public.o"]);
    done.expect_code(0).expect_no_leftovers();
    assert!(done.stdout.contains("a schema that is missing is made"), "{done}");
    assert_eq!(server.psql("new", seen), "7|1");
    // Nobody needs the right to make one that is there.
    let nobody = "ALTER ROLE stash NOSUPERUSER; ALTER DATABASE kept OWNER TO app";
    server.psql("postgres", nobody);
    let words = ["--to", &server.uri("kept"), "--table", "line", "--clean"];
    let done = restore(run, &words);
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    done.expect_code(0);
}

/// What is in them would be in every database made later.
fn templates_are_no_targets(server: &PgServer, run: &Dbstash) {
    for database in ["template0", "template1"] {
        let told = format!("{database} is what new databases are made from");
        expect_refused(run, &["--to", &server.uri(database)], &[&told]);
    }
    assert_eq!(server.psql("template1", "SELECT to_regclass('o') IS NULL"), "t");
}

fn rows_go_into_empty_tables(server: &PgServer, run: &Dbstash) {
    let words = ["--to", &server.uri("kept"), "--data-only", "--table", "o"];
    let done = restore(run, &words);
    done.expect_code(1);
    let told = "the target has rows of o: TRUNCATE the tables first";
    assert!(done.stderr.contains(told) && !done.stderr.contains("--clean"), "{done}");
    server.psql("kept", "TRUNCATE o");
    restore(run, &words).expect_code(0);
    assert_eq!(server.psql("kept", "SELECT count(*) FROM o"), "9");
}

/// Nobody waits for ever without a word; a limit of the role's own stays.
fn what_is_in_use_is_told(server: &PgServer, run: &Dbstash) {
    server.psql("postgres", "ALTER ROLE stash SET lock_timeout = '200ms'");
    let mut session = server.client("psql");
    session.args(["-qAtX", "-d", "kept"]);
    let _held = Held::by(session, "BEGIN; LOCK TABLE o IN ACCESS SHARE MODE;\n\\echo held");
    let to = server.uri("kept");
    for words in [&["--table", "o"][..], &["--jobs", "1"]] {
        let words = [&["--to", &*to, "--clean"], words].concat();
        expect_refused(run, &words, &["somebody uses", "pg_stat_activity", "as it was"]);
    }
}
