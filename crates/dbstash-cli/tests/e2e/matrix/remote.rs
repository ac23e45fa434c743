//! An rclone that dies, stalls or lies; the rest of the run is real.

use std::os::unix::fs::PermissionsExt;

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote, Tmpfs, tools};

use super::place::{Place, failed, journals, on_each, rclone, warned};
use crate::scene::{PATIENCE, backups, dbstash};

struct Case {
    name: &'static str,
    /// Of a fake `pg_dump`; a real dump when empty.
    dump: &'static str,
    rclone: &'static str,
    settings: &'static [(&'static str, &'static str)],
    phase: &'static str,
    /// Said by the error; alternatives are apart by `|`.
    told: &'static str,
    /// On every kind, not only on one of each sort.
    everywhere: bool,
}

const CASE: Case = Case {
    name: "",
    dump: HUGE,
    rclone: "",
    settings: &[],
    phase: "upload",
    told: "",
    everywhere: false,
};
const SMALL: &str = "pg-head\nout-bytes 1KiB\npg-footer\nsleep 300s";
/// Bigger than all buffers on the way.
const HUGE: &str = "pg-head\nout-bytes 200MiB\npg-footer\nsleep 300s";
const QUICK: &str = "pg-head\nout-bytes 4MiB\npg-footer";

const CASES: [Case; 17] = [
    Case {
        name: "dies at the start",
        rclone: "when rcat\nerr {\"level\":\"error\",\"msg\":\"no way\"}\nexit 1",
        told: "no way",
        ..CASE
    },
    Case {
        name: "is killed at the start",
        rclone: "when rcat\nkill KILL",
        told: "killed by signal 9",
        ..CASE
    },
    Case {
        name: "dies in the middle",
        rclone: "when rcat\nread 1MiB\nerr {\"level\":\"error\",\"msg\":\"halfway\"}\nexit 1",
        told: "halfway",
        everywhere: true,
        ..CASE
    },
    Case {
        name: "dies in the middle of little",
        dump: SMALL,
        rclone: "when rcat\nread 100\nerr 2026 Failed to rcat: quota exceeded\nexit 1",
        told: "quota exceeded",
        ..CASE
    },
    Case {
        name: "is killed in the middle",
        rclone: "when rcat\nread 1MiB\nkill KILL",
        told: "killed by signal 9",
        ..CASE
    },
    Case {
        name: "is killed in the middle of little",
        dump: SMALL,
        rclone: "when rcat\nread 100\nkill KILL",
        told: "killed by signal 9",
        ..CASE
    },
    Case {
        name: "is content in the middle",
        rclone: "when rcat\nread 1MiB\nexit 0",
        told: "exited with code 0",
        ..CASE
    },
    Case {
        name: "is content in the middle of little",
        dump: SMALL,
        rclone: "when rcat\nread 100\nexit 0",
        told: "exited with code 0",
        ..CASE
    },
    Case {
        name: "never reads",
        dump: QUICK,
        rclone: "when rcat\nsleep 300s",
        settings: &[("BACKUP_STALL_TIMEOUT", "1s")],
        phase: "stall",
        told: "the upload moved no byte",
        ..CASE
    },
    Case {
        name: "reads all and never ends",
        dump: QUICK,
        rclone: "when rcat\nread-all\nsleep 300s",
        // What comes after the last byte may take its time: only the whole has a limit.
        settings: &[("BACKUP_STALL_TIMEOUT", "1s"), ("BACKUP_TIMEOUT", "5s")],
        phase: "timeout",
        told: "BACKUP_TIMEOUT",
        ..CASE
    },
    Case {
        name: "stored less and says yes",
        dump: "",
        rclone: "when rcat *.dbstash.j*\nexec REAL\nwhen rcat\nforward-truncated REAL 20KiB",
        // Where an object shows only when it is whole, it shows too early.
        told: "20480 bytes|has appeared",
        everywhere: true,
        ..CASE
    },
    Case {
        name: "stored all and says no",
        dump: "",
        rclone: "when rcat *.dbstash.j*\nexec REAL\nwhen rcat\nforward-then-exit REAL 1",
        told: "exited with code 1",
        everywhere: true,
        ..CASE
    },
    Case {
        name: "stored less of the manifest",
        dump: "",
        rclone: "when rcat *.dbstash.j*\nforward-truncated REAL 100",
        phase: "manifest",
        told: "100 bytes|has appeared",
        ..CASE
    },
    Case {
        name: "stored the manifest and says no",
        dump: "",
        rclone: "when rcat *.dbstash.j*\nforward-then-exit REAL 1",
        phase: "manifest",
        told: "exited with code 1",
        everywhere: true,
        ..CASE
    },
    Case {
        name: "stores no manifest",
        dump: QUICK,
        rclone: "when rcat *.dbstash.j*\nerr {\"level\":\"error\",\"msg\":\"no more\"}\nexit 1",
        phase: "manifest",
        told: "the manifest could not be stored: rclone could not store",
        ..CASE
    },
    Case {
        name: "moved and says no",
        dump: "",
        rclone: "when moveto *.dbstash.j*\nexec REAL\nwhen moveto\nforward-then-exit REAL 1",
        told: "move",
        everywhere: true,
        ..CASE
    },
    Case {
        name: "moves nothing and says yes",
        dump: "",
        rclone: "when moveto\nexit 0",
        told: "is not on the remote",
        ..CASE
    },
];

#[test]
fn an_rclone_that_dies_stalls_or_lies_stores_nothing() {
    on_each(&RemoteKind::MATRIX, |place| {
        let kind = place.remote.kind();
        let main = matches!(kind, RemoteKind::Local | RemoteKind::S3);
        let atomic = matches!(kind, RemoteKind::S3 | RemoteKind::Moto | RemoteKind::CryptS3);
        for case in CASES.iter().filter(|case| case.everywhere || main) {
            if atomic && case.rclone.contains("moveto") {
                continue;
            }
            eprintln!("    {kind}: {}", case.name);
            let fakes = rclone(case.rclone).tool("pg_dump", case.dump);
            let run = match case.dump {
                "" => place.run().env("PATH", fakes.path()),
                _ => place.pg_run(&fakes),
            };
            let run = run.envs(case.settings.iter().copied());
            failed(&run.run(PATIENCE), case.phase, case.told);
            place.undisturbed_by(&run);
        }
    });
}

#[test]
fn an_rclone_that_ignores_term_is_killed() {
    on_each(&[RemoteKind::Local], |place| {
        let fakes = rclone("when rcat\nignore TERM\nread 1MiB\nsleep 300s").tool("pg_dump", HUGE);
        let run = place.pg_run(&fakes).env("BACKUP_STALL_TIMEOUT", "1s");
        failed(&run.run(PATIENCE), "stall", "the upload moved no byte");
        place.undisturbed_by(&run);
    });
}

#[test]
fn an_rclone_that_cannot_be_started_is_named() {
    let Some(sqlite3) = tools::require("sqlite3") else { return };
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        let only_sqlite =
            || FakeTools::new().tool("sqlite3", &format!("exec {}", sqlite3.display()));
        let missing = only_sqlite();
        let forbidden = only_sqlite();
        let program = forbidden.file("rclone");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o644)).unwrap();
        for (tools, told) in [
            (missing, "rclone is not installed, or not on PATH: install rclone"),
            (forbidden, "rclone may not be executed: check its permissions"),
        ] {
            let run = place.run().env("PATH", tools.dir());
            failed(&run.run(PATIENCE), "upload", told);
            place.undisturbed_by(&run);
        }
    });
}

const REFUSED: &str = "err {\"level\":\"error\",\"msg\":\"AccessDenied: no deleting\"}\nexit 1";

/// What cannot be taken back is said, counts for nothing, and goes with the next run.
#[test]
fn a_refused_clean_up_is_left_to_the_next_run() {
    let upload = "when rcat *.dbstash.j*\nexec REAL\nwhen rcat\nforward-then-exit REAL 1";
    on_each(&[RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptS3], |place| {
        let fakes =
            rclone(&format!("when deletefile\n{REFUSED}\nwhen delete\n{REFUSED}\n{upload}"));
        let run = place.run();
        let done = run.clone().env("PATH", fakes.path()).run(PATIENCE);
        // The first cause, not the last.
        failed(&done, "upload", "exited with code 1");
        assert!(warned(&done, "the next run will clean up: rclone could not take"), "{done}");
        assert!(warned(&done, "does not allow that"), "{done}");
        assert_eq!(journals(&run).len(), 1);
        assert_eq!(place.remote.names().len(), 3);
        place.older.untouched(&dbstash(&place.remote), &place.remote);
        place.works_again(&run, 2);
    });
}

/// A manifest that cannot be taken back must not lose what it vouches for: what is listed restores.
#[test]
fn a_manifest_that_cannot_be_taken_back_keeps_its_backup() {
    let upload = "when rcat *.dbstash.j*\nforward-then-exit REAL 1";
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        // Only the manifest is refused.
        let refuse = format!("when deletefile *.dbstash.j*\n{REFUSED}");
        let fakes = rclone(&format!("{refuse}\n{upload}"));
        let run = place.run();
        let done = run.clone().env("PATH", fakes.path()).run(PATIENCE);
        failed(&done, "manifest", "exited with code 1");
        assert!(warned(&done, "the next run will clean up"), "{done}");
        let listed = crate::scene::listed(&dbstash(&place.remote));
        assert_eq!(listed["broken"].as_array().map_or(0, Vec::len), 0, "{listed}");
        let all = backups(&dbstash(&place.remote));
        let bytes = |name: &String| place.remote.read(name).len();
        assert!(all.iter().all(|name| bytes(name) == bytes(&all[0])), "{all:?}");
        place.works_again(&run, all.len() + 1);
    });
}

#[test]
fn a_refused_retention_is_a_warning() {
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        let keep_one = place.run().env("RETENTION_MAX_FILES", "1");
        let fakes = rclone(&format!("when deletefile\n{REFUSED}\nwhen delete\n{REFUSED}"));
        for backups in 2..4 {
            let done = keep_one.clone().env("PATH", fakes.path()).run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            assert!(warned(&done, "retention deleted nothing more"), "{done}");
            assert!(warned(&done, "does not allow that"), "{done}");
            assert_eq!(place.remote.names().len(), 2 * backups);
            place.older.there(&place.remote);
        }
        keep_one.run(PATIENCE).expect_code(0);
        assert_eq!(place.remote.names().len(), 2);
    });
}

/// A real disk that gets full, below a directory and below servers, as far as those say so.
#[test]
fn a_full_disk_is_named() {
    let kinds = [
        (RemoteKind::Local, "the remote is full: make room"),
        (RemoteKind::Sftp, "often its disk or a quota is full"),
        (RemoteKind::Webdav, "405 Method Not Allowed"),
        (RemoteKind::S3, "InternalError|broke the connection off"),
    ];
    std::thread::scope(|scope| {
        for (kind, told) in kinds {
            scope.spawn(move || {
                let disk = Tmpfs::mount("8m")?;
                let place = Place::on(TestRemote::start_in(kind, disk.path())?)?;
                let fakes =
                    FakeTools::new().tool("pg_dump", "pg-head\nout-bytes 100MiB\npg-footer");
                let run = place.pg_run(&fakes);
                failed(&run.run(PATIENCE), "upload", told);
                place.undisturbed_by(&run);
                place.works_again(&place.run(), 2);
                Some(())
            });
        }
    });
}
