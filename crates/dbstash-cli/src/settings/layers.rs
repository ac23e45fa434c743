//! Where settings come from: each source is a partial layer, and a higher one wins.
//!
//! Defaults < `defaults:` of a job file < a job in it < environment < flags. A text that is empty counts as unset in every layer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::complaints::Complaints;
use super::document::Spot;
use super::later::{NOT_YET, PREFIXES};
use super::machine::Machine;
use super::scope::key_of;
use super::secrets;
use super::table::{self, Setting};

/// Which layer a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing set it.
    Default,
    /// A job file.
    Document(Spot),
    /// A variable.
    Environment,
    /// A file that a `_FILE` variable or flag names.
    File(PathBuf),
    /// The command line.
    Flag,
}

impl Origin {
    /// Its name, without the path of a file.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Document(_) => "config",
            Self::Environment => "environment",
            Self::File(_) => "file",
            Self::Flag => "flag",
        }
    }
}

impl Origin {
    /// A variable's name as it is spelled there.
    pub(super) fn spells(&self, variable: &str) -> String {
        match self {
            Self::Document(_) => key_of(variable),
            _ => variable.to_owned(),
        }
    }

    /// A mistake in what is from there.
    pub(super) fn mistake(&self, text: String, complaints: &mut Complaints) {
        match self {
            Self::Document(spot) => complaints.mistake_at(spot.clone(), text),
            _ => complaints.mistake(text),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Document(spot) => write!(f, "{}:{}", spot.file, spot.line),
            other => f.write_str(other.as_str()),
        }
    }
}

/// A text somebody gave for a setting. Not `Debug`: it may be a secret.
#[derive(Clone)]
pub struct Given {
    /// As it was written; never empty.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

/// A partial map of settings, by name.
pub type Partial = BTreeMap<&'static str, Given>;

/// The environment of this process, as it was at the start. Not `Debug`: it may hold secrets.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    not_utf8: BTreeSet<String>,
    /// What is no text, in its name or its value: only hooks see it.
    odd: Vec<(OsString, OsString)>,
}

impl Environment {
    /// These variables. Those whose name is not UTF-8 are nobody's we know.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(environment.variables.insert(name, value)),
                (Ok(name), Err(value)) => {
                    environment.odd.push((name.clone().into(), value));
                    environment.not_utf8.insert(name);
                }
                (Err(name), value) => {
                    environment.odd.push((name, value.map_or_else(|v| v, OsString::from)));
                }
            }
        }
        environment
    }

    /// All of it, as it was.
    pub fn whole(&self) -> Vec<(OsString, OsString)> {
        let texts = self.variables.iter().map(|(n, v)| (n.into(), v.into()));
        texts.chain(self.odd.iter().cloned()).collect()
    }

    /// Every variable that is text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

/// What the user gave, layer by layer.
#[derive(Clone, Default)]
pub struct Layers {
    /// Variables.
    pub environment: Environment,
    /// The flags that were given, by the names of their variables.
    pub flags: BTreeMap<String, String>,
    /// Which jobs of a job file are meant.
    pub selection: Selection,
}

/// Which jobs of a job file are meant.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Those of these names; of none, all.
    pub jobs: Vec<String>,
    /// Whether it is a mistake not to say which, when there are several.
    pub required: bool,
}

impl Layers {
    /// The text of the environment or the flags for each of these settings, their `_FILE`s read.
    pub fn merge(
        &self,
        settings: &[&'static Setting],
        machine: &dyn Machine,
        complaints: &mut Complaints,
    ) -> Partial {
        for name in &self.environment.not_utf8 {
            if is_ours(name) || name.starts_with("RCLONE_") {
                complaints.mistake(format!("{name}: its value is not UTF-8 text"));
            }
        }
        let mut merged = Partial::new();
        for (texts, origin) in
            [(&self.environment.variables, Origin::Environment), (&self.flags, Origin::Flag)]
        {
            let text_of = |name: &str| {
                let text = texts.get(name).filter(|text| !text.is_empty())?;
                Some(Given { text: text.clone(), origin: origin.clone() })
            };
            merged.extend(layer(settings, &text_of, machine, complaints));
        }
        merged
    }
}

/// One layer: what it says of each of these settings, their `_FILE`s read. `text_of` a variable is
/// never empty.
pub(super) fn layer(
    settings: &[&'static Setting],
    text_of: &dyn Fn(&str) -> Option<Given>,
    machine: &dyn Machine,
    complaints: &mut Complaints,
) -> Partial {
    let given = settings.iter().filter_map(|setting| {
        let given = one(setting, text_of, machine, complaints)?;
        Some((setting.name, given))
    });
    given.collect()
}

fn one(
    setting: &Setting,
    text_of: &dyn Fn(&str) -> Option<Given>,
    machine: &dyn Machine,
    complaints: &mut Complaints,
) -> Option<Given> {
    let given = text_of(setting.name);
    // Whether RCLONE_CONFIG is a secret or only a path is not known here.
    let Some(variable) = setting.file_variable() else {
        return given;
    };
    if let Some(Given { text, origin }) = &given {
        complaints.secrets.extend(secrets_in(setting, text));
        if *origin == Origin::Flag {
            complaints.warn(format!(
                "--{} shows a secret in the process list; set {variable} instead",
                setting.flag(),
            ));
        }
    }
    let Some(Given { text: path, origin }) = text_of(&variable) else {
        return given;
    };
    let (name, variable) = (origin.spells(setting.name), origin.spells(&variable));
    if given.is_some() {
        complaints.warn(format!("{variable} and {name} are both set; the file wins"));
    }
    match read_secret(machine, Path::new(&path)) {
        Ok(text) => {
            complaints.secrets.extend(secrets_in(setting, &text));
            Some(Given { text, origin: Origin::File(path.into()) })
        }
        Err(reason) => {
            origin.mistake(format!("{variable}={path}: {reason}"), complaints);
            // What the file would have said is unknown, so nothing else takes its place.
            complaints.unreadable.insert(setting.name);
            None
        }
    }
}

pub(super) fn secrets_in(setting: &Setting, text: &str) -> Vec<String> {
    if [table::DB_URI.name, table::RESTORE_TO.name].contains(&setting.name) {
        secrets::in_uri(text)
    } else {
        vec![text.to_owned()]
    }
}

fn read_secret(machine: &dyn Machine, path: &Path) -> Result<String, String> {
    let bytes = machine.read(path).map_err(|e| format!("cannot read this file: {e}"))?;
    let mut text =
        String::from_utf8(bytes).map_err(|_| "this file is not UTF-8 text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        return Err("this file is empty".to_owned());
    }
    Ok(text)
}

/// Whether a variable is dbstash's own: a setting of this or a later version, or one mistyped.
pub fn is_ours(name: &str) -> bool {
    table::variables().any(|known| known == name)
        || NOT_YET.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
