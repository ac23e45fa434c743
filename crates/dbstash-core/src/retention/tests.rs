mod properties;

use chrono::{DateTime, TimeDelta, TimeZone as _, Utc};

use super::*;
use crate::catalog::Backup;
use crate::job::JobId;
use crate::manifest::{self, tests::manifest};
use crate::sidecar::Notes;
use crate::verify::{Mark, Outcome};
use crate::zone::zone;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
}

fn backup(job: &str, database: &str, age_hours: i64, n: usize) -> Backup {
    let object = format!("{n}.sql");
    let manifest = Box::new(manifest(job, database, age_hours, &object));
    Backup { manifest_name: manifest::name_for(&object), manifest, notes: Notes::default() }
}

fn pin(backup: &mut Backup) {
    backup.notes.pinned = true;
}

fn spoil(backup: &mut Backup) {
    backup.notes.verified = vec![Mark::new(backup.manifest.started, Outcome::Corrupt)];
}

fn policy(max_files: Option<usize>, max_hours: Option<i64>, min_files: usize) -> Policy {
    let max_age = max_hours.map(TimeDelta::hours);
    Policy { max_files, max_age, min_files, ..Policy::default() }
}

fn keep(keep: Keep) -> Policy {
    Policy { keep, hold_below: 0, ..Policy::default() }
}

fn job() -> JobId {
    "redis-1".parse().unwrap()
}

/// Backups of the same database of these ages in hours.
fn aged(ages: &[i64]) -> Vec<Backup> {
    ages.iter().enumerate().map(|(n, &hours)| backup("redis-1", "a", hours, n)).collect()
}

/// Backups of the same database begun at these times.
fn begun(times: &[&str]) -> Vec<Backup> {
    let one = |(n, time): (usize, &&str)| {
        let mut backup = backup("redis-1", "a", 0, n);
        backup.manifest.started = time.parse().unwrap();
        backup
    };
    times.iter().enumerate().map(one).collect()
}

fn verdicts(backups: &[Backup], policy: &Policy) -> Vec<Verdict> {
    select(backups, &job(), "a", policy, now())
}

/// The numbers of those that go.
fn gone(backups: &[Backup], policy: &Policy) -> Vec<usize> {
    let verdicts = verdicts(backups, policy);
    (0..backups.len()).filter(|&i| verdicts[i].is_delete()).collect()
}

#[test]
fn the_oldest_go_first_and_the_newest_stays() {
    let backups = aged(&[30, 10, 20, 40]);
    assert_eq!(gone(&backups, &policy(Some(2), None, 1)), [0, 3]);
    assert_eq!(gone(&backups, &policy(None, Some(25), 1)), [0, 3]);
    assert_eq!(gone(&backups, &policy(None, Some(1), 1)), [0, 2, 3]);
    assert_eq!(gone(&backups, &policy(None, Some(1), 3)), [3]);
    assert_eq!(gone(&backups, &policy(Some(2), Some(15), 1)), [0, 2, 3]);
    assert!(gone(&backups, &Policy::default()).is_empty());
}

#[test]
fn a_pinned_one_stays_and_counts() {
    let mut backups = aged(&[1, 2, 3, 4]);
    pin(&mut backups[1]);
    pin(&mut backups[3]);
    assert_eq!(gone(&backups, &policy(Some(1), None, 1)), [2]);
    assert_eq!(gone(&backups, &policy(Some(2), None, 1)), [2]);
    assert_eq!(verdicts(&backups, &policy(Some(1), None, 1))[3], Verdict::Keep(Reason::Pinned));
    // Other notes are no pin.
    backups[3].notes.pinned = false;
    backups[3].notes.verified = vec![Mark::new(now(), Outcome::Bytes)];
    assert_eq!(gone(&backups, &policy(Some(1), None, 1)), [2, 3]);
}

#[test]
fn a_corrupt_one_takes_nobodys_place_and_goes_by_the_limits() {
    let mut backups = aged(&[1, 2, 3, 4, 5]);
    spoil(&mut backups[0]);
    spoil(&mut backups[2]);
    let one = policy(Some(1), None, 1);
    assert_eq!(
        verdicts(&backups, &one),
        [
            Verdict::Keep(Reason::Corrupt),
            Verdict::Keep(Reason::Newest),
            Verdict::Delete(Limit::Count(1)),
            Verdict::Delete(Limit::Count(1)),
            Verdict::Delete(Limit::Count(1)),
        ]
    );
    assert_eq!(gone(&backups, &policy(Some(2), None, 1)), [4]);
    assert_eq!(gone(&backups, &policy(None, Some(1), 3)), [2], "three good ones stay");
    let rules = |rules| gone(&backups, &keep(rules));
    assert_eq!(rules(Keep { daily: 1, last: 3, ..Keep::default() }), [2]);
    assert_eq!(rules(Keep { duration: Some(TimeDelta::hours(3)), ..Keep::default() }), [3, 4]);
    // Pinned, or found good since.
    pin(&mut backups[2]);
    assert_eq!(gone(&backups, &one), [3, 4]);
    backups[0].notes.verified.insert(0, Mark::new(now(), Outcome::Bytes));
    assert_eq!(gone(&backups, &one), [1, 3, 4]);
    // Of nothing else anything could be saved.
    let mut all = aged(&[1, 2]);
    all.iter_mut().for_each(spoil);
    assert_eq!(gone(&all, &policy(Some(1), Some(0), 1)), [0; 0]);
}

/// However small.
#[test]
fn a_corrupt_newest_says_nothing_of_sizes() {
    let mut backups = aged(&[1, 2, 3]);
    backups[0].manifest.objects[0].raw_bytes = 1;
    let policy = policy(Some(1), None, 1);
    assert_eq!(gone(&backups, &policy), [0; 0]);
    spoil(&mut backups[0]);
    assert_eq!(gone(&backups, &policy), [2]);
}

/// As `dbstash prune` shows them.
fn told(times: &[&str], policy: &Policy) -> Vec<String> {
    verdicts(&begun(times), policy).iter().map(ToString::to_string).collect()
}

#[test]
fn keep_rules_alone_name_what_they_keep_and_the_rest_goes() {
    let times = [
        "2025-12-31T22:00:00Z",
        "2025-12-31T02:00:00Z",
        "2025-12-30T22:00:00Z",
        "2025-12-28T22:00:00Z",
        "2025-12-21T22:00:00Z",
        "2025-11-01T22:00:00Z",
        "2024-07-01T22:00:00Z",
        "2024-06-01T22:00:00Z",
    ];
    let rules = Keep { daily: 3, weekly: 2, monthly: 2, yearly: 9, ..Keep::default() };
    assert_eq!(
        told(&times, &keep(rules)),
        [
            "keep: among the newest RETENTION_MIN_FILES",
            "delete: no RETENTION_KEEP rule keeps it",
            "keep: daily 2025-12-30",
            "keep: daily 2025-12-28, weekly 2025-W52",
            "delete: no RETENTION_KEEP rule keeps it",
            "keep: monthly 2025-11",
            "keep: yearly 2024",
            "delete: no RETENTION_KEEP rule keeps it",
        ]
    );
    // A limit besides: what it allows stays, what it does not stays if a rule says so.
    let limited = Policy { max_files: Some(2), ..keep(rules) };
    assert_eq!(told(&times, &limited)[1], "keep: within the limits");
    assert_eq!(
        told(&times, &limited)[7],
        "delete: more than RETENTION_MAX_FILES (2) are newer or as new"
    );
    assert_eq!(gone(&begun(&times), &limited), [4, 7]);
}

#[test]
fn last_and_duration_keep_too() {
    let backups = aged(&[0, 1, 2, 3, 30]);
    let gone = |rules| gone(&backups, &keep(rules));
    assert_eq!(gone(Keep { last: 2, ..Keep::default() }), [2, 3, 4]);
    let duration = Some(TimeDelta::hours(2));
    assert_eq!(gone(Keep { duration, ..Keep::default() }), [3, 4]);
    assert_eq!(gone(Keep { duration, last: 4, ..Keep::default() }), [4]);
    assert_eq!(gone(Keep { hourly: 3, yearly: 1, ..Keep::default() }), [3, 4]);
}

#[test]
fn a_day_is_one_of_the_zone() {
    // 23:30 and 00:30 in Berlin: two days there, one in UTC.
    let times = ["2025-12-31T22:30:00Z", "2025-12-30T23:30:00Z", "2025-12-30T22:30:00Z"];
    let rules = Keep { daily: 2, ..Keep::default() };
    let of = |name| Policy { zone: zone(name), min_files: 1, ..keep(rules) };
    assert_eq!(gone(&begun(&times), &of("UTC")), [2]);
    assert_eq!(
        told(&times, &of("Europe/Berlin"))[1..],
        ["delete: no RETENTION_KEEP rule keeps it", "keep: daily 2025-12-30"]
    );
}

#[test]
fn an_hour_that_comes_twice_is_two() {
    // In Berlin, 02:30 summer time, 02:30 winter time, 02:45 winter time.
    let times = [
        "2025-11-01T00:00:00Z",
        "2025-10-26T01:45:00Z",
        "2025-10-26T01:30:00Z",
        "2025-10-26T00:30:00Z",
    ];
    let rules = Keep { hourly: 9, ..Keep::default() };
    let policy = Policy { zone: zone("Europe/Berlin"), ..keep(rules) };
    assert_eq!(
        told(&times, &policy)[1..],
        [
            "keep: hourly 2025-10-26 02:00 CET",
            "delete: no RETENTION_KEEP rule keeps it",
            "keep: hourly 2025-10-26 02:00 CEST",
        ]
    );
}

#[test]
fn a_suspiciously_small_newest_holds_everything() {
    let sized = |sizes: &[u64]| -> Vec<Backup> {
        let one = |(n, size): (usize, &u64)| {
            let mut backup = backup("redis-1", "a", i64::try_from(n).unwrap(), n);
            backup.manifest.objects[0].raw_bytes = *size;
            backup
        };
        sizes.iter().enumerate().map(one).collect()
    };
    let deletes = |sizes: &[u64], hold_below| {
        gone(&sized(sizes), &Policy { hold_below, ..policy(Some(1), None, 1) }).len()
    };
    assert_eq!(deletes(&[52, 1_000_000], 50), 0);
    assert_eq!(deletes(&[52, 1_000_000], 0), 1);
    assert_eq!(deletes(&[500_000, 1_000_000], 50), 1);
    assert_eq!(deletes(&[499_999, 1_000_000, 1_000_000], 50), 0);
    // One odd one among many is no measure.
    assert_eq!(deletes(&[100, 100, 9_000_000, 110, 90], 50), 4);
    assert_eq!(deletes(&[52, 52, 52, 52, 52, 52, 52, 52, 1_000_000], 50), 8);
}

#[test]
fn two_writers_hold_everything() {
    let by = |hosts: &[&str]| -> Vec<Backup> {
        let mut backups = aged(&(0..).take(hosts.len()).collect::<Vec<_>>());
        for (backup, host) in backups.iter_mut().zip(hosts) {
            (*host).clone_into(&mut backup.manifest.host);
        }
        backups
    };
    let one = policy(Some(1), None, 1);
    assert_eq!(gone(&by(&["a", "a", "b", "b"]), &one), [1, 2, 3], "a machine that moved");
    let both = by(&["a", "b", "b", "a"]);
    assert_eq!(gone(&both, &one), [0; 0]);
    let hold = Hold::Writers(["a".to_owned(), "b".to_owned()]);
    assert_eq!(verdicts(&both, &one)[3], Verdict::Keep(Reason::Held(hold)));
    // Not of one database.
    let mut apart = both;
    apart[1].manifest.database = "b".into();
    apart[2].manifest.job = "redis-10".parse().unwrap();
    assert_eq!(gone(&apart, &one), [3]);
}

#[test]
fn one_from_the_future_stays_and_pushes_nothing_out() {
    let backups = aged(&[-1000, -1, 0, 1, 2]);
    let future = || Verdict::Keep(Reason::Future);
    assert_eq!(
        verdicts(&backups, &policy(Some(1), None, 1)),
        [
            future(),
            future(),
            Verdict::Keep(Reason::Newest),
            Verdict::Delete(Limit::Count(1)),
            Verdict::Delete(Limit::Count(1)),
        ]
    );
    let rules = keep(Keep { last: 2, daily: 1, ..Keep::default() });
    assert_eq!(gone(&backups, &rules), [4]);
}
