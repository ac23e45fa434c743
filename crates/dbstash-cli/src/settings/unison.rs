//! What several jobs have to say, said once.

use std::collections::HashMap;

use super::complaints::Told;
use super::document::Spot;

/// Texts, each with the jobs that say it, in the order in which they were first said.
#[derive(Default)]
pub(super) struct Unison {
    said: Vec<(Told, Vec<usize>)>,
    known: HashMap<Told, usize>,
}

impl Unison {
    /// The job of this number says these.
    pub(super) fn add(&mut self, job: usize, told: Vec<Told>) {
        for told in told {
            let next = self.said.len();
            let place = *self.known.entry(told.clone()).or_insert(next);
            if place == next {
                self.said.push((told, Vec::new()));
            }
            let jobs = &mut self.said[place].1;
            if jobs.last() != Some(&job) {
                jobs.push(job);
            }
        }
    }

    /// Each text, naming its jobs unless every one of several says it. What one job says has that
    /// job's place when it has none of its own and `placed` is asked for.
    pub(super) fn told(self, jobs: &[(&str, &Spot)], placed: bool) -> impl Iterator<Item = Told> {
        self.said.into_iter().map(move |(told, by)| {
            let Told { spot, text } = told;
            match by.as_slice() {
                all if all.len() == jobs.len() && jobs.len() > 1 => Told { spot, text },
                &[only] => {
                    let (name, at) = jobs[only];
                    let spot = spot.or_else(|| placed.then(|| at.clone()));
                    Told { spot, text: format!("job {name}: {text}") }
                }
                several => {
                    let names = several.iter().map(|&job| jobs[job].0);
                    Told { spot, text: format!("jobs {}: {text}", few(names)) }
                }
            }
        })
    }
}

/// Names by comma; of many, the first ones.
pub(super) fn few<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let count = names.len();
    if count <= SHOWN {
        return names.collect::<Vec<_>>().join(", ");
    }
    let shown: Vec<_> = names.take(SHOWN).collect();
    format!("{} and {} more", shown.join(", "), count - SHOWN)
}
