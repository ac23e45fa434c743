//! Many jobs from one file: layers, choices, shares, and what changed.

use dbstash_core::schedule::Schedule;

use super::*;
use crate::settings::changes;

const THREE: &str = "\
defaults:
  rclone_remote: s3:bucket/backups
  retention_max_days: 30
  log_level: warn
  backup_parallel: 4
  backup_interval: 1h
jobs:
  orders:
    db_uri: postgresql://app:c4n4ry%2Fp%40ss@orders/shop
    backup_interval:
    backup_schedule: '0 3 * * *'
  crm:
    db_uri_file: /run/crm
    retention_max_days: 0.5
    dump_extra_args: [--no-owner, --exclude-table=a b]
  2024.archive:
    dbstash_engine: mysql
    db_host: old
    db_user: app
    db_password: c4n4ry/p@ss
    db_name: [shop, 'a,b']
";

fn three() -> Case {
    case(&[])
        .env("DB_PASSWORD", "")
        .jobs(THREE)
        .file("/run/crm", format!("postgresql://app:{SPELLED}@crm/crm\n").as_bytes())
}

fn ids(fleet: &Fleet) -> Vec<&str> {
    fleet.jobs.iter().map(|settings| settings.job.id.as_str()).collect()
}

#[test]
fn a_job_wins_over_defaults_and_a_variable_over_both() {
    let fleet = three().env("RETENTION_MAX_FILES", "7").flag("BACKUP_PARALLEL", "2").fleet();
    assert_eq!(ids(&fleet), ["orders", "crm", "2024.archive"]);
    assert_eq!(fleet.process.file.as_deref(), Some(Path::new("jobs.yaml")));
    assert_eq!((fleet.process.parallel, fleet.process.log.level), (2, tracing::Level::WARN));
    let [orders, crm, archive] = fleet.jobs.as_slice() else { panic!() };
    for (settings, hours) in [(orders, 720), (crm, 12), (archive, 720)] {
        let retention = &settings.job.retention;
        assert_eq!(retention.max_age, Some(chrono::TimeDelta::hours(hours)));
        assert_eq!(retention.max_files, Some(7));
        assert!(Arc::ptr_eq(&settings.remote, &orders.remote), "one remote, kept once");
    }
    assert_eq!(crm.job.extra_args, ["--no-owner", "--exclude-table=a b"]);
    let names = vec!["shop".to_owned(), "a,b".to_owned()];
    assert_eq!(archive.job.databases, dbstash_core::job::Databases::Named(names));
    assert!(matches!(orders.timetable.schedule, Schedule::Cron(_)), "the interval is taken back");
    assert!(matches!(crm.timetable.schedule, Schedule::Every(_)));
    let text = format!("{CANARY} and {SPELLED}");
    assert_eq!(fleet.process.redactor().redact(&text), "*** and ***");
}

#[test]
fn config_tells_the_line() {
    let (fleet, values) = three().env("TZ", "Asia/Kolkata").explain().unwrap();
    let text = config::shown(&fleet, &values, false);
    let crm = text.split("== ").find(|part| part.starts_with("crm\n")).unwrap();
    let line = |name: &str| {
        let found = crm.lines().find(|l| l.split_whitespace().next() == Some(name)).unwrap();
        found.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("DBSTASH_JOB"), "DBSTASH_JOB crm jobs.yaml:12");
    assert_eq!(line("RETENTION_MAX_DAYS"), "RETENTION_MAX_DAYS 0.5 jobs.yaml:14");
    assert_eq!(line("LOG_LEVEL"), "LOG_LEVEL warn jobs.yaml:4");
    assert_eq!(line("TZ"), "TZ Asia/Kolkata environment");
    assert_eq!(line("DB_URI"), "DB_URI postgresql://app:***@crm/crm file /run/crm");
    let json: serde_json::Value =
        serde_json::from_str(&config::shown(&fleet, &values, true)).unwrap();
    let days = &json["jobs"]["crm"]["RETENTION_MAX_DAYS"];
    assert_eq!((&days["value"], &days["origin"]), (&"0.5".into(), &"config".into()));
    assert_eq!((&days["file"], &days["line"]), (&"jobs.yaml".into(), &14.into()));
}

#[test]
fn chosen_jobs_only() {
    assert_eq!(ids(&three().only(&["crm", "orders", "crm"]).fleet()), ["orders", "crm"]);
    assert_eq!(ids(&three().env("DBSTASH_JOB", "crm").fleet()), ["crm"]);
    let flag_wins = three().env("DBSTASH_JOB", "crm").only(&["orders"]);
    assert_eq!(ids(&flag_wins.fleet()), ["orders"]);
    // What is wrong with a job that is not asked for is not asked for either.
    let broken = three().file("/run/crm", b"");
    assert_eq!(ids(&broken.only(&["orders"]).fleet()), ["orders"]);

    let unknown = three().only(&["order", "orders", "x"]).mistakes();
    assert_eq!(unknown[0], "--job order: jobs.yaml has no such job; did you mean orders?");
    let there = "--job x: jobs.yaml has no such job; there are orders, crm, 2024.archive";
    assert_eq!(unknown[1], there);
    assert_eq!(unknown.len(), 2);

    let mut all = three();
    all.selection.required = true;
    let mistake = all.mistake();
    for part in ["jobs.yaml has 3 jobs", "orders, crm, 2024.archive", "--job NAME", "--all"] {
        assert!(mistake.contains(part), "{part} in {mistake}");
    }
    let mut one = three().only(&["crm"]);
    one.selection.required = true;
    assert_eq!(ids(&one.fleet()), ["crm"]);
    assert!(good().only(&["crm"]).mistake().contains("there is no job file"));
}

#[test]
fn shares_of_a_file() {
    let share =
        |index: usize| ids_of(&three().flag("DBSTASH_SHARD", &format!("{index}/4")).fleet());
    let mut all: Vec<String> = (0..4).flat_map(share).collect();
    all.sort();
    assert_eq!(all, ["2024.archive", "crm", "orders"]);
    let empty = (0..4).find(|&index| share(index).is_empty()).expect("three jobs, four shares");
    let fleet = three().flag("DBSTASH_SHARD", &format!("{empty}/4")).fleet();
    assert!(fleet.process.notes.iter().any(|n| n.contains("nothing to do")), "an empty share");

    let by_index = three().env("DBSTASH_SHARD", "4").env("JOB_COMPLETION_INDEX", "1").fleet();
    assert_eq!(ids_of(&by_index), share(1));
    let every = three().env("JOB_COMPLETION_INDEX", "1").fleet();
    assert!(every.process.warnings[0].contains("every job"), "{:?}", every.process.warnings);
    assert!(three().env("DBSTASH_SHARD", "4").mistake().contains("JOB_COMPLETION_INDEX"));
    assert!(three().env("DBSTASH_SHARD", "4/4").mistake().contains("from 0 to 3"));
    assert!(good().env("DBSTASH_SHARD", "0/4").mistake().contains("no job file"));
}

fn ids_of(fleet: &Fleet) -> Vec<String> {
    ids(fleet).into_iter().map(str::to_owned).collect()
}

#[test]
fn a_variable_that_makes_different_jobs_alike_is_warned_about() {
    let uri = format!("postgresql://app:{SPELLED}@other/x");
    let engine = || three().jobs(&THREE.replace("    dbstash_engine: mysql\n", ""));
    let fleet = engine().env("DB_URI", &uri).fleet();
    let warned =
        |fleet: &Fleet, part: &str| fleet.process.warnings.iter().any(|w| w.contains(part));
    let text = "DB_URI (environment) wins over where the database is in 3 jobs of jobs.yaml";
    assert!(warned(&fleet, text), "{:?}", fleet.process.warnings);
    let days = three().flag("RETENTION_MAX_DAYS", "3").fleet();
    assert!(warned(&days, "RETENTION_MAX_DAYS (flag) wins over retention_max_days in 3 jobs"));
    // All have the same one, or there is but one.
    assert!(three().env("RCLONE_REMOTE", "s3:x").fleet().process.warnings.is_empty());
    assert!(three().env("DB_URI", &uri).only(&["crm"]).fleet().process.warnings.is_empty());
}

#[test]
fn secrets_that_everybody_may_read() {
    let open = |text: &str| {
        let case = case(&[("DB_PASSWORD", ""), ("DBSTASH_CONFIG", "/open/jobs.yaml")]);
        case.file("/open/jobs.yaml", text.as_bytes()).file("/run/crm", b"sqlite:///x.db").fleet()
    };
    let held = open(&THREE.replace("  crm:", "  crm: # ")).process.warnings;
    assert!(held[0].contains("/open/jobs.yaml holds secrets (db_password, db_uri)"), "{held:?}");
    let none = open("jobs: {a: {db_uri: postgresql://db/x, rclone_remote: s3:b}}");
    assert!(none.process.warnings.is_empty(), "{:?}", none.process.warnings);
}

#[test]
fn anchors_and_merges() {
    let fleet = case(&[])
        .jobs(
            "x-pg: &pg {rclone_remote: s3:b, retention_max_files: 5}\n\
             x-uri: &uri postgresql://db/shop\n\
             jobs:\n  a: {<<: *pg, db_uri: *uri}\n  b:\n    <<: [*pg, {retention_max_files: 9, backup_lock: no}]\n    \
             db_path: /data/b.db\n    retention_min_files: !!str 2\n",
        )
        .fleet();
    let kept: Vec<_> = fleet.jobs.iter().map(|s| s.job.retention.max_files).collect();
    assert_eq!(kept, [Some(5), Some(5)]);
    assert!(fleet.jobs[0].job.exclusive && !fleet.jobs[1].job.exclusive);
}

#[test]
fn changes_in_words() {
    let old = three().fleet();
    assert_eq!(changes(&old, &three().fleet()), [""; 0]);
    assert!(old.jobs.iter().zip(&three().fleet().jobs).all(|(a, b)| a.is_as(b)));
    let text = THREE
        .replace("0 3 * * *", "0 4 * * *")
        .replace("  crm:", "  crm2:")
        .replace("log_level: warn", "log_level: info")
        .replace("    db_user: app\n", "    backup_lock: false\n");
    let new = three().jobs(&text).file("/run/crm", b"postgresql://crm/crm").fleet();
    assert_eq!(
        changes(&old, &new),
        [
            "changed: LOG_LEVEL",
            "job crm: removed",
            "job orders: changed: BACKUP_SCHEDULE",
            "job crm2: added",
            "job 2024.archive: changed: DB_USER, BACKUP_LOCK",
        ]
    );
    let secret = three().file("/run/crm", b"postgresql://crm/crm").fleet();
    assert_eq!(changes(&old, &secret), ["job crm: changed: DB_URI"]);
}

#[test]
fn a_thousand_jobs() {
    use std::fmt::Write as _;
    let mut text = "defaults: {rclone_remote: 's3:bucket/backups'}\njobs:\n".to_owned();
    for n in 0..1000 {
        let _ = write!(
            text,
            "  tenant-{n}:\n    db_uri: postgresql://app:{SPELLED}-{n}@db-{n}.example.com/tenant_{n}\n    \
             backup_schedule: '{} {} * * *'\n",
            n % 60,
            n % 24
        );
    }
    let layers = Layers {
        environment: Environment::new([("DBSTASH_CONFIG".into(), "jobs.yaml".into())]),
        ..Layers::default()
    };
    let files = Files(BTreeMap::from([("jobs.yaml".into(), text.into_bytes())]));
    let began = std::time::Instant::now();
    let fleet = resolve(&layers, &files).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(fleet.jobs.len(), 1000);
    assert!(began.elapsed().as_secs() < 60);
}
