//! When a job runs: a pure choice of the next moment.
//!
//! Cron times are wall clock times of a zone, and a wall clock changes twice a year:
//! - A schedule that names its hours (`30 2 * * *`) runs once for each time it names. A time that
//!   the spring change leaves out runs at the first moment after the gap; a time that the autumn
//!   change repeats runs the first time only.
//! - A schedule for every hour of the day (`*/15 * * * *`, `@hourly`) keeps its pace instead:
//!   nothing is made up after the gap, and the repeated hour is an hour like any other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use croner::parser::{CronParser, Seconds, Year};

use crate::zone::Zone;

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// At once, and never again.
    Once,
    /// At wall clock times.
    Cron(Cron),
    /// This long after the last time, whatever the clock says.
    Every(Duration),
}

/// A cron expression: 5 fields, or 6 with the seconds first.
///
/// When neither the day of the month nor the day of the week is `*`, a day that one of them names
/// is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    source: String,
    pattern: Box<croner::Cron>,
}

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// Neither a word we know nor the right number of fields.
    #[error("a cron expression has 5 fields, or 6 with the seconds first, and this has {0}")]
    Fields(usize),
    /// An `@word` nobody knows.
    #[error("{0} is unknown")]
    Nickname(String),
    /// A field that is out of range or not understood.
    #[error("the {field} field '{text}' is not one of {accepted}, a list, range or step")]
    Field {
        /// Which field.
        field: &'static str,
        /// What it says.
        text: String,
        /// Its range.
        accepted: &'static str,
    },
    /// A date that is in no calendar, like February 30th.
    #[error("this date never comes")]
    Never,
}

impl BadSchedule {
    /// What every schedule may look like.
    pub const ACCEPTED: &str = "a cron expression such as '0 2 * * *', @hourly, @daily, \
        @midnight, @weekly, @monthly, @yearly, @annually, or once";
}

const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// Each field's name and what it may hold.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day-of-month", "1-31"),
    ("month", "1-12, jan-dec"),
    ("day-of-week", "0-7 (0 and 7 are Sunday), sun-sat"),
];

impl Schedule {
    /// The first moment after `now`; `None` when there is none.
    pub fn next_after(&self, now: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        match self {
            Self::Once => None,
            Self::Cron(cron) => cron.next_after(now, zone),
            Self::Every(pause) => now.checked_add_signed(TimeDelta::from_std(*pause).ok()?),
        }
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        if text.trim().eq_ignore_ascii_case("once") {
            Ok(Self::Once)
        } else {
            text.parse().map(Self::Cron)
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Cron(cron) => f.write_str(&cron.source),
            Self::Every(pause) => write!(f, "every {pause:?}"),
        }
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.source)
    }
}

impl FromStr for Cron {
    type Err = BadSchedule;

    fn from_str(source: &str) -> Result<Self, BadSchedule> {
        let source = source.trim();
        let mut expression = source;
        if source.starts_with('@') {
            expression = NICKNAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(source))
                .map(|(_, expression)| *expression)
                .ok_or_else(|| BadSchedule::Nickname(source.to_owned()))?;
        }
        let mut fields: Vec<&str> = expression.split_whitespace().collect();
        if fields.len() == 5 {
            fields.insert(0, "0");
        }
        if fields.len() != FIELDS.len() {
            return Err(BadSchedule::Fields(fields.len()));
        }
        for (index, text) in fields.iter().enumerate() {
            check_field(index, text)?;
        }
        let pattern = Box::new(parse(&fields.join(" ")).ok_or(BadSchedule::Never)?);
        let cron = Self { source: source.to_owned(), pattern };
        // Every date there is comes up within the 400 years after which the calendar repeats.
        match cron.next_wall_after(DateTime::UNIX_EPOCH.naive_utc()) {
            Some(_) => Ok(cron),
            None => Err(BadSchedule::Never),
        }
    }
}

/// Parsed alone, so that a mistake can be pinned on its field.
fn check_field(index: usize, text: &str) -> Result<(), BadSchedule> {
    let (field, accepted) = FIELDS[index];
    let letters = text.chars().any(|c| c.is_ascii_alphabetic());
    let letters_fit = match index {
        0..=2 => !letters,
        3 => text.chars().all(|c| !c.is_ascii_alphabetic() || "lLwW".contains(c)),
        _ => true,
    };
    let mut fields = ["*"; 6];
    fields[index] = text;
    if letters_fit
        && text.split(',').all(|item| !item.is_empty())
        && parse(&fields.join(" ")).is_some()
    {
        return Ok(());
    }
    Err(BadSchedule::Field { field, text: text.to_owned(), accepted })
}

fn parse(six_fields: &str) -> Option<croner::Cron> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Optional)
        .dom_and_dow(false)
        .build()
        .parse(six_fields)
        .ok()
}

impl Cron {
    fn next_after(&self, now: DateTime<Utc>, zone: Zone) -> Option<DateTime<Utc>> {
        if self.pattern.pattern.hours.values().len() == 24 {
            let next = self.pattern.find_next_occurrence(&now.with_timezone(&zone), false);
            return next.ok().map(|at| at.to_utc());
        }
        let mut wall = now.with_timezone(&zone).naive_local();
        loop {
            wall = self.next_wall_after(wall)?;
            let at = first_moment(wall, zone)?;
            // Not later: the second time around of a repeated hour, whose first time has been.
            if at > now {
                return Some(at);
            }
        }
    }

    /// On a wall clock that never changes.
    fn next_wall_after(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        let next = self.pattern.find_next_occurrence(&wall.and_utc(), false);
        next.ok().map(|at| at.naive_utc())
    }
}

/// The first moment at which the zone's clocks show `wall`, or a later time if they never show it.
fn first_moment(wall: NaiveDateTime, zone: Zone) -> Option<DateTime<Utc>> {
    if let Some(at) = zone.from_local_datetime(&wall).earliest() {
        return Some(at.to_utc());
    }
    let shows = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() >= wall;
    // No zone is a day away from UTC, so the gap's end lies between these.
    let mut before = wall.and_utc().checked_sub_signed(TimeDelta::days(1))?;
    let mut after = wall.and_utc().checked_add_signed(TimeDelta::days(1))?;
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if shows(middle) {
            after = middle;
        } else {
            before = middle;
        }
    }
    Some(after)
}

#[cfg(test)]
mod daylight;
#[cfg(test)]
mod tests;
