//! How a stored backup gets back into a database: what an engine plans of it, without I/O.
//!
//! An engine is asked twice: what to look for at the target ([`Survey`]), and, when that is known ([`Target`]), what to
//! do ([`Load`]). So a dry run is the whole path, stopped before the first stage.

use std::path::{Path, PathBuf};

use crate::engine::PlanError;
use crate::errand::Errand;
use crate::invocation::Invocation;
use crate::job::{EngineKey, Source};
use crate::manifest::{Manifest, Object};

/// What the table or collection is called that is in a target as long as a restore of it is not complete.
pub const MARK: &str = "dbstash_restore_incomplete";

/// What somebody wants restored, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The backup.
    pub manifest: &'a Manifest,
    /// What kind of server or file is to have it: that of the backup, or one of its kin.
    pub engine: EngineKey,
    /// The server or file that is to have it.
    pub source: &'a Source,
    /// The database there, where the backup is of one; that of the backup unless another was named.
    pub database: &'a str,
    /// How much of it.
    pub extent: &'a Extent,
    /// Whether what is there may be replaced.
    pub clean: bool,
    /// How many connections may load at once.
    pub jobs: u32,
}

/// How much of a backup is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// Only these tables or collections, as the user wrote them; all when empty.
    pub tables: Vec<String>,
    /// Which side of them.
    pub side: Side,
    /// What lies outside the database (roles), too.
    pub globals: bool,
    /// Nothing that speaks of the server around the database, which this one is not: owners and rights, unless the
    /// globals bring whose they are, and tablespaces (pg); positions in its log, who may log in, and what
    /// happens by itself (mysql).
    pub bare: bool,
    /// On trial: nothing that would reach out to other servers, or keep what was made from being dropped.
    pub trial: bool,
    /// What to do with a key that is there already (redis).
    pub on_existing: Option<OnExisting>,
}

/// Structure, rows, or both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Side {
    /// Both.
    #[default]
    All,
    /// Structure without rows.
    Schema,
    /// Rows without structure.
    Data,
}

/// What to do with a key that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// End, and leave it.
    Fail,
    /// Leave it.
    Skip,
    /// Replace it.
    Replace,
}

impl Wish<'_> {
    /// The dump itself.
    pub fn dump(&self) -> Result<&Object, PlanError> {
        self.manifest.dump().ok_or_else(|| PlanError("the manifest has no object".to_owned()))
    }

    /// The wish of a side or of tables is refused where the format has no such parts.
    pub fn refuse_parts(&self, format: &str) -> Result<(), PlanError> {
        let refused = match self.extent {
            Extent { tables, .. } if !tables.is_empty() => "--table",
            Extent { side: Side::Schema, .. } => "--schema-only",
            Extent { side: Side::Data, .. } => "--data-only",
            _ => return Ok(()),
        };
        Err(PlanError(format!(
            "{refused} is not for {format}: restore all of it elsewhere, and copy what is needed"
        )))
    }
}

/// What to look for before anything is written.
pub enum Survey {
    /// A program asks the server.
    Ask {
        /// The program.
        question: Invocation,
        /// What its stdout means.
        read: fn(&str) -> Result<Target, String>,
        /// What the program's complaint means where it is no failure: there is no such database yet.
        missing: fn(&str) -> Option<Target>,
    },
    /// A file of this machine.
    File(PathBuf),
    /// One after the other, until one finds the database: the last answer counts.
    Any(Vec<Survey>),
    /// The server is asked over a connection of ours.
    Errand {
        /// What it is asked.
        errand: Errand,
        /// What came of it means this.
        read: fn(&[String]) -> Result<Target, String>,
    },
}

/// What there is at the target now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// The server's version, where it has one.
    pub version: Option<String>,
    /// Whether the database itself is there.
    pub exists: bool,
    /// What is in it, in words a person counts in: `12 tables`. Empty for nothing.
    pub holds: Vec<String>,
    /// What an interrupted restore has left its mark with: which backup that was of.
    pub mark: Option<String>,
    /// Further answers, for the engine that asked.
    pub facts: Vec<String>,
}

impl Target {
    /// Nothing of anybody's is there.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.mark.is_none()
    }
}

/// How a backup will be loaded.
#[derive(Default)]
pub struct Load {
    /// Whether nothing of it can be seen before all of it is proven. What is not gets verified by a read of its own first.
    pub atomic: bool,
    /// One after the other; one that fails ends it.
    pub stages: Vec<Stage>,
    /// The place of the stage that sets the mark: what comes before it changes nothing, and neither does a
    /// [`Stage::Script`] or a [`Stage::Mark`] there that fails. `None` where a later one, or another way, sets it.
    pub mark: Option<usize>,
    /// Files that are half-made until the last stage: they are removed before the first one and after a failure.
    pub scraps: Vec<PathBuf>,
    /// What the user should know before saying yes.
    pub notes: Vec<String>,
}

/// A part of a load.
pub enum Stage {
    /// A program of its own: it makes a database, leaves a mark, takes it away.
    Run {
        /// What for, in a sentence about its failure: `the mark cannot be set`.
        what: &'static str,
        /// The program. Paths of a [`Stage::Copy`] are in its [`Arg::Tree`](crate::invocation::Arg::Tree).
        invocation: Invocation,
    },
    /// A program leaves the mark in what is there already; where it fails, nothing was changed.
    Mark(Invocation),
    /// A program makes something anew, and another one takes it away if a later stage fails.
    Make {
        /// As above.
        what: &'static str,
        /// Makes it; fails where it is there already.
        invocation: Invocation,
        /// Takes it away.
        undo: Invocation,
    },
    /// Bytes flow into a program.
    Script(Script),
    /// The files of a copy flow into so many programs at once, each of them into one.
    Parallel {
        /// Which.
        files: Choice,
        /// What reads them.
        loader: Invocation,
        /// How many of it there are.
        jobs: u32,
    },
    /// The first one, if any: the dump is told to a server that nothing of it changes, in the place of the verification,
    /// to find out what it would refuse.
    Rehearsal(Errand),
    /// Before anything is changed: the dump passes the edit of a later [`Stage::Script`], and goes nowhere, to find out what
    /// that would refuse. The first one does it in the place of the verification.
    ReadThrough {
        /// Where its bytes come from: an object, or the files of a copy.
        feed: Feed,
        /// What they pass.
        edit: Box<dyn Edit>,
    },
    /// The dump is told to a server over a connection of ours; its last word is said when every byte was proven.
    Errand(Errand),
    /// An object is copied to local disk, a folder or a tar as its files, another as the file of this name: for what
    /// has to be read at random or by several at once.
    Copy {
        /// Its place in the manifest.
        object: usize,
        /// The name of the copy of an object that is no tree of files.
        file: &'static str,
    },
    /// An object is written to a file that is one of the [`Load::scraps`].
    Write {
        /// Its place in the manifest.
        object: usize,
        /// The file.
        to: PathBuf,
    },
    /// A file gets its name, in the place of what has it.
    Rename {
        /// One of the [`Load::scraps`].
        from: PathBuf,
        /// The name.
        to: PathBuf,
        /// What belongs to the former one, and goes first.
        stale: Vec<PathBuf>,
    },
}

/// Bytes into the stdin of a program.
pub struct Script {
    /// Where they come from.
    pub feed: Feed,
    /// A program that makes another form of them on their way.
    pub through: Option<Invocation>,
    /// What reads them.
    pub loader: Invocation,
    /// Said before them.
    pub before: String,
    /// Changes them on their way.
    pub edit: Option<Box<dyn Edit>>,
    /// Said after them, once each was proven to be as it was stored: the word that makes them count.
    pub after: String,
    /// Which complaints of a loader that goes on after an error are no failure, and why; others are.
    pub excuse: Option<fn(&str) -> Excuse>,
}

/// Where the bytes of a script come from.
pub enum Feed {
    /// An object, freed of our own encodings: its place in the manifest.
    Object(usize),
    /// The stdout of a program that reads a copy.
    Program(Invocation),
    /// The files of a copy, by their names, one after the other.
    Files(Vec<String>),
    /// Those files of a copy, one after the other as their names sort.
    Tree(Choice),
}

/// Says of the path of a file, relative to its copy, whether it is wanted.
pub type Choice = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// What a line of a loader's stderr is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excuse {
    /// Nothing to speak of.
    Quiet,
    /// To be told, and no failure.
    Told,
    /// A failure.
    None,
}

/// Changes a script on its way.
///
/// Fed every byte in order, in chunks of any size; keeps a bounded amount of them.
pub trait Edit: Send {
    /// The next bytes, and what is to be said in their place. An error ends the load: why it cannot go on.
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String>;

    /// What is left after the last byte.
    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String>;
}

impl Script {
    /// An object, as it is, into a program.
    pub fn of(object: usize, loader: Invocation) -> Self {
        Self {
            feed: Feed::Object(object),
            through: None,
            loader,
            before: String::new(),
            edit: None,
            after: String::new(),
            excuse: None,
        }
    }
}

impl Load {
    /// What will be run, for people, in order and without secrets.
    pub fn commands(&self, manifest: &Manifest) -> Vec<String> {
        let name = |object: &usize| manifest.objects.get(*object).map_or("?", |o| &*o.name);
        let command = |stage: &Stage| match stage {
            Stage::Run { invocation, .. }
            | Stage::Make { invocation, .. }
            | Stage::Mark(invocation) => invocation.to_string(),
            Stage::Copy { object, .. } => {
                format!("<{}> -> <temporary directory>", name(object))
            }
            Stage::Write { object, to } => format!("<{}> -> {}", name(object), to.display()),
            Stage::Rename { from, to, .. } => format!("mv {} {}", from.display(), to.display()),
            Stage::Parallel { loader, jobs, .. } => {
                format!("<the files of the copy> | {loader}   (by {jobs} at once)")
            }
            Stage::Script(script) => {
                let mut text = match &script.feed {
                    Feed::Object(object) => format!("<{}>", name(object)),
                    Feed::Program(program) => program.to_string(),
                    Feed::Files(files) => format!("<{} files>", files.len()),
                    Feed::Tree(_) => "<the files of the copy>".to_owned(),
                };
                for program in script.through.iter().chain([&script.loader]) {
                    text.push_str(" | ");
                    text.push_str(&program.to_string());
                }
                text
            }
            Stage::Rehearsal(_) | Stage::ReadThrough { .. } => String::new(),
            Stage::Errand(errand) => format!("<{}> | {errand}", name(&0)),
        };
        self.stages.iter().map(command).filter(|text| !text.is_empty()).collect()
    }
}

/// Where a file is made before it gets its name: beside it, so that the last step is a rename.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.dbstash-restore"))
}

/// The first number of a version: `15.4 (Debian ...)` is 15.
pub fn major(version: &str) -> Option<u32> {
    let digits = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse().ok()
}

/// Why a backup of a newer major version is not restored into an older one; `None` where it can be, or nobody knows.
pub fn older(of_backup: Option<&str>, of_target: Option<&str>) -> Option<String> {
    let (theirs, ours) = (of_backup?, of_target?);
    (major(ours)? < major(theirs)?).then(|| {
        format!("the backup is of version {theirs}, and the target has {ours}: restore into {} or newer", major(theirs).unwrap_or(0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_major_version_is_told() {
        assert!(older(Some("15.18 (Debian)"), Some("13.2")).unwrap().contains("15 or newer"));
        for (backup, target) in
            [("15.18", "15.2"), ("13", "15"), ("10.11.14-MariaDB", "10.6"), ("x", "y")]
        {
            assert_eq!(older(Some(backup), Some(target)), None, "{backup} {target}");
        }
        assert_eq!(older(None, Some("1")), None);
    }

    #[test]
    fn half_made_files_lie_beside() {
        assert_eq!(beside(Path::new("/a b/shop.db")), Path::new("/a b/.shop.db.dbstash-restore"));
    }
}
