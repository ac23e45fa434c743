//! A real server that dies, or stands still, or cannot yet.

use std::fs;
use std::time::Duration;

use dbstash_testkit::procs::written;
use dbstash_testkit::redis::Family;
use dbstash_testkit::scratch::free_port;
use dbstash_testkit::server::eventually;
use dbstash_testkit::{Dbstash, RedisServer, RemoteKind, Running, Signal};

use super::{loads, nothing_left, product, stored, warnings};
use crate::matrix::place::{Place, failed, on_each};
use crate::scene::PATIENCE;

/// How a dump is cut short.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Blow {
    /// The server is killed.
    Master,
    /// The process that makes the dump is.
    Child,
    /// The server stands still.
    Still,
}
use Blow::{Child, Master, Still};

/// What is cut short, how the server makes its dump, who takes it, and what is told.
#[rustfmt::skip]
const CASES: [(Blow, &str, &str, &str); 9] = [
    (Child,  "yes", "replication", "before the dump's end mark"),
    (Child,  "yes", "cli",         "the server ended the connection before the dump was whole"),
    (Child,  "no",  "replication", "before its dump began"),
    (Child,  "no",  "cli",         "the server ended the connection before the dump was whole"),
    (Still,  "yes", "replication", "moved no byte"),
    (Still,  "yes", "cli",         "moved no byte"),
    (Master, "yes", "replication", "before the dump's end mark"),
    (Master, "yes", "cli",         "the server ended the connection before the dump was whole"),
    (Master, "no",  "replication", "before its dump began"),
];

/// Some of the dump is on its way, where there is any before it is whole.
fn under_way(run: &Dbstash, server: &RedisServer, diskless: &str) -> Running {
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |running| {
        server.saving().is_some()
            && (diskless == "no" || written(running.pid().as_raw_nonzero().get()) > 3 << 20)
    });
    running
}

#[test]
fn a_dump_that_is_cut_short_is_none() {
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        let Some(mut server) = RedisServer::start(Family::Redis7) else { return };
        for (blow, diskless, method, told) in CASES {
            eprintln!("--- {blow:?} diskless {diskless} {method} on {}", place.remote.kind());
            // Seven values a second: whatever is done to it comes before its end.
            if server.ask("DBSIZE").text() == "0" {
                server.fill(150);
                server.ask("CONFIG SET rdb-key-save-delay 150000");
            }
            server.ask(&format!("CONFIG SET repl-diskless-sync {diskless}"));
            let run = product(&server, &place.remote).env("REDIS_METHOD", method);
            let run = run.env("BACKUP_STALL_TIMEOUT", "3s");
            let running = under_way(&run, &server, diskless);
            let child = server.saving().unwrap();
            match blow {
                Child => child.signal(Signal::KILL),
                Master => server.signal(Signal::KILL),
                Still => {
                    child.signal(Signal::STOP);
                    server.signal(Signal::STOP);
                }
            }
            let done = running.wait(Duration::from_secs(60));
            failed(&done, if blow == Still { "stall" } else { "dump" }, told);
            nothing_left(&place, &run, &done);
            child.signal(Signal::KILL);
            if blow != Child {
                server.restart();
            }
        }
        server.seed(1);
        server.ask("CONFIG SET rdb-key-save-delay 0");
        place.undisturbed_by(&product(&server, &place.remote));
        let (_, dump) = stored(&product(&server, &place.remote), &place.remote);
        loads(Family::Redis7, &dump, &server.digest(), "after all this");
    });
}

/// Waits for what it cannot have yet, says so, and has it in the end.
fn in_the_end(place: &Place, server: &RedisServer, told: &str, then: impl FnOnce()) -> Vec<u8> {
    let run = product(server, &place.remote);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |running| running.output().contains(told));
    then();
    let done = running.wait(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    let warned = warnings(&done);
    assert!(warned.len() == 1 && warned[0].contains(told), "{told}: {warned:?}");
    let newest = crate::scene::backups(&run).remove(0);
    place.remote.read(&newest)
}

#[test]
fn who_cannot_yet_is_waited_for() {
    on_each(&[RemoteKind::Local], |place| {
        let Some(source) = RedisServer::start(Family::Redis7) else { return };
        source.seed(1);
        source.ask("SAVE");
        let dump = fs::read(source.dir().join("dump.rdb")).unwrap();
        // 1.5 ms for each of two thousand keys.
        let slow = ["--key-load-delay", "1500", "--loading-process-events-interval-bytes", "1024"];
        let server = RedisServer::loading(Family::Redis7, &dump, &slow);
        let got = in_the_end(&place, &server, "LOADING", || ());
        loads(Family::Redis7, &got, &source.digest(), "loaded");

        let dead = free_port().to_string();
        for (stale, told) in [("yes", "NOMASTERLINK"), ("no", "MASTERDOWN")] {
            let options = ["--replicaof", "127.0.0.1", &dead, "--replica-serve-stale-data", stale];
            let Some(server) = RedisServer::start_with(Family::Redis7, &options) else { return };
            in_the_end(&place, &server, told, || {
                server.ask("REPLICAOF NO ONE");
            });
        }

        let held = source.client();
        source.ask("CONFIG SET maxclients 1");
        let got = in_the_end(&place, &source, "max number of clients", || drop(held));
        assert!(eventually(PATIENCE, || source.check_rdb(&got).is_ok()));
    });
}
