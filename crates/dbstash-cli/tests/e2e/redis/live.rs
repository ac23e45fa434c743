//! Servers that have other things to do, and other replicas.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dbstash_testkit::redis::{Family, Reply};
use dbstash_testkit::server::eventually;
use dbstash_testkit::{RedisServer, RemoteKind, Signal, TestRemote};

use super::{loads, product, stored, warnings};
use crate::matrix::place::on_each;
use crate::scene::PATIENCE;

/// What is in a dump was there at one moment, and what was written later is not lost to the server.
#[test]
fn while_somebody_writes() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let Some(server) = RedisServer::start(Family::Redis7) else { return };
    server.seed(5);
    for (sync, method) in [("diskless", "replication"), ("disk", "replication"), ("", "cli")] {
        let run = product(&server, &remote).env("REDIS_METHOD", method);
        let run = if sync.is_empty() { run } else { run.env("REDIS_SYNC_MODE", sync) };
        let done = AtomicBool::new(false);
        let (_, dump) = thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = server.client();
                while !done.load(Ordering::Relaxed) {
                    for words in [&["MULTI"][..], &["INCR", "a"], &["RPUSH", "b", "x"], &["EXEC"]] {
                        client.ask(words).unwrap();
                    }
                }
            });
            let stored = stored(&run, &remote);
            done.store(true, Ordering::Relaxed);
            stored
        });
        let restored = RedisServer::of_dump(Family::Redis7, &dump).unwrap();
        let (a, b) = (restored.ask("GET a").text(), restored.ask("LLEN b").text());
        // Nothing of it is there when the dump was made before the first write.
        assert!(a == b || (a.is_empty() && b == "0"), "{sync} {method}: {a} {b}");
        let now: u64 = server.ask("GET a").text().parse().unwrap();
        assert!(now > a.parse().unwrap_or(0), "{sync} {method}");
    }
}

/// The second one comes while the first one's dump is made: the server lets it wait, and then makes another one.
#[test]
fn two_at_once() {
    for diskless in ["yes", "no"] {
        let options = ["--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "2"];
        let Some(server) = RedisServer::start_with(Family::Redis7, &options) else { return };
        server.fill(20);
        server.ask("CONFIG SET rdb-key-save-delay 100000");
        thread::scope(|scope| {
            for late in [false, true] {
                let server = &server;
                scope.spawn(move || {
                    let remote = TestRemote::start(RemoteKind::Local)?;
                    let begun = || !late || server.saving().is_some();
                    assert!(eventually(PATIENCE, begun), "no dump was begun");
                    let (_, dump) = stored(&product(server, &remote), &remote);
                    loads(Family::Redis7, &dump, &server.digest(), diskless);
                    Some(())
                });
            }
        });
    }
}

#[test]
fn a_replica_is_as_good_as_its_master() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for family in Family::ALL {
        let Some(master) = RedisServer::start(family) else { continue };
        master.seed(1);
        let port = master.port().to_string();
        let options = ["--replicaof", "127.0.0.1", &port];
        let Some(replica) = RedisServer::start_with(family, &options) else { continue };
        let linked = || replica.info("master_link_status") == "up";
        assert!(eventually(PATIENCE, linked), "{}", replica.log());
        let (done, dump) = stored(&product(&replica, &remote), &remote);
        loads(family, &dump, &master.digest(), &format!("{family:?}"));
        assert_eq!(warnings(&done), [""; 0]);
    }
}

#[test]
fn a_node_of_a_cluster_says_that_it_is_one() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let options = ["--cluster-enabled", "yes"];
    let Some(server) = RedisServer::start_with(Family::Redis7, &options) else { return };
    let (done, dump) = stored(&product(&server, &remote), &remote);
    assert_eq!(server.check_rdb(&dump), Ok(()));
    let warned = warnings(&done);
    assert!(warned.len() == 1 && warned[0].contains("node of a cluster"), "{warned:?}");
}

/// The server notices that we are gone, and stops its work for us.
#[test]
fn who_is_told_to_end_leaves_nothing() {
    on_each(&[RemoteKind::Local, RemoteKind::S3], |place| {
        let options = ["--repl-diskless-sync", "yes"];
        let Some(server) = RedisServer::start_with(Family::Redis7, &options) else { return };
        server.fill(150);
        for method in ["replication", "cli"] {
            server.ask("CONFIG SET rdb-key-save-delay 150000");
            let run = product(&server, &place.remote).env("REDIS_METHOD", method);
            let mut running = run.spawn();
            running.wait_until(PATIENCE, |running| {
                server.saving().is_some() && running.child("rclone").is_some()
            });
            running.signal(Signal::TERM);
            let done = running.wait(Duration::from_secs(30));
            done.expect_code(143).expect_no_leftovers();
            place.undisturbed_by(&run);
            let alone = || server.info("connected_slaves") == "0" && server.saving().is_none();
            assert!(eventually(PATIENCE, alone), "{method}: {}", server.log());
            assert_eq!(server.ask("PING"), Reply::Simple("PONG".into()));
        }
    });
}
