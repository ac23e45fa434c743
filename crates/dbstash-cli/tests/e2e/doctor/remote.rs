//! rclone, and what a remote lets be done there.

use std::os::unix::fs::symlink;

use dbstash_testkit::scratch::free_port;
use dbstash_testkit::{FakeTools, Locked, RemoteKind, Scratch, Signal, TestRemote, tools};

use super::{each, findings, finds, tells, well};
use crate::scene::{PATIENCE, dbstash, shop_file};

#[test]
fn the_program_and_a_folder() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    let real = tools::find("rclone").unwrap();
    let real = real.display();
    let refuses = |word: &str| {
        format!(
            "when {word}\nerr {{\"level\":\"error\",\"msg\":\"AccessDenied: no\"}}\nexit 1\notherwise\nexec {real}"
        )
    };
    let fakes = |script: &str| FakeTools::new().tool("rclone", script);
    let (old, bad) = (fakes("out rclone v1.59.2"), fakes("out rclone v1.64.1"));
    let (aged, other) = (
        fakes(&format!("when version\nout rclone v1.65.0\notherwise\nexec {real}")),
        fakes("out a program of another kind"),
    );
    let (write, unlisted) = (fakes(&refuses("rcat")), fakes(&refuses("--recursive")));
    let under = |tools: &FakeTools| run.clone().env("PATH", tools.path());
    let place = |root: &str| run.clone().env("RCLONE_REMOTE", root);
    let bare = Scratch::new("bare");
    symlink(tools::find("sqlite3").unwrap(), bare.path().join("sqlite3")).unwrap();
    let missing = run.clone().env("PATH", bare.path());
    let cases: [(_, super::Line<'_>); 10] = [
        (missing, ("tool", "fail", &["rclone is not installed", "install rclone 1.66 or newer"])),
        (under(&old), ("tool", "fail", &["rclone 1.59 is too old", "install rclone 1.66"])),
        (under(&bad), ("tool", "fail", &["rclone 1.64 can corrupt", "install rclone 1.66"])),
        (under(&other), ("tool", "fail", &["does not answer `rclone version`", "correct PATH"])),
        (under(&aged), ("tool", "warn", &["rclone v1.65.0", "1.72 or newer"])),
        (under(&write), ("remote", "fail", &["does not allow that: check the permissions"])),
        (under(&unlisted), ("remote", "fail", &["list", "check the permissions"])),
        (
            place("nonesuch:x"),
            ("remote", "fail", &["no such remote is configured: check RCLONE_REMOTE"]),
        ),
        (place("/proc/none/x"), ("remote", "fail", &["/proc/none", "correct RCLONE_REMOTE"])),
        (
            run.clone().env("RCLONE_EXTRA_ARGS", "--no-such-flag"),
            ("tool", "fail", &["unknown flag"]),
        ),
    ];
    each(&cases, |(run, line)| finds(run, *line, &[]));
    assert_eq!(remote.names(), [""; 0], "something is left");

    // What cannot be taken away again is named.
    let kept = fakes(&refuses("deletefile"));
    let found = findings(&under(&kept), &[]);
    tells(&found, ("remote", "fail", &["cannot be deleted", ".dbstash-tmp/doctor.", "dbstash gc"]));
    let left = remote.names();
    assert!(left.len() == 1 && left[0].starts_with(".dbstash-tmp/doctor."), "{left:?}");
    remote.delete(&left[0]);
    if let Some(locked) = Locked::new(remote.root().as_ref()) {
        finds(&run, ("remote", "fail", &["read-only"]), &[]);
        drop(locked);
    }
}

#[test]
fn a_bucket() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::S3), shop_file(20)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    let set = |name: &str, value: &str| run.clone().env(format!("RCLONE_CONFIG_DST_{name}"), value);
    let found = well(&run);
    tells(&found, ("remote", "ok", &["shows only whole objects"]));
    tells(&found, ("remote", "ok", &["written, read back and deleted"]));
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let cases: [(_, super::Line<'_>); 4] = [
        (
            set("SECRET_ACCESS_KEY", "wrong-canary"),
            ("remote", "fail", &["refuses the credentials: check its keys"]),
        ),
        (
            run.clone().env("RCLONE_REMOTE", "dst:no-such-bucket/x"),
            ("remote", "fail", &["the bucket does not exist: create it"]),
        ),
        (
            set("ENDPOINT", &nobody),
            ("remote", "fail", &["nothing answers at the remote's address: check host and port"]),
        ),
        (
            set("ENDPOINT", "http://no-such-host.invalid:9"),
            ("remote", "fail", &["host name cannot be resolved: check it"]),
        ),
    ];
    each(&cases, |(run, line)| finds(run, *line, &[]));
    assert_eq!(remote.names(), [""; 0], "something is left");
}

#[test]
fn a_signal_leaves_nothing() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(20)) else {
        return;
    };
    let real = tools::find("rclone").unwrap();
    let script = format!("when cat\nsleep 60s\notherwise\nexec {}", real.display());
    let fakes = FakeTools::new().tool("rclone", &script);
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path()).args(["doctor"]);
    let mut running = run.spawn();
    running.wait_until(PATIENCE, |_| {
        fakes
            .calls_of("rclone")
            .iter()
            .any(|call| call.args.first().is_some_and(|arg| arg == "cat"))
    });
    assert_eq!(remote.names().len(), 1);
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_code(143).expect_no_leftovers();
    assert_eq!(remote.names(), [""; 0]);
}
