//! What a setting is.

use Group::{Backup, Connection, Health, Jobs, Logs, Notify, Rclone, Retention, Verify};
use Kind::{Bool, Count, Days, Duration, OneOf, Path, Size, Text, Words, Zone};
use Secrecy::{Open, SecretOrFile};

/// A setting: an environment variable and the flag of the same name.
#[derive(Debug)]
pub struct Setting {
    /// The variable's name.
    pub name: &'static str,
    /// The heading it stands under.
    pub group: Group,
    /// What its text has to look like.
    pub kind: Kind,
    /// What holds when no layer sets it.
    pub default: Fallback,
    /// Who may see its value.
    pub secrecy: Secrecy,
    pub(super) doc: &'static str,
}

/// A heading of the help and the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Which jobs there are.
    Jobs,
    /// Where the database is.
    Connection,
    /// Where backups go.
    Rclone,
    /// When and how a backup is made.
    Backup,
    /// What is kept.
    Retention,
    /// What is read back.
    Verify,
    /// Who is told of it.
    Notify,
    /// Who is told how it goes.
    Health,
    /// What is logged.
    Logs,
}

/// What a setting's text has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; shown by this word.
    Text(&'static str),
    /// Arguments, quoted as for a shell.
    Words,
    /// A path of this machine.
    Path,
    /// `true` or `false`.
    Bool,
    /// `90s`, `1h30m`.
    Duration,
    /// Bytes: `512`, `10MiB`.
    Size,
    /// A whole number.
    Count,
    /// Days, also a decimal fraction of them.
    Days,
    /// An IANA time zone.
    Zone,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// What holds when no layer sets a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing.
    Unset,
    /// As if this had been written.
    Is(&'static str),
    /// Something that depends on other settings or on the machine, in words.
    Computed(&'static str),
}

/// Who may see a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrecy {
    /// Anyone.
    Open,
    /// Nobody.
    Secret,
    /// Nobody; and `NAME_FILE` names a file that holds it.
    SecretOrFile,
}

impl Setting {
    /// What it means: sentences, names and values in backticks.
    pub fn doc(&self) -> &'static str {
        self.doc.trim_start()
    }

    /// The flag's name, without its dashes.
    pub fn flag(&self) -> String {
        flag_of(self.name)
    }

    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.secrecy != Open
    }

    /// The variable that names a file holding the value, for secrets that have one.
    pub fn file_variable(&self) -> Option<String> {
        (self.secrecy == SecretOrFile).then(|| format!("{}_FILE", self.name))
    }
}

/// The flag for a variable, without its dashes.
pub fn flag_of(variable: &str) -> String {
    let variable = match variable {
        "DBSTASH_CONFIG" | "DBSTASH_SHARD" => variable.trim_start_matches("DBSTASH_"),
        other => other,
    };
    variable.to_ascii_lowercase().replace('_', "-")
}

impl Group {
    /// In the order of the documentation.
    pub const ALL: [Self; 9] =
        [Jobs, Connection, Rclone, Backup, Retention, Verify, Notify, Health, Logs];

    /// As a heading.
    pub fn title(self) -> &'static str {
        match self {
            Jobs => "Jobs",
            Connection => "Connection",
            Rclone => "Rclone",
            Backup => "Backup",
            Retention => "Retention",
            Verify => "Verification",
            Notify => "Notifications",
            Health => "Health",
            Logs => "Logs",
        }
    }
}

impl Kind {
    /// The word that stands for the value in `--name <WORD>`.
    pub fn metavar(self) -> String {
        match self {
            Text(word) => word.to_owned(),
            Words => "ARGS".to_owned(),
            Path => "PATH".to_owned(),
            Bool => "true|false".to_owned(),
            Duration => "DURATION".to_owned(),
            Size => "SIZE".to_owned(),
            Count => "N".to_owned(),
            Days => "DAYS".to_owned(),
            Zone => "ZONE".to_owned(),
            OneOf(words) => words.join("|"),
        }
    }
}
