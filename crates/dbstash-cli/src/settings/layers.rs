//! Where settings come from: each source is a partial layer, and a higher one wins.
//!
//! Defaults < environment < flags. A text that is empty counts as unset in every layer.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::complaints::Complaints;
use super::later::{NOT_YET, PREFIXES};
use super::machine::Machine;
use super::secrets;
use super::table::{self, Setting};

/// Which layer a value is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nothing set it.
    Default,
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
            Self::Environment => "environment",
            Self::File(_) => "file",
            Self::Flag => "flag",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
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
}

impl Layers {
    /// The highest layer's text for each of these settings, their `_FILE`s read.
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
            for setting in settings {
                if let Some(given) = one(setting, texts, &origin, machine, complaints) {
                    merged.insert(setting.name, given);
                }
            }
        }
        merged
    }
}

fn one(
    setting: &Setting,
    texts: &BTreeMap<String, String>,
    origin: &Origin,
    machine: &dyn Machine,
    complaints: &mut Complaints,
) -> Option<Given> {
    let text_of = |name: &str| texts.get(name).filter(|text| !text.is_empty());
    let direct = text_of(setting.name);
    let given = direct.map(|text| Given { text: text.clone(), origin: origin.clone() });
    // Whether RCLONE_CONFIG is a secret or only a path is not known here.
    let Some(variable) = setting.file_variable() else {
        return given;
    };
    if let Some(text) = direct {
        complaints.secrets.extend(secrets_in(setting, text));
        if *origin == Origin::Flag {
            complaints.warn(format!(
                "--{} shows a secret in the process list; set {variable} instead",
                setting.flag(),
            ));
        }
    }
    let Some(path) = text_of(&variable) else {
        return given;
    };
    if direct.is_some() {
        complaints.warn(format!("{variable} and {} are both set; the file wins", setting.name));
    }
    match read_secret(machine, Path::new(path)) {
        Ok(text) => {
            complaints.secrets.extend(secrets_in(setting, &text));
            Some(Given { text, origin: Origin::File(path.into()) })
        }
        Err(reason) => {
            complaints.mistake(format!("{variable}={path}: {reason}"));
            // What the file would have said is unknown, so nothing else takes its place.
            complaints.unreadable.insert(setting.name);
            None
        }
    }
}

fn secrets_in(setting: &Setting, text: &str) -> Vec<String> {
    if setting.name == table::DB_URI.name { secrets::in_uri(text) } else { vec![text.to_owned()] }
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
