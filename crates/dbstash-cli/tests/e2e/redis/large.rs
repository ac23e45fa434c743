//! Values as large as they may be.

use dbstash_testkit::redis::Family;
use dbstash_testkit::{RedisServer, RemoteKind, TestRemote};

use super::product;
use crate::scene::{backups, watched};

/// Our own memory, in KiB, in a debug build, where most of it is the program itself.
const MEMORY: u64 = 40 * 1024;

#[test]
fn values_of_half_a_gibibyte() {
    let (Some(server), Some(remote)) =
        (RedisServer::start(Family::Redis7), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    // One byte less than a value may have, in a dump as large; then as many, which take less room there.
    for (last, compression) in [((512 << 20) - 2, "no"), ((512 << 20) - 1, "yes")] {
        server.ask(&format!("SETRANGE huge {last} x"));
        server.ask(&format!("CONFIG SET rdbcompression {compression}"));
        let run = product(&server, &remote);
        let (done, peak) = watched(&run);
        done.expect_code(0).expect_no_leftovers();
        assert!(peak < MEMORY, "{peak} KiB");
        eprintln!("--- {last}: at most {peak} KiB");
        let dump = remote.read(&backups(&run)[0]);
        assert_eq!(dump.len() > 512 << 20, compression == "no");
        let loaded = RedisServer::of_dump(Family::Redis7, &dump).unwrap();
        drop(dump);
        assert_eq!(loaded.digest(), server.digest());
        for name in remote.names() {
            remote.delete(&name);
        }
    }
}
