//! Of PostgreSQL: in a server of our own, or a scratch database of another one.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dbstash_testkit::procs::{self, Process};
use dbstash_testkit::{
    Dbstash, PgServer, RemoteKind, Running, Scratch, Signal, TestRemote, Tmpfs, tools,
};
use serde_json::Value;

use super::{drill, expect, marks, noted};
use crate::flips::sha256;
use crate::scene::{PATIENCE, dbstash, listed};

const PASSWORD: &str = "geheim%27'\\";
/// Sleeps where nobody is listened to but over a socket: in a private server.
const SLOW: &str = "CREATE FUNCTION public.slow() RETURNS boolean LANGUAGE sql AS $$ SELECT CASE \
    pg_catalog.current_setting('listen_addresses') WHEN '' THEN pg_catalog.pg_sleep(60) IS NOT NULL ELSE true END $$; \
    CREATE TABLE public.slow (a int CHECK (public.slow())); INSERT INTO public.slow VALUES (1)";

fn product(server: &PgServer, remote: &TestRemote, work: &Path) -> Dbstash {
    dbstash(remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri("shop"))
        .env("BACKUP_TEMP_DIR", work)
}

fn databases(server: &PgServer) -> String {
    server.psql("postgres", "SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database")
}

/// The only manifest, rewritten.
fn rewrite(remote: &TestRemote, change: impl Fn(&mut Value)) {
    let names = remote.names();
    let name = names.iter().find(|name| name.ends_with(".dbstash.json")).unwrap();
    let mut manifest = serde_json::from_slice(&remote.read(name)).unwrap();
    change(&mut manifest);
    remote.write(name, &serde_json::to_vec(&manifest).unwrap());
}

#[test]
fn what_came_back_is_counted() {
    let Some(server) = PgServer::start(PASSWORD) else { return };
    server.createdb("shop");
    server.seed_shop("shop", 300);
    // A private server has neither its roles nor its other databases.
    server.psql("postgres", "ALTER ROLE stash SUPERUSER; CREATE ROLE bob");
    server.psql("postgres", "CREATE DATABASE \"a.b 'c\"");
    server.psql(
        "shop",
        "CREATE TABLE of_bob (a int); ALTER TABLE of_bob OWNER TO bob; GRANT ALL ON bulk TO bob; \
         CREATE POLICY p ON of_bob TO bob USING (true); CREATE TABLE parts (a int) PARTITION BY LIST (a); \
         CREATE TABLE \"part.1\" PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1), (1)",
    );
    server.psql("a.b 'c", "CREATE TABLE few AS SELECT 1 AS a; CREATE TABLE none ()");
    let before = databases(&server);
    let forms: [&[(&str, &str)]; 3] = [
        &[("BACKUP_COMPRESSION", "zstd")],
        &[("PG_GLOBALS", "off"), ("DUMP_EXTRA_ARGS", "--load-via-partition-root")],
        &[("BACKUP_ALL_DATABASES", "true"), ("DB_URI", &server.uri(""))],
    ];
    for settings in forms {
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        let work = Scratch::new("work");
        let run = product(&server, &remote, work.path()).envs(settings.iter().copied());
        run.run(PATIENCE).expect_code(0);
        let is_whole = settings.len() > 1 && settings[0].0 == "BACKUP_ALL_DATABASES";
        let rows = if is_whole { "SELECT true" } else { "SELECT count(*) = 300 FROM bulk" };
        let drilling = run.clone().env("DRILL_SQL", format!("{rows}\n\nSELECT 'yes'"));
        // What is set for other servers is not for ours.
        let drilling = drilling.env("PGOPTIONS", "-c default_transaction_read_only=on");
        let done = drill(&drilling.env("PGTARGETSESSIONATTRS", "standby"));
        expect(&done, 0, "as many as were counted; 2 assertions of DRILL_SQL", work.path());
        let found = noted(&remote)["drill"].clone();
        assert!(found["places"].as_u64() > Some(20), "{found}");
        assert!(found["things"].as_u64() > Some(500) && found["assertions"] == 2, "{found}");
        let newest = &listed(&run)["backups"][0];
        assert_eq!(newest["verified"]["result"], "restored", "{newest}");
        if is_whole {
            let elsewhere = run.env("DRILL_URI", server.uri("postgres"));
            expect(&drill(&elsewhere), 4, "needs one of its own", work.path());
        }
        assert_eq!(databases(&server), before);
    }
}

#[test]
fn what_did_not_come_back_is_missed() {
    let (Some(server), Some(remote)) =
        (PgServer::start(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 30);
    // A database that has one cannot be dropped.
    let subscription =
        "CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)";
    server.psql("shop", subscription);
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let work = Scratch::new("work");
    let run = product(&server, &remote, work.path());
    run.clone().env("BACKUP_COMPRESS", "true").run(PATIENCE).expect_code(0);
    let before = databases(&server);
    let elsewhere = run.clone().env("DRILL_URI", server.uri("postgres"));
    // The password shows nowhere, and what is wrong is told.
    let asking = elsewhere.clone().env("DRILL_SQL", "SELECT count(*) > 0 FROM bulk\nSELECT false");
    let done = asking.sampled().args(["verify", "--level", "restore"]).run(PATIENCE);
    expect(&done, 1, "assertion 2 of DRILL_SQL: it is \"f\"", work.path());
    let samples = done.samples.as_ref().unwrap();
    assert!(samples.programs().contains(&"pg_restore"), "{:?}", samples.programs());
    assert_eq!(samples.args_with("geheim"), [""; 0]);
    // What the server refuses says nothing of the backup, and leaves nothing.
    server.psql("postgres", "ALTER ROLE stash SET default_transaction_read_only = on");
    let done = drill(&elsewhere);
    expect(&done, 4, "the database cannot be made", work.path());
    assert!(!done.stderr.contains("left") && !done.stdout.contains("left"), "{done}");
    server.psql("postgres", "ALTER ROLE stash RESET default_transaction_read_only");
    let done = drill(&elsewhere);
    expect(&done, 0, "compared with nothing: pg_dump compressed it itself", work.path());
    assert_eq!(databases(&server), before);

    // A dump that undoes at its end what it holds.
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let liar = Scratch::new("liar");
    let real = tools::find("pg_dump").unwrap();
    let text = format!(
        "#!/bin/sh\n{} \"$@\" | sed 's/^-- PostgreSQL database dump complete/DELETE FROM public.bulk WHERE id <= 10;\\n&/'\n",
        real.display()
    );
    tools::write_program(&liar.path().join("pg_dump"), &text);
    let lying = product(&server, &remote, work.path()).env("DRILL_URI", server.uri("postgres"));
    let path = format!("{}:{}", liar.path().display(), server.path().to_string_lossy());
    lying.clone().env("PATH", path).run(PATIENCE).expect_code(0);
    lying.clone().args(["verify", "--level", "structure"]).run(PATIENCE).expect_code(0);
    expect(&drill(&lying), 1, "when it was made: public.bulk: 20 of 30", work.path());
    assert_eq!(databases(&server), before);

    // Bytes and statements are as they were stored, and it is not what was counted.
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = product(&server, &remote, work.path());
    run.run(PATIENCE).expect_code(0);
    rewrite(&remote, |manifest| {
        let counts = manifest["objects"][0]["counts"].as_object_mut().unwrap();
        counts["public.bulk"] = 31.into();
        counts.insert("public.gone".to_owned(), 7.into());
    });
    for level in ["bytes", "structure"] {
        run.clone().args(["verify", "--level", level]).run(PATIENCE).expect_code(0);
    }
    let said = "is not what was counted when it was made: public.bulk: 30 of 31, public.gone: missing, of 7";
    let elsewhere = run.env("DRILL_URI", server.uri("postgres"));
    expect(&drill(&elsewhere), 1, said, work.path());
    assert_eq!(listed(&elsewhere)["backups"][0]["verified"]["result"], "corrupt");
    // So is what does not load; nothing is known of it yet.
    let marks = remote.names().into_iter().filter(|name| name.ends_with(".verified.json"));
    marks.for_each(|name| remote.delete(&name));
    let names = remote.names();
    let name = names.iter().find(|name| name.ends_with(".sql") && !name.contains("globals"));
    let dump = String::from_utf8(remote.read(name.unwrap())).unwrap();
    let wrong = dump.replacen(" REFERENCES public.", " REFERENCES pablic.", 1);
    assert_ne!(wrong, dump);
    remote.write(name.unwrap(), wrong.as_bytes());
    rewrite(&remote, |manifest| manifest["objects"][0]["sha256"] = sha256(wrong.as_bytes()).into());
    let elsewhere = elsewhere.env("DBSTASH_STATE_DIR", work.dir("state"));
    elsewhere.clone().args(["verify", "--level", "structure"]).run(PATIENCE).expect_code(0);
    let done = drill(&elsewhere.env("BACKUP_TEMP_DIR", work.dir("temp")));
    expect(&done, 1, "schema \"pablic\" does not exist", &work.dir("temp"));
    assert_eq!(databases(&server), before);
}

/// The private server of a drill that is in the middle of its restore.
fn in_the_middle(running: &mut Running, work: &Path) -> Process {
    // The last table that is filled makes it sleep.
    let sleeps = |running: &Running| {
        let all = procs::descendants(running.pid().as_raw_nonzero().get());
        all.iter().any(|one| one.command_line().contains("postgres: postgres shop [local] COPY"))
    };
    running.wait_until(PATIENCE, sleeps);
    let runs: Vec<_> = fs::read_dir(work).unwrap().map(|run| run.unwrap().path()).collect();
    assert!(!runs.is_empty());
    // A killed server leaves a few bytes of System V shared memory behind: they go with its last process.
    for run in runs {
        let pid_file = fs::read_to_string(run.join("tree/data/postmaster.pid")).unwrap_or_default();
        let id = pid_file.lines().nth(6).and_then(|line| line.split_whitespace().last());
        let id = id.unwrap_or_else(|| panic!("{pid_file:?}"));
        assert!(Command::new("ipcrm").args(["-m", id]).status().unwrap().success());
    }
    let server = running.child("postgres").unwrap();
    let owner = fs::metadata(format!("/proc/{}", server.pid)).unwrap().uid();
    assert_ne!(owner, 0, "a server of PostgreSQL does not run as root");
    server
}

#[test]
fn what_ends_a_drill_says_nothing_of_the_backup() {
    let (Some(server), Some(remote)) =
        (PgServer::start(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.psql("shop", SLOW);
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let work = Scratch::new("work");
    let run = product(&server, &remote, work.path()).grace(Duration::from_secs(5));
    run.run(PATIENCE).expect_code(0);
    let drilling = run.clone().args(["verify", "--level", "restore"]);

    let mut running = drilling.spawn();
    let _ = in_the_middle(&mut running, work.path());
    running.signal(Signal::KILL);
    running.wait(PATIENCE).expect_no_leftovers();
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1);

    // It takes away what that one has left; and its own server is killed.
    let mut running = drilling.spawn();
    in_the_middle(&mut running, work.path()).signal(Signal::KILL);
    let done = running.wait(PATIENCE);
    expect(&done, 4, "not tested", work.path());

    let mut running = drilling.spawn();
    let _ = in_the_middle(&mut running, work.path());
    let told = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    expect(&done, 143, "", work.path());
    assert!(told.elapsed() < Duration::from_secs(8), "{:?}: {done}", told.elapsed());
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (0, 0));
}

/// The next drill drops the scratch database of one that was killed in the middle, and no other database.
#[test]
fn a_scratch_database_is_swept() {
    let (Some(server), Some(remote)) =
        (PgServer::start(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server
        .psql("shop", &SLOW.replace("'listen_addresses') WHEN ''", "'test.slow', true) WHEN 'on'"));
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    server.createdb("dbstash_drill_20200101t000000z_mine");
    let work = Scratch::new("work");
    let run = product(&server, &remote, work.path()).env("DRILL_URI", server.uri("postgres"));
    run.run(PATIENCE).expect_code(0);
    let before = databases(&server);
    server.psql("postgres", "ALTER ROLE stash SET test.slow = 'on'");
    let mut running = run.clone().args(["verify", "--level", "restore"]).spawn();
    running.wait_until(PATIENCE, |_| {
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'dbstash_drill%' AND wait_event = 'PgSleep'";
        server.psql("postgres", asleep) == "1"
    });
    running.signal(Signal::KILL);
    running.wait(PATIENCE);
    assert_ne!(databases(&server), before);
    server.psql("postgres", "ALTER ROLE stash RESET test.slow");
    expect(&drill(&run), 0, "as many as were counted", work.path());
    assert_eq!(databases(&server), before);
}

#[test]
fn what_keeps_a_drill_from_beginning() {
    let (Some(server), Some(remote)) =
        (PgServer::start(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 30_000);
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let work = Scratch::new("work");
    let run = product(&server, &remote, work.path()).env("BACKUP_COMPRESSION", "none");
    run.run(PATIENCE).expect_code(0);
    // Room for the files of a server, and not for the rows.
    if let Some(full) = Tmpfs::mount("44m") {
        let done = drill(&run.clone().env("BACKUP_TEMP_DIR", full.path()));
        expect(&done, 4, "full", full.path());
    }
    // Only what is on PATH can be of so late a version.
    rewrite(&remote, |manifest| manifest["objects"][0]["server_version"] = "99.1".into());
    let programs = Scratch::new("programs");
    for name in ["rclone", "psql"] {
        std::os::unix::fs::symlink(tools::find(name).unwrap(), programs.path().join(name)).unwrap();
    }
    let run = run.env("PATH", programs.path()).env("DBSTASH_STATE_DIR", programs.dir("state"));
    for (name, text, said) in [
        (
            "true",
            "",
            "initdb is not installed on this machine: install the database server's package",
        ),
        (
            "initdb",
            "#!/bin/sh\necho no such luck >&2\nexit 3\n",
            "initdb exited with code 3: no such luck",
        ),
        ("initdb", "#!/bin/sh\n", "postgres is not installed"),
        ("postgres", "#!/bin/sh\necho bad luck >&2\nexit 1\n", "exited with code 1: bad luck"),
    ] {
        tools::write_program(&programs.path().join(name), text);
        expect(&drill(&run), 4, said, work.path());
    }
    let far = run.clone().env("DRILL_URI", "postgresql://nobody@127.0.0.1:1/x");
    expect(&drill(&far), 4, "does not answer", work.path());
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (0, 0));
}
