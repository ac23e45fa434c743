//! What tells a changed setting from one that stayed, without keeping any value.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::reader::Reader;
use super::scope::Scope;
use super::{Fleet, JobSettings, table};

/// A mark for each setting that is not as when nothing is set, by its name.
pub(super) type Marks = Box<[(&'static str, u64)]>;

/// Equal for equal texts; another one for others, but for a chance of one in 2^64.
pub(super) fn mark(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The marks of what was given.
pub(super) fn marks(reader: &Reader<'_>, scope: Scope) -> Marks {
    let given =
        table::ALL.iter().filter(|setting| setting.scope() == scope).filter_map(|setting| {
            let text = reader.given(setting)?;
            let default =
                matches!(setting.default, table::Fallback::Is(default) if default == text);
            (!default).then(|| (setting.name, mark(text)))
        });
    given.collect()
}

/// What is not as it was, in words and without values: settings of the process, jobs that came and
/// went, and settings of jobs that stayed. Empty when all is as it was.
pub fn changes(old: &Fleet, new: &Fleet) -> Vec<String> {
    let mut told = Vec::new();
    let names = differing(&old.process.marks, &new.process.marks);
    if !names.is_empty() {
        told.push(format!("changed: {}", names.join(", ")));
    }
    let by_name = |fleet: &'_ Fleet| -> BTreeMap<String, usize> {
        let jobs = fleet.jobs.iter().enumerate();
        jobs.map(|(number, settings)| (settings.job.id.to_string(), number)).collect()
    };
    let (before, after) = (by_name(old), by_name(new));
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        told.push(format!("job {name}: removed"));
    }
    for settings in &new.jobs {
        let name = settings.job.id.as_str();
        match before.get(name) {
            None => told.push(format!("job {name}: added")),
            Some(&number) => {
                let names = differing(old.jobs[number].marks(), settings.marks());
                if !names.is_empty() {
                    told.push(format!("job {name}: changed: {}", names.join(", ")));
                }
            }
        }
    }
    told
}

fn differing(old: &Marks, new: &Marks) -> Vec<&'static str> {
    let map = |marks: &Marks| marks.iter().copied().collect::<BTreeMap<_, _>>();
    let (old, new) = (map(old), map(new));
    let differs = |name: &&'static str| old.get(*name) != new.get(*name);
    table::ALL.iter().map(|setting| setting.name).filter(differs).collect()
}

impl JobSettings {
    /// Whether these are the settings of the same job, unchanged.
    pub fn is_as(&self, other: &Self) -> bool {
        self.job.id == other.job.id && self.marks == other.marks
    }

    fn marks(&self) -> &Marks {
        &self.marks
    }
}
