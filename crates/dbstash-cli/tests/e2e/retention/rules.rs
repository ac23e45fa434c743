//! Keep rules, aliases and doubts, on real remotes and under odd names.

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_testkit::{Dbstash, Finished, RemoteKind, TestRemote};

use super::seed::{JOB, Seed};
use crate::scene::{PATIENCE, backups, dbstash};

/// The newest seeded backup begins then.
fn newest() -> DateTime<Utc> {
    "2026-02-07T20:00:00Z".parse().unwrap()
}

pub fn job(remote: &TestRemote) -> Dbstash {
    dbstash(remote).env("DB_URI", "sqlite:///nowhere.db").env("DBSTASH_JOB", JOB)
}

pub fn prune(run: &Dbstash, args: &[&str]) -> Finished {
    let done = run.clone().args([&["prune"], args].concat()).run(PATIENCE);
    done.expect_code(0);
    done
}

/// What rclone, or a shell, would take for a pattern of other names.
const ODD: &str = "deep/[a-c]*?{x,y}/ö #%41/";

#[test]
fn keep_rules_are_explained_and_delete_the_rest() {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::Moto, RemoteKind::CryptS3] {
        let Some(remote) = TestRemote::start(kind) else { continue };
        eprintln!("--- on {kind}");
        let seed = Seed::new();
        // Twelve hours apart; every other one a folder.
        for n in 0..20 {
            let slash = if n % 2 == 0 { "/" } else { ".sql" };
            seed.backup(&format!("{ODD}[{n}]*{slash}"), newest() - TimeDelta::hours(12 * n));
        }
        let foreign = ["deep/b1x/ö #A/[3]x.sql", "deep/[a-c]*?{x,y}/ö #%41/3.sql", "deep/x"];
        for name in foreign {
            seed.file(name, b"foreign");
        }
        seed.file(&format!("{ODD}[19]*.sql.20260101T000000000Z.structure.verified.json"), b"{}");
        seed.onto(&remote);
        let run = job(&remote)
            .env("TZ", "Asia/Kolkata")
            .env("RETENTION_KEEP_LAST", "2")
            .env("RETENTION_KEEP_DAILY", "3")
            .env("RETENTION_KEEP_WEEKLY", "2");
        assert_eq!(backups(&run).len(), 20, "{kind}");
        let before = remote.names();
        let shown = prune(&run, &["--dry-run"]);
        assert_eq!(remote.names(), before);
        // In India the newest is of the next day already.
        for told in [
            "keep: among the newest RETENTION_MIN_FILES",
            "keep: last 2 of 2, daily 2026-02-07",
            "keep: daily 2026-02-06",
            "keep: weekly 2026-W05",
            "16 of 20 to delete",
        ] {
            assert!(shown.stdout.contains(told), "{told}: {shown}");
        }
        let rule = "delete: no RETENTION_KEEP rule keeps it";
        assert_eq!(shown.stdout.matches(rule).count(), 16, "{shown}");

        let stays: Vec<String> = shown
            .stdout
            .lines()
            .filter(|line| line.contains("keep: "))
            .map(|line| line.split("  ").next().unwrap().to_owned())
            .collect();
        assert_eq!(stays.len(), 4, "{shown}");
        prune(&run, &["--yes"]);
        assert_eq!(backups(&run), stays, "{kind}");
        let names = remote.names();
        assert!(foreign.iter().all(|name| names.contains(&(*name).to_owned())), "{names:?}");
        assert!(!names.iter().any(|name| name.ends_with(".verified.json")), "{names:?}");
        let files: usize = stays.iter().map(|name| if name.ends_with('/') { 4 } else { 2 }).sum();
        assert_eq!(names.len(), files + foreign.len(), "{kind}: {names:?}");
        let again = prune(&run, &["--yes"]);
        assert!(again.stdout.contains("0 of 4 to delete"), "{again}");
    }
}

#[test]
fn the_neighbours_names_limit_too() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let seed = Seed::new();
    for n in 0..6 {
        seed.backup(&format!("{n}.sql"), Utc::now() - TimeDelta::hours(n) - TimeDelta::minutes(1));
    }
    seed.onto(&remote);
    let hours = prune(&job(&remote).env("BACKUP_RETENTION_HOURS", "3"), &["--dry-run"]);
    assert!(hours.stdout.contains("3 of 6 to delete"), "{hours}");
    prune(&job(&remote).env("BACKUP_MAX_FILES", "2"), &["--yes"]);
    assert_eq!(backups(&job(&remote)), ["0.sql", "1.sql"]);
}

#[test]
fn two_machines_under_one_name_lose_nothing() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let seed = Seed::new();
    for (n, host) in [(0, "alpha"), (1, "beta"), (2, "alpha"), (3, "beta")] {
        seed.by(host, &format!("{n}.sql"), newest() - TimeDelta::hours(n));
    }
    seed.onto(&remote);
    let run = job(&remote).env("RETENTION_MAX_FILES", "1");
    let told = prune(&run, &["--yes"]);
    assert!(told.stdout.contains("0 of 4 to delete"), "{told}");
    for text in ["alpha and beta take turns", "of job job", "set DBSTASH_JOB on each"] {
        assert!(told.stdout.contains(text), "{text}: {told}");
    }
    assert_eq!(backups(&run).len(), 4);
}
