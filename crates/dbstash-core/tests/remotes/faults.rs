//! Folders that do not arrive: an rclone that fails, a remote that refuses, files that change, somebody else at work.

use std::ffi::OsString;
use std::time::Duration;

use dbstash_core::remote::rclone::{Patience, Rclone, Settings};
use dbstash_core::remote::{NewTree, Remote as _};
use dbstash_testkit::{FakeTools, RemoteKind, TestRemote, tools};

use super::trees::{bulky, committed, interrupted, new, odd, restored, tree};
use super::{GRACE, proof, remote, remote_with};

const NONE: [&str; 0] = [];

/// The remote of a fixture under another name; `al:` is an alias of it.
fn at(root: &str, fixture: &TestRemote, path: OsString) -> Rclone {
    let mut env = fixture.env();
    env.push(("PATH".into(), path.into_string().unwrap()));
    env.push(("RCLONE_CONFIG_AL_TYPE".into(), "alias".into()));
    env.push(("RCLONE_CONFIG_AL_REMOTE".into(), "dst:backups".into()));
    Rclone::new(Settings {
        root: root.to_owned(),
        config: Some("/dev/null".into()),
        extra_args: Vec::new(),
        env,
        upload_check: true,
        allow_spool: false,
        patience: Patience::default(),
    })
}

fn real() -> String {
    tools::require("rclone").unwrap().display().to_string()
}

/// rclone ends badly although everything is there, or dies in the middle: nothing is left.
#[tokio::test]
async fn an_rclone_that_fails_leaves_nothing() {
    let Some(fixture) = TestRemote::start(RemoteKind::Local) else { return };
    let real = real();
    for (script, told) in [
        (format!("when copy\nforward-then-exit {real} 1"), "it exited with code 1"),
        ("when copy\nkill KILL".to_owned(), "was killed by signal 9"),
        (format!("when check\nforward-then-exit {real} 1"), "could not compare x/"),
    ] {
        let fake = FakeTools::new().tool("rclone", &format!("{script}\notherwise\nexec {real}"));
        let remote = remote_with(&fixture, &[], fake.path());
        let dir = tree(&odd());
        let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
        let error = committed(upload.as_mut()).await.unwrap_err();
        assert!(error.what.contains(told), "{told}: {error}");
        upload.abort(GRACE).await.unwrap();
        assert_eq!(fixture.names(), NONE, "{script}");
    }
}

/// Copies nothing and says that all is well.
#[tokio::test]
async fn an_rclone_that_lies_is_found_out() {
    let Some(fixture) = TestRemote::start(RemoteKind::Local) else { return };
    let real = real();
    for script in ["when copy\nexit 0", "when copy\nexit 0\nwhen check\nexit 0"] {
        let fake = FakeTools::new().tool("rclone", &format!("{script}\notherwise\nexec {real}"));
        let remote = remote_with(&fixture, &[], fake.path());
        let dir = tree(&odd());
        let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
        committed(upload.as_mut()).await.unwrap_err();
        upload.abort(GRACE).await.unwrap();
        assert_eq!(fixture.names(), NONE);
    }
}

#[tokio::test]
async fn a_refused_deletion_is_told_and_can_be_tried_again() {
    let Some(fixture) = TestRemote::start(RemoteKind::Local) else { return };
    let real = real();
    let fake = FakeTools::new().tool(
        "rclone",
        &format!("when purge\nerr Failed to purge: AccessDenied\nexit 1\notherwise\nexec {real}"),
    );
    let remote = remote_with(&fixture, &[], fake.path());
    let dir = tree(&odd());
    let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
    committed(upload.as_mut()).await.unwrap();
    for error in [
        upload.abort(GRACE).await.unwrap_err(),
        remote.delete(&["x/".to_owned()]).await.unwrap_err(),
    ] {
        assert!(error.what.contains("delete x/") && error.what.contains("AccessDenied"), "{error}");
    }
    assert!(restored(&fixture, "x/") == odd());
    // What is missing needs no deletion.
    remote.delete(&["y/".to_owned()]).await.unwrap();
    fake.script("rclone", &format!("exec {real}"));
    upload.abort(GRACE).await.unwrap();
    assert_eq!(fixture.names(), NONE);
}

/// A byte that is another one on the far side, in a file as big as it should be.
#[tokio::test]
async fn changed_content_is_found_where_there_are_hashes() {
    let real = real();
    for (kind, command) in [
        (RemoteKind::Local, "check"),
        (RemoteKind::Sftp, "check"),
        (RemoteKind::S3, "check"),
        (RemoteKind::CryptLocal, "cryptcheck"),
        (RemoteKind::CryptS3, "cryptcheck"),
    ] {
        let Some(fixture) = TestRemote::start(kind) else { continue };
        let fake = FakeTools::new();
        let [copied, go] = ["copied", "go"].map(|name| fake.file(name));
        let (at, on) = (copied.display(), go.display());
        let script = format!(
            "when {command}\ntouch {at}\nwait-for {on}\nexec {real}\notherwise\nexec {real}"
        );
        let fake = fake.tool("rclone", &script);
        let remote = remote_with(&fixture, &[], fake.path());
        let dir = tree(&odd());
        let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
        let corrupt = async {
            while !copied.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let bytes = fixture.read("x/toc.dat");
            fixture.write("x/toc.dat", &vec![b'?'; bytes.len()]);
            std::fs::write(&go, "").unwrap();
        };
        let (done, ()) = tokio::join!(committed(upload.as_mut()), corrupt);
        let error = done.unwrap_err();
        assert!(error.what.contains("toc.dat") && error.what.contains("x/"), "{kind}: {error}");
        upload.abort(GRACE).await.unwrap();
        assert_eq!(fixture.names(), NONE, "{kind}");
    }
}

/// Encrypted on what knows no hash: sizes have to do, as everywhere.
#[tokio::test]
async fn encrypted_without_hashes_below() {
    let Some(fixture) = TestRemote::start(RemoteKind::CryptLocal) else { return };
    let real = real();
    let fake = FakeTools::new().tool(
        "rclone",
        &format!("when cryptcheck\nerr Failed to cryptcheck: base: does not support any hashes\nexit 1\notherwise\nexec {real}"),
    );
    let remote = remote_with(&fixture, &[], fake.path());
    let dir = tree(&odd());
    let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
    committed(upload.as_mut()).await.unwrap();
    assert!(restored(&fixture, "x/") == odd());
    assert_eq!(
        fake.calls().iter().filter(|call| call.args.iter().any(|arg| arg == "check")).count(),
        1
    );
}

/// Where the remote names no bucket, a folder would be one, and go with everything that makes it one.
#[tokio::test]
async fn a_bucket_is_no_folder() {
    let Some(fixture) = TestRemote::start(RemoteKind::S3) else { return };
    let remote = at("dst:", &fixture, tools::path());
    let dir = tree(&odd());
    let error = remote.begin_tree(&new("bucket/", dir.path())).await.err().unwrap();
    assert!(error.what.contains("RCLONE_REMOTE"), "{error}");
    let mut upload = remote.begin_tree(&new("bucket/backups/x/", dir.path())).await.unwrap();
    // Its temporary would be in a bucket of its own, which is not there.
    committed(upload.as_mut()).await.unwrap_err();
    let _ = upload.abort(GRACE).await;
    assert_eq!(fixture.names(), NONE);
}

/// An alias of an encrypted remote is compared as what it stands for.
#[tokio::test]
async fn encryption_is_seen_through_an_alias() {
    let Some(fixture) = TestRemote::start(RemoteKind::CryptLocal) else { return };
    let real = real();
    let fake = FakeTools::new().tool("rclone", &format!("exec {real}"));
    for root in ["al:", ":alias,remote='dst:backups':"] {
        let remote = at(root, &fixture, fake.path());
        let dir = tree(&odd());
        let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
        committed(upload.as_mut()).await.unwrap();
        assert!(restored(&fixture, "x/") == odd());
        upload.abort(GRACE).await.unwrap();
    }
    let with = |word: &str| fake.calls().iter().filter(|call| call.args[0] == word).count();
    assert_eq!((with("cryptcheck"), with("check")), (2, 0));
}

/// Another run has made a backup of the folder meanwhile: it stays, as far as it goes.
#[tokio::test]
async fn what_has_a_manifest_stays() {
    let Some(fixture) = TestRemote::start(RemoteKind::Local) else { return };
    let slow = remote_with(&fixture, &["--bwlimit=4Mi"], tools::path());
    let dir = tree(&bulky());
    let mut upload = slow.begin_tree(&new("x/", dir.path())).await.unwrap();
    interrupted(upload.as_mut(), true, || fixture.write("x.dbstash.json", b"{}")).await;
    upload.abort(GRACE).await.unwrap();
    let names = fixture.names();
    assert!(
        names.len() > 1 && !names.iter().any(|name| name.starts_with(".dbstash-tmp")),
        "{names:?}"
    );
}

/// Of two runs that take the same name in the same second, the first by name stores its folder, whoever starts first.
#[tokio::test]
async fn of_two_rivals_one_gives_way() {
    for kind in [RemoteKind::Local, RemoteKind::Webdav, RemoteKind::S3, RemoteKind::Moto] {
        for head_start in [0, 30, 150] {
            let Some(fixture) = TestRemote::start(kind) else { continue };
            let (ours, theirs) = (bulky(), odd());
            let dirs = [tree(&ours), tree(&theirs)];
            let temporaries = ["b", "a"]
                .map(|run| dbstash_core::temporary::name("x/", &format!("20260101T000000Z-{run}")));
            let remotes = [remote(&fixture), remote(&fixture)];
            let mut uploads = Vec::new();
            for n in 0..2 {
                let new = NewTree { name: "x/", temporary: &temporaries[n], from: dirs[n].path() };
                uploads.push(remotes[n].begin_tree(&new).await.unwrap());
            }
            let proof = proof(b"whole").await;
            let [second, first] = uploads.as_mut_slice() else { unreachable!() };
            let run = async |upload: &mut Box<dyn dbstash_core::remote::TreeUpload>, wait| {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let done = upload.commit(&proof, &|_| ()).await;
                if done.is_err() {
                    upload.abort(GRACE).await.unwrap();
                }
                done
            };
            let done = tokio::join!(run(second, 0), run(first, head_start));
            let left = restored(&fixture, "x/");
            match done {
                (Err(error), Ok(())) => {
                    assert!(error.what.contains("BACKUP_NAME_TEMPLATE") && left == theirs);
                }
                (Ok(()), Err(error)) => {
                    assert!(error.what.contains("BACKUP_NAME_TEMPLATE") && left == ours);
                }
                other => panic!("{kind} {head_start}: {other:?}"),
            }
            assert!(fixture.names().iter().all(|name| name.starts_with("x/")), "{kind}");
        }
    }
}
