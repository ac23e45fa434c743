//! A remote that stands still for longer than the server waits.

use std::fs;
use std::thread;

use dbstash_testkit::redis::Family;
use dbstash_testkit::{RedisServer, RemoteKind, Scratch};

use super::{nothing_left, product, stored_or, warnings, whole};
use crate::matrix::place::{Place, failed, rclone};
use crate::scene::PATIENCE;

/// The dump's upload begins to read after 8 s.
const LATE: &str = "when rcat *.dbstash.j*\nexec REAL\nwhen rcat\nsleep 8s\nexec REAL";
/// Later still: however slow the server is, what there is room for is used up, and it has waited for too long.
const LATER: &str = "when rcat *.dbstash.j*\nexec REAL\nwhen rcat\nsleep 30s\nexec REAL";

/// How the dump is framed, `SPOOL_MAX`, and what is told: of a success when there is room, or need for none.
const CASES: [(&str, &str, &str); 4] = [
    ("diskless", "1GiB", "bytes of the dump went through"),
    ("diskless", "0", "SPOOL_MAX was used up"),
    ("diskless", "20MiB", "SPOOL_MAX was used up"),
    ("disk", "0", ""),
];

#[test]
fn a_remote_that_stands_still_for_8_s() {
    thread::scope(|scope| {
        for (sync, spool, told) in CASES {
            scope.spawn(move || {
                let place = Place::on(dbstash_testkit::TestRemote::start(RemoteKind::Local)?)?;
                let options = ["--repl-timeout", "5", "--repl-diskless-sync", "yes"];
                let server = RedisServer::start_with(Family::Redis7, &options)?;
                // More than sockets and pipes hold.
                server.fill(100);
                let fails = told.starts_with("SPOOL_MAX");
                let fakes = rclone(if fails { LATER } else { LATE });
                let temp = Scratch::new("temp");
                let run = product(&server, &place.remote).env("PATH", fakes.path());
                let run = run.env("REDIS_SYNC_MODE", sync).env("SPOOL_MAX", spool);
                let run = run.env("BACKUP_TEMP_DIR", temp.path());
                if fails {
                    let done = run.run(PATIENCE);
                    failed(&done, "dump", told);
                    nothing_left(&place, &run, &done);
                } else {
                    let (done, dump) = stored_or(&run, &place.remote, &|| server.log());
                    whole(&dump);
                    let loaded = RedisServer::of_dump(Family::Redis7, &dump).unwrap();
                    assert_eq!(loaded.digest(), server.digest());
                    let warned = warnings(&done);
                    assert_eq!(warned.is_empty(), told.is_empty(), "{sync} {spool}: {warned:?}");
                    assert!(warned.concat().contains(told), "{sync} {spool}: {warned:?}");
                }
                assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
                Some(())
            });
        }
    });
}
