//! What is on the remotes when a process begins: nothing it was told of outlives it, but the manifests do.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream};

use super::{Member, Tick};
use crate::catalog::Catalog;
use crate::job::{Job, JobId};
use crate::past::Stock;
use crate::remote::RemoteError;
use crate::run::Context;
use crate::timetable::Timetable;

/// What is there of each job and database.
type History = BTreeMap<(JobId, String), Stock>;

/// Between two questions to a remote that gave no answer.
const WAITS: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(1800)];
/// Questions at a time.
const AT_ONCE: usize = 4;

/// Asks every remote until it has answered, and tells the members what is there. The members that missed a run and
/// are to make up for it, as they are found.
pub(super) async fn learn<'a>(
    members: &[Member<'a>],
    tell: &dyn Fn(&Member<'a>, Tick<'_>),
    mut missed: impl FnMut(usize),
) {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, member) in members.iter().enumerate().filter(|(_, m)| !m.timetable.is_once()) {
        places.entry(member.place).or_default().push(index);
    }
    let mut wait = WAITS[0];
    while !places.is_empty() {
        let asked: Vec<_> =
            places.values().map(|group| (members[group[0]].place, members[group[0]].cx)).collect();
        let mut answers = stream::iter(asked)
            .map(|(place, cx)| async move { (place, load(cx).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((place, answer)) = answers.next().await {
            match answer {
                Ok(history) => {
                    for index in places.remove(&place).unwrap_or_default() {
                        let member = &members[index];
                        let stock = of(&history, member.job);
                        tell(member, Tick::Known(&stock));
                        if let Some(due) = overdue(&stock, member) {
                            tell(member, Tick::Overdue(due));
                            missed(index);
                        }
                    }
                }
                Err(error) => tell(&members[places[&place][0]], Tick::Unknown(&error)),
            }
        }
        drop(answers);
        if !places.is_empty() {
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2).min(WAITS[1]);
        }
    }
}

async fn load(cx: Context<'_>) -> Result<History, RemoteError> {
    let cache = cx.state.cache(&cx.remote.label());
    let catalog = Catalog::load(cx.remote, &cache, cx.clock.now()).await?;
    let mut history = History::new();
    // The newest come first.
    for backup in &catalog.backups {
        let (job, database) = (backup.manifest.job.clone(), &backup.manifest.database);
        let subject = (job, database.clone());
        history.entry(subject).or_insert_with(|| Stock::new(database)).add(backup);
    }
    Ok(history)
}

/// What is there of a job's databases, as far as it names them.
fn of(history: &History, job: &Job) -> Vec<Stock> {
    let subjects = job.subjects();
    let wanted = |database: &str| {
        subjects.as_ref().is_none_or(|all| all.iter().any(|subject| subject.label() == database))
    };
    let from = (job.id.clone(), String::new());
    history
        .range(from..)
        .take_while(|((id, _), _)| *id == job.id)
        .filter(|((_, database), _)| wanted(database))
        .map(|(_, stock)| stock.clone())
        .collect()
}

/// The first run that was due since the oldest of these, if it is to be made up for. Of what was never backed up nothing
/// is known to be missing.
fn overdue(stock: &[Stock], member: &Member<'_>) -> Option<DateTime<Utc>> {
    let timetable: &Timetable = member.timetable;
    let asked = timetable.catch_up && !timetable.on_start;
    let newest = stock.iter().filter_map(|stock| Some(stock.good.as_ref()?.ended));
    let oldest = newest.min().filter(|_| asked)?;
    timetable.next_after(oldest).filter(|due| *due <= member.cx.clock.now())
}
