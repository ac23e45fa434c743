//! What runs will do, before any does; `DRY_RUN` shows it and stops there.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::Utc;
use dbstash_core::engine::{self, Plan, PlanError};
use dbstash_core::job::{Database, Job};
use dbstash_core::name::{Values, object_name};
use dbstash_core::schedule::Schedule;

use crate::settings::JobSettings;

/// Stands for each database of a server that is not asked yet.
const EACH: &str = "<each>";

/// Plans every backup of a job, and warns once of what is odd about it.
pub fn all(job: &Job) -> Result<Vec<(Database, Plan)>, PlanError> {
    let (plans, warnings) = planned(job)?;
    for text in warnings {
        tracing::warn!("{text}");
    }
    Ok(plans)
}

/// The plans of a job, and what is odd about them.
type Planned = (Vec<(Database, Plan)>, BTreeSet<String>);

/// The same, with what is odd about them, each once.
pub fn planned(job: &Job) -> Result<Planned, PlanError> {
    let tool = dbstash_engines::engine(job.engine);
    let mut plans = Vec::new();
    let unknown = || vec![Database::One(EACH.to_owned())];
    for database in job.subjects().unwrap_or_else(unknown) {
        let plan = engine::plan(tool, job, &database)?;
        plans.push((database, plan));
    }
    let warnings = plans.iter().flat_map(|(_, plan)| plan.warnings.iter().cloned()).collect();
    Ok((plans, warnings))
}

/// A job's plans for people. The caller takes the secrets out.
pub fn text(settings: &JobSettings, plans: &[(Database, Plan)], at_once: bool) -> String {
    let (job, now) = (&settings.job, Utc::now());
    let zone = job.naming.zone;
    let next = match &settings.timetable.schedule {
        _ if at_once => "now".to_owned(),
        Schedule::Once => "now".to_owned(),
        _ if settings.timetable.on_start => "now, and then on schedule".to_owned(),
        schedule => match schedule.next_after(now, zone) {
            Some(at) => at.with_timezone(&zone).to_rfc3339(),
            None => "never".to_owned(),
        },
    };
    let root = &settings.remote.root;
    let slash = if root.ends_with([':', '/']) { "" } else { "/" };
    let mut text = format!("job       {}\nnext run  {next}\n", job.id);
    let hooks = [(&job.hooks.pre, "before"), (&job.hooks.post, "after")];
    let hooks: Vec<_> = hooks.iter().filter(|(set, _)| set.is_some()).map(|(_, at)| *at).collect();
    if !hooks.is_empty() {
        let _ = writeln!(text, "hooks     {} each backup", hooks.join(" and "));
    }
    if let Some(level) = job.verify_after {
        let _ = writeln!(text, "verify    each backup, to {}", level.as_str());
    }
    match job.drill_after {
        None => {}
        Some(1) => text.push_str("drill     each backup\n"),
        Some(every) => {
            let _ = writeln!(text, "drill     one backup of {every}");
        }
    }
    for rounds in settings.rounds.iter().chain(&settings.drills) {
        let next = rounds.timetable.next_after(now);
        let next =
            next.map_or_else(|| "never".to_owned(), |at| at.with_timezone(&zone).to_rfc3339());
        let _ =
            writeln!(text, "verify    what is stored, to {}, next {next}", rounds.level.as_str());
    }
    for (database, plan) in plans {
        let base = job.naming.template.expand(&Values {
            db: database.file_name(),
            engine: job.engine.as_str(),
            job: job.id.as_str(),
            host: &job.naming.host,
            at: now,
            zone,
            uuid: "xxxxxxxx",
        });
        let extension = job.dump_extension(&plan.dump);
        let commands = plan.dump.commands();
        let slash_after = if job.is_folder(&plan.dump) { "/" } else { "" };
        let compression = job.compression.map_or(String::new(), |c| format!(", {c}"));
        let _ = write!(
            text,
            "\ndatabase  {}\ncommand   {}\nformat    {}{compression}\ntarget    {root}{slash}{}{slash_after}\n",
            database.label(),
            commands.join("\ncommand   "),
            plan.dump.format().name,
            object_name(&base, 1, &extension),
        );
    }
    text
}
