//! A remote that says nothing any more, and how long it may.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::time::{Duration, Instant};

use dbstash_core::artifact::Artifact;
use dbstash_core::remote::rclone::{Patience, Rclone, Settings};
use dbstash_core::remote::{NewObject, NewTree, Remote as _, RemoteError};
use dbstash_testkit::{RemoteKind, Scratch, Signal, TestRemote, tools};

/// Short, so that nobody waits for minutes. A test that is slow for other reasons answers within it all the same.
const PATIENCE: Patience = Patience {
    s3: Duration::from_secs(3),
    others: Duration::from_secs(3),
    still: Duration::from_secs(1),
    pause: Duration::from_millis(500),
};
/// Far below rclone's own 5 minutes for each of several tries.
const SOON: Duration = Duration::from_secs(60);

fn remote(fixture: &TestRemote, env: &[(&str, &str)]) -> Rclone {
    let mut all = fixture.env();
    all.retain(|(name, _)| env.iter().all(|(other, _)| other != name));
    all.extend(env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    all.push(("PATH".to_owned(), tools::path().into_string().unwrap()));
    Rclone::new(Settings {
        root: fixture.root().to_owned(),
        config: Some("/dev/null".into()),
        extra_args: Vec::new(),
        env: all,
        upload_check: false,
        allow_spool: false,
        patience: PATIENCE,
    })
}

fn object(name: &str) -> NewObject<'_> {
    NewObject { name, temporary: ".dbstash-tmp/silence.part", expected: None, owned: false }
}

/// The server stands still in the middle of an upload, for good.
async fn stopped_in_the_middle(kind: RemoteKind) {
    let Some(mut fixture) = TestRemote::start(kind) else { return };
    let remote = remote(&fixture, &[]);
    let mut upload = remote.begin(&object("a.sql")).await.unwrap();
    let block = vec![7; 1 << 20];
    for _ in 0..20 {
        upload.write(&block).await.unwrap();
    }
    fixture.signal_server(Signal::STOP);
    let before = Instant::now();
    let error: RemoteError = loop {
        if let Err(error) = upload.write(&block).await {
            break error;
        }
    };
    let told = before.elapsed();
    // It cannot be taken back now, and that is said.
    let left = upload.abort(Duration::from_secs(1)).await;
    assert!(error.what.contains("does not answer in time"), "{error}");
    assert!(
        before.elapsed() < SOON,
        "{kind}: told after {told:?}, over after {:?}",
        before.elapsed()
    );
    assert!(left.is_err());
    fixture.signal_server(Signal::CONT);
    // Who was just silent is not asked at once again.
    tokio::time::sleep(PATIENCE.pause).await;
    upload.abort(Duration::from_secs(1)).await.unwrap();
    assert_eq!(fixture.names(), [""; 0]);
}

/// The same in the middle of a folder.
async fn stopped_in_the_middle_of_a_folder(kind: RemoteKind) {
    let Some(mut fixture) = TestRemote::start(kind) else { return };
    // Slow enough that there is a middle.
    let remote = remote(&fixture, &[("RCLONE_BWLIMIT", "4Mi")]);
    let dir = Scratch::new("tree");
    for n in 0..40 {
        std::fs::write(dir.path().join(n.to_string()), vec![7; 1 << 20]).unwrap();
    }
    let temporary = ".dbstash-tmp/silence.20260101T000000Z-a.part";
    let new = NewTree { name: "x/", temporary, from: dir.path() };
    let mut upload = remote.begin_tree(&new).await.unwrap();
    let mut artifact = Artifact::of_bytes(b"whole".to_vec());
    while artifact.read(&mut [0; 16]).await.unwrap() > 0 {}
    let proof = artifact.finish().await.unwrap();
    let moving = tokio::sync::Notify::new();
    let moved = |_| moving.notify_one();
    let mut commit = upload.commit(&proof, &moved);
    tokio::select! {
        done = &mut commit => panic!("over too soon: {done:?}"),
        () = moving.notified() => fixture.signal_server(Signal::STOP),
    }
    let before = Instant::now();
    let error = commit.await.unwrap_err();
    assert!(error.what.contains("does not answer in time"), "{error}");
    let left = upload.abort(Duration::from_secs(1)).await;
    assert!(before.elapsed() < SOON, "{kind}: over after {:?}", before.elapsed());
    assert!(left.is_err());
    fixture.signal_server(Signal::CONT);
    tokio::time::sleep(PATIENCE.pause).await;
    upload.abort(Duration::from_secs(1)).await.unwrap();
    assert_eq!(fixture.names(), [""; 0]);
}

/// Takes connections and never says a word.
async fn silent_from_the_start(
    kind: RemoteKind,
    place: impl Fn(u16) -> [(&'static str, String); 1],
) {
    let Some(fixture) = TestRemote::start(kind) else { return };
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let [(name, value)] = place(silent.local_addr().unwrap().port());
    let remote = remote(&fixture, &[(name, &value)]);
    let before = Instant::now();
    for error in [
        remote.list("").await.unwrap_err(),
        remote.stat("a.sql").await.unwrap_err(),
        remote.delete(&["a.sql".to_owned(), "b.sql".to_owned()]).await.unwrap_err(),
        remote.any(&["a.sql", "b.sql"]).await.unwrap_err(),
    ] {
        assert!(error.what.contains("does not answer in time"), "{error}");
    }
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
}

#[tokio::test]
async fn a_remote_that_stops_in_the_middle_is_given_up() {
    tokio::join!(
        stopped_in_the_middle(RemoteKind::S3),
        stopped_in_the_middle(RemoteKind::Sftp),
        stopped_in_the_middle(RemoteKind::Webdav),
    );
}

#[tokio::test]
async fn a_remote_that_stops_in_the_middle_of_a_folder_is_given_up() {
    tokio::join!(
        stopped_in_the_middle_of_a_folder(RemoteKind::S3),
        stopped_in_the_middle_of_a_folder(RemoteKind::Webdav),
    );
}

#[tokio::test]
async fn a_remote_that_never_answers_is_given_up() {
    let url = |port: u16| format!("http://127.0.0.1:{port}");
    tokio::join!(
        silent_from_the_start(RemoteKind::S3, |port| [("RCLONE_CONFIG_DST_ENDPOINT", url(port))]),
        silent_from_the_start(RemoteKind::Sftp, |port| [(
            "RCLONE_CONFIG_DST_PORT",
            port.to_string()
        )]),
        silent_from_the_start(RemoteKind::Webdav, |port| [("RCLONE_CONFIG_DST_URL", url(port))]),
    );
}

/// It answers again before patience ends: nothing is lost.
#[tokio::test]
async fn a_pause_is_survived() {
    let Some(mut fixture) = TestRemote::start(RemoteKind::S3) else { return };
    let remote = remote(&fixture, &[]);
    let mut upload = remote.begin(&object("a.sql")).await.unwrap();
    fixture.signal_server(Signal::STOP);
    let block = vec![7; 1 << 20];
    let write = async {
        for _ in 0..200 {
            upload.write(&block).await.unwrap();
        }
    };
    let pause = async {
        // Longer than `still`, so that it was asked at least once in vain.
        tokio::time::sleep(PATIENCE.still + PATIENCE.s3 + PATIENCE.pause).await;
        fixture.signal_server(Signal::CONT);
    };
    tokio::join!(write, pause);
    upload.abort(Duration::from_secs(10)).await.unwrap();
    assert_eq!(fixture.names(), [""; 0]);
}
