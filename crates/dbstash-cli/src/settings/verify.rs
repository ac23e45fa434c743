//! What the settings say of how backups are verified by themselves.

use dbstash_core::schedule::{BadSchedule, Schedule};
use dbstash_core::timetable::Timetable;
use dbstash_core::verify::{Level, Rounds, Sample};
use dbstash_core::zone::Zone;

use super::parse;
use super::reader::Reader;
use super::table::{Setting, VERIFY_AFTER_BACKUP, VERIFY_LEVEL, VERIFY_SAMPLE, VERIFY_SCHEDULE};

/// How far a backup is verified as soon as it is stored.
pub(super) fn after(reader: &mut Reader<'_>) -> Option<Level> {
    reader.value(&VERIFY_AFTER_BACKUP, |text| match word(text).as_str() {
        "none" => Ok(None),
        text => {
            level(text).map(Some).ok_or_else(|| "accepted are none, bytes, structure".to_owned())
        }
    })?
}

/// What is verified by a schedule of its own, whose zone is UTC for now.
pub(super) fn rounds(reader: &mut Reader<'_>) -> Option<Rounds> {
    let timetable = timetable(reader, &VERIFY_SCHEDULE, "dbstash verify does it now");
    let found = reader.value(&VERIFY_LEVEL, |text| {
        level(&word(text)).ok_or_else(|| "accepted are bytes, structure".to_owned())
    });
    let sample = reader.value(&VERIFY_SAMPLE, sample);
    if !reader.is_set(&VERIFY_SCHEDULE) {
        for setting in [&VERIFY_LEVEL, &VERIFY_SAMPLE] {
            if reader.is_set(setting) {
                let idle = format!("{} has no effect without VERIFY_SCHEDULE", setting.name);
                reader.complaints.warn(idle);
            }
        }
    }
    Some(Rounds { timetable: timetable?, level: found?, sample: sample? })
}

/// When there are rounds, whose zone is UTC for now.
pub(super) fn timetable(
    reader: &mut Reader<'_>,
    setting: &'static Setting,
    once: &str,
) -> Option<Timetable> {
    let schedule = reader.value(setting, |text| match text.parse::<Schedule>() {
        Ok(Schedule::Once) => Err(format!("this schedule cannot be once; {once}")),
        Ok(schedule) => Ok(schedule),
        Err(error) => Err(format!("{error}; accepted are {}", BadSchedule::ACCEPTED)),
    });
    Some(Timetable { schedule: schedule?, ..Timetable::now(Zone::UTC) })
}

fn word(text: &str) -> String {
    text.trim().to_ascii_lowercase()
}

fn level(word: &str) -> Option<Level> {
    [Level::Bytes, Level::Structure].into_iter().find(|level| level.as_str() == word)
}

fn sample(text: &str) -> Result<Sample, String> {
    match word(text).as_str() {
        "latest" => Ok(Sample::Latest),
        "all" => Ok(Sample::All),
        share => match share.strip_suffix('%').map(parse::percent) {
            Some(Ok(share @ 1..)) => Ok(Sample::Share(share)),
            _ => Err("accepted are latest, all, and whole percents from 1% to 100%".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples() {
        for (text, wanted) in [
            ("latest", Some(Sample::Latest)),
            (" ALL ", Some(Sample::All)),
            ("10%", Some(Sample::Share(10))),
            ("100%", Some(Sample::Share(100))),
            ("0%", None),
            ("101%", None),
            ("10", None),
            ("-1%", None),
            ("newest", None),
        ] {
            assert_eq!(sample(text).ok(), wanted, "{text}");
        }
    }
}
