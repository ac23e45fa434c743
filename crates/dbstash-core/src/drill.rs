//! A backup restored on trial: into a private server that is made for it and gone with it, or into a scratch database
//! of a server of the user's. Then it is counted what came back, and the user's own assertions are asked.
//!
//! A drill that cannot be held says nothing of the backup: only what was restored and is not what was stored does.

mod census;
mod hold;
mod said;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use self::hold::hold;
pub(crate) use self::said::missing;
use crate::checkup::Tool;
use crate::confinement::Confinement;
use crate::drift;
use crate::engine::{Engine, PlanError};
use crate::invocation::Invocation;
use crate::job::{EngineKey, Source};
use crate::load::Extent;
use crate::manifest::Manifest;
use crate::secret::SecretString;

/// How backups are restored on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Where a scratch database is made and dropped; otherwise a private server is started.
    pub scratch: Option<Scratch>,
    /// Each has to be true of what came back, in the words of the database.
    pub assertions: Vec<String>,
    /// How long all of it may take.
    pub timeout: Duration,
    /// How much memory each process of a private server may have, in bytes.
    pub memory: u64,
    /// As whom a private server runs where we are root: user and group.
    pub user: Option<(u32, u32)>,
}

impl Default for Trial {
    fn default() -> Self {
        Self {
            scratch: None,
            assertions: Vec::new(),
            timeout: Duration::from_secs(6 * 3600),
            memory: 4 << 30,
            user: None,
        }
    }
}

/// A server of the user's for drills: its URI is parsed by whoever knows its engine.
#[derive(Debug, Clone)]
pub struct Scratch {
    /// What it is.
    pub engine: EngineKey,
    /// Where it is.
    pub source: Source,
    /// The URI that says so: two are the same when these are.
    pub uri: SecretString,
}

impl PartialEq for Scratch {
    fn eq(&self, other: &Self) -> bool {
        use crate::secret::ExposeSecret as _;
        self.engine == other.engine && self.uri.expose_secret() == other.uri.expose_secret()
    }
}

impl Eq for Scratch {}

/// What a drill is planned for.
#[derive(Debug, Clone, Copy)]
pub struct Ground<'a> {
    /// The backup, with what was counted in it.
    pub manifest: &'a Manifest,
    /// Where it goes.
    pub place: Place<'a>,
    /// What has to be true then.
    pub assertions: &'a [String],
}

/// Where a drill is held.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// In this folder: a private server has all its files there, and its socket.
    Private(&'a Path),
    /// In a server of the user's: this database is made there, and dropped.
    Scratch(EngineKey, &'a Source, &'a str),
}

/// How an engine holds a drill, planned without I/O.
pub struct Drill {
    /// Where the programs of its server may be, as [`Invocation::folders`].
    pub folders: Vec<String>,
    /// An object that is written to a file before the server starts, freed of our own encodings: the server loads it
    /// itself, and there is no [`Drill::goal`].
    pub file: Option<(usize, PathBuf)>,
    /// Makes the server's files, one after the other, as the server's user.
    pub prepare: Vec<Invocation>,
    /// The server; none where a file is enough, or the user has one.
    pub server: Option<Invocation>,
    /// Ends well, and says what is right, as soon as the server can be used.
    pub ready: Option<Invocation>,
    /// Whether that is what is right.
    pub is_ready: fn(&str) -> bool,
    /// Where the backup is restored to.
    pub goal: Option<Goal>,
    /// Asks what came back.
    pub census: Option<Census>,
    /// Ask whether what has to be true is: all that each prints has to be true, and it has to print something.
    pub assertions: Vec<Invocation>,
    /// What such a print says; the error is the server's, where the program ends well all the same.
    pub reply: fn(&str) -> Result<String, String>,
    /// Whether a loader's complaint is of what lies outside of the database that is restored, and is in no backup of it.
    pub is_outside: Box<dyn Fn(&str) -> bool + Send + Sync>,
    /// Drops the scratch database, also where it is not there.
    pub dropped: Option<Invocation>,
    /// The programs of the server, and the client: how each tells its version.
    pub tools: Vec<Tool>,
    /// Asks the user's server whether a scratch database may be made there; none where no server can tell.
    pub permit: Option<Permit>,
}

/// A question that makes nothing, and what its answer means.
pub struct Permit {
    /// Asks it.
    pub question: Invocation,
    /// Reads its stdout.
    pub read: fn(&str) -> Granted,
}

/// Who may do what on a server of the user's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// As whom we are let in.
    pub user: String,
    /// The server's kind and version.
    pub server: String,
    /// What this user may not do and a drill has to, each with the way out.
    pub lacks: Vec<(String, String)>,
    /// What nobody can tell from here, with the way out.
    pub unsure: Option<(String, String)>,
}

/// Where the restore of a drill goes.
#[derive(Debug, Clone)]
pub struct Goal {
    /// What kind of server or file it is.
    pub engine: EngineKey,
    /// Where it is.
    pub source: Source,
    /// The database there.
    pub database: String,
    /// How much of the backup: what a private server has nobody for is left out.
    pub extent: Extent,
}

/// A question, and what its answer means.
pub struct Census {
    /// Asks it.
    pub question: Invocation,
    /// Reads its stdout: how many there are of each name, as [`Counts`](crate::tally::Counts) has it. None where a name
    /// is there and its number says nothing. The error is what is wrong with what came back.
    pub read: Reading,
}

/// Makes of an answer what it says.
pub type Reading = Box<dyn Fn(&str) -> Result<Found, String> + Send + Sync>;

/// What was found by a [`Census`].
pub type Found = BTreeMap<String, Option<u64>>;

/// What a drill has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// How long the restore itself took: how long a real one takes on this machine.
    pub restored_in_ms: u64,
    /// How many tables, collections or databases came back.
    pub places: u64,
    /// How many rows, documents or keys, where that could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub things: Option<u64>,
    /// Why that was not compared with what was counted when the backup was made, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncompared: Option<String>,
    /// How many assertions hold.
    pub assertions: usize,
}

impl Drilled {
    /// For people.
    pub fn told(&self, engine: EngineKey) -> String {
        let (place, thing) = drift::words(engine);
        let places = drift::many(self.places, place);
        let things = self.things.map(|things| format!(" with {}", drift::many(things, thing)));
        let things = things.unwrap_or_default();
        let took = Duration::from_millis(self.restored_in_ms).as_secs_f64();
        let mut told = format!("{places}{things} came back in {took:.1}s");
        match &self.uncompared {
            None => told.push_str(", as many as were counted"),
            Some(why) => {
                let _ = write!(told, ", compared with nothing: {why}");
            }
        }
        if self.assertions > 0 {
            let _ =
                write!(told, "; {} of DRILL_SQL", drift::many(self.assertions as u64, "assertion"));
        }
        told
    }
}

impl Drill {
    /// With nothing in it.
    pub fn new() -> Self {
        Self {
            folders: Vec::new(),
            file: None,
            prepare: Vec::new(),
            server: None,
            ready: None,
            is_ready: |_| true,
            goal: None,
            census: None,
            assertions: Vec::new(),
            reply: |said| Ok(said.to_owned()),
            is_outside: Box::new(|_| false),
            dropped: None,
            tools: Vec::new(),
            permit: None,
        }
    }
}

impl Drill {
    /// A program of the private server, as it is started.
    pub(crate) fn confined(&self, invocation: &Invocation, trial: &Trial) -> Invocation {
        let confined = Some(Confinement { user: trial.user, memory: trial.memory });
        Invocation { folders: self.folders.clone(), confined, ..invocation.clone() }
    }
}

impl Trial {
    /// The server of the user's, where backups of this engine can be restored into it.
    pub(crate) fn elsewhere(&self, engine: &dyn Engine) -> Option<&Scratch> {
        let is_for = |one: &&Scratch| one.engine == engine.key() || engine.is_kin(one.engine);
        self.scratch.as_ref().filter(is_for)
    }
}

impl Default for Drill {
    fn default() -> Self {
        Self::new()
    }
}

impl Ground<'_> {
    /// A server that such a backup cannot be restored into.
    pub fn is_not_for(&self, other: EngineKey) -> PlanError {
        let engine = self.manifest.engine;
        PlanError(format!("DRILL_URI names a server of {other}, and the backup is of {engine}"))
    }

    /// A drill of an engine that starts no server of its own.
    pub fn refuse_private(&self) -> Result<(), PlanError> {
        match self.place {
            Place::Private(_) => Err(PlanError(format!(
                "no private server of {} can be started: DRILL_URI names a server for drills",
                self.manifest.engine
            ))),
            Place::Scratch(..) => Ok(()),
        }
    }
}
