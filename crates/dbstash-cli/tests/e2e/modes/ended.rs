//! Runs of files that are ended in the middle.

use std::fs;
use std::time::Duration;

use dbstash_testkit::{Dbstash, FakeTools, PgServer, RemoteKind, Signal};

use super::Work;
use super::broken::{shop, slow_pg_dump, slow_rclone};
use crate::matrix::place::{Place, on_each};
use crate::scene::{PATIENCE, summary};

fn run(place: &Place, server: &PgServer, fakes: &FakeTools) -> Dbstash {
    let run = place.run().env("DB_URI", server.uri("shop")).env("PG_GLOBALS", "off");
    run.env("PATH", fakes.path()).env("BACKUP_MODE", "directory")
}

#[test]
fn term_in_the_middle_leaves_nothing() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        for at in ["pg_dump", "copy"] {
            let fakes = FakeTools::new();
            let there = fakes.file("there");
            match at {
                "pg_dump" => slow_pg_dump(&fakes, &there, &fakes.file("never")),
                command => slow_rclone(&fakes, command, &there),
            }
            let work = Work::under(run(&place, &server, &fakes));
            let mut running = work.run.spawn();
            running.wait_until(PATIENCE, |_| there.exists());
            running.signal(Signal::TERM);
            let done = running.wait(Duration::from_secs(10));
            done.expect_code(143).expect_no_leftovers();
            assert_eq!(summary(&done)["phase"], "signal", "{done}");
            work.is_empty();
            place.undisturbed_by(&work.run);
        }
    });
}

/// What a killed run has left on local disk and on the remote goes with the next run.
#[test]
fn kill_in_the_middle_is_swept() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        // In the middle of a copy some files are there: rclone gives a big one its time.
        for at in ["pg_dump", "copy"] {
            let fakes = FakeTools::new();
            let there = fakes.file("there");
            if at == "pg_dump" {
                slow_pg_dump(&fakes, &there, &fakes.file("go"));
            }
            let slow = run(&place, &server, &fakes).grace(Duration::from_secs(60));
            let limit = if at == "copy" { "200k" } else { "off" };
            let work = Work::under(slow.env("RCLONE_BWLIMIT", limit));
            let mut running = work.run.spawn();
            running.wait_until(PATIENCE, |running| match at {
                "pg_dump" => there.exists(),
                _ => running.child("rclone").is_some() && place.remote.names().len() > 3,
            });
            running.signal(Signal::KILL);
            fs::write(fakes.file("go"), "").unwrap();
            assert_eq!(running.wait(PATIENCE).signal, Some(9));
            assert_eq!(fs::read_dir(work.dir.path()).unwrap().count(), 1, "{at}");
            place.older.untouched(&work.run, &place.remote);
            // Somebody looks around in what is left.
            let folder = place.remote.names().into_iter().find_map(|name| {
                name.split_once('/')
                    .map(|(folder, _)| folder.to_owned())
                    .filter(|f| f != ".dbstash-tmp")
            });
            let mine = folder.map(|folder| format!("{folder}/mine.txt"));
            if let Some(mine) = &mine {
                place.remote.write(mine, b"foreign");
            }
            let next = work.run.clone().env("PATH", FakeTools::new().path());
            let done = next.env("RCLONE_BWLIMIT", "off").run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            work.is_empty();
            let prefix = done.events.iter().find_map(|e| e["object"].as_str()).unwrap();
            let known = |name: &String| {
                name.starts_with(prefix)
                    || name.starts_with(prefix.trim_end_matches('/'))
                    || place.older.has(name)
                    || mine.as_ref() == Some(name)
            };
            let names = place.remote.names();
            assert!(names.iter().all(known), "{at}: {names:?}");
            assert!(mine.is_none_or(|mine| names.contains(&mine)), "{at}: {names:?}");
            for name in names.iter().filter(|name| !place.older.has(name)) {
                place.remote.delete(name);
            }
        }
    });
}

#[test]
fn a_live_run_keeps_its_files() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local], |place| {
        let fakes = FakeTools::new();
        let (there, go) = (fakes.file("there"), fakes.file("go"));
        slow_pg_dump(&fakes, &there, &go);
        let work = Work::under(run(&place, &server, &fakes));
        let mut running = work.run.spawn();
        running.wait_until(PATIENCE, |_| there.exists());
        // Another job, with a state directory of its own: only the lock on the files tells it.
        let other = work.run.clone().env("PATH", FakeTools::new().path());
        let other = other.env("DBSTASH_JOB", "other").env("BACKUP_NAME_TEMPLATE", "other-{ts}");
        let state = place.file.scratch.path().join("other-state");
        other.env("DBSTASH_STATE_DIR", state).run(PATIENCE).expect_code(0);
        fs::write(go, "").unwrap();
        running.wait(PATIENCE).expect_code(0).expect_no_leftovers();
        work.is_empty();
    });
}
