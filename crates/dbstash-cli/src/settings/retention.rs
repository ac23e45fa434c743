//! What the settings say of what is kept.

use std::time::Duration;

use chrono::TimeDelta;
use dbstash_core::retention::{Keep, Policy};
use dbstash_core::zone::Zone;

use super::parse;
use super::reader::Reader;
use super::table::{
    BACKUP_MAX_FILES, BACKUP_RETENTION_HOURS, RETENTION_HOLD_BELOW, RETENTION_KEEP_DAILY,
    RETENTION_KEEP_DURATION, RETENTION_KEEP_HOURLY, RETENTION_KEEP_LAST, RETENTION_KEEP_MONTHLY,
    RETENTION_KEEP_WEEKLY, RETENTION_KEEP_YEARLY, RETENTION_MAX_DAYS, RETENTION_MAX_FILES,
    RETENTION_MIN_FILES, Setting,
};

/// The limits of a job, whose calendar is UTC's for now.
pub(super) fn retention(reader: &mut Reader<'_>) -> Policy {
    let max_files = [&RETENTION_MAX_FILES, &BACKUP_MAX_FILES];
    let max_files = one_of(reader, max_files, [parse::count, parse::count]);
    let max_age = [&RETENTION_MAX_DAYS, &BACKUP_RETENTION_HOURS];
    let max_age = one_of(reader, max_age, [parse::days, hours]);
    let min_files = reader.value(&RETENTION_MIN_FILES, |text| match parse::count(text) {
        Ok(least @ 1..) => Ok(least),
        _ => Err("accepted are whole numbers, 1 or more".to_owned()),
    });
    let policy = Policy {
        max_files: max_files.filter(|most| *most > 0),
        max_age: max_age.filter(|age| *age > TimeDelta::zero()),
        min_files: min_files.unwrap_or(1),
        keep: keep(reader),
        hold_below: reader.value(&RETENTION_HOLD_BELOW, parse::percent).unwrap_or(50),
        zone: Zone::UTC,
    };
    if policy.max_files.is_some_and(|most| most < policy.min_files) {
        reader.complaints.warn(format!(
            "RETENTION_MAX_FILES is less than RETENTION_MIN_FILES, so {} are kept",
            policy.min_files
        ));
    }
    policy
}

fn keep(reader: &mut Reader<'_>) -> Keep {
    let duration = reader.value(&RETENTION_KEEP_DURATION, parse::duration);
    let duration = duration.filter(|duration| *duration > Duration::ZERO);
    let mut count = |setting| reader.value(setting, parse::count).unwrap_or_default();
    Keep {
        last: count(&RETENTION_KEEP_LAST),
        duration: duration.map(|most| TimeDelta::from_std(most).unwrap_or(TimeDelta::MAX)),
        hourly: count(&RETENTION_KEEP_HOURLY),
        daily: count(&RETENTION_KEEP_DAILY),
        weekly: count(&RETENTION_KEEP_WEEKLY),
        monthly: count(&RETENTION_KEEP_MONTHLY),
        yearly: count(&RETENTION_KEEP_YEARLY),
    }
}

type Parse<T> = fn(&str) -> Result<T, String>;

/// The value of the first, or of the second, which is another name for it.
fn one_of<T: PartialEq>(
    reader: &mut Reader<'_>,
    names: [&'static Setting; 2],
    parse: [Parse<T>; 2],
) -> Option<T> {
    let [ours, alias] = names.map(|setting| reader.is_set(setting));
    let value = reader.value(names[0], parse[0]);
    let other = reader.value(names[1], parse[1]).filter(|_| alias);
    match (value, other) {
        (Some(value), Some(other)) if ours && value != other => {
            let [ours, alias] = names.map(|setting| setting.name);
            let both = format!("{ours} and {alias} mean the same and differ; unset one of them");
            reader.complaints.mistake(both);
            Some(value)
        }
        (value, None) => value,
        (_, other) => other,
    }
}

/// Hours, whole or decimal.
fn hours(text: &str) -> Result<TimeDelta, String> {
    match parse::days(text) {
        // Rounded up, as days are.
        Ok(days) => Ok(TimeDelta::seconds((days.num_seconds() + 23) / 24)),
        Err(_) => Err("accepted are hours, whole or decimal, such as 48 or 0.5".to_owned()),
    }
}
