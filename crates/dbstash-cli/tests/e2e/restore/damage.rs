//! What is on a remote is not what was stored there: nothing is restored, and the target stays as it is.

use dbstash_testkit::{Dbstash, MysqlServer, PgServer, RemoteKind, TestRemote};

use super::expect_refused;
use super::mysql::may_write;
use crate::scene::{PATIENCE, dbstash, listed};

const AS_IT_WAS: &str = "the target is as it was";

/// Two backups of one size; whatever is done to the newer one, it is refused.
#[track_caller]
fn is_refused(
    run: &Dbstash,
    remote: &TestRemote,
    to: &str,
    change: &dyn Fn(),
    held: &dyn Fn() -> String,
) {
    let newest = || {
        let newest = &listed(run)["backups"][0];
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        (text(&newest["id"]), text(&newest["paths"][0]))
    };
    run.run(PATIENCE).expect_code(0);
    let older = remote.read(&newest().1);
    change();
    run.run(PATIENCE).expect_code(0);
    let (id, name) = newest();
    let good = remote.read(&name);
    assert!(older != good && older.len() == good.len());
    let before = held();
    let refused = |what: &str, said: &[&str]| {
        expect_refused(run, &[&id, "--clean", "--to", to], said);
        assert_eq!(held(), before, "{what}");
    };
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for (what, bytes) in [("flipped", &flipped), ("swapped", &older)] {
        remote.write(&name, bytes);
        refused(what, &["corrupt", AS_IT_WAS]);
    }
    remote.write(&name, &good[..good.len() - 1]);
    refused("short", &["no backup here"]);
    if remote.kind() == RemoteKind::CryptS3 {
        let was = remote.stored();
        remote.write(&name, &good);
        let mut now = remote.stored().into_iter();
        let (stored, mut bytes) = now.find(|(name, bytes)| was.get(name) != Some(bytes)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        remote.damage(&stored, &bytes);
        refused("below the encryption", &["corrupt", AS_IT_WAS]);
    }
}

#[test]
fn nothing_damaged_gets_into_one_transaction() {
    let Some(server) = PgServer::start("secret") else { return };
    server.createdb("shop");
    server.createdb("target");
    server.psql("shop", "CREATE TABLE big AS SELECT n FROM generate_series(100, 999) AS n");
    server.psql("target", "CREATE TABLE mine AS SELECT 1 AS a");
    server.psql("postgres", "ALTER ROLE stash SUPERUSER");
    let Some(remote) = TestRemote::start(RemoteKind::CryptS3) else { return };
    let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
    let run = run.env("PG_GLOBALS", "off");
    let change = || drop(server.psql("shop", "UPDATE big SET n = 111 WHERE n = 555"));
    is_refused(&run, &remote, &server.uri("target"), &change, &|| server.digest("target"));
    // A manifest without its object, or without one file of it.
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = run.envs(remote.env()).env("RCLONE_REMOTE", remote.root());
    let before = server.digest("target");
    for mode in ["stream", "directory"] {
        run.clone().env("BACKUP_MODE", mode).run(PATIENCE).expect_code(0);
        let newest = &listed(&run)["backups"][0];
        let [id, object] = [&newest["id"], &newest["paths"][0]].map(|text| text.as_str().unwrap());
        let is_of_it = |name: &String| name.starts_with(object) && !name.ends_with(".json");
        remote.delete(&remote.names().into_iter().find(is_of_it).unwrap());
        let told = [id, "is no backup here", object];
        expect_refused(&run, &[id, "--clean", "--to", &server.uri("target")], &told);
        assert_eq!(server.digest("target"), before, "{mode}");
    }
}

#[test]
fn nothing_damaged_gets_behind_a_mark() {
    let Some(server) = MysqlServer::start_mariadb("secret") else { return };
    may_write(&server);
    server.createdb("shop");
    server.createdb("target");
    server.sql("shop", "CREATE TABLE big AS SELECT seq FROM seq_100_to_999");
    server.sql("target", "CREATE TABLE mine (a INT); INSERT INTO mine VALUES (1)");
    let change = || drop(server.sql("shop", "UPDATE big SET seq = 111 WHERE seq = 555"));
    for kind in [RemoteKind::S3, RemoteKind::CryptS3] {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run = dbstash(&remote).env("PATH", server.path()).env("DB_URI", server.uri("shop"));
        is_refused(&run, &remote, &server.uri("target"), &change, &|| server.digest("target"));
        server.sql("shop", "UPDATE big SET seq = 555 WHERE seq = 111 LIMIT 1");
    }
}
