//! What a killed run left behind, taken away by the next one.

mod deletions;

use std::collections::HashSet;

use chrono::TimeDelta;

use self::deletions::finish;
use crate::job::Job;
use crate::manifest;
use crate::remote::{Remote, RemoteError};
use crate::report::{RunEvent, RunId};
use crate::run::Context;
use crate::state::{Claim, Journal, StateDir};
use crate::temporary;

/// A journal that could not be worked off by then is given up.
const SETTLED: TimeDelta = TimeDelta::hours(24);

/// Takes back what dead runs of this job had under way: each one's own lock proves it dead with all its children, and
/// a live run that has taken over one of their names keeps it. Failures are warnings; the next run tries again.
pub(crate) async fn dead_runs(job: &Job, cx: Context<'_>) {
    for dead in cx.state.dead_runs(&job.id) {
        let Some(journal) = dead.journal() else {
            continue;
        };
        let run = RunId {
            id: String::new(),
            job: job.id.clone(),
            engine: job.engine,
            database: job.subject().label().to_owned(),
        };
        let settled = cx.clock.now() - journal.started > SETTLED;
        if journal.remote != cx.remote.label() {
            if !settled {
                dead.keep();
            }
            continue;
        }
        let going = journal.going.first().map(|going| &going.object);
        let object = journal.objects.first().or(going).map_or("", String::as_str);
        let work = async {
            if going.is_some() {
                return finish(&journal, cx.remote, cx.state).await;
            }
            take_back(&journal, cx.remote, cx.state).await
        };
        let swept = tokio::select! {
            swept = work => swept,
            () = cx.cancel.cancelled() => Ok(None),
        };
        match swept {
            Ok(Some(0)) => {}
            Ok(Some(_)) => {
                let text = format!("took back what a killed run left behind: {object}");
                cx.observer.on(&run, RunEvent::Note(&text));
            }
            Ok(None) if settled => {}
            Ok(None) => dead.keep(),
            Err(error) => {
                let text = format!("{object} of a killed run could not be swept: {error}");
                cx.observer.on(&run, RunEvent::Warning(&text));
                dead.keep();
            }
        }
    }
}

/// What dead runs of any job left on this remote, as it would be taken back now; nothing is changed.
pub(crate) async fn left(
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<Vec<String>, RemoteError> {
    let mut names = Vec::new();
    for dead in state.all_dead_runs() {
        let journal = dead.journal();
        // It is still to be worked off.
        dead.keep();
        let Some(journal) = journal.filter(|journal| journal.remote == remote.label()) else {
            continue;
        };
        if journal.going.is_empty() {
            let Some(_claims) = claims(&journal, state) else { continue };
            names.extend(there(&journal, remote, false).await?.unwrap_or_default());
        } else {
            names.extend(deletions::half(&journal, remote).await?);
        }
    }
    Ok(names)
}

/// Takes back what dead runs of any job left on this remote, of those that left any of `names`; says how much that was.
pub(crate) async fn take_left(
    remote: &dyn Remote,
    state: &StateDir,
    names: &HashSet<String>,
) -> Result<usize, RemoteError> {
    let mut count = 0;
    for dead in if names.is_empty() { Vec::new() } else { state.all_dead_runs() } {
        let journal = dead.journal().filter(|journal| {
            let deleted = journal.going.iter().map(|going| &going.object);
            let made = journal.temporaries.iter().chain(&journal.objects).chain(&journal.files);
            journal.remote == remote.label() && made.chain(deleted).any(|one| names.contains(one))
        });
        let Some(journal) = journal else {
            dead.keep();
            continue;
        };
        let taken = if journal.going.is_empty() {
            take_back(&journal, remote, state).await
        } else {
            finish(&journal, remote, state).await
        };
        match taken {
            Ok(Some(taken)) => count += taken,
            Ok(None) => dead.keep(),
            Err(error) => {
                dead.keep();
                return Err(error);
            }
        }
    }
    Ok(count)
}

/// The names of what a run had under way; `None` while a live run has one of them.
fn claims(journal: &Journal, state: &StateDir) -> Option<Vec<Claim>> {
    let claim = |object: &String| state.claim(&journal.remote, object).ok().flatten();
    journal.objects.iter().map(claim).collect()
}

/// Deletes what no manifest vouches for, and says how many objects that were; `None` while a live run has a name of it.
async fn take_back(
    journal: &Journal,
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<Option<usize>, RemoteError> {
    let Some(_claims) = claims(journal, state) else { return Ok(None) };
    let Some(found) = there(journal, remote, true).await? else { return Ok(None) };
    remote.delete(&found).await?;
    Ok(Some(found.len()))
}

/// What of a dead run is there and no manifest vouches for, after its unseen parts were given up, if they are to be;
/// `None` where a folder of it is somebody else's now.
async fn there(
    journal: &Journal,
    remote: &dyn Remote,
    give_up: bool,
) -> Result<Option<Vec<String>>, RemoteError> {
    let whole = remote.stat(&journal.manifest).await?.is_some();
    let mut names = journal.temporaries.clone();
    if !whole {
        names.extend(journal.objects.iter().cloned());
    }
    let mut found = Vec::new();
    for name in names {
        if give_up {
            remote.give_up(&name).await;
        }
        if name.ends_with('/') {
            match folder(&name, journal, remote).await? {
                Folder::Empty => {}
                Folder::Ours => found.push(name),
                Folder::Shared(ours) => found.extend(ours),
                Folder::Foreign => return Ok(None),
            }
        } else if remote.stat(&name).await?.is_some() {
            found.push(name);
        }
    }
    Ok(Some(found))
}

/// Whose the files in a folder without a manifest are.
enum Folder {
    Empty,
    Ours,
    /// These are ours, and there are others.
    Shared(Vec<String>),
    Foreign,
}

/// Not ours is a folder that a run elsewhere is filling, as its temporary tells, or in which others keep backups.
async fn folder(name: &str, journal: &Journal, remote: &dyn Remote) -> Result<Folder, RemoteError> {
    let inside = remote.list(name).await?;
    if inside.is_empty() {
        return Ok(Folder::Empty);
    }
    let unfinished = remote.list(temporary::FOLDER).await?;
    let elsewhere = |other: &str| {
        journal.temporaries.iter().any(|ours| temporary::is_another(ours, other))
            && !journal.temporaries.iter().any(|ours| ours == other)
    };
    let foreign = unfinished.iter().any(|e| elsewhere(&e.name))
        || inside.iter().any(|e| e.name.ends_with(manifest::SUFFIX));
    if foreign {
        return Ok(Folder::Foreign);
    }
    let put: HashSet<&String> = journal.files.iter().collect();
    let (ours, others): (Vec<_>, Vec<_>) =
        inside.into_iter().map(|e| e.name).partition(|name| put.contains(name));
    Ok(if others.is_empty() { Folder::Ours } else { Folder::Shared(ours) })
}

#[cfg(test)]
mod tests {
    use dbstash_testkit::{RemoteKind, TestRemote, tools};

    use super::*;
    use crate::remote::rclone::{Patience, Rclone, Settings};
    use crate::state::Going;

    const RUN: &str = "20260101T000000Z-a1b2c3d4";

    fn rclone(fixture: &TestRemote) -> Rclone {
        let mut env = fixture.env();
        env.push(("PATH".to_owned(), tools::path().into_string().unwrap()));
        Rclone::new(Settings {
            root: fixture.root().to_owned(),
            config: Some("/dev/null".into()),
            extra_args: Vec::new(),
            env,
            upload_check: false,
            allow_spool: false,
            patience: Patience::default(),
        })
    }

    /// What is left when a run that was storing the folder `a/x/` is swept up after; with what came of it.
    async fn swept(kind: RemoteKind, there: &[&str]) -> Option<(Option<usize>, Vec<String>)> {
        let fixture = TestRemote::start(kind)?;
        let remote = rclone(&fixture);
        for name in there {
            fixture.write(name, b"left");
        }
        let objects = ["a/x/", "a/x.sha256"].map(str::to_owned).to_vec();
        let journal = Journal {
            remote: remote.label(),
            started: chrono::Utc::now(),
            temporaries: objects.iter().map(|name| temporary::name(name, RUN)).collect(),
            objects,
            manifest: "a/x.dbstash.json".into(),
            files: ["a/x/f", "a/x/g/h h"].map(str::to_owned).to_vec(),
            going: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let found = take_back(&journal, &remote, &state).await.unwrap();
        // What is gone is no error.
        if found.is_some() {
            assert_eq!(take_back(&journal, &remote, &state).await.unwrap(), Some(0));
        }
        Some((found, fixture.names()))
    }

    #[tokio::test]
    async fn a_folder_is_taken_back_unless_it_is_somebody_elses() {
        let ours = temporary::name("a/x/", RUN);
        let theirs = temporary::name("a/x/", "20260101T000500Z-e1b2c3d4");
        let beside = ["a/x-2/f", "a/x.sql"];
        for kind in [RemoteKind::Local, RemoteKind::S3] {
            for (left, taken, stays) in [
                (vec!["a/x/f", "a/x/g/h h", "a/x.sha256", &ours], Some(3), vec![]),
                (vec!["a/x.sha256"], Some(1), vec![]),
                // Somebody put something beside what is ours.
                (vec!["a/x/f", "a/x/mine.txt"], Some(1), vec!["a/x/mine.txt"]),
                (vec![], Some(0), vec![]),
                // A manifest vouches for it.
                (
                    vec!["a/x/f", "a/x.dbstash.json", &ours],
                    Some(1),
                    vec!["a/x.dbstash.json", "a/x/f"],
                ),
                // Another machine is filling it.
                (vec![&*theirs, "a/x/f"], None, vec![&*theirs, "a/x/f"]),
                // Others keep backups there.
                (vec!["a/x/f", "a/x/y.dbstash.json"], None, vec!["a/x/f", "a/x/y.dbstash.json"]),
            ] {
                let there = [&beside[..], &left].concat();
                let Some((found, names)) = swept(kind, &there).await else { return };
                let mut expected = [&beside[..], &stays].concat();
                expected.sort_unstable();
                assert_eq!(
                    (found, names),
                    (taken, expected.iter().map(|&n| n.to_owned()).collect()),
                    "{kind} {left:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_deletion_is_finished_unless_the_object_is_somebodys_again() {
        let Some(fixture) = TestRemote::start(RemoteKind::Local) else { return };
        let remote = rclone(&fixture);
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(&dir.path().join("state")).unwrap();
        let many: Vec<_> = (0..50).map(|n| format!("many/{n}.sql")).collect();
        let going = |object: &str| Going {
            manifest: manifest::name_for(object),
            object: object.to_owned(),
        };
        let there = ["whole.sql", "claimed.sql", "claimed.globals.sql", "other.sql"];
        for name in many.iter().map(String::as_str).chain(there) {
            fixture.write(name, b"left");
        }
        fixture.write(&manifest::name_for("whole.sql"), b"{}");
        let claim = state.claim(&remote.label(), "claimed.sql").unwrap();
        // A run claims the name of its dump alone.
        let beside = Going { object: "claimed.globals.sql".into(), ..going("claimed.sql") };
        let ours = many.iter().map(String::as_str).chain(["whole.sql", "claimed.sql", "gone.sql"]);
        let journal = Journal {
            remote: remote.label(),
            started: chrono::Utc::now(),
            temporaries: Vec::new(),
            objects: Vec::new(),
            manifest: String::new(),
            files: Vec::new(),
            going: ours.map(going).chain([beside]).collect(),
        };
        assert_eq!(finish(&journal, &remote, &state).await.unwrap(), Some(many.len()));
        let mut left = there.to_vec();
        left.push("whole.sql.dbstash.json");
        left.sort_unstable();
        assert_eq!(fixture.names(), left);
        drop(claim);
        assert_eq!(finish(&journal, &remote, &state).await.unwrap(), Some(2));
    }
}
