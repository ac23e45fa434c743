//! The job file: `defaults:` and `jobs:`, their keys the names of settings in lower case.
//!
//! Here it is looked at as a text: which keys there are, and that each has the right kind of
//! value. What the values mean is every job's own matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use dbstash_core::job::JobId;

use super::complaints::Complaints;
use super::later::NOT_YET;
use super::machine::Machine;
use super::nearest::nearest;
use super::scope::{List, Scope, key_of};
use super::table::{self, Kind, Setting};
use super::yaml::{self, At, Key, Node, Value};

/// A place in a job file; line and column count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spot {
    /// The file, as it was named.
    pub file: Arc<str>,
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// `dbstash.yaml:12:5`.
impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A job file. Not `Debug`: it may hold secrets.
#[derive(Default)]
pub(super) struct Document {
    pub(super) file: Arc<str>,
    pub(super) defaults: Section,
    pub(super) jobs: Vec<JobSection>,
}

/// A job of the file.
pub(super) struct JobSection {
    pub(super) id: JobId,
    pub(super) spot: Spot,
    pub(super) section: Section,
}

/// The settings of `defaults:` or of a job.
#[derive(Default)]
pub(super) struct Section {
    /// By the names of their variables, `_FILE` among them.
    pub(super) texts: BTreeMap<String, (String, Spot)>,
    /// Those that are there without a value: what `defaults:` says of them does not hold.
    pub(super) taken_back: BTreeSet<&'static str>,
    /// Those with a mistake that has been told.
    pub(super) broken: BTreeSet<&'static str>,
    /// What was meant is unknown, so nothing can be said to be missing.
    pub(super) unusable: bool,
}

/// The file at `path`. Everything wrong with it is told; `None` when nothing of it can be used.
pub(super) fn read(
    path: &str,
    machine: &dyn Machine,
    complaints: &mut Complaints,
) -> Option<Document> {
    let unreadable = |reason: &str| format!("DBSTASH_CONFIG={path}: {reason}");
    let bytes = match machine.read_jobs(Path::new(path)) {
        Ok(bytes) => bytes,
        Err(error) => {
            complaints.mistake(unreadable(&format!("cannot read this job file: {error}")));
            return None;
        }
    };
    let Ok(text) = String::from_utf8(bytes) else {
        complaints.mistake(unreadable("this file is not UTF-8 text"));
        return None;
    };
    let mut reading = Reading { file: Arc::from(path), keys: keys(), complaints };
    match yaml::parse(&text) {
        Ok((root, wrong)) => {
            for wrong in wrong {
                reading.mistake(wrong.at, wrong.text);
            }
            reading.document(root.as_deref())
        }
        Err(wrong) => {
            reading.mistake(wrong.at, format!("this is not YAML: {}", wrong.text));
            None
        }
    }
}

type Keys = HashMap<String, &'static Setting>;

fn keys() -> Keys {
    let of = |s: &'static Setting| {
        std::iter::once(s.name.to_owned()).chain(s.file_variable()).map(move |v| (key_of(&v), s))
    };
    table::ALL.iter().flat_map(|&setting| of(setting)).collect()
}

struct Reading<'a> {
    file: Arc<str>,
    keys: Keys,
    complaints: &'a mut Complaints,
}

impl Reading<'_> {
    fn spot(&self, at: At) -> Spot {
        Spot { file: Arc::clone(&self.file), line: at.line, column: at.column }
    }

    fn mistake(&mut self, at: At, text: String) {
        let spot = self.spot(at);
        self.complaints.mistake_at(spot, text);
    }

    fn document(&mut self, root: Option<&Node>) -> Option<Document> {
        const SHAPE: &str = "accepted are the keys defaults: and jobs:";
        let start = At { line: 1, column: 1 };
        let entries = match root {
            None => &[][..],
            Some(node) if node.value.is_null() => &[][..],
            Some(Node { value: Value::Map(entries), .. }) => entries,
            Some(node) => {
                self.mistake(node.at, format!("{}; {SHAPE}", node.value.kind()));
                return None;
            }
        };
        let mut defaults = Section::default();
        let mut jobs = None;
        for (key, node) in entries {
            match &*key.text {
                "defaults" => defaults = self.section(node, None),
                "jobs" => jobs = Some(self.jobs(node)),
                name if name.starts_with("x-") => {}
                name if self.keys.contains_key(name) => {
                    let text = format!("{name} belongs under defaults: or into a job");
                    self.mistake(key.at, text);
                }
                name => {
                    let hint = hint(nearest(name, ["defaults", "jobs"].into_iter()));
                    self.mistake(key.at, format!("unknown key {}; {SHAPE}{hint}", brief(name)));
                }
            }
        }
        if jobs.is_none() {
            let text = "no jobs: name each under jobs:, with its settings below it";
            self.mistake(start, text.to_owned());
        }
        Some(Document { file: Arc::clone(&self.file), defaults, jobs: jobs.unwrap_or_default() })
    }

    fn jobs(&mut self, node: &Node) -> Vec<JobSection> {
        let entries = match &node.value {
            Value::Map(entries) if !entries.is_empty() => entries,
            Value::Map(_) => {
                self.mistake(node.at, "jobs: is empty; it names each job".to_owned());
                return Vec::new();
            }
            value if value.is_null() => {
                self.mistake(node.at, "jobs: is empty; it names each job".to_owned());
                return Vec::new();
            }
            value => {
                let text = format!(
                    "jobs: {}; accepted is a map, each job's name with its settings below it",
                    value.kind()
                );
                self.mistake(node.at, text);
                return Vec::new();
            }
        };
        let mut jobs = Vec::new();
        for (key, node) in entries {
            match key.text.parse::<JobId>() {
                Ok(id) => {
                    let section = self.section(node, Some(&key.text));
                    jobs.push(JobSection { id, spot: self.spot(key.at), section });
                }
                Err(error) => {
                    let text = format!("{} is no name of a job: {error}", brief(&key.text));
                    self.mistake(key.at, text);
                }
            }
        }
        jobs
    }

    fn section(&mut self, node: &Node, job: Option<&str>) -> Section {
        let mut section = Section::default();
        let whose = job.map_or("defaults".to_owned(), |name| format!("job {name}"));
        let entries = match &node.value {
            Value::Map(entries) => entries,
            value if value.is_null() => return section,
            value => {
                let text = format!("{whose}: {}; accepted is a map of settings", value.kind());
                self.mistake(node.at, text);
                section.unusable = true;
                return section;
            }
        };
        for (key, node) in entries {
            let Some(&setting) = self.keys.get(&*key.text) else {
                self.unknown(key, &whose, &mut section);
                continue;
            };
            if let Some(reason) = misplaced(setting, job) {
                self.mistake(key.at, format!("{whose}: {}: {reason}", key.text));
                continue;
            }
            match text(setting, &node.value, setting.name.len() < key.text.len()) {
                Ok(Some(text)) => {
                    let variable = key.text.to_ascii_uppercase();
                    section.texts.insert(variable, (text, self.spot(node.at)));
                }
                Ok(None) => drop(section.taken_back.insert(setting.name)),
                Err(reason) => {
                    self.mistake(node.at, format!("{whose}: {}: {reason}", key.text));
                    section.broken.insert(setting.name);
                }
            }
        }
        section
    }

    fn unknown(&mut self, key: &Key, whose: &str, section: &mut Section) {
        let variable = key.text.to_ascii_uppercase();
        if NOT_YET.contains(&variable.as_str()) {
            let text = format!("{whose}: {} is not supported by this version yet", key.text);
            return self.mistake(key.at, text);
        }
        let near = nearest(&key.text, self.keys.keys().map(String::as_str));
        // It was meant to be set, so it is not also missing.
        section.broken.extend(near.and_then(|near| self.keys.get(near)).map(|s| s.name));
        let text = format!("{whose}: unknown key {}{}", brief(&key.text), hint(near));
        self.mistake(key.at, text);
    }
}

fn misplaced(setting: &Setting, job: Option<&str>) -> Option<String> {
    match (setting.scope(), job) {
        (Scope::Start, _) if setting.name == table::DBSTASH_JOB.name => {
            Some("a job's name is its key under jobs:".to_owned())
        }
        (Scope::Start, _) => Some(format!(
            "this is said where dbstash is started, as --{} or {}",
            setting.flag(),
            setting.name
        )),
        (Scope::Process, Some(_)) => {
            Some("the process has this once, so it belongs under defaults:".to_owned())
        }
        _ => None,
    }
}

/// The text that would say the same in a variable; `None` when there is no value.
fn text(setting: &Setting, value: &Value, names_file: bool) -> Result<Option<String>, String> {
    match value {
        value if value.is_null() => Ok(None),
        Value::Scalar { text, .. } if text.is_empty() => Ok(None),
        Value::Scalar { text, plain } => {
            let words = matches!(setting.kind, Kind::Text(_) | Kind::Path | Kind::Words);
            let switch = ["true", "false"].contains(&text.to_ascii_lowercase().as_str());
            if *plain && switch && (words || names_file) {
                return Err("true and false are no text; in quotes they are".to_owned());
            }
            Ok(Some(text.clone()))
        }
        Value::List(items) => match setting.list().filter(|_| !names_file) {
            Some(list) => joined(list, items).map(|text| Some(text).filter(|t| !t.is_empty())),
            None => Err("a list; accepted is a single value".to_owned()),
        },
        Value::Map(_) => Err("a map; accepted is a single value".to_owned()),
    }
}

fn joined(list: List, items: &[Rc<Node>]) -> Result<String, String> {
    let mut texts = Vec::new();
    for item in items {
        match &item.value {
            Value::Scalar { text, .. } if !item.value.is_null() => texts.push(text.as_str()),
            _ => return Err("a list in which not all are single values".to_owned()),
        }
    }
    match list {
        List::Words => Ok(shell_words::join(texts)),
        List::Escaped => {
            let escaped = texts.iter().map(|t| t.replace('\\', "\\\\").replace(',', "\\,"));
            Ok(escaped.collect::<Vec<_>>().join(","))
        }
        List::Commas if texts.iter().any(|text| text.contains(',')) => {
            Err("a list of which one has a comma in it".to_owned())
        }
        List::Commas => Ok(texts.join(",")),
    }
}

fn hint(near: Option<&str>) -> String {
    near.map_or(String::new(), |near| format!("; did you mean {near}?"))
}

/// A key as one short word.
fn brief(text: &str) -> String {
    const LONGEST: usize = 60;
    let line: String = text.chars().take(LONGEST).collect();
    let dots = if line.len() < text.len() { "..." } else { "" };
    format!("{}{dots}", line.escape_debug())
}
