//! `dbstash list`.

use chrono::{DateTime, TimeDelta, Utc};
use dbstash_core::job::EngineKey::{Mongo, Pg};
use dbstash_testkit::{Dbstash, RemoteKind, TestRemote, Tmpfs};
use serde_json::Value;

use super::{Laid, json, with};
use crate::retention::seed::Seed;
use crate::scene::{PATIENCE, dbstash};

/// Of two jobs, three databases and two engines, an hour to eight days old.
fn laid(remote: &TestRemote) -> (Dbstash, DateTime<Utc>) {
    let (seed, now) = (Seed::new(), Utc::now());
    for (job, database, engine, object, hours) in [
        ("a", "shop", Pg, "a/1.sql", 1),
        ("a", "shop", Pg, "a/2.sql", 49),
        ("a", "users", Pg, "a/3.sql", 50),
        ("b", "shop", Mongo, "b/4.sql", 2),
        ("b", "shop", Mongo, "b/5.sql", 8 * 24),
    ] {
        let started = now - TimeDelta::hours(hours);
        Laid { job, database, engine, object, started }.onto(&seed);
    }
    seed.file("foreign.sql", b"foreign");
    seed.file("broken.sql.dbstash.json", b"{}");
    seed.file(".dbstash-tmp/x.sql.00000000.20200101T000000Z-a1b2c3d4.part", b"old");
    seed.onto(remote);
    (dbstash(remote), now)
}

fn objects(run: &Dbstash, args: &[&str]) -> String {
    let listed = json(run, &[&["list"], args].concat());
    let all = listed["backups"].as_array().unwrap().iter();
    let number = |b: &Value| {
        let name = b["paths"][0].as_str().unwrap();
        name.chars().find(char::is_ascii_digit).unwrap()
    };
    all.map(number).collect()
}

/// It is where manifests are read from, and not the remote.
#[test]
fn a_full_disk_of_this_machine_is_named() {
    let (Some(remote), Some(disk)) = (TestRemote::start(RemoteKind::Local), Tmpfs::mount("8m"))
    else {
        return;
    };
    let (run, _) = laid(&remote);
    assert!(std::fs::write(disk.path().join("full"), vec![0; 16 << 20]).is_err());
    let done = run.env("DBSTASH_STATE_DIR", disk.path().join("state")).args(["list"]).run(PATIENCE);
    done.expect_code(1);
    assert!(done.stderr.contains("this machine has no room for"), "{done}");
    assert!(done.stderr.contains("DBSTASH_STATE_DIR"), "{done}");
}

#[test]
fn what_is_asked_for_is_listed() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(remote) = TestRemote::start(kind) else { return };
        let (run, now) = laid(&remote);
        let two_days = (now - TimeDelta::hours(49)).to_rfc3339();
        let later = (now - TimeDelta::hours(49) + TimeDelta::seconds(1)).to_rfc3339();
        let day = (now - TimeDelta::hours(49)).format("%F").to_string();
        for (args, expected) in [
            (&[][..], "14235"),
            (&["--db", "shop"], "1425"),
            (&["--engine", "mongo"], "45"),
            (&["--job", "a"], "123"),
            (&["--job", "a", "--job", "b"], "14235"),
            (&["--latest"], "143"),
            (&["--latest", "--until", "24h"], "235"),
            (&["--since", "2d"], "14"),
            (&["--until", "2d"], "235"),
            (&["--since", &two_days], "142"),
            (&["--since", &later], "14"),
            (&["--until", &two_days, "--db", "shop"], "25"),
            (&["--job", "b", "--since", "7d"], "4"),
            (&["--job", "nobody"], ""),
            (&["--db", "sho"], ""),
            (&["--engine", "redis"], ""),
        ] {
            assert_eq!(objects(&run, args), expected, "{kind} {args:?}");
        }
        // A day is one from its first hour to its last.
        let of_day = objects(&run, &["--since", &day, "--until", &day]);
        assert!(of_day.contains('2') && !of_day.contains(['1', '4', '5']), "{of_day}");
        assert!(objects(&run, &["--since", &day]).contains("142"));
        let told = with(&run, &["list", "--job", "nobody"], 0);
        assert!(told.stdout.starts_with("none of the 5 backups in "), "{told}");
        with(&run, &["list", "--since", "never"], 2);
    }
}

#[test]
fn a_table_for_people_and_everything_for_programs() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (run, _) = laid(&remote);
    let told = with(&run.clone().env("TZ", "Asia/Kolkata"), &["list"], 0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    for heading in ["ID", "JOB", "DATABASE", "STARTED", "UTC", "AGE", "SIZE", "RAW", "ENGINE"] {
        assert!(lines[0].contains(heading), "{heading}: {told}");
    }
    assert!(lines[1].contains("pg 16.3  ") && lines[1].contains("2.0 KiB"), "{told}");
    assert!(lines[1].contains(" IST  ") && lines[1].contains(" never"), "{told}");
    assert!(lines.iter().all(|line| line.chars().count() <= 160), "{told}");
    // One line for all that is no backup, unless it is asked for.
    assert_eq!(lines.len(), 1 + 5 + 1, "{told}");
    assert!(lines[6].contains("1 manifests") && lines[6].contains("1 files"), "{told}");
    assert!(!told.stdout.contains("foreign.sql"), "{told}");
    let all = with(&run, &["list", "--all"], 0);
    for name in ["broken.sql.dbstash.json: not a manifest", "foreign.sql", "x.sql.00000000."] {
        assert!(all.stdout.contains(name), "{name}: {all}");
    }
    // One job needs no column for it, and universal time none for itself.
    let one = with(&run, &["list", "--job", "a"], 0);
    assert!(!one.stdout.contains("JOB") && !one.stdout.contains("UTC  AGE"), "{one}");

    let listed = json(&run, &["list"]);
    assert_eq!(listed["without_manifest"], serde_json::json!(["foreign.sql"]));
    assert_eq!(listed["stale_temporaries"].as_array().unwrap().len(), 1);
    assert_eq!(listed["broken"][0]["manifest"], "broken.sql.dbstash.json");
    let newest = &listed["backups"][0];
    for (name, value) in [
        ("job", Value::from("a")),
        ("database", "shop".into()),
        ("engine", "pg".into()),
        ("bytes", 5.into()),
        ("raw_bytes", 2048.into()),
        ("pinned", false.into()),
        ("verified", Value::Null),
        ("retention", Value::Null),
        ("manifest", "a/1.sql.dbstash.json".into()),
    ] {
        assert_eq!(newest[name], value, "{name}: {newest}");
    }
}

#[test]
fn why_a_backup_is_kept_is_told_where_its_job_is_known() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (run, _) = laid(&remote);
    let of_a = run
        .clone()
        .env("DB_URI", "postgresql://u:pw@127.0.0.1:1/shop")
        .env("DBSTASH_JOB", "a")
        .env("RETENTION_MAX_FILES", "1");
    with(&of_a, &["pin", "a/3.sql"], 0);
    let listed = json(&of_a, &["list"]);
    let all: Vec<&Value> = listed["backups"].as_array().unwrap().iter().collect();
    let said = |n: usize| all[n]["retention"].as_str().unwrap_or("-");
    assert_eq!(said(0), "keep: among the newest RETENTION_MIN_FILES");
    assert_eq!(said(2), "delete: more than RETENTION_MAX_FILES (1) are newer or as new");
    assert_eq!((said(3), said(1), said(4)), ("keep: pinned", "-", "-"));
    // What is asked for changes no verdict.
    let alone = json(&of_a, &["list", "--until", "2d", "--db", "shop", "--job", "a"]);
    assert_eq!(alone["backups"][0]["retention"], all[2]["retention"]);
    let free = of_a.clone().env_remove("RETENTION_MAX_FILES");
    assert!(with(&free, &["list"], 0).stdout.contains("keep: no retention is set"));
    // The plan of prune says the same.
    let plan = with(&of_a, &["prune", "--dry-run"], 0);
    assert_eq!(plan.stdout.matches("delete: ").count(), 1, "{plan}");
}

#[test]
fn what_was_wrong_with_a_manifest_may_be_put_right() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (run, _) = laid(&remote);
    assert_eq!(objects(&run, &[]), "14235");
    let name = "a/2.sql.dbstash.json";
    let good = String::from_utf8(remote.read(name)).unwrap();
    let newer = good.replace("\"format\": 1", "\"format\": 9");
    assert_eq!(newer.len(), good.len());
    remote.write(name, newer.as_bytes());
    // It was read before, and has the size that it had.
    std::fs::remove_dir_all(run.state_dir().join("cache")).unwrap();
    assert_eq!(objects(&run, &[]), "1435");
    remote.write(name, good.as_bytes());
    assert_eq!(objects(&run, &[]), "14235");
}
