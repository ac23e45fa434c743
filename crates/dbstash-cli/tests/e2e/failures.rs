//! An upload that fails: exit 1, the cause named, nothing listed, nothing left. For dumps see `matrix`.

use std::time::{Duration, Instant};

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote, tools};

use crate::scene::{Older, PATIENCE, dbstash, each_remote, shop_file, summary};

/// rclone dies in the middle of dumps that are smaller and bigger than any buffer between.
#[test]
fn rclone_dying_in_the_middle_hangs_nothing() {
    let (Some(file), Some(rclone)) = (shop_file(50), tools::require("rclone")) else {
        return;
    };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        for (dump, read) in
            [("1KiB", "100B"), ("100KiB", "1KiB"), ("4MiB", "1MiB"), ("200MiB", "1MiB")]
        {
            for end in ["err quota exceeded\nexit 1", "kill KILL", "exit 0"] {
                eprintln!("    {dump} {end:?}");
                let fakes = FakeTools::new()
                    .tool("pg_dump", &format!("pg-head\nout-bytes {dump}\npg-footer\nsleep 300s"))
                    .tool(
                        "rclone",
                        &format!(
                            "when rcat\nread {read}\n{end}\notherwise\nexec {}",
                            rclone.display()
                        ),
                    );
                let run = dbstash(&remote)
                    .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
                    .env("PATH", fakes.path());
                let before = Instant::now();
                let done = run.run(PATIENCE);
                assert!(before.elapsed() < Duration::from_secs(30), "it hung: {done}");
                done.expect_code(1).expect_no_leftovers();
                assert_eq!(summary(&done)["phase"], "upload", "{done}");
                older.alone(&run, &remote);
            }
        }
    });
}

/// rclone says yes and lies.
#[test]
fn an_upload_that_stored_less_is_taken_back() {
    let (Some(file), Some(rclone)) = (shop_file(500), tools::require("rclone")) else {
        return;
    };
    each_remote(|remote| {
        let older = Older::make(&dbstash(&remote).env("DB_URI", file.uri()), &remote);
        let real = rclone.display();
        let lies = format!("when rcat\nforward-truncated {real} 20KiB\notherwise\nexec {real}");
        let fakes = FakeTools::new().tool("rclone", &lies);
        let run = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path());
        let done = run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let error = summary(&done)["error"].as_str().unwrap();
        assert!(error.contains("20480 bytes"), "{done}");
        older.alone(&run, &remote);
    });
}

#[test]
fn a_broken_remote_is_named() {
    let Some(file) = shop_file(50) else { return };
    let run = || {
        dbstash_testkit::Dbstash::new(env!("CARGO_BIN_EXE_dbstash")).env("BACKUP_SCHEDULE", "once")
    };
    for (remote, told) in [("nonesuch:bucket", "nonesuch"), ("/proc/no/such/place", "/proc/no")] {
        let done = run().env("DB_URI", file.uri()).env("RCLONE_REMOTE", remote).run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let event = summary(&done);
        assert!(event["error"].as_str().unwrap().contains(told), "{done}");
        assert_eq!(event["phase"], "upload");
    }
    let nowhere =
        run().env("DB_URI", file.uri()).env("RCLONE_REMOTE", "/x").env("PATH", "/nonexistent");
    nowhere.run(PATIENCE).expect_code(1).expect_no_leftovers();
}

#[test]
fn an_s3_that_refuses_or_is_gone_is_explained() {
    let (Some(file), Some(mut remote)) = (shop_file(10), TestRemote::start(RemoteKind::S3)) else {
        return;
    };
    let run = || dbstash(&remote).env("DB_URI", file.uri());
    let wrong = |name: &str| {
        let (name, _) = remote.env().into_iter().find(|(known, _)| known.ends_with(name)).unwrap();
        run().env(name, "wrongwrongwrong").run(PATIENCE)
    };
    let cases = [
        (wrong("_SECRET_ACCESS_KEY"), "refuses the credentials"),
        (wrong("_ACCESS_KEY_ID"), "refuses the credentials"),
        (run().env("RCLONE_REMOTE", "dst:no-such-bucket/x").run(PATIENCE), "bucket does not exist"),
    ];
    for (done, told) in cases {
        done.expect_code(1).expect_no_leftovers();
        let error = summary(&done)["error"].as_str().unwrap();
        assert!(error.contains(told), "{done}");
    }
    let last = run();
    remote.signal_server(dbstash_testkit::Signal::KILL);
    let before = Instant::now();
    let done = last.run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    assert!(summary(&done)["error"].as_str().unwrap().contains("nothing answers"), "{done}");
    assert!(before.elapsed() < Duration::from_secs(45), "{:?}", before.elapsed());
}
