//! What is asked for: `BENCH_*` variables.

use std::env;
use std::path::PathBuf;

use crate::stream::{CELLS, Cell};

const MIB: u64 = 1024 * 1024;

/// The parts of a bench, in their order.
pub(crate) const PARTS: [&str; 10] =
    ["start", "idle", "abort", "memory", "stream", "pairs", "redis", "counts", "restore", "list"];

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Rounds of each comparison, beside the warm-up.
    pub(crate) rounds: usize,
    /// A first impression in two minutes: small dumps, two rounds.
    pub(crate) quick: bool,
    /// What takes long too: 10 GB through the memory part.
    pub(crate) full: bool,
    /// Only these parts, or these cells of `stream` (`local/mixed`); all when empty.
    pub(crate) only: Vec<String>,
    /// Bytes of each dump, about.
    pub(crate) bytes: u64,
    /// A command of another program, for `bash -c`; `{uri}` and `{remote}` are filled in.
    pub(crate) peer: Option<String>,
    /// Where the figures go.
    pub(crate) out: PathBuf,
}

impl Options {
    /// Reads the environment; what cannot be understood is an error.
    pub(crate) fn read() -> Result<Self, String> {
        let quick = flag("BENCH_QUICK")?;
        let only: Vec<String> = text("BENCH_ONLY")
            .map(|list| list.split(',').map(|part| part.trim().to_owned()).collect())
            .unwrap_or_default();
        for part in &only {
            let cells = || CELLS.iter().any(|cell| cell.name() == *part);
            if !PARTS.contains(&part.as_str()) && !cells() {
                let known = PARTS.join(", ");
                return Err(format!("BENCH_ONLY: {part} is none of {known}, local/mixed, ..."));
            }
        }
        let whole = !quick && only.is_empty();
        let out = if whole { "benches/latest.json" } else { "target/bench/partial.json" };
        Ok(Self {
            rounds: number("BENCH_ROUNDS", if quick { 2 } else { 7 })?,
            quick,
            full: flag("BENCH_FULL")?,
            only,
            bytes: number("BENCH_MIB", if quick { 160 } else { 1200 })? as u64 * MIB,
            peer: text("BENCH_PEER"),
            out: text("BENCH_OUT").unwrap_or_else(|| out.to_owned()).into(),
        })
    }

    /// Whether a part is asked for.
    pub(crate) fn wants(&self, part: &str) -> bool {
        let inside = |asked: &String| part == "stream" && asked.contains('/');
        self.only.is_empty() || self.only.iter().any(|asked| asked == part || inside(asked))
    }

    /// Whether a cell of `stream` is asked for.
    pub(crate) fn wants_cell(&self, cell: Cell) -> bool {
        let asked = |name: &str| self.only.iter().any(|asked| asked == name);
        self.only.is_empty() || asked("stream") || asked(&cell.name())
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn flag(name: &str) -> Result<bool, String> {
    match text(name).as_deref() {
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some("1" | "true" | "yes" | "on") => Ok(true),
        Some(other) => Err(format!("{name}: {other} is neither true nor false")),
    }
}

fn number(name: &str, default: usize) -> Result<usize, String> {
    match text(name) {
        None => Ok(default),
        Some(value) => match value.parse() {
            Ok(number @ 1..) => Ok(number),
            _ => Err(format!("{name}: {value} is not a number above 0")),
        },
    }
}
