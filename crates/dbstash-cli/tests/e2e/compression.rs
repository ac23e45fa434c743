//! `BACKUP_COMPRESSION`: what is stored is what stock `zstd` and `gzip` read, and is as safe as what is not compressed.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use dbstash_testkit::{
    Dbstash, FakeTools, PgServer, RemoteKind, Scratch, TestRemote, sqlite, tools,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::scene::{Older, PATIENCE, backups, dbstash, each_remote, listed, shop_file, summary};

/// The setting, the extension it appends, and the stock tool that reads it.
const METHODS: [(&str, &str, &str); 5] = [
    ("zstd", ".zst", "zstd"),
    ("zstd:1", ".zst", "zstd"),
    ("zstd:19", ".zst", "zstd"),
    ("gzip", ".gz", "gzip"),
    ("gzip:1", ".gz", "gzip"),
];

/// A stock tool on these bytes.
pub fn filter(tool: &str, args: &[&str], bytes: &[u8]) -> Output {
    let mut child = Command::new(tools::require(tool).unwrap())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes));
        child.wait_with_output().unwrap()
    })
}

/// The dump out of a stored object, which the stock tool finds whole.
pub fn dump(tool: &str, stored: &[u8]) -> Vec<u8> {
    let tested = filter(tool, &["-t"], stored);
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    let decoded = filter(tool, &["-dc"], stored);
    assert!(decoded.status.success());
    decoded.stdout
}

/// What the manifest says of an object is true, and what it was made of.
fn object(remote: &TestRemote, manifest: &Value, at: usize, tool: &str) -> Vec<u8> {
    let stored = remote.read(manifest["paths"][at].as_str().unwrap());
    let object = &manifest["objects"][at];
    assert_eq!(object["encodings"], json!([tool]));
    assert_eq!(object["bytes"], stored.len());
    assert_eq!(object["sha256"], base16ct::lower::encode_string(&Sha256::digest(&stored)));
    let dump = dump(tool, &stored);
    assert_eq!(object["raw_bytes"], dump.len());
    dump
}

#[test]
fn an_sqlite_dump_in_every_method_restores() {
    let Some(file) = shop_file(20_000) else { return };
    if ["zstd", "gzip"].iter().any(|tool| tools::require(tool).is_none()) {
        return;
    }
    let before = sqlite::digest(&file.path);
    for kind in RemoteKind::ALL {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let methods = if kind == RemoteKind::Local { &METHODS[..] } else { &METHODS[..1] };
        for (method, extension, tool) in methods {
            eprintln!("--- {method} on {kind}");
            let run = dbstash(&remote)
                .env("DB_URI", file.uri())
                .env("BACKUP_NAME_TEMPLATE", "{db}-{uuid}")
                .env("BACKUP_COMPRESSION", method);
            let done = run.run(PATIENCE);
            done.expect_code(0).expect_no_leftovers();
            let event = summary(&done);
            assert!(event["raw_bytes"].as_u64() > event["bytes"].as_u64(), "{done}");
            let listed = listed(&run);
            let newest = &listed["backups"][0];
            assert!(newest["paths"][0].as_str().unwrap().ends_with(&format!(".sql{extension}")));
            let script = object(&remote, newest, 0, tool);
            let scratch = Scratch::new("restored");
            let restored = scratch.path().join("shop.db");
            sqlite::restore(&restored, &script).unwrap();
            assert_eq!(sqlite::digest(&restored), before);
        }
    }
}

#[test]
fn a_pg_dump_and_what_is_beside_it_restore() {
    let (Some(server), Some(_)) = (PgServer::start("pw"), tools::require("zstd")) else { return };
    server.createdb("shop");
    server.seed_shop("shop", 100_000);
    let Some(remote) = TestRemote::start(RemoteKind::Moto) else { return };
    let run = dbstash(&remote).env("DB_URI", server.uri("shop")).env("BACKUP_COMPRESSION", "zstd");
    let run = run.env("PG_GLOBALS", "on");
    run.run(PATIENCE).expect_code(0).expect_no_leftovers();
    let listed = listed(&run);
    let backup = &listed["backups"][0];
    let script = object(&remote, backup, 0, "zstd");
    assert!(backup["paths"][1].as_str().unwrap().ends_with(".globals.sql.zst"), "{backup}");
    let globals = object(&remote, backup, 1, "zstd");
    assert!(String::from_utf8(globals).unwrap().contains("CREATE ROLE"));
    server.createdb("again");
    server.feed("again", &script).unwrap();
    assert_eq!(server.digest("again"), server.digest("shop"));
    // The whole extension is the user's word.
    let done = run.clone().env("BACKUP_EXTENSION", ".dump").run(PATIENCE);
    done.expect_code(0);
    assert!(backups(&run)[0].ends_with(".dump"));
}

#[test]
fn nothing_is_compressed_twice() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
        .env("BACKUP_COMPRESSION", "zstd");
    for (name, value) in [
        ("BACKUP_COMPRESS", "true"),
        ("DUMP_EXTRA_ARGS", "-Fc"),
        ("DUMP_EXTRA_ARGS", "--format=custom -Z5"),
        ("DUMP_EXTRA_ARGS", "-Z5"),
    ] {
        let done = run.clone().env(name, value).run(PATIENCE);
        done.expect_code(2);
        assert!(done.stderr.contains("BACKUP_COMPRESSION=zstd:3"), "{done}");
        assert!(done.stderr.contains("unset one of them"), "{done}");
    }
    for (args, target) in
        [("-Fc -Z0", ".dump.zst"), ("-Ft", ".tar.zst"), ("-Z0", ".sql.zst"), ("", ".sql.zst")]
    {
        let done = run.clone().env("DUMP_EXTRA_ARGS", args).env("DRY_RUN", "true").run(PATIENCE);
        done.expect_code(0);
        let told = done.stdout.lines().find(|line| line.starts_with("target")).unwrap();
        assert!(told.ends_with(target), "{args}: {told}");
    }
}

/// A lying or dying pg_dump, or rclone, on the way through the compression.
#[test]
fn a_failure_on_either_side_publishes_nothing() {
    let (Some(file), Some(rclone)) = (shop_file(50), tools::require("rclone")) else { return };
    let through = format!("exec {}", rclone.display());
    let dies = format!("when rcat\nread 1MiB\nerr quota\nexit 1\notherwise\n{through}");
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        for (case, pg_dump, rclone, phase) in [
            ("dies", "pg-head\nout-bytes 30MiB\nerr no\nexit 1", &through, "dump"),
            ("no footer", "pg-head\nout-bytes 30MiB", &through, "dump"),
            ("nothing", "exit 0", &through, "dump"),
            ("stalls", "pg-head\nout-bytes 3MiB\nsleep 300s", &through, "stall"),
            ("rclone dies", "pg-head\nout-random 30MiB\nsleep 300s", &dies, "upload"),
        ] {
            for method in ["zstd:1", "gzip:1"] {
                eprintln!("    {case}, {method}");
                let fakes = FakeTools::new().tool("pg_dump", pg_dump).tool("rclone", rclone);
                let run = fake_run(&remote, &fakes).env("BACKUP_COMPRESSION", method);
                let done = run.env("BACKUP_STALL_TIMEOUT", "2s").run(PATIENCE);
                done.expect_code(1).expect_no_leftovers();
                assert_eq!(summary(&done)["phase"], phase, "{done}");
                older.alone(&dbstash(&remote), &remote);
            }
        }
    });
}

#[test]
fn a_stopped_upload_is_told_from_a_stopped_dump() {
    let (Some(remote), Some(rclone)) =
        (TestRemote::start(RemoteKind::Local), tools::require("rclone"))
    else {
        return;
    };
    let stops = format!("when rcat\nread 1MiB\nsleep 300s\notherwise\nexec {}", rclone.display());
    for (pg_dump, rclone, side) in [
        ("pg-head\nout-bytes 1MiB\nsleep 300s", format!("exec {}", rclone.display()), "the dump"),
        ("pg-head\nout-random 64MiB\npg-footer", stops, "the upload"),
    ] {
        let fakes = FakeTools::new().tool("pg_dump", pg_dump).tool("rclone", &rclone);
        let run = fake_run(&remote, &fakes).env("BACKUP_COMPRESSION", "zstd");
        let done = run.env("BACKUP_STALL_TIMEOUT", "2s").run(Duration::from_secs(60));
        done.expect_code(1).expect_no_leftovers();
        assert!(summary(&done)["error"].as_str().unwrap().contains(side), "{done}");
        assert_eq!(remote.names(), [""; 0]);
    }
}

fn fake_run(remote: &TestRemote, fakes: &FakeTools) -> Dbstash {
    dbstash(remote).env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop").env("PATH", fakes.path())
}
