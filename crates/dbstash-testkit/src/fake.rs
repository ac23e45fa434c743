//! Fake tools: for what real ones cannot be made to do.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Scratch, bins, tools};

/// A directory of fake tools, to be put first on `PATH`.
///
/// Each follows its script, one step a line:
///
/// | step | what the tool does |
/// |---|---|
/// | `out TEXT`, `err TEXT` | prints a line |
/// | `out-bytes 10MiB`, `flood-err 1GiB` | prints that much text, in lines |
/// | `out-random 10MiB` | prints that much that cannot be compressed |
/// | `pg-head`, `pg-footer` | prints what a plain `pg_dump` starts and ends with |
/// | `sleep 5s`, `wait-for FILE`, `touch FILE` | |
/// | `read 1MiB`, `read-all` | reads its standard input |
/// | `exit N` | the end of the script is `exit 0` |
/// | `kill SIG`, `stop` | kills, or stops, itself |
/// | `ignore TERM` | from now on |
/// | `close-out` | closes stdout and goes on |
/// | `grandchild-holds-stdout 60s` | starts a process that does only that |
/// | `grandchild 60s` | starts one that holds nothing |
/// | `exec PATH` | becomes that program, with the same arguments |
/// | `forward-truncated PATH 1MiB` | runs it on that much of its input, reads the rest, exits 0 |
/// | `forward-then-exit PATH N` | runs it on its whole input, then exits with N |
///
/// `when WORD...` starts a section for calls that have all these words among their arguments (a `*`
/// stands for any text), `otherwise` one for those that fit no `when`. The first section that fits
/// is followed; lines before any section are followed by every call.
#[derive(Debug)]
pub struct FakeTools {
    dir: Scratch,
}

/// One start of a fake tool.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name under which it was started.
    pub tool: String,
    /// Its process id.
    pub pid: i32,
    /// Its arguments, without the name.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
}

impl FakeTools {
    /// An empty directory.
    pub fn new() -> Self {
        Self { dir: Scratch::new("fake") }
    }

    /// Adds a tool, or gives it a new script.
    #[must_use]
    pub fn tool(self, name: &str, script: &str) -> Self {
        self.script(name, script);
        self
    }

    /// The same for a directory in use: the tool's next start follows it.
    pub fn script(&self, name: &str, script: &str) {
        let program = self.dir().join(name);
        if !program.exists() {
            symlink(bins::fake_tool(), &program).unwrap();
        }
        fs::write(self.dir().join(format!("{name}.script")), script).unwrap();
    }

    /// The `PATH` on which these are found before the real ones.
    pub fn path(&self) -> OsString {
        let inherited = tools::path();
        let rest = std::env::split_paths(&inherited);
        std::env::join_paths(std::iter::once(self.dir().to_owned()).chain(rest)).unwrap()
    }

    /// Where they are; files that scripts wait for can be kept here.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path for a script to `touch` or `wait-for`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Every start so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.file("calls.jsonl")).unwrap_or_default();
        text.lines().map(Call::parse).collect()
    }

    /// The starts of one tool.
    pub fn calls_of(&self, tool: &str) -> Vec<Call> {
        let mut calls = self.calls();
        calls.retain(|call| call.tool == tool);
        calls
    }
}

impl Default for FakeTools {
    fn default() -> Self {
        Self::new()
    }
}

impl Call {
    fn parse(line: &str) -> Self {
        let call: Value = serde_json::from_str(line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            tool: text(&call["tool"]),
            pid: i32::try_from(call["pid"].as_i64().unwrap()).unwrap(),
            args: call["args"].as_array().unwrap().iter().map(text).collect(),
            env: call["env"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
        }
    }
}
