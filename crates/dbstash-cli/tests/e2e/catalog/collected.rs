//! `dbstash gc`: what is ours and no backup, and nothing else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use dbstash_core::job::EngineKey::Pg;
use dbstash_core::temporary;
use dbstash_core::verify::{Mark, Outcome};
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Signal, TestRemote, sqlite, tools};

use super::{Laid, with};
use crate::retention::seed::Seed;
use crate::scene::{PATIENCE, backups, dbstash, shop_file};

fn pin(days: i64) -> Vec<u8> {
    let at = Utc::now() - TimeDelta::days(days);
    format!("{{\"pinned\":{:?},\"host\":\"box\"}}\n", at.to_rfc3339()).into_bytes()
}

fn temporary(object: &str, hours: i64) -> String {
    let run = (Utc::now() - TimeDelta::hours(hours)).format("%Y%m%dT%H%M%SZ-a1b2c3d4");
    temporary::name(object, &run.to_string())
}

#[test]
fn only_what_is_ours_beyond_doubt_goes() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let Some(remote) = TestRemote::start(kind) else { return };
        let seed = Seed::new();
        let started = Utc::now() - TimeDelta::days(3);
        Laid { job: "a", database: "shop", engine: Pg, object: "a/1.sql", started }.onto(&seed);
        let mark = |object: &str, days| {
            let at = Utc::now() - TimeDelta::days(days);
            let record = serde_json::json!({
                "format": 1, "id": "x", "asked": "bytes", "good": "bytes", "objects": [],
                "at": at, "host": "box", "dbstash": "0.1.0",
            });
            seed.file(
                &Mark::new(at, Outcome::Bytes).name_for(object),
                record.to_string().as_bytes(),
            );
        };
        // A backup's own notes; one without anything; one whose object is there, in both forms; a fresh one.
        seed.file("a/1.sql.pin", &pin(2));
        seed.file("a/gone.sql.pin", &pin(2));
        seed.file("a/there.sql", b"whose is this");
        seed.file("a/there.sql.pin", &pin(2));
        seed.file("a/tree/x", b"whose is this");
        seed.file("a/tree.pin", &pin(2));
        seed.file("a/fresh.sql.pin", &pin(0));
        mark("a/1.sql", 2);
        mark("a/lost.sql", 2);
        mark("a/new.sql", 0);
        // Called like ours.
        seed.file("rolling.pin", b"PIN 1234");
        seed.file("x.20260101T000000000Z.bytes.verified.json", b"{}");
        seed.file(".dbstash-tmp/keep.me", b"foreign");
        seed.file(&temporary("a/running.sql", 23), b"half");
        seed.file(&temporary("a/dead.sql", 25), b"half");
        seed.file("orphan.sql", b"no manifest");
        seed.file("bad.sql.dbstash.json", b"{}");
        seed.onto(&remote);

        let run = dbstash(&remote);
        let before = remote.names();
        let plan = with(&run, &["gc", "--dry-run"], 0);
        assert!(plan.stdout.contains("3 to delete"), "{plan}");
        // Nobody is there to be asked.
        with(&run, &["gc"], 1);
        assert_eq!(remote.names(), before, "{kind}");
        with(&run, &["gc", "--yes"], 0);
        let now = remote.names();
        let gone: Vec<&String> = before.iter().filter(|name| !now.contains(name)).collect();
        let dead = temporary("a/dead.sql", 25);
        assert_eq!(gone.len(), 3, "{kind}: {gone:?}");
        assert!(gone[0].starts_with(&dead[..dead.len() - 20]), "{gone:?}");
        assert_eq!(gone[1], "a/gone.sql.pin");
        assert!(gone[2].starts_with("a/lost.sql."), "{gone:?}");
        assert_eq!(now.len(), before.len() - 3);
        assert!(with(&run, &["gc", "-y"], 0).stdout.starts_with("nothing of dbstash's own"));
        let help = with(&run, &["gc", "--help"], 0).stdout;
        assert!(help.contains("never") && help.contains("just being made elsewhere"), "{help}");
    }
}

/// A dump that is under way when `there` exists, and goes on until `go` does.
fn slow(remote: &TestRemote) -> (Dbstash, FakeTools) {
    let fakes = FakeTools::new();
    let (there, go) = (fakes.file("there"), fakes.file("go"));
    let (there, go) = (there.display(), go.display());
    fakes.script(
        "pg_dump",
        &format!("pg-head\nout-bytes 24MiB\ntouch {there}\nwait-for {go}\npg-footer"),
    );
    let run = dbstash(remote)
        .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path());
    (run, fakes)
}

/// The real tool, which stops in the middle until `go` is there.
fn slow_sqlite(fakes: &FakeTools) {
    let real = tools::find("sqlite3").unwrap();
    let (real, dir) = (real.display(), fakes.dir().display());
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *.dump*) ;; *) exec {real} \"$@\" ;; esac\n\
         {real} \"$@\" > {dir}/out || exit 1\n\
         head -c 20000 {dir}/out; touch {dir}/there\n\
         while [ ! -e {dir}/go ]; do sleep 0.05; done\n\
         tail -c +20001 {dir}/out\n"
    );
    let path = fakes.file("sqlite3");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_backup_that_runs_elsewhere_is_left_alone() {
    for kind in [RemoteKind::Local, RemoteKind::Sftp, RemoteKind::S3, RemoteKind::Moto] {
        let (Some(file), Some(remote)) = (shop_file(2000), TestRemote::start(kind)) else { return };
        eprintln!("--- on {kind}");
        let fakes = FakeTools::new();
        slow_sqlite(&fakes);
        let here = dbstash(&remote).env("DB_URI", file.uri());
        let run = here.clone().env("PATH", fakes.path());
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| fakes.file("there").exists());
        // Another machine, with another state directory; and this one, where it runs.
        for gc in [&dbstash(&remote), &here] {
            let done = gc.clone().args(["gc", "--yes"]).run(PATIENCE);
            // Its children are no leftovers of this one's.
            done.expect_code(0);
            assert!(done.stdout.contains("nothing of dbstash's own"), "{kind}: {done}");
        }
        fs::write(fakes.file("go"), "").unwrap();
        running.wait(PATIENCE).expect_code(0);
        let object = backups(&here).remove(0);
        with(&dbstash(&remote), &["verify"], 0);
        let copy = file.scratch.path().join("copy.db");
        sqlite::run(&copy, &String::from_utf8(remote.read(&object)).unwrap());
        assert_eq!(sqlite::run(&copy, ".dump"), sqlite::run(&file.path, ".dump"), "{kind}");
        assert_eq!((remote.names().len(), remote.pending_uploads()), (3, 0), "{kind}");
    }
}

#[test]
fn what_a_killed_run_left_goes_with_its_journal_alone() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(remote) = TestRemote::start(kind) else { return };
        let (run, fakes) = slow(&remote);
        let run = run.grace(Duration::from_secs(20));
        let mut running = run.spawn();
        running.wait_until(PATIENCE, |_| fakes.file("there").exists());
        running.signal(Signal::KILL);
        fs::write(fakes.file("go"), "").unwrap();
        let done = running.wait(PATIENCE);
        done.expect_no_leftovers();
        let left = remote.names();
        assert_eq!(left.len(), 1, "{kind}: {left:?}");
        // Elsewhere nobody knows whose it is.
        with(&dbstash(&remote), &["gc", "--yes"], 0);
        assert_eq!(remote.names(), left, "{kind}");
        let plan = with(&run, &["gc", "--dry-run"], 0);
        assert!(plan.stdout.contains(&format!("left by a killed run    {}", left[0])), "{plan}");
        with(&run, &["gc"], 1);
        assert_eq!(remote.names(), left, "{kind}");
        with(&run, &["gc", "--yes"], 0);
        assert!(remote.names().is_empty(), "{kind}: {:?}", remote.names());
        let told = with(&run, &["gc", "--yes"], 0);
        assert!(told.stdout.contains("nothing of dbstash's own"), "{told}");
    }
}
