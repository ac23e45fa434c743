//! Redis and Valkey: one set of tests, three servers, and a master that follows a script.

mod conformance;
mod large;
mod live;
mod login;
mod masters;
mod odd;
mod refused;
mod slow;
mod tls;

use dbstash_testkit::redis::{Family, rdb};
use dbstash_testkit::{Dbstash, Finished, RedisServer, TestRemote};
use serde_json::Value;

use crate::matrix::place::{Place, failed, journals};
use crate::scene::{PATIENCE, dbstash};

/// The program with the tools of this server's version, for this remote.
fn product(server: &RedisServer, remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("PATH", server.path()).env("DB_URI", server.uri())
}

/// Runs it well: what it stored.
#[track_caller]
fn stored(run: &Dbstash, remote: &TestRemote) -> (Finished, Vec<u8>) {
    stored_or(run, remote, &String::new)
}

/// The same; when it fails, what else there is to know is shown.
#[track_caller]
fn stored_or(run: &Dbstash, remote: &TestRemote, more: &dyn Fn() -> String) -> (Finished, Vec<u8>) {
    let before = remote.names();
    let done = run.run(PATIENCE);
    assert_eq!(done.code, Some(0), "{done}\n{}", more());
    done.expect_no_leftovers();
    let mut new = remote.names();
    new.retain(|name| !before.contains(name) && !name.ends_with(".dbstash.json"));
    assert_eq!(new.len(), 1, "{new:?}: {done}");
    let dump = remote.read(&new[0]);
    (done, dump)
}

/// It begins and ends as a dump does, and nothing stands behind it.
#[track_caller]
fn whole(dump: &[u8]) {
    let (body, sum) = dump.split_at(dump.len() - 8);
    assert!(dump.starts_with(b"REDIS0") || dump.starts_with(b"VALKEY0"));
    assert_eq!((body.last(), rdb::crc64(body).to_le_bytes().as_slice()), (Some(&0xFF), sum));
}

/// It loads in a server of this family in both ways, and holds this.
#[track_caller]
fn loads(family: Family, dump: &[u8], digest: &str, case: &str) {
    for aof in [false, true] {
        let load = if aof { RedisServer::of_aof_base } else { RedisServer::of_dump };
        let loaded = load(family, dump).unwrap_or_else(|log| panic!("{case}: {log}"));
        assert!(loaded.digest() == digest, "{case}: {}\n\n{digest}", loaded.digest());
    }
}

/// Every warning of a run.
fn warnings(done: &Finished) -> Vec<String> {
    let warnings = done.events.iter().filter(|event| event["level"] == "WARN");
    let text = |event: &Value| event["message"].as_str().unwrap_or_default().to_owned();
    warnings.map(text).collect()
}

/// The run fails for this reason, and leaves the remote and this machine as they were.
#[track_caller]
fn fails(place: &Place, run: &Dbstash, told: &str) -> Finished {
    let done = run.run(PATIENCE);
    failed(&done, "dump", told);
    nothing_left(place, run, &done);
    done
}

/// Only the older backup is there.
#[track_caller]
fn nothing_left(place: &Place, run: &Dbstash, done: &Finished) {
    let names = place.remote.names();
    assert!(
        names.len() == 2 && names.iter().all(|name| place.older.has(name)),
        "{names:?}: {done}"
    );
    assert_eq!(journals(run), [""; 0], "{done}");
}
