//! The jobs of the soak.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use dbstash_core::compression::Compression;
use dbstash_core::job::{Databases, EngineKey, Globals, Job, Mode, Server, Source};
use dbstash_core::retention::Policy;
use dbstash_core::timetable::Timetable;
use dbstash_core::zone::Zone;

use crate::rhythm::Rhythm;

/// How many backups of a job are kept.
pub(crate) const KEPT: usize = 3;
/// A tool that stands still for longer is ended; nothing else here is that slow, most of the time.
const STALL: Duration = Duration::from_secs(3);

/// A job, when it runs, and the same by arithmetic.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) rhythm: Rhythm,
    pub(crate) job: Job,
    pub(crate) timetable: Timetable,
}

impl Subject {
    fn new(name: &'static str, rhythm: Rhythm, spool: &Path) -> Self {
        let databases = Databases::Named(vec![crate::DATABASE.to_owned()]);
        let source = Source::Server(Server::default());
        let mut job = Job::new(name.parse().unwrap(), EngineKey::Pg, source, databases);
        job.retention = Policy { max_files: Some(KEPT), ..Policy::default() };
        job.limits.stall = Some(STALL);
        spool.clone_into(&mut job.temp_dir);
        let schedule = rhythm.cron.parse().unwrap();
        let timetable = Timetable { schedule, ..Timetable::now(Zone::UTC) };
        Self { name, rhythm, job, timetable }
    }

    /// Up to how long after its time a run starts.
    pub(crate) fn jitter(&self) -> TimeDelta {
        TimeDelta::from_std(self.timetable.jitter).unwrap()
    }
}

/// All of them; those that make files make them below `spool`.
pub(crate) fn all(spool: &Path) -> [Subject; 4] {
    let rhythm = |cron, is_due| Rhythm { cron, is_due };
    let minutely = Subject::new("minutely", rhythm("* * * * *", |_| true), spool);

    let odd = rhythm("*/7 * * * *", |minute| minute % 60 % 7 == 0);
    let mut odd = Subject::new("odd", odd, spool);
    odd.timetable.jitter = Duration::from_secs(180);
    odd.job.compression = Some(Compression::Zstd { level: 1, threads: 2 });
    odd.job.globals = Globals::On;
    odd.job.hooks.post = Some("echo said; sleep 300 >/dev/null 2>&1 &".into());

    let files = rhythm("13,47 * * * *", |minute| [13, 47].contains(&(minute % 60)));
    let mut files = Subject::new("files", files, spool);
    files.job.mode = Mode::Tar;

    // Rare, for it waits for some real seconds before it tries again.
    let rare = rhythm("30 */6 * * *", |minute| minute % 360 == 30);
    let mut rare = Subject::new("rare", rare, spool);
    rare.timetable.catch_up = true;
    rare.job.retries = 1;
    rare.job.naming.template = "{job}".parse().unwrap();
    [minutely, odd, files, rare]
}
