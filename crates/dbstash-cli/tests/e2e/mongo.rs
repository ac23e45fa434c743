//! What is MongoDB's own, and its conformance: archives as they are and compressed, restored and compared.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dbstash_testkit::{Dbstash, MongoServer, Mongodump, RemoteKind, Scratch, TestRemote, bins};
use serde_json::Value;

use crate::engines::{Subject, conformance_on};
use crate::scene::{PATIENCE, backups, dbstash, listed, summary};

/// A name that needs care wherever it goes.
const ODD: &str = "-Shop_100%é";

struct MongoDatabase {
    server: MongoServer,
    tool: Mongodump,
    setting: (&'static str, &'static str),
    extension: &'static str,
}

impl Subject for MongoDatabase {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = self.server.path(self.tool).unwrap().into_string().unwrap();
        vec![
            ("DB_URI", self.server.uri(ODD)),
            ("PATH", path),
            (self.setting.0, self.setting.1.to_owned()),
        ]
    }

    fn extension(&self) -> &'static str {
        self.extension
    }

    fn write_something(&self) {
        self.server.keep(&["bump", ODD]);
    }

    fn digest(&self) -> String {
        self.server.digest(ODD)
    }

    fn restored(&self, bytes: &[u8]) -> String {
        let unpacked = self.extension.ends_with("zst").then(|| zstd(bytes));
        self.server.restore(ODD, "restored", unpacked.as_deref().unwrap_or(bytes)).unwrap();
        self.server.digest("restored")
    }
}

/// What stock zstd makes of it.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    let scratch = Scratch::new("zst");
    let file = scratch.path().join("a.zst");
    fs::write(&file, bytes).unwrap();
    let done = Command::new("zstd").args(["-dcq"]).arg(&file).stderr(Stdio::inherit()).output();
    let done = done.unwrap();
    assert!(done.status.success());
    done.stdout
}

/// By this tool, in every form that a stream can have.
fn conforms(tool: Mongodump) {
    let Some(mut server) = MongoServer::start("p@ss/w:rd%'\" \\x#;é") else { return };
    if server.path(tool).is_none() {
        return;
    }
    server.seed(ODD, 3000);
    let (all, main) = (&RemoteKind::MATRIX[..], &RemoteKind::MAIN[..1]);
    for (name, value, extension, kinds) in [
        ("BACKUP_COMPRESS", "false", ".archive", all),
        ("BACKUP_COMPRESS", "true", ".archive.gz", main),
        ("BACKUP_COMPRESSION", "zstd:1", ".archive.zst", main),
    ] {
        let subject = MongoDatabase { server, tool, setting: (name, value), extension };
        conformance_on(kinds, &subject);
        server = subject.server;
    }
}

#[test]
fn mongo_conforms() {
    conforms(Mongodump::Fake);
}

#[test]
fn mongo_conforms_by_the_real_mongodump() {
    conforms(Mongodump::Real);
}

/// A server, a remote, and a run with the fake tool.
fn scene(password: &str) -> Option<(MongoServer, TestRemote, Dbstash)> {
    let (server, remote) = (MongoServer::start(password)?, TestRemote::start(RemoteKind::Local)?);
    let run = dbstash(&remote).env("PATH", server.path(Mongodump::Fake).unwrap());
    Some((server, remote, run))
}

#[track_caller]
fn failed(run: &Dbstash, remote: &TestRemote, told: &str) -> String {
    let done = run.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let event = summary(&done);
    assert!(event["error"].as_str().unwrap().contains(told), "{told}: {done}");
    assert_eq!(remote.names(), [""; 0]);
    done.to_string()
}

#[test]
fn failures_are_explained_and_leave_nothing() {
    let Some((mut server, remote, run)) = scene("right%pass") else { return };
    server.keep(&["make", "shop", "things"]);
    server.keep(&["user", "poor", "read", "elsewhere"]);
    let good = server.uri("shop");
    let (port, login) = (server.port(), format!("mongodb://u:p@127.0.0.1:{}", server.port()));
    for (uri, told) in [
        (good.replace("right", "wrong"), "refuses the user or its password"),
        // Known in admin only.
        (good.replace("authSource=admin", "authSource=shop"), "refuses the user or its password"),
        (server.uri("nonesuch"), "no database 'nonesuch'"),
        (
            format!("mongodb://poor:right%25pass@127.0.0.1:{port}/shop?authSource=elsewhere"),
            "give it the role backup",
        ),
        (
            login.replace(&port.to_string(), "1") + "/shop?serverSelectionTimeoutMS=1500",
            "nothing answers",
        ),
        (
            "mongodb://u:p@no-such-host.invalid/shop?serverSelectionTimeoutMS=1500".to_owned(),
            "cannot be resolved",
        ),
    ] {
        let said = failed(&run.clone().env("DB_URI", &uri), &remote, told);
        assert!(!said.contains("%pass") && !said.contains("%25pass"), "{said}");
    }
    for (words, told) in [
        ("--oplog", "needs a replica set"),
        ("--collection=nonesuch", "no such collection"),
        ("--nonsense", "--nonsense of DUMP_EXTRA_ARGS"),
        ("--out=/nonexistent", "leave it out"),
    ] {
        let uri = if words == "--oplog" { server.uri("") } else { good.clone() };
        let all = if words == "--oplog" { "true" } else { "" };
        let run = run.clone().env("DB_URI", uri).env("BACKUP_ALL_DATABASES", all);
        failed(&run.env("DUMP_EXTRA_ARGS", words), &remote, told);
    }
    let run = run.env("DB_URI", good);
    let missing = run.clone().env("PATH", "/usr/bin:/bin");
    if dbstash_testkit::tools::find("mongodump").is_none() {
        failed(&missing.env("PATH", dbstash_testkit::tools::path()), &remote, "mongodump");
    }
    server.stop();
    failed(&run.env("BACKUP_TIMEOUT", "60s"), &remote, "nothing answers");
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let Some((_server, remote, run)) = scene("pw") else { return };
    // Connections are made, for the kernel makes them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!(
        "mongodb://u:p@{}/shop?serverSelectionTimeoutMS=2000",
        silent.local_addr().unwrap()
    );
    let start = Instant::now();
    failed(&run.env("DB_URI", uri), &remote, "no server could be reached");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn a_database_without_anything_is_none_and_an_empty_collection_is_something() {
    let Some((server, remote, run)) = scene("pw") else { return };
    server.keep(&["make", "bare", "empty"]);
    let run = run.env("DB_URI", server.uri("bare"));
    run.run(PATIENCE).expect_code(0);
    let object = backups(&run).pop().unwrap();
    server.restore("bare", "restored", &remote.read(&object)).unwrap();
    assert_eq!(server.digest("restored"), server.digest("bare"));
    // Between two runs it is dropped.
    server.keep(&["drop", "bare"]);
    let done = run.run(PATIENCE);
    done.expect_code(1);
    assert!(summary(&done)["error"].as_str().unwrap().contains("no database 'bare'"), "{done}");
    assert_eq!(backups(&run).len(), 1);
}

#[test]
fn a_server_that_dies_in_the_middle() {
    let Some((mut server, remote, run)) = scene("pw") else { return };
    server.seed("shop", 30_000);
    let run = run.env("DB_URI", server.uri("shop")).env("RCLONE_BWLIMIT", "2M");
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| remote.names().iter().any(|name| name.contains(".part")));
    server.kill();
    let done = running.wait(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(summary(&done)["error"].as_str().unwrap().contains("server"), "{done}");
    assert_eq!(remote.names(), [""; 0]);
    server.restart();
    run.env("DB_URI", server.uri("shop")).env("RCLONE_BWLIMIT", "0").run(PATIENCE).expect_code(0);
}

#[test]
fn an_archive_cut_short_is_no_backup_whatever_the_tool_says() {
    let Some((server, remote, run)) = scene("pw") else { return };
    server.seed("shop", 500);
    let real = server.path(Mongodump::Fake).unwrap();
    let real = std::env::split_paths(&real).next().unwrap().join("mongodump");
    let liar = Scratch::new("liar");
    let program = liar.path().join("mongodump");
    let run = run.env("DB_URI", server.uri("shop"));
    for (bytes, zipped, told) in [
        ("3000000", "false", "the archive ends in the middle"),
        ("100", "false", "the archive ends in the middle"),
        ("20000", "true", "no whole gzip stream"),
    ] {
        let text =
            format!("#!/bin/sh\n'{}' \"$@\" 2>/dev/null | head -c {bytes}\n", real.display());
        dbstash_testkit::tools::write_program(&program, &text);
        let path = std::env::join_paths(
            std::iter::once(liar.path().to_owned())
                .chain(std::env::split_paths(&dbstash_testkit::tools::path())),
        );
        let run = run.clone().env("PATH", path.unwrap()).env("BACKUP_COMPRESS", zipped);
        failed(&run, &remote, told);
    }
}

#[test]
fn a_password_shows_nowhere() {
    const CANARY: &str = "canary 16180339\\ \"'#;é";
    let Some((server, remote, run)) = scene(CANARY) else { return };
    server.seed("shop", 5_000);
    let uri = server.uri("shop");
    let parts = [
        ("DBSTASH_ENGINE", "mongo".to_owned()),
        ("DB_HOST", "127.0.0.1".to_owned()),
        ("DB_PORT", server.port().to_string()),
        ("DB_USER", MongoServer::USER.to_owned()),
        ("DB_PASSWORD", CANARY.to_owned()),
        ("DB_NAME", "shop".to_owned()),
    ];
    let good = [run.clone().env("DB_URI", &uri), run.clone().envs(parts)];
    // mongodump repeats its URI when it cannot connect.
    let dead = run.clone().env("DB_URI", uri.replace(&server.port().to_string(), "1"));
    let dead = dead.env("BACKUP_TIMEOUT", "60s");
    let plan = good[0].clone().env("DRY_RUN", "true");
    for (run, code) in good.iter().map(|run| (run, 0)).chain([(&dead, 1), (&plan, 0)]) {
        let done = run.clone().env("LOG_LEVEL", "trace").sampled().run(PATIENCE);
        done.expect_code(code);
        assert!(!done.to_string().contains("16180339"), "{done}");
        let samples = done.samples.as_ref().unwrap();
        assert_eq!(samples.args_with("16180339"), [""; 0]);
        let holders = samples.environment_with("16180339");
        let ours =
            |holder: &String| ["dbstash: ", "reaper: "].iter().any(|own| holder.starts_with(own));
        assert!(holders.iter().all(ours), "{holders:?}");
    }
    for name in remote.names() {
        let bytes = remote.read(&name);
        assert!(!bytes.windows(8).any(|window| window == b"16180339"), "{name}");
    }
}

#[test]
fn a_plan_shows_what_would_be_started() {
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let run = dbstash(&remote).env("DB_URI", "mongodb://u:p@h/shop").env("DRY_RUN", "true");
    let done = run.clone().env("BACKUP_COMPRESS", "true").run(PATIENCE);
    done.expect_code(0);
    let line = "mongodump --config=<private file> --archive --gzip --db=shop";
    assert!(done.stdout.contains(line) && done.stdout.contains(".archive.gz"), "{done}");
    for (name, value, told) in [
        ("DUMP_EXTRA_ARGS", "--db=x", "set DB_URI"),
        ("DUMP_EXTRA_ARGS", "--oplog", "BACKUP_ALL_DATABASES=true"),
        ("DUMP_EXTRA_ARGS", "--password=x", "DB_PASSWORD"),
    ] {
        let done = run.clone().env(name, value).run(PATIENCE);
        done.expect_code(2);
        assert!(done.to_string().contains(told), "{done}");
    }
}

#[test]
fn who_asks_for_the_names_says_what_is_wrong() {
    let asked = |words: &[&str]| {
        let out = std::process::Command::new(bins::mongo_asker()).args(words).output().unwrap();
        (out.status.code(), String::from_utf8(out.stderr).unwrap())
    };
    assert_eq!(asked(&[]).0, Some(2));
    let (code, said) = asked(&["databases", "/nonexistent"]);
    assert!(code == Some(1) && said.contains("/nonexistent"), "{said}");
}

/// The databases of what is listed.
fn labels(run: &Dbstash) -> Vec<String> {
    let all = listed(run);
    let all = all["backups"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut labels: Vec<_> = all.map(|backup| text(&backup["database"])).collect();
    labels.sort_unstable();
    labels
}

#[test]
fn all_several_and_each_of_the_databases() {
    bins::mongo_asker();
    let Some((server, remote, run)) = scene("pw %é") else { return };
    for database in ["one", "two-é", "tmp_1"] {
        server.keep(&["make", database, "things"]);
    }
    let uri = run.clone().env("DB_URI", server.uri(""));
    let each = uri.clone().env("BACKUP_SPLIT_DATABASES", "true").env("DB_EXCLUDE", "tmp_*");
    each.run(PATIENCE).expect_code(0).expect_no_leftovers();
    assert_eq!(labels(&uri.clone().env("DB_NAME", "*")), ["one", "two-é"]);
    // The database of the URI is only the one to log in to.
    let login = server.uri("one").replace("authSource=admin", "retryReads=true");
    server.keep(&["user", "local", "read", "one"]);
    let local = login.replace("stash:", "local:");
    run.clone().env("DB_URI", &local).run(PATIENCE).expect_code(0);
    let all = uri.clone().env("BACKUP_ALL_DATABASES", "true");
    all.run(PATIENCE).expect_code(0).expect_no_leftovers();
    assert_eq!(labels(&all), ["*", "one", "one", "two-é"]);
    let whole = remote.read(&backups(&all)[0]);
    server.restore("tmp_1", "restored", &whole).unwrap();
    assert_eq!(server.digest("restored"), server.digest("tmp_1"));
    let several = uri.clone().env("DB_NAME", "one,nonesuch,tmp_1").run(PATIENCE);
    // One that fails does not stop the others.
    several.expect_code(1).expect_no_leftovers();
    assert_eq!(labels(&all), ["*", "one", "one", "one", "tmp_1", "two-é"]);
    let refused = all.env("DB_EXCLUDE", "tmp_*").run(PATIENCE);
    refused.expect_code(2);
    assert!(refused.stderr.contains("BACKUP_SPLIT_DATABASES=true"), "{refused}");
    // Who asks for the names has the password in a private file, too.
    let wrong = each.clone().env("DB_URI", server.uri("").replace("pw", "canary3141"));
    let done = wrong.env("LOG_LEVEL", "trace").sampled().run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(done.stderr.contains("refuses the user or its password"), "{done}");
    assert!(!done.to_string().contains("canary3141"), "{done}");
    assert_eq!(done.samples.as_ref().unwrap().args_with("canary3141"), [""; 0]);
    let dead = server.uri("").replace(&server.port().to_string(), "1");
    let done = each.env("DB_URI", dead + "&serverSelectionTimeoutMS=1500").run(PATIENCE);
    done.expect_code(1);
    assert!(done.stderr.contains("nothing answers"), "{done}");
}
