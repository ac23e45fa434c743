//! What was found: tables for the eye, JSON for the next time.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::stats::Spread;

/// All findings.
#[derive(Debug, Default)]
pub(crate) struct Report {
    figures: Map<String, Value>,
    goals: Vec<Goal>,
    failed: bool,
}

/// Something we aim at: a figure that may be this big and not more.
#[derive(Debug)]
struct Goal {
    what: String,
    at_most: f64,
    seen: Option<Spread>,
    why_not: String,
}

impl Report {
    /// Keeps a figure, or a table of them.
    pub(crate) fn keep(&mut self, name: &str, figures: Value) {
        self.figures.insert(name.to_owned(), figures);
    }

    /// Notes how far a goal was reached.
    pub(crate) fn goal(&mut self, what: impl Into<String>, at_most: f64, seen: Spread) {
        let (what, why_not) = (what.into(), String::new());
        self.goals.push(Goal { what, at_most, seen: Some(seen), why_not });
    }

    /// Notes why a goal could not be looked at.
    pub(crate) fn no_goal(&mut self, what: impl Into<String>, at_most: f64, why_not: &str) {
        let (what, why_not) = (what.into(), why_not.to_owned());
        self.goals.push(Goal { what, at_most, seen: None, why_not });
    }

    /// Notes that something did not work: its figures are missing, and the bench has failed.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Whether something did not work. A goal that was missed is a finding, and no failure.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The goals beside what was seen.
    pub(crate) fn print_goals(&self) {
        println!(
            "\ngoals                                                        at most    seen (min-max)"
        );
        for goal in &self.goals {
            let seen = goal.seen.map_or_else(
                || goal.why_not.clone(),
                |s| format!("{} ({}-{})", short(s.median), short(s.min), short(s.max)),
            );
            println!(
                "{:<7} {:<50} {:>9}    {seen}",
                goal.verdict(),
                goal.what,
                short(goal.at_most)
            );
        }
    }

    /// Writes all of it to a file.
    pub(crate) fn write(&self, file: &Path, head: &Value) -> std::io::Result<()> {
        let goals: Vec<Value> = self.goals.iter().map(Goal::json).collect();
        let all = json!({ "bench": head, "goals": goals, "figures": self.figures });
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(file, format!("{all:#}\n"))
    }
}

impl Goal {
    fn verdict(&self) -> &'static str {
        match self.seen {
            Some(seen) if seen.median <= self.at_most => "ok",
            // NaN, too.
            Some(_) => "MISSED",
            None => "-",
        }
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what, "at_most": self.at_most, "verdict": self.verdict(),
            "seen": self.seen.map(Spread::json),
            "why_not": (!self.why_not.is_empty()).then_some(&self.why_not),
        })
    }
}

/// Three digits that say something.
fn short(figure: f64) -> String {
    if figure.abs() >= 100.0 { format!("{figure:.0}") } else { format!("{figure:.3}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_without_a_figure_is_never_reached() {
        let mut report = Report::default();
        report.goal("reached", 1.0, Spread::of([1.0]));
        report.goal("missed", 1.0, Spread::of([1.01]));
        report.goal("nothing measured", 1.0, Spread::of([]));
        report.no_goal("not there", 1.0, "not available");
        let verdicts: Vec<_> = report.goals.iter().map(Goal::verdict).collect();
        assert_eq!(verdicts, ["ok", "MISSED", "MISSED", "-"]);
    }
}
