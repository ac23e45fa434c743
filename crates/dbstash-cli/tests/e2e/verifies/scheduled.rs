//! Rounds by a schedule: what was found is told everywhere, and outlives the process.

use std::fs;

use dbstash_testkit::{Inbox, PgServer, RemoteKind, TestRemote};

use super::{marked, marks, shop_on, spoil};
use crate::health::{NEW_YEAR, Sample, Watched, samples, value};
use crate::scene::{PATIENCE, backups, dbstash};

const EVERY_SECOND: &str = "* * * * * *";

/// What a counter of verifications says.
fn counted(samples: &[Sample], level: &str, result: &str) -> i64 {
    let found = samples.iter().find(|(name, labels, _)| {
        name == "dbstash_verifications_total"
            && labels["level"] == level
            && labels["result"] == result
    });
    found.unwrap().2 / 1000
}

#[test]
fn a_newest_that_is_corrupt_is_told_until_it_is_good() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some((_file, remote, run)) = shop_on(kind) else { return };
        eprintln!("--- on {kind}");
        for _ in 0..2 {
            run.run(PATIENCE).expect_code(0);
        }
        let [object, older] = [0, 1].map(|n| backups(&run)[n].clone());
        let inbox = Inbox::start();
        let news = |status: &str| {
            let told = inbox.of("/news").into_iter();
            told.filter(|news| news.json()["status"] == status).count()
        };
        let verifying = run
            .clone()
            .env("VERIFY_SCHEDULE", EVERY_SECOND)
            .env("VERIFY_LEVEL", "bytes")
            .env("NOTIFY_WEBHOOK_URL", inbox.url("/news"))
            .env("NOTIFY_PING_URL", inbox.url("/uuid"));
        let mut watched = Watched::start(&verifying);
        watched.until("/metrics", |answer| {
            let good = "level=\"bytes\",result=\"good\"} ";
            answer.body.lines().any(|line| line.contains(good) && !line.ends_with(" 0"))
        });
        assert_eq!(marked(&remote, "bytes"), 1, "older ones go");
        let found = samples(&watched.get("/metrics").body);
        assert_eq!(counted(&found, "structure", "good") + counted(&found, "bytes", "corrupt"), 0);
        assert_eq!(value(&found, "dbstash_corrupt"), 0);
        let whole = value(&found, "dbstash_last_success_timestamp_seconds");
        assert_eq!(value(&found, "dbstash_last_verified_timestamp_seconds"), whole);
        assert!(value(&found, "dbstash_last_verification_timestamp_seconds") > whole);
        assert!(value(&found, "dbstash_next_verification_timestamp_seconds") > whole);
        assert_eq!((watched.get("/healthz").code, inbox.requests().len()), (200, 0));
        let table = run.clone().args(["status"]).run(PATIENCE);
        table.expect_code(0);
        assert!(table.stdout.contains("next verification of orders: 2"), "{table}");

        let good = spoil(&remote, &object);
        let answer = watched.until("/healthz", |answer| answer.code == 503);
        assert!(
            answer.body.contains("its bytes have changed") && answer.body.contains(&object),
            "{answer:?}"
        );
        let found = samples(&watched.get("/metrics").body);
        assert_eq!(value(&found, "dbstash_corrupt"), 1000);
        assert!(counted(&found, "bytes", "corrupt") > 0);
        let status = watched.status();
        assert_eq!(status["last_success"]["object"], older.as_str(), "{status}");
        assert_eq!(status["last_verification"]["result"], "corrupt", "{status}");
        assert_eq!(status["corrupt"]["backup"]["object"], object.as_str(), "{status}");
        let table = run.clone().args(["status"]).run(PATIENCE);
        table.expect_code(1);
        assert!(table.stdout.contains("corrupt: orders shop: "), "{table}");
        watched
            .running
            .wait_until(PATIENCE, |_| news("corrupt") > 0 && !inbox.of("/uuid/fail").is_empty());
        let told = inbox.of("/news")[0].json();
        assert_eq!(told["title"], "backup is corrupt: shop (orders)", "{told}");
        assert_eq!((&told["object"], told["error"].is_string()), (&object.as_str().into(), true));

        remote.write(&object, &good);
        watched.until("/healthz", |answer| answer.code == 200);
        watched
            .running
            .wait_until(PATIENCE, |_| news("recovery") > 0 && !inbox.of("/uuid").is_empty());
        assert_eq!((news("recovery"), news("success")), (1, 0));

        // A process that verifies nothing itself knows it by the mark.
        spoil(&remote, &object);
        watched.until("/healthz", |answer| answer.code == 503);
        let found = samples(&watched.get("/metrics").body);
        watched.end();
        let tested = "dbstash_last_verification_timestamp_seconds";
        let last = value(&found, tested);
        let after = Watched::start(&run);
        let answer = after.get("/healthz");
        assert!(answer.code == 503 && answer.body.contains("is corrupt"), "{answer:?}");
        assert_eq!(after.status()["last_success"]["object"], older.as_str());
        let again = samples(&after.get("/metrics").body);
        assert!(value(&again, tested) >= last, "{again:?}");
        assert_eq!(
            (counted(&again, "bytes", "corrupt"), value(&again, "dbstash_corrupt")),
            (0, 1000)
        );
        after.end();

        // Another good one makes it well.
        let mut well = Watched::start(&run.clone().env("BACKUP_ON_START", "true"));
        well.until("/healthz", |answer| answer.code == 200);
        well.end();
    }
}

#[test]
fn an_older_one_that_is_corrupt_is_news_and_no_illness() {
    let Some((_file, remote, run)) = shop_on(RemoteKind::Local) else { return };
    for _ in 0..3 {
        run.run(PATIENCE).expect_code(0);
    }
    let oldest = backups(&run).remove(2);
    spoil(&remote, &oldest);
    let inbox = Inbox::start();
    let run = run
        .env("VERIFY_SCHEDULE", EVERY_SECOND)
        .env("VERIFY_SAMPLE", "all")
        .env("NOTIFY_WEBHOOK_URL", inbox.url("/news"));
    let mut watched = Watched::start(&run);
    watched.running.wait_until(PATIENCE, |running| {
        !inbox.of("/news").is_empty()
            && running.output().contains("verification done: 2 good, 1 corrupt")
    });
    let told = inbox.of("/news")[0].json();
    assert_eq!((&told["status"], &told["object"]), (&"corrupt".into(), &oldest.as_str().into()));
    let answer = watched.get("/healthz");
    assert_eq!((answer.code, answer.body.as_str()), (200, "ok\n"));
    watched.end();
    assert_eq!(
        (marked(&remote, "structure"), marked(&remote, "corrupt")),
        (2, 1),
        "{:?}",
        marks(&remote)
    );
    assert!(inbox.of("/news").iter().all(|news| news.json()["status"] == "corrupt"));
}

#[test]
fn a_share_takes_turns_and_every_database_has_one() {
    let Some(server) = PgServer::start("pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for database in ["one", "two"] {
        server.createdb(database);
        server.psql(
            database,
            "CREATE TABLE t AS SELECT generate_series(1, 500) n; GRANT SELECT ON t TO PUBLIC",
        );
    }
    let run = dbstash(&remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri(""))
        .env("DB_NAME", "one,two")
        .env("BACKUP_NAME_TEMPLATE", "{db}-{uuid}");
    for _ in 0..2 {
        run.run(PATIENCE).expect_code(0);
    }
    let latest = Watched::start(&run.clone().env("VERIFY_SCHEDULE", EVERY_SECOND));
    let mut latest = latest;
    latest.running.wait_until(PATIENCE, |running| {
        running.output().contains("verification done: 2 good, 0 corrupt, 0 not tested")
    });
    latest.end();
    assert_eq!(marked(&remote, "structure"), 2, "{:?}", marks(&remote));
    let share = run.env("VERIFY_SCHEDULE", EVERY_SECOND).env("VERIFY_SAMPLE", "25%");
    let mut share = Watched::start(&share);
    share.running.wait_until(PATIENCE, |running| {
        running.output().matches("verification done: 1 good").count() > 1
    });
    share.end();
    assert_eq!(marked(&remote, "structure"), 4, "{:?}", marks(&remote));
}

#[test]
fn what_cannot_be_tested_again_is_told() {
    let Some((file, remote, run)) = shop_on(RemoteKind::S3) else { return };
    let mut remote = remote;
    run.run(PATIENCE).expect_code(0);
    let inbox = Inbox::start();
    let run =
        run.env("VERIFY_SCHEDULE", EVERY_SECOND).env("NOTIFY_WEBHOOK_URL", inbox.url("/news"));
    let mut watched = Watched::start(&run);
    watched
        .running
        .wait_until(PATIENCE, |running| running.output().contains("verification done: 1 good"));
    remote.signal_server(dbstash_testkit::Signal::KILL);
    watched.running.wait_until(PATIENCE, |_| !inbox.of("/news").is_empty());
    let told = inbox.of("/news")[0].json();
    assert_eq!(told["title"], "backup not verified 2 times in a row: shop (orders)", "{told}");
    assert_eq!(watched.get("/healthz").code, 200, "nothing is known to be wrong");
    assert!(counted(&samples(&watched.get("/metrics").body), "structure", "untested") > 1);
    watched.end();
    assert!(fs::exists(&file.path).unwrap());
}

#[test]
fn it_never_comes_without_a_scheduler() {
    let Some((_file, remote, run)) = shop_on(RemoteKind::Local) else { return };
    let done = run.clone().env("VERIFY_SCHEDULE", EVERY_SECOND).run(PATIENCE);
    done.expect_code(0);
    assert!(super::logged(&done, "WARN", "VERIFY_SCHEDULE has no effect"), "{done}");
    let by_hand =
        run.env("BACKUP_SCHEDULE", NEW_YEAR).env("VERIFY_SCHEDULE", EVERY_SECOND).args(["backup"]);
    by_hand.run(PATIENCE).expect_code(0);
    assert_eq!(marks(&remote), [""; 0]);
}
