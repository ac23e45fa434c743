//! MongoDB: archives by mongorestore, under a mark.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use dbstash_testkit::{Dbstash, MongoServer, Mongodump, RemoteKind, TestRemote, bins};
use rustix::process::Signal;

use super::{expect_refused, restore};
use crate::scene::{PATIENCE, backups, dbstash};

const ODD: &str = "-Shop_100%é";
const MARK: &str = "dbstash_restore_incomplete";

fn scene(kind: RemoteKind, password: &str) -> Option<(MongoServer, TestRemote, Dbstash)> {
    bins::mongo_asker();
    let (server, remote) = (MongoServer::start(password)?, TestRemote::start(kind)?);
    let run = dbstash(&remote).env("PATH", server.path(Mongodump::Fake).unwrap());
    Some((server, remote, run))
}

#[test]
fn archives_come_back_under_any_name() {
    let Some((server, _, _)) = scene(RemoteKind::Local, "canary \\\"'%é31") else { return };
    server.seed(ODD, 300);
    let digest = server.digest(ODD);
    for (kind, mode, setting, value) in [
        (RemoteKind::Local, "stream", "BACKUP_COMPRESS", "true"),
        (RemoteKind::S3, "stream", "BACKUP_COMPRESSION", "zstd"),
        (RemoteKind::CryptS3, "stream", "BACKUP_COMPRESSION", "none"),
        (RemoteKind::Local, "directory", "BACKUP_COMPRESS", "true"),
        (RemoteKind::CryptS3, "directory", "BACKUP_COMPRESSION", "none"),
        (RemoteKind::S3, "tar", "BACKUP_COMPRESSION", "zstd"),
    ] {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run = dbstash(&remote)
            .env("PATH", server.path(Mongodump::Fake).unwrap())
            .env("DB_URI", server.root_uri(ODD))
            .env("BACKUP_MODE", mode)
            .env(setting, value);
        run.run(PATIENCE).expect_code(0);
        let done = restore(&run.clone().sampled(), &["--to", &server.root_uri("other-é")]);
        done.expect_code(0).expect_no_leftovers();
        assert!(!done.to_string().contains("canary"), "{done}");
        let shown = done.samples.as_ref().unwrap().args_with("canary");
        // Whoever starts dbstash wrote it there; nobody else does.
        assert!(shown.iter().all(|line| line.contains("--to")), "{shown:?}");
        assert_eq!(server.digest("other-é"), digest, "{kind} {mode}");
        server.keep(&["drop", "other-é"]);
    }
}

#[test]
fn what_is_there_stays_unless_it_may_go() {
    let Some((mut server, remote, run)) = scene(RemoteKind::Local, "pw") else { return };
    server.keep(&["few", "shop"]);
    server.keep(&["make", "shop", "rows"]);
    let digest = server.digest("shop");
    let run = run.env("DB_URI", server.root_uri("shop")).env("BACKUP_COMPRESSION", "gzip");
    run.run(PATIENCE).expect_code(0);
    server.keep(&["make", "shop", "later"]);
    let before = server.digest("shop");
    expect_refused(&run, &[], &["not empty (", "collections)", "--clean"]);
    expect_refused(&run, &["--clean", "--data-only"], &["--data-only are not for mongo"]);
    expect_refused(&run, &["--clean", "--to-file", "/x"], &["restored into a server"]);
    let dead = server.root_uri("shop").replace(&server.port().to_string(), "1");
    let dead = dead + "&serverSelectionTimeoutMS=500";
    expect_refused(&run, &["--to", &dead], &["nothing answers"]);
    // Who may read may not restore.
    expect_refused(
        &run,
        &["--to", &server.uri("new")],
        &["error: the mark cannot be set", "the target is as it was, or empty"],
    );
    // One collection, beside nothing else.
    let one = ["--to", &server.root_uri("one"), "--table", "types"];
    restore(&run, &one).expect_code(0);
    let types = server.digest("one");
    assert!(types.starts_with("types collection") && types.contains("1 documents"), "{types}");
    assert!(!types.contains("rows"), "{types}");

    let name = backups(&run).remove(0);
    let good = remote.read(&name);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    remote.write(&name, &flipped);
    expect_refused(&run, &["--clean"], &["corrupt", "the target is as it was"]);
    assert_eq!(server.digest("shop"), before);
    remote.write(&name, &good);

    // Killed, or without a server, while mongorestore is at work.
    let (path, hold) = waiting(&server);
    let slow = run.clone().env("PATH", path);
    for victim in ["dbstash", "server"] {
        let to = server.root_uri("shop") + "&serverSelectionTimeoutMS=200";
        let mut running = slow.clone().args(["restore", "--yes", "--clean", "--to", &to]).spawn();
        running.wait_until(PATIENCE, |_| server.digest("shop").contains(MARK));
        if victim == "dbstash" {
            running.signal(Signal::KILL);
            running.wait(PATIENCE);
        } else {
            server.kill();
            fs::remove_file(&hold).unwrap();
            let done = running.wait(PATIENCE);
            done.expect_code(1).expect_no_leftovers();
            assert!(done.stderr.contains("is marked as such"), "{done}");
            server.restart();
        }
        let to = server.root_uri("shop");
        let told = ["holds an interrupted restore of", "--clean"];
        expect_refused(&run, &["--to", &to], &told);
        restore(&run, &["--clean", "--to", &to]).expect_code(0).expect_no_leftovers();
        assert_eq!(server.digest("shop"), digest, "{victim}");
    }
}

/// What the server's users have.
fn databases(server: &MongoServer) -> Vec<String> {
    let names = server.keep(&["names"]);
    let names = names.lines().filter(|name| !["admin", "config", "local"].contains(name));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_whole_server_comes_back_in_an_empty_one() {
    let Some((server, remote, run)) = scene(RemoteKind::Local, "canary 31") else { return };
    let Some(fresh) = MongoServer::start("canary 31") else { return };
    server.keep(&["few", ODD]);
    server.keep(&["make", "shop", "rows"]);
    server.keep(&["make", "admin", "ours"]);
    let all = server.keep(&["everything"]);
    assert!(all.contains(&format!("database {ODD}\ntypes ")) && all.contains("database shop"));
    let run = run.env("DB_URI", server.root_uri("")).env("BACKUP_ALL_DATABASES", "true");
    for (mode, setting, value, clean) in [
        ("stream", "BACKUP_COMPRESSION", "zstd", &[][..]),
        ("directory", "BACKUP_COMPRESS", "true", &["--clean"]),
    ] {
        let run = run
            .clone()
            .env("BACKUP_MODE", mode)
            .env(setting, value)
            .env("RCLONE_REMOTE", format!("{}/{mode}", remote.root()))
            .env("RESTORE_TO", fresh.root_uri(""));
        run.run(PATIENCE).expect_code(0);
        let done = restore(&run.sampled(), clean);
        done.expect_code(0).expect_no_leftovers();
        assert!(done.stdout.contains("users and roles are not restored"), "{done}");
        assert!(!done.to_string().contains("canary"), "{done}");
        assert_eq!(done.samples.as_ref().unwrap().args_with("canary"), [""; 0]);
        assert_eq!(fresh.keep(&["everything"]), all, "{mode}");
        fresh.keep(&["make", "other", "rows"]);
    }
    assert!(!fresh.digest("admin").contains("ours"));
}

#[test]
fn a_whole_server_is_marked_until_all_of_it_is_there() {
    let Some((server, remote, run)) = scene(RemoteKind::Local, "pw") else { return };
    server.keep(&["few", "shop"]);
    let shop = server.digest("shop");
    let run = run.env("DB_URI", server.root_uri("")).env("BACKUP_ALL_DATABASES", "true");
    run.run(PATIENCE).expect_code(0);
    server.keep(&["make", "other", "rows"]);
    expect_refused(&run, &[], &["not empty (database other, database shop)", "--clean"]);
    expect_refused(&run, &["--clean", "--table", "types"], &["--table is not for a dump of all"]);
    // Who may not see all of it is not told that it is empty.
    server.keep(&["user", "half", "readWrite", "shop"]);
    let half = server.root_uri("").replace("root:", "half:").replace("=admin", "=shop");
    expect_refused(&run, &["--to", &half], &["may not read everything"]);
    assert_eq!(databases(&server), ["other", "shop"]);

    let (path, hold) = waiting(&server);
    let slow = run.clone().env("PATH", path);
    let mut running = slow.args(["restore", "--yes", "--clean"]).spawn();
    running.wait_until(PATIENCE, |_| databases(&server) == [MARK]);
    running.signal(Signal::KILL);
    running.wait(PATIENCE);
    fs::remove_file(hold).unwrap();
    server.keep(&["make", "shop", "half"]);
    expect_refused(&run, &[], &["holds an interrupted restore of", "--clean"]);
    let taken = run.run(PATIENCE);
    taken.expect_code(1);
    assert!(taken.stderr.contains(MARK) && backups(&run).len() == 1, "{taken}");
    let done = restore(&run, &["--clean"]);
    done.expect_code(0).expect_no_leftovers();
    let told = "every database of the server is dropped first, whoever made it: database shop";
    assert!(done.stdout.contains(told), "{done}");
    assert_eq!((databases(&server), server.digest("shop")), (vec!["shop".to_owned()], shop));
    drop(remote);
}

/// A `PATH` with a mongorestore that waits as long as a file is there, and that file.
fn waiting(server: &MongoServer) -> (OsString, PathBuf) {
    let path = server.path(Mongodump::Fake).unwrap();
    let real = std::env::split_paths(&path).next().unwrap().join("mongorestore");
    let dir = real.with_file_name("waiting");
    fs::create_dir(&dir).unwrap();
    let hold = dir.join("hold");
    fs::write(&hold, "").unwrap();
    let text = format!(
        "#!/bin/sh\nwhile [ -e '{}' ]; do sleep 0.05; done\nexec '{}' \"$@\"\n",
        hold.display(),
        real.display()
    );
    dbstash_testkit::tools::write_program(&dir.join("mongorestore"), &text);
    let all = std::iter::once(dir).chain(std::env::split_paths(&path));
    (std::env::join_paths(all).unwrap(), hold)
}
