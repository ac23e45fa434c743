//! The contract of `TreeUpload`, and of names that end with a `/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dbstash_core::remote::rclone::Rclone;
use dbstash_core::remote::{NewTree, Remote, RemoteError, TreeUpload};
use dbstash_testkit::{RemoteKind, Scratch, TestRemote, tools};
use tokio::sync::Notify;

use super::{GRACE, bytes, proof, remote, remote_with};

const MARKER: &str = ".dbstash-tmp/tree.aa.20260101T000000Z-aaaa.part";
/// Slow enough that there is a middle.
const SLOW: [&str; 1] = ["--bwlimit=4Mi"];

/// A directory with these files.
pub(super) fn tree(files: &BTreeMap<String, Vec<u8>>) -> Scratch {
    let dir = Scratch::new("tree");
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// Names that somebody has to escape somewhere.
pub(super) fn odd() -> BTreeMap<String, Vec<u8>> {
    [
        "toc.dat",
        "-dash",
        "--config",
        ".hidden",
        "..dots",
        "a b/c d/ lead and trail /x y.sql",
        "100%/%41%2F%zz.bson.gz",
        "é漢字😀/Ünïcode.sql",
        "[*]?{}/'\"`$&;|<>~#!,=+@:^",
        "UPPER/lower",
        "a/b/c/d/e/f/g/h/deep",
        "back\\slash",
    ]
    .iter()
    .enumerate()
    .map(|(n, name)| ((*name).to_owned(), format!("{n} {name}").into_bytes()))
    .chain([("empty".to_owned(), Vec::new()), ("a/none".to_owned(), Vec::new())])
    .collect()
}

/// Enough for a copy to be in its middle.
pub(super) fn bulky() -> BTreeMap<String, Vec<u8>> {
    (0..24).map(|n| (format!("f/{n}.dat"), bytes(1 << 20))).collect()
}

pub(super) fn new<'a>(name: &'a str, from: &'a Path) -> NewTree<'a> {
    NewTree { name, temporary: MARKER, from }
}

pub(super) async fn committed(upload: &mut dyn TreeUpload) -> Result<(), RemoteError> {
    upload.commit(&proof(b"whole").await, &|_| ()).await
}

pub(super) async fn stored(remote: &Rclone, name: &str, files: &BTreeMap<String, Vec<u8>>) {
    let dir = tree(files);
    let mut upload = remote.begin_tree(&new(name, dir.path())).await.unwrap();
    committed(upload.as_mut()).await.unwrap();
}

/// A folder as a restore would get it.
pub(super) fn restored(fixture: &TestRemote, name: &str) -> BTreeMap<String, Vec<u8>> {
    let into = Scratch::new("restored");
    let [from, to] = [format!("{}/{name}", fixture.root()), into.path().display().to_string()];
    assert!(fixture.rclone(&["copy", &from, &to]).status().unwrap().success());
    let mut files = BTreeMap::new();
    let mut folders = vec![into.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(into.path()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Copies until something has been moved, then does `meanwhile`; how the copy ended, if it was not dropped.
pub(super) async fn interrupted(
    upload: &mut dyn TreeUpload,
    drop_it: bool,
    meanwhile: impl FnOnce(),
) -> Option<RemoteError> {
    let (moving, proof) = (Notify::new(), proof(b"whole").await);
    let moved = |bytes| {
        if bytes > 0 {
            moving.notify_one();
        }
    };
    let mut commit = upload.commit(&proof, &moved);
    tokio::select! {
        done = &mut commit => panic!("over too soon: {done:?}"),
        () = moving.notified() => meanwhile(),
    }
    if drop_it { None } else { commit.await.err() }
}

async fn conformance(fixture: &TestRemote) {
    let kind = fixture.kind();
    let remote = remote(fixture);
    let none: [&str; 0] = [];

    // Nothing is there yet.
    assert!(!remote.any(&["x/", "x/y/", "x.dbstash.json"]).await.unwrap());
    assert_eq!(remote.list("x/").await.unwrap(), []);
    remote.delete(&["x/".into()]).await.unwrap();
    remote.delete(&["x/y z/".into(), "x.sql".into(), "none/".into()]).await.unwrap();

    // Stored as it is, whatever the names; then there, by its folder's name.
    let mut files = odd();
    files.extend((0..2000).map(|n| (format!("many/{n}"), format!("file {n}").into_bytes())));
    files.insert("big".into(), bytes(100 << 20));
    let dir = tree(&files);
    let beat = AtomicBool::new(false);
    let moved = |bytes| beat.store(bytes > 0, Ordering::Relaxed);
    let mut upload = remote.begin_tree(&new("p q/x/", dir.path())).await.unwrap();
    assert_eq!(fixture.names(), none, "nothing is there before the commit");
    upload.commit(&proof(b"whole").await, &moved).await.unwrap();
    assert!(restored(fixture, "p q/x/") == files, "{kind}");
    assert!(beat.load(Ordering::Relaxed));
    let mut names: Vec<_> = files.keys().map(|name| format!("p q/x/{name}")).collect();
    names.sort();
    assert_eq!(fixture.names(), names);
    assert!(remote.any(&["nothing.sql", "p q/x/"]).await.unwrap());
    assert!(
        remote.any(&["p q/"]).await.unwrap() && !remote.any(&["p q/x.sql", "p/"]).await.unwrap()
    );
    assert_eq!(remote.stat("p q/x/").await.unwrap(), None);
    // Taken back after the commit.
    upload.abort(GRACE).await.unwrap();
    upload.abort(GRACE).await.unwrap();
    assert_eq!(fixture.names(), none);

    // Deleted with everything in it; what only begins with its name stays.
    for name in ["x/", "x-2/", "x y/", "a/x/"] {
        stored(&remote, name, &odd()).await;
    }
    for name in ["x.sql", "x.dbstash.json", "xx/f"] {
        fixture.write(name, b"stay");
    }
    remote.delete(&["x/".into(), "x.sql".into()]).await.unwrap();
    for name in ["x-2/", "x y/", "a/x/"] {
        assert!(restored(fixture, name) == odd(), "{kind} {name}");
    }
    assert!(!remote.any(&["x/", "x.sql"]).await.unwrap());
    assert_eq!(fixture.names().len(), 3 * odd().len() + 2);
    for bad in ["/", "./", "../", "a//", "a/../", "//"] {
        assert!(remote.delete(&["x-2/".into(), bad.into()]).await.is_err(), "{bad}");
    }
    remote.delete(&["x-2/".into(), "x y/".into(), "a/x/".into()]).await.unwrap();
    assert_eq!(fixture.names(), ["x.dbstash.json", "xx/f"]);
    // A file of the same name is not in the folder, where both can be.
    fixture.write("xx.sql", b"stay");
    let both = matches!(kind, RemoteKind::Moto);
    if both {
        fixture.write("xx", b"stay");
    }
    remote.delete(&["xx/".into(), "x.dbstash.json".into()]).await.unwrap();
    assert_eq!(fixture.names(), if both { vec!["xx", "xx.sql"] } else { vec!["xx.sql"] });
    let buckets = matches!(kind, RemoteKind::S3 | RemoteKind::Moto);
    let deleted = remote.delete(&["xx.sql/".into()]).await;
    assert_eq!(deleted.is_ok(), buckets, "{kind}: {deleted:?}");
    assert!(fixture.names().contains(&"xx.sql".to_owned()), "{kind}");
    for name in fixture.names() {
        fixture.delete(&name);
    }

    // Given up in the middle, gently or not: nothing is left, unseen parts neither.
    let slow =
        remote_with(fixture, &[&SLOW[..], &["--s3-upload-cutoff=5Mi"]].concat(), tools::path());
    let mut files = bulky();
    files.insert("big".into(), bytes(24 << 20));
    let dir = tree(&files);
    for grace in [GRACE, std::time::Duration::ZERO] {
        let mut upload = slow.begin_tree(&new("x/", dir.path())).await.unwrap();
        interrupted(upload.as_mut(), true, || ()).await;
        upload.abort(grace).await.unwrap();
        upload.abort(grace).await.unwrap();
        assert_eq!(
            (fixture.names(), fixture.pending_uploads()),
            (Vec::new(), 0),
            "{kind} {grace:?}"
        );
    }

    // Somebody else's file is found, and stays.
    let dir = tree(&bulky());
    let mut upload = slow.begin_tree(&new("x/", dir.path())).await.unwrap();
    let error =
        interrupted(upload.as_mut(), false, || fixture.write("x/f/foreign", b"?")).await.unwrap();
    assert!(error.what.contains("foreign") || error.what.contains("lists 25 files"), "{error}");
    upload.abort(GRACE).await.unwrap();
    assert_eq!(fixture.names(), ["x/f/foreign"]);
    // A folder with anything in it is somebody else's from the start.
    let mut upload = remote.begin_tree(&new("x/", dir.path())).await.unwrap();
    let error = committed(upload.as_mut()).await.unwrap_err();
    assert!(error.what.contains("BACKUP_NAME_TEMPLATE"), "{error}");
    upload.abort(GRACE).await.unwrap();
    assert_eq!(fixture.names(), ["x/f/foreign"]);
    remote.delete(&["x/".into()]).await.unwrap();
    assert_eq!(fixture.names(), none);
}

macro_rules! conformance {
    ($($name:ident: $kind:ident;)+) => {$(
        #[tokio::test]
        async fn $name() {
            if let Some(fixture) = TestRemote::start(RemoteKind::$kind) {
                conformance(&fixture).await;
            }
        }
    )+};
}

conformance! {
    tree_on_local: Local;
    tree_on_sftp: Sftp;
    tree_on_webdav: Webdav;
    tree_on_s3: S3;
    tree_on_moto: Moto;
    tree_on_crypt_over_local: CryptLocal;
    tree_on_crypt_over_s3: CryptS3;
}
