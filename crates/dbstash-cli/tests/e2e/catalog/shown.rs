//! `dbstash show`: what it says to do restores.

use std::process::Command;

use dbstash_testkit::{RemoteKind, TestRemote, sqlite, tools};

use super::{json, with};
use crate::scene::{backups, dbstash, shop_file};

#[test]
fn everything_is_told_and_the_hint_restores() {
    for (kind, compression) in
        [(RemoteKind::Local, "none"), (RemoteKind::S3, "zstd"), (RemoteKind::CryptLocal, "gzip")]
    {
        let (Some(file), Some(remote)) = (shop_file(200), TestRemote::start(kind)) else { return };
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_COMPRESSION", compression)
            .env("BACKUP_NAME_TEMPLATE", "it's/{db} {uuid}")
            .env("DBSTASH_JOB", "nightly");
        with(&run, &[], 0);
        with(&run, &["verify"], 0);
        with(&run, &["pin", "latest"], 0);
        let value = json(&run, &["show", "latest"]);
        let id = value["id"].as_str().unwrap();
        let object = backups(&run).remove(0);
        assert_eq!(value["verification"]["good"], "structure", "{value}");
        assert_eq!(value["verification"]["id"], value["id"]);

        // By its id, its beginning, its path; without a database, too.
        for name in [id, &id[..8], &object] {
            let bare = run.clone().env_remove("DB_URI").env_remove("BACKUP_COMPRESSION");
            let told = with(&bare, &["show", name], 0).stdout;
            let sha256 = value["objects"][0]["sha256"].as_str().unwrap();
            for part in [id, "nightly", "sqlite", &object, sha256, "structure, ", "footer"] {
                assert!(told.contains(part), "{part}: {told}");
            }
            assert!(told.contains("pinned        yes"), "{told}");
            assert!(told.contains("retention     unknown here"), "{told}");
        }
        assert_eq!(value["retention"], "keep: pinned");

        let text = value["restore"].as_str().unwrap();
        let copy = file.scratch.path().join("copy.db");
        let mut shell = Command::new("bash");
        shell.args(["-c", text]).env("TARGET", &copy);
        let env = remote.env().into_iter().chain([("RCLONE_CONFIG".into(), "/dev/null".into())]);
        let done = shell.env("PATH", tools::path()).envs(env).output().unwrap();
        assert!(done.status.success(), "{text}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(sqlite::run(&copy, ".dump"), sqlite::run(&file.path, ".dump"), "{kind}");
    }
}

#[test]
fn what_is_not_there_is_not_shown() {
    let (Some(file), Some(remote)) = (shop_file(1), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    assert!(with(&run, &["show", "latest"], 1).stderr.contains("latest is no backup here"));
    with(&run, &[], 0);
    with(&run, &["show", "nothing"], 1);
    with(&run, &["show"], 2);
    assert!(with(&run, &["show", "latest", "--db", "other"], 1).stdout.is_empty());
}
