//! The real `pg_dump`, and what a server can do to it.
//!
//! A dump is held in its middle by a row that waits: a policy of the table asks for an advisory lock. That is what
//! `--enable-row-security` is for. `statement_timeout` cannot end a dump: pg_dump switches it off.

use std::process::{Command, Stdio};
use std::thread;

use dbstash_testkit::{Dbstash, PgServer, Running, Scratch, Signal};

use super::ground::Ground;
use super::held::Held;
use super::with;
use crate::scene::PATIENCE;

/// What is done to the dump while it waits in its middle.
type Deed = fn(&mut Held, &Running);

const GATE: &str = "--enable-row-security";
const GATE_FC: &str = "--enable-row-security -Fc";

/// Name, database, `DUMP_EXTRA_ARGS` or a setting, deed, what must be told: the cause, and the stderr with it.
#[rustfmt::skip]
const ENDS: [(&str, &str, &str, Option<Deed>, &str); 14] = [
    ("backend terminated", "gated",    GATE,                      Some(terminate), "ended the connection | terminating connection"),
    ("query cancelled",    "gated",    GATE,                      Some(cancel),    "code 1 | canceling statement due to user request"),
    ("killed",             "gated",    GATE,                      Some(kill),      "pg_dump was killed by signal 9 |"),
    ("killed, custom",     "gated",    GATE_FC,                   Some(kill),      "pg_dump was killed by signal 9 |"),
    ("ended",              "gated",    GATE,                      Some(term),      "code 1 | terminated by user"),
    ("gives the lock up",  "locked",   "--lock-wait-timeout=300", None,            "code 1 | canceling statement due to statement timeout"),
    ("a bad row",          "broken",   GATE,                      None,            "code 1 | disk on fire"),
    ("a bad row, custom",  "broken",   GATE_FC,                   None,            "code 1 | disk on fire"),
    ("not allowed",        "private",  "",                        None,            "permission denied for table private | permission denied"),
    ("no such database",   "nonesuch", "",                        None,            "no database \"nonesuch\" | does not exist"),
    ("unknown option",     "small",    "--bogus",                 None,            "DUMP_EXTRA_ARGS | unrecognized option"),
    ("no such table",      "small",    "-t nonesuch",             None,            "code 1 | no matching tables were found"),
    ("writes to a file",   "small",    "-f FILE",                 None,            "it is empty |"),
    ("too small",          "small",    "BACKUP_MIN_SIZE=1GiB",    None,            "fewer than BACKUP_MIN_SIZE |"),
];

/// Name, database, `DUMP_EXTRA_ARGS`, a limit, the phase, what must be told.
#[rustfmt::skip]
const WAITS: [(&str, &str, &str, &str, &str, &str); 3] = [
    ("stalls",           "gated",  GATE, "BACKUP_STALL_TIMEOUT=2s", "stall",   "the dump moved no byte |"),
    ("too slow",         "gated",  GATE, "BACKUP_TIMEOUT=6s",       "timeout", "BACKUP_TIMEOUT |"),
    ("waits for a lock", "locked", "-v", "BACKUP_TIMEOUT=6s",       "timeout", "BACKUP_TIMEOUT | pg_dump: reading"),
];

fn terminate(admin: &mut Held, _: &Running) {
    admin.ask(&of_pg_dump("pg_terminate_backend(pid)"));
}

fn cancel(admin: &mut Held, _: &Running) {
    admin.ask(&of_pg_dump("pg_cancel_backend(pid)"));
}

fn kill(_: &mut Held, running: &Running) {
    running.child("pg_dump").unwrap().signal(Signal::KILL);
}

fn term(_: &mut Held, running: &Running) {
    running.child("pg_dump").unwrap().signal(Signal::TERM);
}

/// One number, whatever is done.
fn of_pg_dump(what: &str) -> String {
    format!("SELECT count({what}) FROM pg_stat_activity WHERE application_name = 'pg_dump';")
}

/// A database whose table has 3 MiB, and a policy that calls this for the last row.
fn database(server: &PgServer, name: &str, at_the_last_row: &str) {
    server.createdb(name);
    server.psql(
        name,
        &format!(
            "CREATE TABLE big AS SELECT id, repeat('x', 1000) AS t FROM generate_series(1, 3000) id;
             GRANT SELECT ON big TO stash;
             CREATE FUNCTION last() RETURNS bool LANGUAGE plpgsql AS 'BEGIN {at_the_last_row}; RETURN true; END';
             ALTER TABLE big ENABLE ROW LEVEL SECURITY;
             CREATE POLICY p ON big USING (id < 3000 OR last());"
        ),
    );
}

fn client(server: &PgServer, database: &str) -> Command {
    let mut psql = server.client("psql");
    psql.args(["-X", "-q", "-A", "-t", "-d", database]).stderr(Stdio::null());
    psql
}

/// A backend that waits for a lock does not see that its client is gone.
fn forget_the_last(admin: &mut Held) {
    while admin.ask(&of_pg_dump("pg_terminate_backend(pid)")) != "0" {}
}

fn in_the_middle(admin: &mut Held) -> bool {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted;";
    admin.ask(waiting) == "1"
}

fn databases(server: &PgServer) {
    database(server, "gated", "PERFORM pg_advisory_xact_lock_shared(7)");
    database(server, "broken", "RAISE EXCEPTION ''disk on fire''");
    for (name, readers) in [("locked", "PUBLIC"), ("small", "PUBLIC"), ("private", "postgres")] {
        server.createdb(name);
        let table = format!("CREATE TABLE {name}(x int); GRANT SELECT ON {name} TO {readers}");
        server.psql(name, &table);
    }
}

/// A run for a database, with a setting or with these `DUMP_EXTRA_ARGS`.
fn run(ground: &Ground, server: &PgServer, database: &str, words: &str) -> Dbstash {
    let run = ground.run().env("DB_URI", server.uri(database));
    if words.starts_with("BACKUP_") { with(run, words) } else { run.env("DUMP_EXTRA_ARGS", words) }
}

/// The end of a run that must have failed so.
fn failed(ground: &Ground, name: &str, running: Running, phase: &str, told: &str) {
    let (case, done) = (format!("{name} on {}", ground.remote.kind()), running.wait(PATIENCE));
    ground.failed(&case, &done, phase, told);
    assert!(!done.stderr.contains("right-canary-3141"), "{case}: {done}");
}

fn waits(ground: &Ground, server: &PgServer) {
    for (name, database, words, limit, phase, told) in WAITS {
        let running = with(run(ground, server, database, words), limit).spawn();
        failed(ground, name, running, phase, told);
    }
}

fn ends(ground: &Ground, server: &PgServer, admin: &mut Held) {
    let scratch = Scratch::new("out");
    let file = scratch.path().join("out.sql");
    for (name, database, words, deed, told) in ENDS {
        forget_the_last(admin);
        let words = words.replace("FILE", file.to_str().unwrap());
        let mut running = run(ground, server, database, &words).spawn();
        if let Some(deed) = deed {
            running.wait_until(PATIENCE, |_| in_the_middle(admin));
            deed(admin, &running);
        }
        failed(ground, name, running, "dump", told);
    }
}

fn no_way_in(ground: &Ground, server: &PgServer) {
    for (uri, told) in [
        (server.uri("small").replace("right", "wrong"), "refuses the password"),
        ("postgresql://u:pw@127.0.0.1:1/shop".to_owned(), "127.0.0.1"),
        ("postgresql://u:pw@no-such-host.invalid/shop".to_owned(), "no-such-host.invalid"),
    ] {
        let done = ground.run().env("DB_URI", &uri).run(PATIENCE);
        ground.failed(&uri, &done, "dump", &format!("{told} | pg_dump: error"));
        assert!(!done.stderr.contains("wrong-canary"), "{done}");
    }
}

#[test]
fn a_real_pg_dump_that_fails() {
    let Some(server) = PgServer::start("right-canary-3141") else { return };
    databases(&server);
    let lock = "DO $$ BEGIN PERFORM pg_advisory_lock(7); END $$;\n\\echo held";
    let _shut = Held::by(client(&server, "gated"), lock);
    let _locked = Held::by(client(&server, "locked"), "BEGIN; LOCK TABLE locked;\n\\echo held");
    let mut admin = Held::by(client(&server, "postgres"), "\\echo held");
    let (grounds, server) = (Ground::all(), &server);
    thread::scope(|scope| {
        for ground in &grounds {
            scope.spawn(move || waits(ground, server));
        }
    });
    for ground in &grounds {
        ends(ground, server, &mut admin);
        no_way_in(ground, server);
        ground.over();
    }
}
