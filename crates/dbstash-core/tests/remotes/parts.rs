//! Parts of uploads that nobody ends: those below the remote are told, and given up, alone.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use dbstash_core::remote::Remote as _;
use dbstash_core::remote::rclone::{Patience, Rclone, Settings};
use dbstash_testkit::{RemoteKind, TestRemote, tools};

use super::remote;

/// An upload that has begun, and is killed.
fn left(fixture: &TestRemote, target: &str) {
    let before = fixture.pending_uploads();
    let args =
        ["rcat", "--s3-chunk-size=5M", "--s3-no-check-bucket", "--streaming-upload-cutoff=0"];
    let mut rcat: Child =
        fixture.rclone(&[&args[..], &[target]].concat()).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = rcat.stdin.take().unwrap();
    stdin.write_all(&vec![b'x'; 12 * 1024 * 1024]).unwrap();
    let begun = Instant::now();
    while fixture.pending_uploads() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing of {target} arrives");
    }
    rcat.kill().unwrap();
    rcat.wait().unwrap();
}

#[tokio::test]
async fn unfinished_uploads_are_told_and_given_up_below_the_remote_alone() {
    let kind = RemoteKind::S3;
    let Some(fixture) = TestRemote::start(kind) else { return };
    let rclone = remote(&fixture);
    fixture.write("whole.sql", b"whole");
    for target in ["backups/a/x.sql", "backups/y.sql", "backups-of-others/z.sql", "w.sql"] {
        left(&fixture, &format!("dst:bucket/{target}"));
    }
    let now = Utc::now() + TimeDelta::minutes(5);
    // None is a day old.
    let day = TimeDelta::hours(24);
    assert_eq!(rclone.unfinished(day, now).await.unwrap(), [""; 0], "{kind}");
    let ours = ["dst:bucket/backups/a/x.sql", "dst:bucket/backups/y.sql"].map(str::to_owned);
    let none = TimeDelta::zero();
    assert_eq!(rclone.unfinished(none, now).await.unwrap(), ours, "{kind}");
    rclone.give_up_unfinished(&ours, day).await.unwrap();
    assert_eq!(fixture.pending_uploads(), 4, "{kind}: too young");
    rclone.give_up_unfinished(&ours, none).await.unwrap();
    assert_eq!(rclone.unfinished(none, now).await.unwrap(), [""; 0], "{kind}");
    assert_eq!(fixture.pending_uploads(), 2, "{kind}: somebody else's");
    assert_eq!(fixture.names(), ["whole.sql"]);

    // Of a whole bucket nobody knows whose they are.
    let mut env = fixture.env();
    env.push(("PATH".to_owned(), tools::path().into_string().unwrap()));
    let bucket = Rclone::new(Settings {
        root: "dst:bucket".to_owned(),
        config: Some("/dev/null".into()),
        extra_args: Vec::new(),
        env,
        upload_check: false,
        allow_spool: false,
        patience: Patience::default(),
    });
    let why = bucket.unfinished(none, now).await.unwrap_err();
    assert!(why.to_string().contains("a whole bucket"), "{why}");
}

/// moto says the same day of 2010 of each.
#[tokio::test]
async fn where_nobody_knows_how_old_they_are_none_is_touched() {
    let Some(fixture) = TestRemote::start(RemoteKind::Moto) else { return };
    fixture.write("whole.sql", b"whole");
    left(&fixture, "dst:bucket/backups/y.sql");
    let now = Utc::now() + TimeDelta::minutes(5);
    let told = remote(&fixture).unfinished(TimeDelta::zero(), now).await.unwrap();
    assert_eq!((told, fixture.pending_uploads()), (Vec::new(), 1));
}

#[tokio::test]
async fn what_keeps_no_parts_has_none() {
    let Some(fixture) = TestRemote::start(RemoteKind::CryptLocal) else { return };
    let none = remote(&fixture).unfinished(TimeDelta::zero(), Utc::now()).await.unwrap();
    assert_eq!(none, [""; 0]);
}
