//! A remote, tried: everything a backup does to it, with an object of a few bytes.

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::clocks::compared;
use crate::artifact::Artifact;
use crate::catalog::Catalog;
use crate::checkup::Finding;
use crate::clock::Clock;
use crate::error::RunError;
use crate::remote::{Nature, NewObject, ReadError, Remote, RemoteError};
use crate::store::{Failure, Guard, store};
use crate::temporary;

/// Nobody waits longer for a few bytes.
const PATIENCE: Duration = Duration::from_secs(180);

/// As many are named.
const HASHES: usize = 4;

/// What a remote is like.
#[derive(Debug, Default)]
pub struct Storage {
    /// Line by line.
    pub findings: Vec<Finding>,
    /// What is there, if that can be listed.
    pub catalog: Option<Catalog>,
}

/// Looks at a remote: its tool, what is listed there, and whether an object can be written, seen, read back and deleted.
/// Leaves nothing there, or says what.
pub async fn storage(
    remote: &dyn Remote,
    cache: &Path,
    clock: &dyn Clock,
    cancel: &CancellationToken,
) -> Storage {
    let mut all = Storage::default();
    let done = tokio::select! {
        done = listed(remote, cache, clock, &mut all) => done,
        () = cancel.cancelled() => return all,
    };
    match done {
        Ok(()) => tried(remote, clock, cancel, &mut all.findings).await,
        Err(failed) => all.findings.push(failed),
    }
    all
}

/// What can be known without writing.
async fn listed(
    remote: &dyn Remote,
    cache: &Path,
    clock: &dyn Clock,
    all: &mut Storage,
) -> Result<(), Finding> {
    let load = Catalog::load(remote, cache, clock.now());
    let (tool, nature, catalog) = tokio::join!(remote.tool(), remote.nature(), load);
    let tool = tool.map_err(|error| failed("tool", &error))?;
    all.findings.push(match tool.warning {
        None => Finding::ok("tool", tool.name),
        Some(warning) => Finding::warn("tool", tool.name, warning),
    });
    let label = remote.label();
    let nature = nature.map_err(|error| failed("remote", &error))?;
    all.findings.push(told(&label, &nature));
    let catalog = catalog.map_err(|error| failed("remote", &error))?;
    let count = catalog.backups.len();
    all.findings.push(Finding::ok("remote", format!("{label} can be listed: {count} backups")));
    for broken in &catalog.broken {
        all.findings.push(Finding::warn(
            "backups",
            format!("{} is no backup: {}", broken.manifest_name, broken.why),
            "see dbstash list --all; a new backup takes its place",
        ));
    }
    all.catalog = Some(catalog);
    Ok(())
}

fn told(label: &str, nature: &Nature) -> Finding {
    let hashes = match &nature.hashes[..] {
        [] => "knows no hashes: folders are compared by sizes".to_owned(),
        hashes => {
            let named = hashes[..hashes.len().min(HASHES)].join(", ");
            let more = if hashes.len() > HASHES { ", ..." } else { "" };
            format!("knows {named}{more}")
        }
    };
    if !nature.streams {
        return Finding::warn(
            "remote",
            format!(
                "{label} takes no stream: each dump is put on local disk whole first; it {hashes}"
            ),
            "have room for it in TMPDIR, or use another remote and unset BACKUP_ALLOW_SPOOL",
        );
    }
    let way = if nature.atomic {
        "shows only whole objects: a dump streams to its own name"
    } else {
        "shows objects half-written: a dump streams to a temporary, which is then moved"
    };
    Finding::ok("remote", format!("{label} {way}; it {hashes}"))
}

/// Writes, looks, reads, deletes.
async fn tried(
    remote: &dyn Remote,
    clock: &dyn Clock,
    cancel: &CancellationToken,
    all: &mut Vec<Finding>,
) {
    let run = super::run(clock);
    // Called so that a killed one's are swept like any other temporary.
    let name = temporary::name("doctor", &run);
    let begun = Instant::now();
    let before = clock.now();
    if let Err(findings) = written(remote, &name, &run, cancel).await {
        all.extend(findings);
        return;
    }
    let after = clock.now();
    let looked = tokio::select! {
        looked = looked(remote, &name, &run) => looked,
        () = cancel.cancelled() => Err(Finding::failed("remote", RunError::Interrupted.to_string())),
    };
    let deleted = deleted(remote, &name).await;
    let time = begun.elapsed();
    match (looked, deleted) {
        (Ok(modified), Ok(())) => {
            all.push(Finding::ok(
                "remote",
                format!("an object was written, read back and deleted in {time:.1?}"),
            ));
            all.extend(modified.map(|theirs| compared("the remote", theirs, [before, after])));
        }
        (looked, deleted) => all.extend([looked.err(), deleted.err()].into_iter().flatten()),
    }
}

fn text(run: &str) -> Vec<u8> {
    format!("written by dbstash doctor, run {run}; it may be deleted\n").into_bytes()
}

async fn written(
    remote: &dyn Remote,
    name: &str,
    run: &str,
    cancel: &CancellationToken,
) -> Result<(), Vec<Finding>> {
    let temporary = temporary::name("doctor-new", run);
    let bytes = text(run);
    let expected = Some(bytes.len() as u64);
    let new = NewObject { name, temporary: &temporary, expected, owned: true };
    let mut upload = remote.begin(&new).await.map_err(|error| vec![failed("remote", &error)])?;
    let deadline = Some((Instant::now() + PATIENCE, PATIENCE));
    let guard = Guard { cancel, deadline, stall: None, pace: &|_| () };
    let stored = store(&mut Artifact::of_bytes(bytes), None, upload.as_mut(), &guard).await;
    let Err(Failure { cause, left }) = stored else { return Ok(()) };
    let mut findings = vec![match &cause {
        RunError::Upload(error) if error.lasting => failed("remote", error),
        RunError::Upload(error) => {
            let way_out = "correct RCLONE_REMOTE, or what may be written there";
            Finding { way_out: Some(way_out.to_owned()), ..failed("remote", error) }
        }
        other => Finding::failed("remote", format!("nothing could be written: {other}")),
    }];
    findings.extend(left.map(|left| {
        Finding::fail(
            "remote",
            format!("{name} or {temporary} may be left there: {left}"),
            "delete it by hand, or by dbstash gc in a day",
        )
    }));
    Err(findings)
}

/// Whether it reads back as what was written; when it was, as the remote says. That it is there in full size is a part of
/// writing it.
async fn looked(
    remote: &dyn Remote,
    name: &str,
    run: &str,
) -> Result<Option<DateTime<Utc>>, Finding> {
    let expected = text(run);
    let wrong = |what: String| {
        Finding::fail(
            "remote",
            what,
            "see what lies between here and the remote, a proxy or a cache",
        )
    };
    let read = async {
        let (mut all, mut buf) = (Vec::new(), [0; 1024]);
        let mut download = remote.read(name).await?;
        loop {
            match download.read(&mut buf).await? {
                0 => return Ok(all),
                n if all.len() <= expected.len() => all.extend_from_slice(&buf[..n]),
                _ => {}
            }
        }
    };
    match read.await {
        Ok(read) if read == expected => {}
        Ok(_) => return Err(wrong(format!("{name} reads back as something else"))),
        Err(ReadError::Remote(error)) => return Err(failed("remote", &error)),
        Err(error) => return Err(wrong(format!("{name} cannot be read back: {error}"))),
    }
    // It need not know.
    Ok(remote.modified(name).await.unwrap_or_default())
}

async fn deleted(remote: &dyn Remote, name: &str) -> Result<(), Finding> {
    let stays = |why: &str| {
        Finding::fail(
            "remote",
            format!("{name} cannot be deleted: {why}"),
            "allow deleting there, which retention needs, too; then delete it by hand, or by dbstash gc in a day",
        )
    };
    remote.delete(&[name.to_owned()]).await.map_err(|error| stays(&error.what))?;
    match remote.stat(name).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(stays("the remote says that it did, and it is still there")),
        Err(error) => Err(stays(&error.what)),
    }
}

fn failed(topic: &'static str, error: &RemoteError) -> Finding {
    let said = error.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let what = error.what.clone();
    match said {
        // A cause that is known is told with its way out.
        Some(said) if what.contains(": it exited") || what.contains(": it was killed") => {
            Finding::failed(topic, format!("{what}: {said}"))
        }
        _ => Finding::failed(topic, what),
    }
}
