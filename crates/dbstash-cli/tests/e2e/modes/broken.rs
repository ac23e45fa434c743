//! The failure matrix of files: nothing is listed, nothing is left, on the remote or on local disk.

use std::fs;
use std::path::Path;

use dbstash_testkit::{Dbstash, FakeTools, PgServer, RemoteKind, Tmpfs, tools};

use super::Work;
use crate::matrix::place::{Place, on_each};
use crate::scene::{PATIENCE, backups, summary};

/// A `pg_dump` in the shell: `$real` is the real one, `$tree` where it has to write.
fn pg_dump(fakes: &FakeTools, script: &str) {
    let real = tools::find("pg_dump").unwrap();
    let head = "for word; do case $word in --file=*) tree=${word#--file=};; esac; done";
    let text = format!("#!/bin/sh\nreal={}\n{head}\n{script}\n", real.display());
    tools::write_program(&fakes.dir().join("pg_dump"), &text);
}

pub fn shop() -> Option<PgServer> {
    let server = PgServer::start("pw")?;
    server.createdb("shop");
    server.seed_shop("shop", 3000);
    Some(server)
}

fn folder_run(place: &Place, server: &PgServer, fakes: &FakeTools) -> Dbstash {
    let run = place.run().env("DB_URI", server.uri("shop")).env("PG_GLOBALS", "off");
    run.env("PATH", fakes.path()).env("BACKUP_MODE", "directory")
}

#[track_caller]
fn fails(place: &Place, work: &Work, phase: &str, told: &str) {
    let done = work.run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert_eq!(summary(&done)["phase"], phase, "{done}");
    let error = summary(&done)["error"].as_str().unwrap();
    assert!(error.contains(told), "{told:?}: {done}");
    work.is_empty();
    place.undisturbed_by(&work.run);
}

#[test]
fn a_tool_that_fails() {
    let Some(server) = shop() else { return };
    let cells = [
        ("echo oh dear >&2; exit 1", "dump", "exited with code 1"),
        ("$real \"$@\"; exit 3", "dump", "exited with code 3"),
        ("$real \"$@\"; kill -9 $$", "dump", "was killed by signal 9"),
        ("exit 0", "dump", "it is empty"),
        ("echo a long line of junk >$tree/toc.dat", "dump", "it does not begin with PGDMP"),
        ("$real \"$@\"; rm $tree/toc.dat", "dump", "it has no toc.dat"),
        ("$real \"$@\"; truncate -s -1 $tree/toc.dat", "dump", "ends in the middle"),
        ("$real \"$@\"; echo >>$tree/toc.dat", "dump", "goes on after its end"),
        ("$real \"$@\"; rm $(ls $tree/[0-9]*.dat | tail -n 1)", "dump", "is missing"),
        ("$real \"$@\"; rm $tree/blob_4711.dat", "dump", "blob_4711.dat is missing"),
        ("$real \"$@\" -Z1; : >$(ls $tree/[0-9]*.gz | tail -n 1)", "dump", "is empty"),
        ("$real \"$@\"; ln -s /etc/passwd $tree/x", "spool", "neither a file nor a directory"),
        ("sleep 600 & $real \"$@\"; trap '' TERM; wait", "timeout", "BACKUP_TIMEOUT"),
    ];
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        for (script, phase, told) in cells {
            for mode in ["directory", "tar"] {
                let fakes = FakeTools::new();
                pg_dump(&fakes, script);
                let run = folder_run(&place, &server, &fakes).env("BACKUP_MODE", mode);
                let limit = if phase == "timeout" { "8s" } else { "0" };
                let work = Work::under(run.env("BACKUP_TIMEOUT", limit));
                fails(&place, &work, phase, told);
            }
        }
    });
}

#[test]
fn a_tool_that_stands_still() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local], |place| {
        let fakes = FakeTools::new();
        pg_dump(&fakes, "echo head >$tree/toc.dat; sleep 600");
        let run = folder_run(&place, &server, &fakes).env("BACKUP_STALL_TIMEOUT", "3s");
        fails(&place, &Work::under(run), "stall", "the dump moved no byte");
    });
}

#[test]
fn local_disk_that_fails() {
    let Some(server) = shop() else { return };
    let Some(disk) = Tmpfs::mount("400k") else { return };
    on_each(&[RemoteKind::Local], |place| {
        let fakes = FakeTools::new();
        let run = folder_run(&place, &server, &fakes);
        let full = run.clone().env("BACKUP_TEMP_DIR", disk.path()).run(PATIENCE);
        full.expect_code(1).expect_no_leftovers();
        assert!(full.stderr.contains("BACKUP_TEMP_DIR"), "{full}");
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 0);
        place.undisturbed_by(&run);

        let file = place.file.scratch.path().join("a file");
        fs::write(&file, "").unwrap();
        let none = run.clone().env("BACKUP_TEMP_DIR", file.join("below")).run(PATIENCE);
        none.expect_code(1).expect_no_leftovers();
        assert!(none.stderr.contains("set BACKUP_TEMP_DIR to a writable directory"), "{none}");
        place.undisturbed_by(&run);
    });
}

/// Before the dump, by what the last one needed.
#[test]
fn too_little_room_is_told_at_once() {
    let Some(server) = shop() else { return };
    let Some(disk) = Tmpfs::mount("2m") else { return };
    on_each(&[RemoteKind::Local], |place| {
        let fakes = FakeTools::new();
        let run = folder_run(&place, &server, &fakes).env("BACKUP_TEMP_DIR", disk.path());
        run.run(PATIENCE).expect_code(0);
        fs::write(disk.path().join("filler"), vec![1; 1500 << 10]).unwrap();
        pg_dump(&fakes, "touch $0.was-here; $real \"$@\"");
        let done = run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert_eq!(summary(&done)["phase"], "spool", "{done}");
        assert!(done.stderr.contains("bytes free, and the last backup needed"), "{done}");
        assert!(!fakes.file("pg_dump.was-here").exists());
        assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
    });
}

#[test]
fn a_copy_that_fails_is_taken_back() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local, RemoteKind::Webdav, RemoteKind::S3], |place| {
        let rclone = tools::find("rclone").unwrap();
        let exec = format!("otherwise\nexec {}", rclone.display());
        for (script, told) in [
            (format!("when copy\nerr no more\nexit 1\n{exec}"), "rclone could not"),
            (format!("when check\nerr no more\nexit 1\n{exec}"), "rclone could not"),
            // Nothing was copied, and nobody says so.
            (format!("when copy\nexit 0\n{exec}"), ""),
        ] {
            let fakes = FakeTools::new().tool("rclone", &script);
            let work = Work::under(folder_run(&place, &server, &fakes));
            fails(&place, &work, "upload", told);
        }
        let good = Work::under(folder_run(&place, &server, &FakeTools::new()));
        good.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        good.is_empty();
        assert_eq!(backups(&good.run).len(), 2);
    });
}

/// The tar's own upload fails like that of any stream.
#[test]
fn a_file_that_changes_under_the_tar_is_no_backup() {
    let Some(server) = shop() else { return };
    on_each(&[RemoteKind::Local], |place| {
        let fakes = FakeTools::new();
        // Grows until the run is over and the file is gone: whatever was looked at is not what is read then. In a
        // session of its own, and at work before the tool ends, because what a tool leaves in its group ends with it.
        // Opened once: the file must not come back when it was removed.
        let grow = "exec >>\"$0\"; while [ -e \"$0\" ]; do echo x; done";
        let size = "$(wc -c <$tree/toc.dat)";
        pg_dump(
            &fakes,
            &format!(
                "$real \"$@\"; n={size}\n\
                 setsid sh -c '{grow}' $tree/toc.dat >/dev/null 2>&1 </dev/null &\n\
                 while [ {size} -eq $n ]; do :; done"
            ),
        );
        let run = folder_run(&place, &server, &fakes).env("BACKUP_MODE", "tar");
        let work = Work::under(run);
        let done = work.run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        work.is_empty();
        place.undisturbed_by(&work.run);
    });
}

pub fn slow_rclone(fakes: &FakeTools, command: &str, there: &Path) {
    let rclone = tools::find("rclone").unwrap();
    let script = format!(
        "when {command}\ntouch {}\nsleep 600s\notherwise\nexec {}",
        there.display(),
        rclone.display()
    );
    fakes.script("rclone", &script);
}

pub fn slow_pg_dump(fakes: &FakeTools, there: &Path, go: &Path) {
    let wait = format!("while ! [ -e {} ]; do sleep 0.05; done", go.display());
    pg_dump(fakes, &format!("$real \"$@\"; touch {}; {wait}", there.display()));
}
