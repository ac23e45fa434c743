//! A canary in every secret, looked for everywhere.

use std::fs;
use std::path::Path;

use dbstash_testkit::{PgServer, RemoteKind, TestRemote};

use crate::scene::{PATIENCE, dbstash};

const CANARY: &str = "canary27182818";

#[test]
fn a_secret_is_in_no_argv_log_manifest_or_foreign_environment() {
    let (Some(server), Some(remote)) = (PgServer::start(CANARY), TestRemote::start(RemoteKind::S3))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 200_000);
    for level in ["trace", "info"] {
        let run =
            dbstash(&remote).env("DB_URI", server.uri("shop")).env("LOG_LEVEL", level).sampled();
        let done = run.run(PATIENCE);
        done.expect_code(0);
        assert!(!done.to_string().contains(CANARY), "{done}");
        for name in remote.names() {
            if name.ends_with(".json") {
                assert!(!String::from_utf8(remote.read(&name)).unwrap().contains(CANARY));
            }
        }
        let samples = done.samples.as_ref().unwrap();
        let programs = samples.programs();
        assert!(programs.contains(&"pg_dump") && programs.contains(&"rclone"), "{programs:?}");
        assert_eq!(samples.args_with(CANARY), [""; 0]);
        let holders = samples.environment_with(CANARY);
        for holder in &holders {
            // Debian's pg_dump is a perl script around the real one; pg_dumpall asks for its version by a shell.
            let own = ["dbstash: ", "reaper: ", "pg_dump", "perl: PGPASSWORD=", "sh: PGPASSWORD="];
            assert!(own.iter().any(|own| holder.starts_with(own)), "{holders:?}");
        }
        for secret in remote.secrets() {
            assert_eq!(samples.args_with(secret), [""; 0]);
            let holders = samples.environment_with(secret);
            assert!(!holders.iter().any(|holder| holder.starts_with("pg_dump")), "{holders:?}");
            assert!(!done.to_string().contains(secret.as_str()), "{done}");
        }
        nothing_private_left(&run.state_dir());
    }
    let wrong = server.uri("shop").replace(CANARY, "canary31415926");
    let done = dbstash(&remote).env("DB_URI", wrong).env("LOG_LEVEL", "trace").run(PATIENCE);
    done.expect_code(1);
    assert!(!done.to_string().contains("canary31415926"), "{done}");
}

/// No file below holds the canary, and nobody else may read any.
fn nothing_private_left(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            assert_eq!(
                fs::metadata(&path).unwrap().permissions().mode() & 0o077,
                0,
                "{}",
                path.display()
            );
            nothing_private_left(&path);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(CANARY), "{}", path.display());
        }
    }
}
