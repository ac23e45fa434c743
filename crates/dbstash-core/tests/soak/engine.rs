//! A database system whose dump tool is a shell script with moods.

use std::sync::{Mutex, PoisonError};

use dbstash_core::engine::{
    Check, Companion, Dump, Engine, Format, Incomplete, Passed, Plan, PlanError, Stdout, Step,
    Stream, Tree,
};
use dbstash_core::invocation::{Arg, Invocation, Var};
use dbstash_core::job::{Database, EngineKey, Globals, Job, Mode};

use crate::dice::Dice;

/// The last line of a whole dump.
pub(crate) const FOOTER: &[u8] = b"-- whole\n";
/// Every child of the soak has it in its environment, with a value of its own.
pub(crate) const MARK: &str = "SOAK";

/// What a tool does with its `$1` bytes, and how often in a thousand.
const MOODS: [(u64, &str); 11] = [
    (660, "dump; whole"),
    (60, r#"dump; echo "lost the server" >&2; exit 1"#),
    (30, r#"echo "the server is starting" >&2; exit 1"#),
    (50, "dump; kill -KILL $$"),
    (50, "dump"),
    (40, ":"),
    (50, "dump; sleep 0.1; whole"),
    (30, r#"printf "%9999s\n" x >&2; dump; whole"#),
    // What it leaves behind holds its output open for a while, or lives on.
    (12, "sleep 0.2 & dump; whole"),
    (15, "sleep 300 </dev/null >/dev/null 2>&1 & dump; whole"),
    (3, "dump; exec sleep 300"),
];

/// To stdout.
const STREAM: &str = r#"n=$1; dump() { printf "%${n}s\n" x; }; whole() { echo "-- whole"; }; "#;
/// Into two files of a tree, and the footer to stdout, too.
const FILES: &str = r#"n=$1 to=$2;
    dump() { mkdir "$to/b" && printf "%${n}s\n" x >"$to/a" && echo y >"$to/b/c"; };
    whole() { echo "-- whole" | tee -a "$to/a"; }; "#;

/// An engine whose tools do what they like.
pub(crate) struct Moody {
    dice: Mutex<Dice>,
    mark: String,
}

impl Moody {
    /// One that marks its children.
    pub(crate) fn new(dice: Dice, mark: &str) -> Self {
        Self { dice: Mutex::new(dice), mark: mark.to_owned() }
    }

    /// A tool with its mood and, about, so many bytes.
    fn tool(&self, way: &str, calm: bool, about: u64) -> Invocation {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        let mut thrown = dice.within(0, 1000);
        let mood = MOODS.iter().find(|(share, _)| {
            let is = thrown < *share;
            thrown = thrown.saturating_sub(*share);
            is
        });
        let mood = mood.filter(|_| !calm).map_or(MOODS[0].1, |(_, mood)| mood);
        let bytes = dice.within(about, about + about / 2);
        let mut tool =
            Invocation::new("sh", ["-c", &format!("{way}{mood}"), "sh", &bytes.to_string()]);
        tool.env.push((MARK.to_owned(), Var::Plain(self.mark.clone())));
        tool
    }
}

fn format(extension: &'static str) -> Format {
    Format { name: "plain", extension, compressed: false }
}

impl Engine for Moody {
    fn key(&self) -> EngineKey {
        EngineKey::Pg
    }

    fn plan(&self, job: &Job, _database: &Database) -> Result<Plan, PlanError> {
        let calm = job.extra_args == [CALM];
        let dump = if job.mode == Mode::Tar {
            let mut invocation = self.tool(FILES, calm, 20_000);
            let [before, inside, after] = [const { String::new() }; 3];
            invocation.args.push(Arg::Tree { before, inside, after });
            let step = Step { invocation, stdout: Stdout::Checked(Box::<Footer>::default()) };
            Dump::Tree(Tree {
                steps: vec![step],
                format: format(""),
                check: None,
                counting: dbstash_core::tally::TreeCounting::Off,
                file: None,
            })
        } else {
            // More than a buffer, and less.
            let about = if job.compression.is_some() { 300_000 } else { 20_000 };
            let tool = self.tool(STREAM, calm, about);
            Dump::Stream(Stream::of_tool(tool, format("sql"), Box::<Footer>::default()))
        };
        let way = || {
            let tool = self.tool(STREAM, calm, 100);
            Stream::of_tool(tool, format("globals.sql"), Box::<Footer>::default())
        };
        let companion = |()| Companion { what: "the roles", ways: vec![way()], required: false };
        let companions = (job.globals == Globals::On).then_some(()).map(companion);
        Ok(Plan { dump, companions: companions.into_iter().collect(), warnings: Vec::new() })
    }

    fn list_databases(&self, _job: &Job) -> Result<Invocation, PlanError> {
        Err(PlanError("nobody asks".to_owned()))
    }

    fn explain(&self, _stderr: &str) -> Option<String> {
        None
    }

    fn may_pass(&self, stderr: &str) -> bool {
        stderr.contains("is starting")
    }
}

/// The argument of a job whose tools are all in the best of moods.
pub(crate) const CALM: &str = "calm";

/// Whether the last line is the footer.
#[derive(Default)]
struct Footer(Vec<u8>);

impl Check for Footer {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(FOOTER.len())..]);
        self.0.drain(..self.0.len().saturating_sub(FOOTER.len()));
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        if self.0 == FOOTER {
            Ok(Passed::by("footer"))
        } else {
            Err(Incomplete("it has no footer".to_owned()))
        }
    }
}
