//! The contract of `Remote` and `Upload`, on every kind of remote there is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod parts;
mod retention;
mod trees;

use std::ffi::OsString;
use std::time::Duration;

use dbstash_core::artifact::{Artifact, Complete};
use dbstash_core::remote::rclone::{Patience, Rclone, Settings};
use dbstash_core::remote::{NewObject, ObjectSize, ReadError, Remote, Upload};
use dbstash_testkit::{RemoteKind, TestRemote, tools};

const GRACE: Duration = Duration::from_secs(10);
/// Bigger than every buffer on the way, and than an S3 part.
const BIG: usize = 20 * 1024 * 1024;

fn remote(fixture: &TestRemote) -> Rclone {
    remote_with(fixture, &[], tools::path())
}

fn remote_with(fixture: &TestRemote, flags: &[&str], path: OsString) -> Rclone {
    let mut env = fixture.env();
    env.push(("PATH".to_owned(), path.into_string().unwrap()));
    Rclone::new(Settings {
        root: fixture.root().to_owned(),
        config: Some("/dev/null".into()),
        extra_args: flags.iter().map(|&flag| flag.to_owned()).collect(),
        env,
        upload_check: false,
        allow_spool: false,
        patience: Patience::default(),
    })
}

fn object(name: &str) -> NewObject<'_> {
    NewObject { name, temporary: ".dbstash-tmp/conformance.part", expected: None, owned: false }
}

async fn proof(bytes: &[u8]) -> Complete {
    let mut artifact = Artifact::of_bytes(bytes.to_vec());
    let mut buf = vec![0; 1024 * 1024];
    while artifact.read(&mut buf).await.unwrap() > 0 {}
    artifact.finish().await.unwrap()
}

async fn stored(remote: &Rclone, name: &str, bytes: &[u8]) -> Box<dyn Upload> {
    let mut upload = remote.begin(&object(name)).await.unwrap();
    upload.write(bytes).await.unwrap();
    upload.commit(&proof(bytes).await).await.unwrap();
    upload
}

async fn read(remote: &Rclone, name: &str) -> Result<Vec<u8>, ReadError> {
    let (mut all, mut buf) = (Vec::new(), vec![0; 100_000]);
    let mut download = remote.read(name).await?;
    while let n @ 1.. = download.read(&mut buf).await? {
        all.extend_from_slice(&buf[..n]);
    }
    assert_eq!(download.read(&mut buf).await.unwrap(), 0, "the end is the end");
    Ok(all)
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * i / 7) % 251).unwrap()).collect()
}

async fn conformance(fixture: &TestRemote) {
    let remote = remote(fixture);
    let size = |len: usize| Some(ObjectSize::Known(len as u64));

    // Nothing is there yet: empty, not an error.
    assert_eq!(remote.list("").await.unwrap(), []);
    assert_eq!(remote.stat("a.sql").await.unwrap(), None);
    remote.delete(&["a.sql".into()]).await.unwrap();
    remote.delete(&["a.sql".into(), "b/c.sql".into()]).await.unwrap();
    remote.delete(&[]).await.unwrap();

    // Invisible under its name until it is committed, and then whole.
    let odd = "folder one/-odd [*] ?'\" é.sql";
    let content = bytes(BIG);
    let mut upload = remote.begin(&object(odd)).await.unwrap();
    upload.write(&content).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(remote.stat(odd).await.unwrap(), None);
    upload.commit(&proof(&content).await).await.unwrap();
    assert_eq!(remote.stat(odd).await.unwrap(), size(BIG));
    assert_eq!(fixture.names(), [odd]);
    assert!(fixture.read(odd) == content);
    assert_eq!(remote.stat("folder one").await.unwrap(), None, "a folder is no object");

    // Read back as it is; what is not there is not taken for an empty object by whoever knows its size.
    assert!(read(&remote, odd).await.unwrap() == content);
    match read(&remote, "folder one/nothing.sql").await {
        Ok(bytes) => assert_eq!(bytes, [0; 0]),
        Err(error) => assert!(matches!(error, ReadError::Missing), "{error}"),
    }

    // Aborted before the end, small or big: nothing is there.
    for len in [10, 150_000, BIG] {
        let mut upload = remote.begin(&object("aborted.sql")).await.unwrap();
        upload.write(&content[..len]).await.unwrap();
        upload.abort(GRACE).await.unwrap();
        upload.abort(GRACE).await.unwrap();
        assert_eq!(fixture.names(), [odd], "{len}");
    }

    // At any moment of the upload's start, when there may be nothing yet to take back.
    for pause in (0..100).step_by(7) {
        let mut upload = remote.begin(&object("aborted.sql")).await.unwrap();
        upload.write(&content[..900_000]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        upload.abort(GRACE).await.unwrap();
        assert_eq!(fixture.names(), [odd], "after {pause} ms");
    }

    // Killed, so that rclone itself gives nothing up.
    let mut upload = remote.begin(&object("killed.sql")).await.unwrap();
    upload.write(&content).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    upload.abort(Duration::ZERO).await.unwrap();
    assert_eq!((fixture.names(), fixture.pending_uploads()), (vec![odd.to_owned()], 0));

    // Taken back after the commit.
    let mut upload = stored(&remote, "short-lived.sql", b"hello").await;
    assert_eq!(remote.stat("short-lived.sql").await.unwrap(), size(5));
    upload.abort(GRACE).await.unwrap();
    assert_eq!(fixture.names(), [odd]);

    // Dropped: never under its own name.
    let mut upload = remote.begin(&object("dropped.sql")).await.unwrap();
    upload.write(&content[..150_000]).await.unwrap();
    drop(upload);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(remote.stat("dropped.sql").await.unwrap(), None);
    remote.delete(&[".dbstash-tmp/conformance.part".into()]).await.unwrap();

    // Listed at any depth; fetched by name, what is missing left out.
    drop(stored(&remote, "x/y/z.json", b"{}").await);
    drop(stored(&remote, "top.json", b"[1]").await);
    let mut listed: Vec<_> = remote.list("").await.unwrap();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let listed: Vec<_> = listed.iter().map(|e| (e.name.as_str(), e.size)).collect();
    let known = |n: usize| ObjectSize::Known(n as u64);
    assert_eq!(listed, [(odd, known(BIG)), ("top.json", known(3)), ("x/y/z.json", known(2))]);
    let into = dbstash_testkit::Scratch::new("fetch");
    let names = ["x/y/z.json".to_owned(), "top.json".to_owned(), "none.json".to_owned()];
    remote.fetch(&names, into.path()).await.unwrap();
    assert_eq!(std::fs::read(into.path().join("x/y/z.json")).unwrap(), b"{}");
    assert_eq!(std::fs::read(into.path().join("top.json")).unwrap(), b"[1]");
    assert!(!into.path().join("none.json").exists());

    // Deleted literally, one or many; the neighbour stays. A name that cannot be a line is refused.
    drop(stored(&remote, "folder one/neighbour.sql", b"stay").await);
    remote.delete(&[odd.to_owned(), "top.json".to_owned(), "gone.sql".to_owned()]).await.unwrap();
    assert_eq!(fixture.names(), ["folder one/neighbour.sql", "x/y/z.json"]);
    assert!(remote.delete(&["a\nx/y/z.json".to_owned(), "b".to_owned()]).await.is_err());
    remote.delete(&["x/y/z.json".to_owned()]).await.unwrap();
    assert_eq!(fixture.names(), ["folder one/neighbour.sql"]);
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
    local: Local;
    sftp: Sftp;
    webdav: Webdav;
    s3: S3;
    moto: Moto;
    crypt_over_local: CryptLocal;
    crypt_over_s3: CryptS3;
}

/// What rclone's crypt does not recognise is no failure of the remote.
#[tokio::test]
async fn what_encryption_does_not_know_is_damaged() {
    let Some(fixture) = TestRemote::start(RemoteKind::CryptLocal) else { return };
    let remote = remote(&fixture);
    drop(stored(&remote, "a.sql", &bytes(200_000)).await);
    for (name, mut raw) in fixture.stored() {
        let middle = raw.len() / 2;
        raw[middle] ^= 1;
        fixture.damage(&name, &raw);
    }
    assert!(matches!(read(&remote, "a.sql").await, Err(ReadError::Damaged(_))));
}

#[tokio::test]
async fn only_s3_and_wrappers_of_it_are_atomic() {
    for kind in RemoteKind::ALL {
        let Some(fixture) = TestRemote::start(kind) else {
            continue;
        };
        let atomic = matches!(kind, RemoteKind::S3 | RemoteKind::Moto | RemoteKind::CryptS3);
        assert_eq!(remote(&fixture).probe().await.unwrap().atomic, atomic, "{kind}");
    }
}
