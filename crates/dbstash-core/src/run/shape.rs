//! What the objects of a backup are called.

use super::draft::SUMS;
use crate::engine::{Companion, Plan};
use crate::job::Job;
use crate::manifest;
use crate::name::object_name;
use crate::sidecar::Note;

/// What a backup consists of, before it has a name.
pub(super) struct Shape {
    /// The dump's extension; none for a folder.
    extension: String,
    pub(super) folder: bool,
    /// The extensions of what is stored beside the dump.
    beside: Vec<String>,
}

/// The names of a backup's objects.
pub(super) struct Names {
    /// What all of them begin with.
    pub(super) base: String,
    /// The dump first; a folder's name ends with a `/`.
    pub(super) objects: Vec<String>,
    pub(super) manifest: String,
}

impl Shape {
    /// Of the backups of this plan.
    pub(super) fn new(job: &Job, plan: &Plan) -> Self {
        let folder = job.is_folder(&plan.dump);
        let first = |companion: &Companion| companion.ways.first().map(|way| way.format);
        let companions = plan.companions.iter().filter_map(first);
        let mut beside: Vec<_> = companions.map(|format| job.extension(&format)).collect();
        beside.extend(folder.then(|| SUMS.to_owned()));
        Self { extension: job.dump_extension(&plan.dump), folder, beside }
    }

    /// The names for a backup of this name, on the `attempt`-th try.
    pub(super) fn names(&self, name: &str, attempt: u32) -> Names {
        let base = object_name(name, attempt, "");
        let mut dump = object_name(name, attempt, &self.extension);
        dump.extend(self.folder.then_some('/'));
        let manifest = manifest::name_for(&dump);
        let beside = self.beside.iter().map(|extension| format!("{base}.{extension}"));
        let objects = std::iter::once(dump).chain(beside).collect();
        Names { base, objects, manifest }
    }
}

impl Names {
    /// All that will be written.
    pub(super) fn own(&self) -> impl Iterator<Item = &String> {
        self.objects.iter().chain([&self.manifest])
    }

    /// All that have to be free: a pin of what had the name before would be one of this.
    pub(super) fn all(&self) -> Vec<String> {
        self.own().cloned().chain([Note::Pin.name(&self.manifest)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(extension: &str, folder: bool, attempt: u32) -> (String, Vec<String>) {
        let beside = vec!["globals.sql".to_owned()];
        let shape = Shape { extension: extension.to_owned(), folder, beside };
        let names = shape.names("a/shop.", attempt);
        (names.base.clone(), names.all())
    }

    #[test]
    fn every_name_begins_with_the_base() {
        assert_eq!(
            names("sql", false, 1).1,
            ["a/shop..sql", "a/shop..globals.sql", "a/shop..sql.dbstash.json", "a/shop..sql.pin"]
        );
        let (base, all) = names("", true, 2);
        assert_eq!(base, "a/shop.-2");
        assert_eq!(all[..3], ["a/shop.-2/", "a/shop.-2.globals.sql", "a/shop.-2.dbstash.json"]);
        assert_eq!(all[3], "a/shop.-2.pin");
    }
}
