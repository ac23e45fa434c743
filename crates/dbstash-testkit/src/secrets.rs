//! What a run shows to everyone who looks at the process table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::procs::{self, Process};

/// Samples, every few milliseconds, the arguments and environments of a process's descendants.
#[derive(Debug)]
pub struct Sampler {
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<Samples>>,
}

/// All that was seen, by program name.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    /// Command lines.
    pub args: BTreeMap<String, BTreeSet<String>>,
    /// Environment variables, `NAME=value`.
    pub environment: BTreeMap<String, BTreeSet<String>>,
}

impl Sampler {
    /// Starts sampling what descends from `ancestor`.
    pub fn start(ancestor: i32) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&done);
        let thread = thread::spawn(move || {
            let mut samples = Samples::default();
            while !stop.load(Ordering::Relaxed) {
                for process in procs::descendants(ancestor) {
                    samples.add(&process);
                }
                thread::sleep(Duration::from_millis(2));
            }
            samples
        });
        Self { done, thread: Some(thread) }
    }

    /// Ends it, with all that was seen.
    pub fn finish(mut self) -> Samples {
        self.done.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
    }
}

impl Samples {
    fn add(&mut self, process: &Process) {
        let args = process.args();
        let environment = process.environment();
        // A process that called exec in between would be blamed for what its parent holds.
        if args.is_empty() || process.args() != args {
            return;
        }
        let program = args[0].rsplit('/').next().unwrap_or_default().to_owned();
        self.args.entry(program.clone()).or_default().insert(args.join(" "));
        self.environment.entry(program).or_default().extend(environment);
    }

    /// The programs that were seen.
    pub fn programs(&self) -> Vec<&str> {
        self.args.keys().map(String::as_str).collect()
    }

    /// The command lines that hold `needle`.
    pub fn args_with(&self, needle: &str) -> Vec<String> {
        Self::holding(&self.args, needle)
    }

    /// The environment variables that hold `needle`, each as `program: NAME=value`.
    pub fn environment_with(&self, needle: &str) -> Vec<String> {
        Self::holding(&self.environment, needle)
    }

    fn holding(samples: &BTreeMap<String, BTreeSet<String>>, needle: &str) -> Vec<String> {
        let all = samples
            .iter()
            .flat_map(|(program, texts)| texts.iter().map(move |text| (program, text)));
        all.filter(|(_, text)| text.contains(needle))
            .map(|(program, text)| format!("{program}: {text}"))
            .collect()
    }
}
