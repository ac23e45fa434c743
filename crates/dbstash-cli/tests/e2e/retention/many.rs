//! Many backups go in few calls.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use dbstash_testkit::{RemoteKind, TestRemote};

use super::run;
use super::seed::{JOB, Seed};
use crate::matrix::place::rclone;
use crate::scene::{backups, shop_file, summary};

/// Nothing hangs; how long it takes is the remote's affair.
const LIMIT: Duration = Duration::from_secs(400);

/// After a backup, as every day: no file per backup is open meanwhile, and no call is made for each.
#[test]
fn ten_thousand_go_after_a_backup() {
    for (kind, count) in [(RemoteKind::Local, 10_000_i64), (RemoteKind::S3, 1500)] {
        let (Some(file), Some(remote)) = (shop_file(1), TestRemote::start(kind)) else { return };
        let seed = Seed::new();
        for n in 0..count {
            let object = format!("{:02}/{n}.sql", n % 50);
            seed.backup(&object, Utc::now() - TimeDelta::minutes(n + 1));
        }
        seed.file("50/0.sql", b"foreign");
        seed.onto(&remote);
        let fakes = rclone("when no-such-word\nexit 1");
        let keep = run(&remote, &file.uri(), JOB)
            .env("DB_NAME", "shop")
            .env("RETENTION_MAX_FILES", "10")
            .env("PATH", fakes.path());
        let begun = Instant::now();
        let done = keep.run(LIMIT);
        done.expect_code(0).expect_no_leftovers();
        let calls = fakes.calls_of("rclone").len();
        eprintln!("--- {count} on {kind}: {:?}, {calls} calls of rclone", begun.elapsed());
        assert_eq!(summary(&done)["pruned"], count - 9, "{done}");
        let batches = usize::try_from(count).unwrap().div_ceil(1000);
        assert!(calls <= 2 * batches + 22, "{calls} calls");
        assert_eq!((backups(&keep).len(), remote.names().len()), (10, 21), "{kind}");
    }
}
