//! Which databases a run covers: those of the settings, or those the server has now.

use std::time::Duration;

use crate::artifact::ProduceError;
use crate::error::RunError;
use crate::job::{Database, Job};
use crate::run::Context;
use crate::store::{Guard, Progress};

/// A server with more than some hundred thousand databases is no server.
const LONGEST: usize = 16 * 1024 * 1024;
/// It is one small question.
const PATIENCE: Duration = Duration::from_secs(120);

/// The subjects of a run, asked for when the settings do not name them.
pub(super) async fn subjects(job: &Job, cx: Context<'_>) -> Result<Vec<Database>, RunError> {
    if let Some(subjects) = job.subjects() {
        return Ok(subjects);
    }
    let limit = job.limits.timeout.unwrap_or(PATIENCE).min(PATIENCE);
    let guard = Guard {
        cancel: cx.cancel,
        deadline: Some((tokio::time::Instant::now() + limit, limit)),
        stall: None,
        pace: &|_| (),
    };
    let names = guard.watch(&Progress::default(), ask(job, cx)).await?;
    let all = names.split('\0').map(|name| name.trim_matches('\n')).filter(|name| !name.is_empty());
    let kept = all.filter(|name| !job.exclude.iter().any(|pattern| pattern.matches(name)));
    let subjects: Vec<_> = kept.map(|name| Database::One(name.to_owned())).collect();
    if subjects.is_empty() {
        return Err(RunError::Databases(ProduceError::Incomplete {
            what: "the server has none that DB_EXCLUDE leaves".to_owned(),
            stderr: String::new(),
        }));
    }
    Ok(subjects)
}

async fn ask(job: &Job, cx: Context<'_>) -> Result<String, RunError> {
    let question = cx.engine.list_databases(job)?;
    let run_dir = cx.state.run_dir(&job.id, &format!("ask-{}", uuid::Uuid::new_v4().simple()))?;
    let launched = cx.launcher.launch(&question, &run_dir).await;
    let mut tool = launched.map_err(|error| RunError::Databases(error.into()))?;
    let (mut answer, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match tool.read(&mut buf).await.map_err(RunError::Databases)? {
            0 => break,
            n if answer.len() < LONGEST => answer.extend_from_slice(&buf[..n]),
            _ => {}
        }
    }
    tool.finish().await.map_err(RunError::Databases)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
