//! What is to come: the next backup, and what it will have deleted.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::catalog::{Backup, Catalog};
use crate::checkup::Finding;
use crate::job::Job;
use crate::prune::PrunePlan;
use crate::timetable::Timetable;

/// As many names are told.
const NAMED: usize = 5;

/// When the next backup is due.
pub fn appointment(timetable: &Timetable, now: DateTime<Utc>) -> Finding {
    if timetable.is_once() {
        return Finding::ok("schedule", "once, whenever dbstash is started (BACKUP_SCHEDULE=once)");
    }
    match timetable.next_after(now) {
        Some(at) => {
            let zone = timetable.zone;
            let local = at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Secs, true);
            Finding::ok("schedule", format!("the next backup is due at {local} ({})", zone.name()))
        }
        None => Finding::fail(
            "schedule",
            "no backup will ever be due",
            "correct BACKUP_SCHEDULE: no calendar has such a day",
        ),
    }
}

/// What there is of a job's backups, and what retention will delete of it once the next one, begun at `next`, is
/// stored.
pub fn retention(
    catalog: &Catalog,
    job: &Job,
    next: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<Finding> {
    let ours: Vec<&Backup> =
        catalog.backups.iter().filter(|backup| backup.manifest.job == job.id).collect();
    let mut all = vec![match ours.first() {
        Some(newest) => {
            let at = newest.manifest.started.to_rfc3339_opts(SecondsFormat::Secs, true);
            Finding::ok("backups", format!("{} of this job, the newest of {at}", ours.len()))
        }
        None => Finding::ok("backups", "none of this job yet"),
    }];
    let newest = newest(&ours);
    let corrupt = newest.values().filter(|backup| backup.is_corrupt());
    all.extend(corrupt.map(|backup| {
        let object = backup.objects().next().unwrap_or_default();
        let what = format!("{object}, the newest of its database, was found to be corrupt");
        Finding::fail("backups", what, "back up again; dbstash verify says what is wrong with it")
    }));
    if job.retention.keeps_everything() {
        all.push(Finding::ok("retention", "nothing is ever deleted: no RETENTION_ setting is set"));
        return all;
    }
    let with_next = with_next(catalog, newest, next);
    let plan = PrunePlan::new(&with_next, job, None, next.max(now));
    let way_out = "look at the newest backups, dbstash list shows them";
    all.extend(plan.holds().into_iter().map(|hold| Finding::warn("retention", hold, way_out)));
    let going: Vec<String> = plan
        .verdicts
        .iter()
        .filter(|(_, verdict)| verdict.is_delete())
        .map(|(backup, verdict)| {
            let object = backup.objects().next().unwrap_or_default();
            format!("{object} ({})", verdict.to_string().trim_start_matches("delete: "))
        })
        .collect();
    let more = match going.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let count = going.len();
    let named = going[..count.min(NAMED)].join(", ");
    all.push(if count == 0 {
        Finding::ok("retention", format!("the next backup deletes none of {}", ours.len()))
    } else {
        let what = format!("the next backup deletes {count} of {}: {named}{more}", ours.len());
        if count > 2 && count * 2 > ours.len() {
            let way_out =
                "that is most of them: dbstash prune --dry-run tells why each goes or stays";
            Finding::warn("retention", what, way_out)
        } else {
            Finding::ok("retention", what)
        }
    });
    all
}

/// The newest of each database.
fn newest<'a>(ours: &[&'a Backup]) -> BTreeMap<&'a str, &'a Backup> {
    let mut newest = BTreeMap::new();
    for &backup in ours {
        newest.entry(&*backup.manifest.database).or_insert(backup);
    }
    newest
}

/// The catalog as it will be: each database of the job has one more, like its newest.
fn with_next(catalog: &Catalog, newest: BTreeMap<&str, &Backup>, next: DateTime<Utc>) -> Catalog {
    let coming = newest.into_values().map(|last| {
        let mut manifest = last.manifest.clone();
        (manifest.started, manifest.ended) = (next, next);
        manifest.id = format!("next-{}", manifest.id);
        let manifest_name = format!("next/{}", last.manifest_name);
        Backup { manifest_name, manifest, notes: crate::sidecar::Notes::default() }
    });
    let backups = coming.chain(catalog.backups.iter().cloned()).collect();
    Catalog { backups, ..Catalog::default() }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::checkup::Verdict;
    use crate::job::{Databases, EngineKey, Source};
    use crate::manifest::{name_for, tests::manifest};
    use crate::sidecar::Notes;
    use crate::verify::{Mark, Outcome};
    use crate::zone::Zone;

    fn catalog(count: i64) -> Catalog {
        let backup = |n: i64| {
            let object = format!("db-{n}.sql");
            let mut manifest = Box::new(manifest("j", "db", 0, &object));
            manifest.started = DateTime::UNIX_EPOCH + TimeDelta::days(n);
            manifest.id = format!("id-{n}");
            Backup { manifest_name: name_for(&object), manifest, notes: Notes::default() }
        };
        Catalog { backups: (0..count).rev().map(backup).collect(), ..Catalog::default() }
    }

    fn job(max: Option<usize>) -> Job {
        let source = Source::File("/x".into());
        let databases = Databases::Named(vec!["db".into()]);
        let mut job = Job::new("j".parse().unwrap(), EngineKey::Sqlite, source, databases);
        job.retention.max_files = max;
        job
    }

    #[test]
    fn the_next_backup_counts() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        let told = |max, count| {
            let all = retention(&catalog(count), &job(max), now + TimeDelta::hours(1), now);
            (all.last().unwrap().verdict, all.last().unwrap().what.clone())
        };
        assert!(told(None, 3).1.contains("nothing is ever deleted"));
        assert_eq!(told(Some(4), 3), (Verdict::Ok, "the next backup deletes none of 3".into()));
        let (verdict, what) = told(Some(3), 3);
        assert_eq!(verdict, Verdict::Ok);
        assert!(what.starts_with("the next backup deletes 1 of 3: db-0.sql (more than"), "{what}");
        let (verdict, what) = told(Some(1), 9);
        assert_eq!(verdict, Verdict::Warn);
        assert!(what.contains("deletes 9 of 9") && what.ends_with(", and 4 more"), "{what}");
        assert!(told(Some(1), 0).1.contains("none of 0"));
    }

    #[test]
    fn a_newest_one_that_is_corrupt_is_told() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(10);
        let told = |corrupt: usize| {
            let mut catalog = catalog(2);
            let backup = &mut catalog.backups[corrupt];
            backup.notes.verified = vec![Mark::new(backup.manifest.started, Outcome::Corrupt)];
            let all = retention(&catalog, &job(None), now, now);
            let failed = all.into_iter().find(|finding| finding.verdict == Verdict::Fail);
            failed.map(|finding| finding.what)
        };
        let what = "db-1.sql, the newest of its database, was found to be corrupt";
        assert_eq!(told(0).as_deref(), Some(what));
        assert_eq!(told(1), None);
    }

    #[test]
    fn the_next_time_is_told_in_its_zone() {
        let mut table = Timetable::now(Zone::UTC);
        let told = |table: &Timetable| appointment(table, DateTime::UNIX_EPOCH);
        assert!(told(&table).what.contains("whenever dbstash is started"));
        (table.schedule, table.zone) =
            ("0 2 * * *".parse().unwrap(), "Asia/Tokyo".parse().unwrap());
        let what = told(&table).what;
        assert!(what.contains("1970-01-02T02:00:00+09:00 (Asia/Tokyo)"), "{what}");
    }
}
