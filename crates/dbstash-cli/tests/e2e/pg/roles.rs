//! What belongs to a server and not to a database: roles first, then the dump, in a fresh server.

use std::process::{Command, Stdio};

use dbstash_testkit::{PgServer, RemoteKind, Scratch, TestRemote};

use super::{expect_same, product, run};
use crate::modes::{Work, fetched};
use crate::scene::{PATIENCE, listed};

const ROLES: &str = r#"CREATE ROLE accountant PASSWORD 'x' LOGIN VALID UNTIL '2030-01-01' CONNECTION LIMIT 3;
    CREATE ROLE "Head of 'all'" CREATEDB CREATEROLE BYPASSRLS;
    CREATE ROLE nobody NOINHERIT;
    GRANT nobody TO accountant WITH ADMIN OPTION;
    GRANT "Head of 'all'" TO accountant;
    GRANT pg_read_all_data TO nobody;
    COMMENT ON ROLE nobody IS 'it''s nobody';
    ALTER ROLE accountant SET search_path = 'Odd schema-50%', public;
    ALTER ROLE accountant IN DATABASE "Shop 1%" SET work_mem = '7MB';
    ALTER DATABASE "Shop 1%" SET statement_timeout = '3min';
    ALTER DATABASE "Shop 1%" CONNECTION LIMIT 17;
    COMMENT ON DATABASE "Shop 1%" IS 'a shop';
    GRANT CONNECT ON DATABASE "Shop 1%" TO nobody"#;
const OWNED: &str = "CREATE TABLE of_account (x int); ALTER TABLE of_account OWNER TO accountant;
    GRANT SELECT ON of_account TO nobody WITH GRANT OPTION; GRANT USAGE ON SCHEMA public TO accountant";

/// Roles, who is in whom, their settings, and with `passwords` those.
fn roles(server: &PgServer, passwords: bool) -> String {
    let password = if passwords { "rolpassword" } else { "NULL" };
    let all = format!(
        "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolbypassrls, rolconnlimit,
             rolvaliduntil, {password}, shobj_description(oid, 'pg_authid')
         FROM pg_authid WHERE rolname !~ '^pg_' ORDER BY rolname COLLATE \"C\";
         SELECT roleid::regrole, member::regrole, admin_option FROM pg_auth_members
         WHERE member::regrole::text !~ '^pg_' ORDER BY roleid::regrole::text COLLATE \"C\", member::regrole::text COLLATE \"C\", grantor::regrole::text;
         SELECT setdatabase = 0, setrole::regrole, setconfig FROM pg_db_role_setting
         WHERE setdatabase = 0 ORDER BY setrole::regrole::text COLLATE \"C\""
    );
    server.psql("postgres", &all)
}

/// What a database has of its own in the server.
fn settings(server: &PgServer) -> String {
    server.psql(
        "Shop 1%",
        "SELECT datname, datdba::regrole, datconnlimit, array(SELECT a::text FROM unnest(datacl) a ORDER BY 1),
             shobj_description(oid, 'pg_database')
         FROM pg_database WHERE datname = current_database();
         SELECT setrole, setconfig FROM (SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting s
             JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()) s ORDER BY 1",
    )
}

/// A server as it comes: without the role that a test logs in by.
fn fresh() -> Option<PgServer> {
    let server = PgServer::start("other")?;
    server.psql("postgres", "DROP ROLE stash");
    Some(server)
}

/// Runs a script of a whole server's; only the superuser who runs it may be there already.
fn restore_globals(server: &PgServer, sql: &[u8]) {
    let scratch = Scratch::new("globals");
    let file = scratch.path().join("globals.sql");
    std::fs::write(&file, sql).unwrap();
    let mut psql = server.client("psql");
    psql.args(["-X", "-q", "-d", "postgres", "-f", "-"]).stdin(std::fs::File::open(file).unwrap());
    let out = psql.stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8_lossy(&out.stderr);
    let errors: Vec<_> = stderr.lines().filter(|line| line.contains("ERROR:")).collect();
    assert_eq!(errors.len(), 1, "{stderr}");
    assert!(errors[0].ends_with("role \"postgres\" already exists"), "{stderr}");
}

#[test]
fn roles_are_restored_first_and_the_dump_finds_them() {
    let (Some(server), Some(remote)) =
        (PgServer::start("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("Shop 1%");
    server.seed_shop("Shop 1%", 300);
    server.psql("postgres", ROLES);
    server.psql("Shop 1%", OWNED);
    // Not the owner of everything any more.
    server.psql("postgres", "GRANT pg_read_all_data TO stash");
    let (digest, settings_before) = (server.digest("Shop 1%"), settings(&server));
    for (mode, words, passwords) in [
        ("stream", "--create", false),
        ("stream", "-Fc", true),
        ("stream", "-Ft", false),
        ("directory", "", true),
        ("tar", "", false),
    ] {
        eprintln!("--- {mode} {words}");
        let superuser = if passwords { "SUPERUSER" } else { "NOSUPERUSER" };
        server.psql("postgres", &format!("ALTER ROLE stash {superuser}"));
        let job = product(&server, &remote).env("DB_URI", server.uri("Shop 1%"));
        let job = job.env("BACKUP_MODE", mode).env("DUMP_EXTRA_ARGS", words);
        let work = Work::under(job.env("PG_GLOBALS", "on"));
        work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        let newest = &listed(&work.run)["backups"][0];
        let paths = newest["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap());
        let paths: Vec<_> = paths.collect();
        let globals = paths.iter().find(|path| path.ends_with(".globals.sql")).unwrap();

        let Some(fresh) = fresh() else { return };
        restore_globals(&fresh, &remote.read(globals));
        assert_eq!(roles(&fresh, passwords), roles(&server, passwords), "{mode} {words}");
        restore_with_database(&fresh, &remote, paths[0], mode);
        assert_eq!(settings(&fresh), settings_before, "{mode} {words}");
        expect_same(&fresh.digest("Shop 1%"), &digest, &format!("{mode} {words}"));
    }
}

/// The database itself comes out of the dump.
fn restore_with_database(server: &PgServer, remote: &TestRemote, object: &str, mode: &str) {
    let scratch = Scratch::new("fetched");
    let mut tool = server.client("pg_restore");
    tool.args(["--exit-on-error", "--create", "-d", "postgres"]);
    if mode == "stream" {
        let dump = scratch.path().join("dump");
        std::fs::write(&dump, remote.read(object)).unwrap();
        if object.ends_with(".sql") {
            server.feed("postgres", &std::fs::read(dump).unwrap()).unwrap();
        } else {
            run(tool.stdin(std::fs::File::open(dump).unwrap()));
        }
    } else {
        let files = fetched(remote, object, &scratch);
        run(Command::new("chmod").args(["-R", "a+rX"]).arg(&files));
        run(tool.arg(files));
    }
}

#[test]
fn a_whole_server_is_restored_into_a_fresh_one() {
    let starts = [PgServer::start, PgServer::start_18];
    for start in starts {
        let Some(server) = start("pw") else { continue };
        let Some(fresh) = start("other") else { continue };
        fresh.psql("postgres", "DROP ROLE stash");
        let Some(remote) = TestRemote::start(RemoteKind::S3) else { return };
        for database in ["Shop 1%", "-other", "nothing"] {
            server.createdb(database);
        }
        server.seed_shop("Shop 1%", 300);
        server.psql("-other", "CREATE TABLE t AS SELECT 1 AS x");
        server.psql("postgres", ROLES);
        server.psql("Shop 1%", OWNED);
        server.psql("postgres", "ALTER ROLE stash SUPERUSER");
        for compression in ["none", "zstd"] {
            let job = product(&server, &remote).env("DB_URI", server.uri("postgres"));
            let job =
                job.env("BACKUP_ALL_DATABASES", "true").env("BACKUP_COMPRESSION", compression);
            job.run(PATIENCE).expect_code(0).expect_no_leftovers();
            let newest = &listed(&job)["backups"][0];
            assert!(newest["objects"][0]["degraded"].is_null(), "{newest}");
            let bytes = remote.read(newest["paths"][0].as_str().unwrap());
            if compression == "none" {
                restore_globals(&fresh, &bytes);
            } else {
                let plain = crate::compression::dump("zstd", &bytes);
                assert!(plain.ends_with(b"PostgreSQL database cluster dump complete\n--\n\n"));
            }
        }
        assert_eq!(roles(&fresh, true), roles(&server, true));
        assert_eq!(settings(&fresh), settings(&server));
        for database in ["Shop 1%", "-other", "nothing"] {
            expect_same(&fresh.digest(database), &server.digest(database), database);
        }
    }
}
