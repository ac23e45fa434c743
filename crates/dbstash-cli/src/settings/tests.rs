//! Resolving as a whole. Every set of settings in here holds a canary password, and nothing that
//! is ever shown may hold it.

mod any_input;
mod bad_input;
mod drill;
mod good_input;
mod job_file;
mod job_file_mistakes;
mod notify;
mod redis;
mod remarks;
mod retention;
mod schema;
mod verify;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use std::sync::Arc;

use dbstash_core::job::Job;
use dbstash_core::secret::Redactor;
use dbstash_core::timetable::Timetable;
use dbstash_core::verify::Rounds;

use super::{
    Environment, Fleet, Layers, LogSettings, Machine, Mistakes, NotifySettings, Process,
    RemoteSettings, Selection, Shown, explain, resolve,
};
use crate::commands::config;

const CANARY: &str = "c4n4ry/p@ss";
/// The canary as a URI spells it.
const SPELLED: &str = "c4n4ry%2Fp%40ss";

/// A machine with these files.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, Vec<u8>>);

impl Machine for Files {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let found = self.0.get(path).cloned();
        found.ok_or_else(|| io::Error::from_raw_os_error(2))
    }

    fn is_open_to_all(&self, path: &Path) -> bool {
        path.starts_with("/open")
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Path::new("/here").join(path)
    }

    fn host_name(&self) -> String {
        "box".to_owned()
    }

    fn cores(&self) -> usize {
        8
    }
}

/// Settings under test: the environment, flags and files of one case.
#[derive(Default)]
struct Case {
    environment: BTreeMap<String, String>,
    flags: BTreeMap<String, String>,
    selection: Selection,
    files: Files,
}

/// A good pg connection, a good remote, and a canary.
fn good() -> Case {
    case(&[
        ("DB_URI", &format!("postgresql://app:{SPELLED}@db:5433/shop")),
        ("RCLONE_REMOTE", "s3:bucket/backups"),
    ])
}

/// The only job there is, its process, and what `dbstash config` shows of it.
struct Settings {
    job: Arc<Job>,
    remote: Arc<RemoteSettings>,
    timetable: Timetable,
    rounds: Option<Box<Rounds>>,
    drills: Option<Box<Rounds>>,
    notify: NotifySettings,
    log: LogSettings,
    state_dir: Option<PathBuf>,
    dry_run: bool,
    warnings: Vec<String>,
    notes: Vec<String>,
    values: Vec<Shown>,
    redactor: Redactor,
}

impl Settings {
    fn new((fleet, values): (Fleet, Vec<Vec<Shown>>)) -> Self {
        let redactor = fleet.process.redactor();
        let Fleet { process, mut jobs } = fleet;
        assert_eq!((jobs.len(), values.len()), (1, 1));
        let (only, values) = (jobs.remove(0), values.into_iter().next().unwrap());
        Self {
            job: only.job,
            remote: only.remote,
            timetable: only.timetable,
            rounds: only.rounds,
            drills: only.drills,
            notify: only.notify,
            log: process.log,
            state_dir: process.state_dir,
            dry_run: process.dry_run,
            warnings: process.warnings,
            notes: process.notes,
            values,
            redactor,
        }
    }

    fn redactor(&self) -> &Redactor {
        &self.redactor
    }
}

fn case(environment: &[(&str, &str)]) -> Case {
    Case::default().env("DB_PASSWORD", CANARY).envs(environment)
}

impl Case {
    fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn envs(self, pairs: &[(&str, &str)]) -> Self {
        pairs.iter().fold(self, |case, (name, value)| case.env(name, value))
    }

    fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.insert(name.to_owned(), value.to_owned());
        self
    }

    fn file(mut self, path: &str, bytes: &[u8]) -> Self {
        self.files.0.insert(path.into(), bytes.to_owned());
        self
    }

    /// With a job file.
    fn jobs(self, text: &str) -> Self {
        self.env("DBSTASH_CONFIG", "jobs.yaml").file("jobs.yaml", text.as_bytes())
    }

    /// With `--job` for each of these.
    fn only(mut self, jobs: &[&str]) -> Self {
        self.selection.jobs = jobs.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Resolves, and looks for the canary in everything that can be shown.
    fn explain(self) -> Result<(Fleet, Vec<Vec<Shown>>), Mistakes> {
        let environment = self.environment.into_iter().map(|(n, v)| (n.into(), v.into()));
        let layers = Layers {
            environment: Environment::new(environment),
            flags: self.flags,
            selection: self.selection,
        };
        let result = explain(&layers, &self.files);
        let shown = match &result {
            Err(mistakes) => format!("{mistakes:?}"),
            Ok((fleet, values)) => {
                let Process { warnings, notes, .. } = &fleet.process;
                let text = config::shown(fleet, values, false);
                let json = config::shown(fleet, values, true);
                format!("{warnings:?} {notes:?} {values:?} {text} {json}")
            }
        };
        for leak in [CANARY, SPELLED, "c4n4ry"] {
            assert!(!shown.contains(leak), "{leak} in {shown}");
        }
        result
    }

    fn fleet(self) -> Fleet {
        self.explain().unwrap_or_else(|e| panic!("{e}")).0
    }

    fn resolve(self) -> Result<Settings, Mistakes> {
        self.explain().map(Settings::new)
    }

    fn settings(self) -> Settings {
        self.resolve().unwrap_or_else(|e| panic!("{e}"))
    }

    fn mistakes(self) -> Vec<String> {
        self.explain().err().expect("a mistake was expected").mistakes
    }

    /// The only mistake there is.
    fn mistake(self) -> String {
        let mistakes = self.mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        mistakes.into_iter().next().unwrap()
    }
}

/// The value that `dbstash config` shows for a setting, and its origin.
fn shown<'a>(settings: &'a Settings, name: &str) -> (Option<&'a str>, String) {
    let found = settings.values.iter().find(|v| v.setting.name == name);
    let found = found.unwrap_or_else(|| panic!("{name} is not shown"));
    (found.value.as_deref(), found.origin.to_string())
}

#[track_caller]
fn warns(settings: &Settings, parts: &[&str]) {
    let found = settings.warnings.iter().any(|w| parts.iter().all(|part| w.contains(part)));
    assert!(found, "{parts:?} is not in {:#?}", settings.warnings);
}
