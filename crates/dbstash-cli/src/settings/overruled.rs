//! Variables and flags that make jobs alike which a job file tells apart.

use std::collections::{BTreeMap, BTreeSet};

use super::complaints::Complaints;
use super::layers::{Origin, Partial};
use super::marks::mark;
use super::scope::{Scope, key_of};
use super::table::{self, DB_HOST, DB_NAME, DB_PATH, DB_PORT, DB_URI, Setting};

/// The settings that hold for all jobs, with what the jobs would have said.
pub(super) struct Overruled {
    seen: BTreeMap<&'static str, Seen>,
}

struct Seen {
    setting: &'static Setting,
    origin: Origin,
    jobs: usize,
    values: BTreeSet<u64>,
}

/// Where a database is, in as many ways as there are.
const WHERE: [&Setting; 5] = [&DB_URI, &DB_HOST, &DB_PORT, &DB_NAME, &DB_PATH];

impl Overruled {
    /// Of what holds for all jobs.
    pub(super) fn new(top: &Partial) -> Self {
        let all = table::ALL.iter().filter(|s| s.scope() == Scope::Job);
        let seen = all.filter_map(|&setting| {
            let origin = top.get(setting.name)?.origin.clone();
            let seen = Seen { setting, origin, jobs: 0, values: BTreeSet::new() };
            Some((setting.name, seen))
        });
        Self { seen: seen.collect() }
    }

    /// A job, as the file alone says it.
    pub(super) fn look(&mut self, given: &Partial) {
        for (name, seen) in &mut self.seen {
            let others = if *name == DB_URI.name { &WHERE[..] } else { &[seen.setting] };
            let texts: Vec<_> =
                others.iter().filter_map(|s| Some((s.name, given.get(s.name)?))).collect();
            if !texts.is_empty() {
                seen.jobs += 1;
                let one = texts.iter().map(|(name, given)| format!("{name}={}\n", given.text));
                seen.values.insert(mark(&one.collect::<String>()));
            }
        }
    }

    /// Warns of those where jobs differ.
    pub(super) fn tell(self, file: &str, complaints: &mut Complaints) {
        for (name, seen) in self.seen {
            if seen.values.len() > 1 {
                let what = if name == DB_URI.name {
                    "where the database is".to_owned()
                } else {
                    key_of(name)
                };
                complaints.warn(format!(
                    "{name} ({}) wins over {what} in {} jobs of {file}, which differ there: now they \
                     are all alike; unset it unless that is meant",
                    seen.origin, seen.jobs
                ));
            }
        }
    }
}
