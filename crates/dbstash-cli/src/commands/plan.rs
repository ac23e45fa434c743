//! `DRY_RUN`: what a run would do, without starting anything.

use std::fmt::Write as _;

use anyhow::Result;
use chrono::Utc;
use dbstash_core::name::{Values, object_name};
use dbstash_core::schedule::Schedule;

use crate::app::{complain, print};
use crate::exit::Exit;
use crate::settings::Settings;

/// Prints the plan of each backup. A job that cannot be planned is a mistake in the settings.
pub fn show(settings: &Settings, now: bool) -> Result<Exit> {
    let (job, now_at) = (&settings.job, Utc::now());
    let zone = job.naming.zone;
    let next = match &settings.schedule {
        _ if now => "now".to_owned(),
        Schedule::Once => "now".to_owned(),
        schedule => match schedule.next_after(now_at, zone) {
            Some(at) => at.with_timezone(&zone).to_rfc3339(),
            None => "never".to_owned(),
        },
    };
    let engine = dbstash_engines::engine(job.engine);
    let mut text = format!("job       {}\nnext run  {next}\n", job.id);
    for database in job.subjects() {
        let plan = match engine.plan(job, &database) {
            Ok(plan) => plan,
            Err(error) => {
                complain(&format!("error: {error}"));
                return Ok(Exit::Usage);
            }
        };
        let base = job.naming.template.expand(&Values {
            db: database.label(),
            engine: job.engine.as_str(),
            job: job.id.as_str(),
            host: &job.naming.host,
            at: now_at,
            zone,
            uuid: "xxxxxxxx",
        });
        let extension = job.naming.extension.as_deref().unwrap_or(plan.format.extension);
        let object = object_name(&base, 1, extension);
        let root = &settings.remote.root;
        let slash = if root.ends_with([':', '/']) { "" } else { "/" };
        let _ = write!(
            text,
            "\ndatabase  {}\ncommand   {}\nformat    {}\ntarget    {root}{slash}{object}\n",
            database.label(),
            plan.invocation,
            plan.format.name,
        );
        for warning in &plan.warnings {
            tracing::warn!("{warning}");
        }
    }
    print(&settings.redactor().redact(&text))?;
    Ok(Exit::Done)
}
