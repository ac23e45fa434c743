//! Two ways to do the same, in turn: what slows one down slows the other.

use serde_json::{Value, json};

use crate::measure::Cost;
use crate::report::Report;
use crate::stats::Spread;
use crate::stream::mib;

/// What both cost, round by round.
pub(crate) struct Turns {
    ours: Vec<Cost>,
    theirs: Vec<Cost>,
}

/// So many rounds and a warm-up, the other one first in every second round. What fails once is no figure to keep: the
/// report says why there is none.
pub(crate) fn taken(
    name: &str,
    at_most: f64,
    rounds: usize,
    report: &mut Report,
    mut once: impl FnMut(bool) -> Result<Cost, String>,
) -> Option<Turns> {
    let mut turns = Turns { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..=rounds {
        let first = round % 2 == 0;
        match once(first).and_then(|a| Ok((a, once(!first)?))) {
            // The warm-up.
            Ok(_) if round == 0 => {}
            Ok((a, b)) => {
                let (ours, theirs) = if first { (a, b) } else { (b, a) };
                turns.ours.push(ours);
                turns.theirs.push(theirs);
            }
            Err(why) => {
                eprintln!("{name}: {why}");
                report.no_goal(name, at_most, &why);
                report.fail();
                return None;
            }
        }
        eprint!(".");
    }
    eprintln!();
    Some(turns)
}

impl Turns {
    /// Prints how they compare, beside what they handled, and keeps it.
    pub(crate) fn tell(&self, name: &str, at_most: f64, bytes: (u64, u64), report: &mut Report) {
        let of = |costs: &[Cost], figure: fn(&Cost) -> f64| -> Vec<f64> {
            costs.iter().map(figure).collect()
        };
        let walls = |costs: &[Cost]| of(costs, |cost| cost.wall);
        let cpus = |costs: &[Cost]| of(costs, |cost| cost.cpu);
        let wall = Spread::of_ratios(&walls(&self.ours), &walls(&self.theirs));
        let cpu = Spread::of_ratios(&cpus(&self.ours), &cpus(&self.theirs));
        let peak = Spread::of(self.ours.iter().map(|cost| mib(cost.own_peak)));
        println!(
            "{name}: {:.2} ({:.2}-{:.2}); CPU {:.2}; {:.2} s for {:.0} MiB, {:.2} s for {:.0} MiB; own peak {:.1} MiB",
            wall.median,
            wall.min,
            wall.max,
            cpu.median,
            Spread::of(walls(&self.ours)).median,
            mib(bytes.0),
            Spread::of(walls(&self.theirs)).median,
            mib(bytes.1),
            peak.max,
        );
        report.goal(name, at_most, wall);
        report.keep(name, figures(wall, cpu, peak, bytes));
    }
}

fn figures(wall: Spread, cpu: Spread, peak: Spread, bytes: (u64, u64)) -> Value {
    json!({
        "wall": wall.json(), "cpu": cpu.json(), "own_peak_mib": peak.json(),
        "stored_bytes": bytes.0, "their_stored_bytes": bytes.1,
    })
}
