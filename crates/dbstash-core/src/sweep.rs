//! What a killed run left behind, taken away by the next one.

use std::collections::HashSet;

use chrono::TimeDelta;

use crate::job::Job;
use crate::manifest;
use crate::remote::{Remote, RemoteError};
use crate::report::{RunEvent, RunId};
use crate::run::Context;
use crate::state::{Going, Journal, StateDir};
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

/// Deletes what no manifest vouches for, and says how many objects that were; `None` while a live run has a name of it.
async fn take_back(
    journal: &Journal,
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<Option<usize>, RemoteError> {
    let claims: Vec<_> = journal
        .objects
        .iter()
        .map(|object| state.claim(&journal.remote, object).ok().flatten())
        .collect();
    if claims.iter().any(Option::is_none) {
        return Ok(None);
    }
    let whole = remote.stat(&journal.manifest).await?.is_some();
    let mut names = journal.temporaries.clone();
    if !whole {
        names.extend(journal.objects.iter().cloned());
    }
    let mut found = Vec::new();
    for name in names {
        remote.give_up(&name).await;
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
    remote.delete(&found).await?;
    Ok(Some(found.len()))
}

/// Claims at a time, each of which is an open file.
const CLAIMS: usize = 100;

/// Deletes what a deletion that came to no end has left, and says how many objects that were. What a live run has a
/// name of, or a manifest speaks of again, is not ours to delete any more.
async fn finish(
    journal: &Journal,
    remote: &dyn Remote,
    state: &StateDir,
) -> Result<Option<usize>, RemoteError> {
    let mut count = 0;
    for some in journal.going.chunks(CLAIMS) {
        let claim = |going: &Going| state.claim(&journal.remote, &going.object).ok().flatten();
        let claims: Vec<_> = some.iter().map(claim).collect();
        // Looked at under the claims: what is published later has another name.
        let there: HashSet<_> = remote.list("").await?.into_iter().map(|e| e.name).collect();
        let left = some.iter().zip(&claims).filter(|(going, claim)| {
            claim.is_some() && !there.contains(&going.manifest) && there.contains(&going.object)
        });
        let left: Vec<_> = left.map(|(going, _)| going.object.clone()).collect();
        remote.delete(&left).await?;
        count += left.len();
    }
    Ok(Some(count))
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
        let many: Vec<_> = (0..250).map(|n| format!("many/{n}.sql")).collect();
        let going = |object: &str| Going {
            manifest: manifest::name_for(object),
            object: object.to_owned(),
        };
        for name in many.iter().map(String::as_str).chain(["whole.sql", "claimed.sql", "other.sql"])
        {
            fixture.write(name, b"left");
        }
        fixture.write(&manifest::name_for("whole.sql"), b"{}");
        let claim = state.claim(&remote.label(), "claimed.sql").unwrap();
        let ours = many.iter().map(String::as_str).chain(["whole.sql", "claimed.sql", "gone.sql"]);
        let journal = Journal {
            remote: remote.label(),
            started: chrono::Utc::now(),
            temporaries: Vec::new(),
            objects: Vec::new(),
            manifest: String::new(),
            files: Vec::new(),
            going: ours.map(going).collect(),
        };
        assert_eq!(finish(&journal, &remote, &state).await.unwrap(), Some(many.len()));
        let left = ["claimed.sql", "other.sql", "whole.sql", "whole.sql.dbstash.json"];
        assert_eq!(fixture.names(), left);
        drop(claim);
        assert_eq!(finish(&journal, &remote, &state).await.unwrap(), Some(1));
    }
}
