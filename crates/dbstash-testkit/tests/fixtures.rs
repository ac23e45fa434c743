//! The fixtures do what they say: otherwise the product's tests prove nothing.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests of the fixtures use real tools as a person would"
)]
#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use dbstash_testkit::server::eventually;
use dbstash_testkit::{PgServer, RemoteKind, Scratch, Signal, TestRemote, sqlite, tools};

const PASSWORD: &str = "p@ss '\"\\ :/?#%40 ü";

#[test]
fn every_remote_stores_lists_and_deletes() {
    for kind in RemoteKind::ALL {
        let Some(remote) = TestRemote::start(kind) else {
            return;
        };
        assert!(remote.objects().is_empty(), "{kind}");
        remote.write("a b/ü.sql", b"some bytes");
        remote.write("top", b"");
        let objects = remote.objects();
        let expected = [("a b/ü.sql".to_owned(), 10), ("top".to_owned(), 0)];
        assert_eq!(objects, expected.into(), "{kind}");
        assert_eq!(remote.read("a b/ü.sql"), b"some bytes", "{kind}");
        remote.delete("top");
        assert_eq!(remote.names(), ["a b/ü.sql"], "{kind}");
    }
}

#[test]
fn a_remote_without_its_password_is_closed() {
    for kind in [RemoteKind::Sftp, RemoteKind::Webdav, RemoteKind::S3] {
        let Some(remote) = TestRemote::start(kind) else {
            return;
        };
        let mut rclone = remote.rclone(&["lsf", remote.root(), "--low-level-retries", "1"]);
        rclone.env_remove("RCLONE_CONFIG_DST_PASS");
        rclone.env("RCLONE_CONFIG_DST_SECRET_ACCESS_KEY", "wrong");
        assert!(!rclone.output().unwrap().status.success(), "{kind}");
    }
}

#[test]
fn a_remotes_server_can_die() {
    let Some(mut remote) = TestRemote::start(RemoteKind::Webdav) else {
        return;
    };
    remote.write("x", b"1");
    remote.signal_server(Signal::KILL);
    let mut rclone = remote.rclone(&["lsf", remote.root(), "--low-level-retries", "1"]);
    assert!(!rclone.output().unwrap().status.success());
}

#[test]
fn an_upload_cut_short_is_seen() {
    let Some(remote) = TestRemote::start(RemoteKind::Moto) else {
        return;
    };
    assert_eq!(remote.pending_uploads(), 0);
    let target = format!("{}/x", remote.root());
    let mut rclone = remote.rclone(&["rcat", &target]);
    let mut rclone = rclone.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut input = rclone.stdin.take().unwrap();
    input.write_all(&vec![7; 20 << 20]).unwrap();
    assert!(eventually(Duration::from_secs(30), || remote.pending_uploads() == 1));
    rclone.kill().unwrap();
    rclone.wait().unwrap();
    assert_eq!(remote.pending_uploads(), 1);
    assert!(remote.objects().is_empty());
}

#[test]
fn a_postgres_shop_survives_stock_tools_and_nothing_less() {
    let Some(mut server) = PgServer::start(PASSWORD) else {
        return;
    };
    let odd = "Shop's \"1\" 100%";
    server.createdb(odd);
    server.seed_shop(odd, 2000);
    let original = server.digest(odd);
    assert_eq!(server.psql(odd, "SELECT count(*) FROM bulk"), "2000");

    // By the role, over TCP with its password, as the product does it.
    let dump = std::process::Command::new(tools::find("pg_dump").unwrap())
        .arg("--dbname")
        .arg(server.uri(odd))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .unwrap();
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    server.createdb("restored");
    server.feed("restored", &dump.stdout).unwrap();
    assert_eq!(server.digest("restored"), original);

    for change in [
        "UPDATE customer SET mood = '' WHERE id = 4",
        "UPDATE every_type SET t = NULL WHERE t = ''",
        "SELECT nextval('invoice_number')",
        "SELECT lo_put(4711, 0, '\\x01')",
        "DELETE FROM cat",
        "CREATE TABLE one_more ()",
        "REVOKE SELECT ON customer FROM PUBLIC",
    ] {
        let before = server.digest("restored");
        server.psql("restored", change);
        assert_ne!(server.digest("restored"), before, "{change}");
    }

    server.stop();
    server.restart();
    assert_eq!(server.digest(odd), original);
    server.crash();
    server.restart();
    assert_eq!(server.psql(odd, "SELECT count(*) FROM bulk"), "2000");
}

#[test]
fn the_role_needs_its_password() {
    let Some(server) = PgServer::start(PASSWORD) else {
        return;
    };
    let psql = |uri: &str| {
        let mut psql = std::process::Command::new(tools::find("psql").unwrap());
        psql.args(["-wXAt", "-c", "SELECT current_user", "-d", uri]);
        let output = psql.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let uri = server.uri("postgres");
    assert_eq!(psql(&uri), "stash\n");
    assert_eq!(psql(&uri.replace("%40ss", "wrong")), "");
    assert_eq!(psql(&uri.replace("stash", "postgres")), "");
}

#[test]
fn a_newer_postgres_refuses_the_older_tool() {
    let Some(server) = PgServer::start_18(PASSWORD) else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 10);
    assert_eq!(server.digest("shop"), server.digest("shop"));
    assert!(server.psql("shop", "SHOW server_version").starts_with("18"));
    let dump = std::process::Command::new(tools::find("pg_dump").unwrap())
        .args(["-d", &server.uri("shop")])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&dump.stderr);
    assert!(stderr.contains("server version mismatch"), "{stderr}");
}

#[test]
fn a_sqlite_shop_survives_stock_tools_and_nothing_less() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("sqlite");
    let file = |name: &str| scratch.path().join(name);
    sqlite::seed_shop(&file("shop.db"), 1000);
    let original = sqlite::digest(&file("shop.db"));
    assert_eq!(sqlite::run(&file("shop.db"), "SELECT count(*) FROM bulk;"), "1000");

    let dump = sqlite::run(&file("shop.db"), ".dump");
    // What stock sqlite3 leaves out of a dump.
    let header = "PRAGMA user_version = 42; PRAGMA application_id = 1684173683;\n";
    sqlite::restore(&file("restored.db"), format!("{header}{dump}").as_bytes()).unwrap();
    assert_eq!(sqlite::digest(&file("restored.db")), original);

    for change in [
        "UPDATE every_type SET t = NULL WHERE id = 2;",
        "PRAGMA user_version = 1;",
        "DROP INDEX \"by 100%\";",
        "DELETE FROM bulk WHERE id = 1000;",
    ] {
        let copy = file("changed.db");
        fs::copy(file("restored.db"), &copy).unwrap();
        sqlite::run(&copy, change);
        assert_ne!(sqlite::digest(&copy), original, "{change}");
    }
    assert!(sqlite::restore(&file("bad.db"), b"BEGIN;\nnonsense;\n").is_err());
}
