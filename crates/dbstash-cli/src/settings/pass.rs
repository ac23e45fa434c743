//! The way from layers to jobs: which jobs there are, and what each was given.

use std::collections::BTreeSet;

use dbstash_core::zone::Zone;

use super::complaints::Complaints;
use super::document::{self, Document, JobSection, Section};
use super::layers::{self, Given, Layers, Origin, Partial};
use super::machine::Machine;
use super::nearest::nearest;
use super::overruled::Overruled;
use super::reader::Reader;
use super::scope::Scope;
use super::shard::Shard;
use super::table::{DBSTASH_CONFIG, DBSTASH_JOB, DBSTASH_SHARD, Setting};
use super::unison::{Unison, few};
use super::{parse, secrets};

/// One pass over the settings.
pub(super) struct Pass<'a> {
    machine: &'a dyn Machine,
    settings: Vec<&'static Setting>,
    /// What was found so far.
    pub(super) complaints: Complaints,
    /// What is from the environment and the flags, and so holds for all jobs.
    top: Partial,
    /// What `defaults:` says.
    defaults: Partial,
    document: Option<Document>,
}

impl<'a> Pass<'a> {
    /// Collects what was given for these settings, and which jobs are meant.
    pub(super) fn begin(
        layers: &Layers,
        machine: &'a dyn Machine,
        settings: impl Fn(&Setting) -> bool,
    ) -> Self {
        let wanted = |s: &&'static Setting| s.scope() == Scope::Start || settings(s);
        let settings: Vec<_> = super::table::ALL.iter().copied().filter(wanted).collect();
        let mut complaints = Complaints::default();
        complaints.secrets.extend(secrets::in_environment(&layers.environment));
        let mut top = layers.merge(&settings, machine, &mut complaints);
        let path = top.get(DBSTASH_CONFIG.name).map(|given| given.text.clone());
        let mut document = path.and_then(|path| document::read(&path, machine, &mut complaints));
        // A file that cannot be read leaves no jobs, rather than the one of the environment.
        if document.is_none() && top.contains_key(DBSTASH_CONFIG.name) {
            document = Some(Document::default());
        }
        let mut defaults = Partial::new();
        if let Some(document) = &mut document {
            let variable = top.remove(DBSTASH_JOB.name);
            choose(document, layers, variable.as_ref(), &top, &mut complaints);
            open_secrets(document, machine, &mut complaints);
            defaults = section(&document.defaults, &settings, machine, &mut complaints);
            complaints.unreadable.extend(&document.defaults.broken);
        } else {
            alone(layers, &top, &mut complaints);
        }
        Self { machine, settings, complaints, top, defaults, document }
    }

    /// The job file's path, as it was given.
    pub(super) fn file(&self) -> Option<&str> {
        self.top.get(DBSTASH_CONFIG.name).map(|given| given.text.as_str())
    }

    /// What holds for the process.
    pub(super) fn process<T>(&mut self, read: impl FnOnce(&mut Reader<'_>) -> T) -> T {
        let mut given = self.defaults.clone();
        given.extend(self.top.clone());
        read(&mut Reader::new(&given, &mut self.complaints))
    }

    /// Each job that is meant: those that `read` makes something of. What it complains of is told
    /// with the job's name.
    pub(super) fn jobs<T>(&mut self, mut read: impl FnMut(&mut Reader<'_>) -> Option<T>) -> Vec<T> {
        let Some(document) = self.document.take() else {
            let jobs: Vec<T> = self.process(read).into_iter().collect();
            self.account_for(1, jobs.len());
            return jobs;
        };
        let mut overruled = Overruled::new(&self.top);
        let (mut mistakes, mut warnings, mut notes) = Default::default();
        let mut jobs = Vec::with_capacity(document.jobs.len());
        let known = self.complaints.secrets.len();
        let usable = |job: &JobSection| !(document.defaults.unusable || job.section.unusable);
        for (number, job) in document.jobs.iter().enumerate().filter(|(_, job)| usable(job)) {
            let mut complaints = Complaints {
                secrets: self.complaints.secrets[..known].to_vec(),
                unreadable: self.complaints.unreadable.clone(),
                ..Complaints::default()
            };
            let own = section(&job.section, &self.settings, self.machine, &mut complaints);
            let mut given = self.defaults.clone();
            given.retain(|name, _| !job.section.taken_back.contains(name));
            given.extend(own);
            let (text, origin) = (job.id.to_string(), Origin::Document(job.spot.clone()));
            given.insert(DBSTASH_JOB.name, Given { text, origin });
            overruled.look(&given);
            given.extend(self.top.clone());
            complaints.unreadable.extend(&job.section.broken);
            jobs.extend(read(&mut Reader::new(&given, &mut complaints)));
            Unison::add(&mut mistakes, number, complaints.mistakes);
            Unison::add(&mut warnings, number, complaints.warnings);
            Unison::add(&mut notes, number, complaints.notes);
            self.complaints.secrets.extend(complaints.secrets.drain(known..));
        }
        let names: Vec<_> = document.jobs.iter().map(|job| (job.id.as_str(), &job.spot)).collect();
        overruled.tell(&document.file, &mut self.complaints);
        self.complaints.mistakes.extend(mistakes.told(&names, true));
        self.complaints.warnings.extend(warnings.told(&names, false));
        self.complaints.notes.extend(notes.told(&names, false));
        self.account_for(document.jobs.len(), jobs.len());
        jobs
    }

    /// No job goes missing without a word.
    fn account_for(&mut self, meant: usize, made: usize) {
        if made < meant && self.complaints.mistakes.is_empty() {
            self.complaints.mistake("the settings cannot be used".to_owned());
        }
    }
}

/// What a section says, its `_FILE`s read.
fn section(
    section: &Section,
    settings: &[&'static Setting],
    machine: &dyn Machine,
    complaints: &mut Complaints,
) -> Partial {
    let text_of = |variable: &str| {
        let (text, spot) = section.texts.get(variable)?;
        Some(Given { text: text.clone(), origin: Origin::Document(spot.clone()) })
    };
    layers::layer(settings, &text_of, machine, complaints)
}

/// Leaves the jobs that are meant.
fn choose(
    document: &mut Document,
    layers: &Layers,
    variable: Option<&Given>,
    top: &Partial,
    complaints: &mut Complaints,
) {
    let selection = &layers.selection;
    let all: Vec<&str> = document.jobs.iter().map(|job| job.id.as_str()).collect();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let by_flag = selection.jobs.iter().map(|name| ("--job ", name.as_str()));
    // What is asked for now wins over what stands in the environment.
    let variable = variable.filter(|_| selection.jobs.is_empty());
    let by_variable = variable.map(|given| ("DBSTASH_JOB=", given.text.as_str()));
    for (said, name) in by_flag.chain(by_variable) {
        if all.contains(&name) {
            wanted.insert(name);
        } else if !all.is_empty() {
            let way_out = match nearest(name, all.iter().copied()) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are {}", few(all.iter().copied())),
            };
            let name = name.escape_debug();
            let text = format!("{said}{name}: {} has no such job; {way_out}", document.file);
            complaints.mistake(text);
        }
    }
    let shard = top.get(DBSTASH_SHARD.name);
    let any = selection.jobs.is_empty() && variable.is_none();
    if any && selection.required && shard.is_none() && all.len() > 1 {
        complaints.mistake(format!(
            "{} has {} jobs: {}; choose with --job NAME, or take --all",
            document.file,
            all.len(),
            few(all.iter().copied())
        ));
    }
    if !any {
        document.jobs.retain(|job| wanted.contains(job.id.as_str()));
    }
    let index = layers.environment.iter().find(|(name, _)| *name == "JOB_COMPLETION_INDEX");
    let index = index.map(|(_, value)| value).filter(|value| !value.is_empty());
    match (shard, index) {
        (Some(given), index) => match Shard::parse(&given.text, index) {
            Ok(shard) => {
                let all = document.jobs.len();
                document.jobs.retain(|job| shard.holds(job.id.as_str()));
                let left = document.jobs.len();
                complaints.note(match left {
                    0 => format!("none of {all} jobs falls to share {shard}: nothing to do"),
                    _ => format!("{left} of {all} jobs fall to share {shard}"),
                });
            }
            Err(reason) => {
                complaints.mistake(format!("DBSTASH_SHARD={}: {reason}", given.text.trim()));
            }
        },
        (None, Some(index)) if document.jobs.len() > 1 => complaints.warn(format!(
            "JOB_COMPLETION_INDEX={index} has no effect without DBSTASH_SHARD, so each pod backs up \
             every job: set it to the Job's completions"
        )),
        (None, _) => {}
    }
}

/// Without a job file there is nothing to choose from.
fn alone(layers: &Layers, top: &Partial, complaints: &mut Complaints) {
    if let Some(name) = layers.selection.jobs.first() {
        let text = format!(
            "--job {}: there is no job file; name it by --config or DBSTASH_CONFIG",
            name.escape_debug()
        );
        complaints.mistake(text);
    }
    if top.contains_key(DBSTASH_SHARD.name) {
        let text = "DBSTASH_SHARD: there is no job file to take a share of; name it by --config or \
                    DBSTASH_CONFIG";
        complaints.mistake(text.to_owned());
    }
}

/// A file with secrets in it that everybody may read.
fn open_secrets(document: &Document, machine: &dyn Machine, complaints: &mut Complaints) {
    let mut keys = BTreeSet::new();
    let jobs = document.jobs.iter().map(|job: &JobSection| &job.section);
    for section in std::iter::once(&document.defaults).chain(jobs) {
        for setting in super::table::ALL.iter().filter(|s| s.is_secret()) {
            let text = section.texts.get(setting.name).map(|(text, _)| text);
            if text.is_some_and(|text| !layers::secrets_in(setting, text).is_empty()) {
                keys.insert(super::scope::key_of(setting.name));
            }
        }
    }
    if !keys.is_empty() && machine.is_open_to_all(document.file.as_ref().as_ref()) {
        let keys: Vec<_> = keys.into_iter().collect();
        complaints.warn(format!(
            "{} holds secrets ({}) and everybody on this machine may read it: take that right away, \
             or name files by the keys that end with _file",
            document.file,
            keys.join(", ")
        ));
    }
}

/// The zone of times that belong to no job; a wrong one is told by the jobs.
pub(super) fn zone(reader: &Reader<'_>) -> Zone {
    let zone = reader.text(&super::table::TZ).and_then(|text| parse::zone(text).ok());
    zone.unwrap_or(Zone::UTC)
}
