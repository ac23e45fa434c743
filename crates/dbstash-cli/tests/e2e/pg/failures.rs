//! What goes wrong at a server while files are made of it: named, and nothing is listed or left.

use std::process::{Command, Stdio};

use dbstash_testkit::{Dbstash, Finished, PgServer, RemoteKind, TestRemote, tools};

use crate::matrix::dump::held::Held;
use crate::matrix::place::Place;
use crate::modes::Work;
use crate::scene::{PATIENCE, summary};

const PASSWORD: &str = "right-canary-2718";
const WAYS: [(&str, &str); 4] =
    [("directory", "1"), ("directory", "2"), ("tar", "1"), ("tar", "2")];

/// Holds in each way to make files, on a folder and in a bucket.
fn in_each_way(test: impl Fn(&Place, usize, &dyn Fn() -> Work)) {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(place) = TestRemote::start(kind).and_then(Place::on) else { continue };
        for (mode, jobs) in WAYS {
            // What the remote has to do with it does not depend on the tool's workers.
            if kind == RemoteKind::S3 && jobs == "1" {
                continue;
            }
            eprintln!("--- {mode}, {jobs} jobs, on {kind}");
            let run = place.run().env("PG_GLOBALS", "off").env("PATH", tools::path());
            let run = run.env("BACKUP_MODE", mode).env("BACKUP_JOBS", jobs);
            test(&place, jobs.parse().unwrap(), &|| Work::under(run.clone()));
        }
    }
}

#[track_caller]
fn failed(done: &Finished, place: &Place, work: &Work, told: &str) {
    done.expect_code(1).expect_no_leftovers();
    let event = summary(done);
    assert_eq!(event["phase"], "dump", "{done}");
    assert!(event["error"].as_str().unwrap().contains(told), "{told:?}: {done}");
    assert!(!done.to_string().contains("canary"), "{done}");
    work.is_empty();
    place.undisturbed_by(&work.run);
}

fn with(work: Work, settings: &[(&str, &str)]) -> Work {
    let Work { run, dir } = work;
    Work { run: run.envs(settings.iter().copied()), dir }
}

#[test]
fn what_a_server_refuses() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    for database in ["private", "hidden", "object", "counter", "broken"] {
        server.createdb(database);
        for table in ["a", "z"] {
            let make = format!("CREATE TABLE {table} AS SELECT 1 AS x");
            server.psql(database, &format!("{make}; ALTER TABLE {table} OWNER TO stash"));
        }
    }
    server.psql("private", "CREATE TABLE secret (x int)");
    // Only the rows that a policy lets through, which no dump may take for all of them.
    server.psql(
        "hidden",
        "CREATE TABLE \"Of Others\" (x int); ALTER TABLE \"Of Others\" ENABLE ROW LEVEL SECURITY;
         GRANT SELECT ON \"Of Others\" TO stash",
    );
    server.psql("object", "SELECT lo_from_bytea(4711, 'x')");
    server.psql("counter", "CREATE SEQUENCE hidden_count");
    server.psql(
        "broken",
        "CREATE FUNCTION bad() RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE ''disk on fire''; END';
         CREATE TABLE rotten (x int); INSERT INTO rotten VALUES (1); GRANT SELECT ON rotten TO stash;
         ALTER TABLE rotten ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON rotten USING (bad())",
    );
    in_each_way(|place, _, work| {
        for (uri, words, told) in [
            (server.uri("a").replace("right", "wrong"), "", "refuses the password"),
            (server.uri("nonesuch"), "", "no database \"nonesuch\""),
            (server.uri("private"), "", "permission denied for table secret"),
            (server.uri("hidden"), "", "row security of table \"Of Others\""),
            (server.uri("object"), "", "permission denied for large object 4711"),
            (server.uri("counter"), "", "permission denied for sequence hidden_count"),
            (server.uri("broken"), "--enable-row-security", "exited with code 1"),
        ] {
            let work = with(work(), &[("DB_URI", &uri), ("DUMP_EXTRA_ARGS", words)]);
            let done = work.run.run(PATIENCE);
            failed(&done, place, &work, told);
            if !words.is_empty() {
                let stderr = summary(&done)["stderr"].as_str().unwrap();
                assert!(stderr.contains("disk on fire"), "{done}");
            }
        }
    });
}

/// A database with a table that cannot be read to its end while a lock is held.
fn gated(server: &PgServer) {
    server.createdb("gated");
    server.psql(
        "gated",
        "CREATE TABLE big AS SELECT id, repeat('x', 1000) AS t FROM generate_series(1, 3000) id;
         CREATE TABLE other AS SELECT * FROM big; GRANT SELECT ON big, other TO stash;
         CREATE FUNCTION last() RETURNS bool LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END';
         ALTER TABLE big ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON big USING (id < 3000 OR last())",
    );
}

fn session(server: &PgServer, database: &str) -> Command {
    let mut psql = server.client("psql");
    psql.args(["-X", "-q", "-A", "-t", "-d", database]).stderr(Stdio::null());
    psql
}

/// A run that is in the middle of its dump when this is done to the server, with so many workers that have nothing to do:
/// one that is still logging in would take a lost connection for something else.
fn in_the_middle(
    server: &mut PgServer,
    run: &Dbstash,
    idle: usize,
    deed: fn(&mut PgServer),
) -> Finished {
    let lock = "DO $$ BEGIN PERFORM pg_advisory_lock(7); END $$;\n\\echo held";
    let _shut = Held::by(session(server, "gated"), lock);
    let mut admin = Held::by(session(server, "postgres"), "\\echo held");
    let mut running = run.clone().env("DB_URI", server.uri("gated")).spawn();
    running.wait_until(PATIENCE, |_| {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted;";
        let ready = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'
                     AND query LIKE 'SET TRANSACTION SNAPSHOT%';";
        admin.ask(waiting) == "1" && admin.ask(ready) == idle.to_string()
    });
    deed(server);
    running.wait(PATIENCE)
}

#[test]
fn a_server_that_goes_away_in_the_middle() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    gated(&server);
    // pg_dump takes a connection lost on the way to another table for a lock that it cannot have.
    server.psql("gated", "DROP TABLE other");
    let server = std::cell::RefCell::new(server);
    in_each_way(|place, jobs, work| {
        for deed in [PgServer::stop, PgServer::stop_at_once, PgServer::crash, PgServer::bounce] {
            let server = &mut *server.borrow_mut();
            if !server.is_running() {
                server.restart();
            }
            let work = with(work(), &[("DUMP_EXTRA_ARGS", "--enable-row-security")]);
            let done = in_the_middle(server, &work.run, jobs - 1, deed);
            failed(&done, place, &work, "ended the connection in the middle of the dump");
        }
    });
}

/// The other workers' last words may not be taken for the cause.
#[test]
fn a_worker_that_dies_in_the_middle() {
    let Some(mut server) = PgServer::start(PASSWORD) else { return };
    gated(&server);
    let Some(place) = TestRemote::start(RemoteKind::Local).and_then(Place::on) else { return };
    let terminate = |server: &mut PgServer| tell_the_waiting(server, "pg_terminate_backend");
    let cancel = |server: &mut PgServer| tell_the_waiting(server, "pg_cancel_backend");
    for (deed, told, stderr) in [
        (terminate as fn(&mut PgServer), "ended the connection", "terminating connection"),
        (cancel, "exited with code 1", "canceling statement due to user request"),
    ] {
        let run = place.run().env("PG_GLOBALS", "off").env("BACKUP_MODE", "directory");
        let run = run.env("BACKUP_JOBS", "3").env("DUMP_EXTRA_ARGS", "--enable-row-security");
        let work = Work::under(run);
        let done = in_the_middle(&mut server, &work.run, 1, deed);
        failed(&done, &place, &work, told);
        assert!(summary(&done)["stderr"].as_str().unwrap().contains(stderr), "{done}");
    }
}

fn tell_the_waiting(server: &PgServer, what: &str) {
    let waiting = "wait_event_type = 'Lock' AND application_name = 'pg_dump'";
    server.psql("postgres", &format!("SELECT {what}(pid) FROM pg_stat_activity WHERE {waiting}"));
}
