//! Drills: whether a backup could be restored on trial, found out without a server, a database or a row.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Context;
use super::tools::{missing, print};
use crate::catalog::Catalog;
use crate::checkup::{Finding, Tool};
use crate::drill::{self, Drill, Granted, Ground, Permit, Place, Trial};
use crate::engine::{self, Passed};
use crate::error::RunError;
use crate::job::{Database, Job};
use crate::load::older;
use crate::manifest::{FORMAT, Manifest, Object};
use crate::spool::Spool;
use crate::tally::Counts;

const TOPIC: &str = "drill";

/// What the next drill of a job's newest backup needs: its plan, room, the programs of a private server, or what the
/// user's server lets us do. One line where nothing is in the way.
pub async fn drill(cx: Context<'_>, job: &Job, catalog: Option<&Catalog>) -> Vec<Finding> {
    let mut backups = catalog.into_iter().flat_map(|catalog| &catalog.backups);
    let newest = backups.find(|backup| backup.manifest.job == job.id);
    let manifest = match newest {
        Some(backup) => Manifest::clone(&backup.manifest),
        None => match first(cx, job) {
            Some(manifest) => manifest,
            // Told as what is wrong with the settings.
            None => return Vec::new(),
        },
    };
    let there = job.temp_dir.exists();
    let looked = look(cx, job, &manifest).await;
    if !there {
        // Only what was made here, and is empty.
        let _ = fs::remove_dir(&job.temp_dir);
    }
    looked.unwrap_or_else(|wrong| wrong)
}

/// A backup as the job's first one will be.
fn first(cx: Context<'_>, job: &Job) -> Option<Manifest> {
    let subjects = job.subjects().and_then(|all| all.into_iter().next());
    let database = subjects.unwrap_or_else(|| Database::One("db".to_owned()));
    let plan = engine::plan(cx.engine, job, &database).ok()?;
    let passed = Passed { tool_version: Some(String::new()), ..Passed::by("") };
    let object = Object {
        name: String::new(),
        files: None,
        names: None,
        format: plan.dump.format().name.to_owned(),
        bytes: 0,
        raw_bytes: 0,
        sha256: String::new(),
        encodings: Vec::new(),
        passed,
        counts: Counts::Untold,
    };
    let now = cx.clock.now();
    Some(Manifest {
        format: FORMAT,
        id: String::new(),
        job: job.id.clone(),
        engine: job.engine,
        database: database.label().to_owned(),
        mode: job.mode.as_str().to_owned(),
        objects: vec![object],
        started: now,
        ended: now,
        host: String::new(),
        dbstash: String::new(),
    })
}

/// The error is what is in the way.
async fn look(
    cx: Context<'_>,
    job: &Job,
    manifest: &Manifest,
) -> Result<Vec<Finding>, Vec<Finding>> {
    let (trial, temp_dir) = (&job.trial, &job.temp_dir);
    let scratch = trial.elsewhere(cx.engine);
    let needed = if scratch.is_some() { 0 } else { manifest.raw_bytes() };
    let failed = |what: String| vec![Finding::failed(TOPIC, what)];
    let spool = Spool::make(temp_dir, &super::run(cx.clock), needed);
    let spool = spool.map_err(|error| failed(error.to_string()))?;
    let tree = spool.tree();
    let place = match scratch {
        Some(one) => Place::Scratch(one.engine, &one.source, "dbstash_drill_doctor"),
        None => Place::Private(&tree),
    };
    let ground = Ground { manifest, place, assertions: &trial.assertions };
    let drill = cx.engine.drill(&ground).map_err(|error| failed(error.to_string()))?;
    let mut wrong = Vec::new();
    if drill.server.is_some() {
        wrong.extend(as_whom(&drill, trial, temp_dir));
    }
    let by = programs(cx, &drill, trial, manifest, &mut wrong).await;
    let shown = temp_dir.display();
    let well = match (&drill.permit, scratch) {
        (Some(permit), Some(one)) if wrong.is_empty() => {
            let same = (one.engine == manifest.engine).then_some(manifest);
            elsewhere(cx, permit, same, &by).await?
        }
        (_, Some(_)) => Finding::ok(TOPIC, format!("in a scratch database, by {by}")),
        (_, None) => {
            let what = if drill.server.is_some() { "private server" } else { "file" };
            Finding::ok(TOPIC, format!("in a {what} below {shown}, which has room: {by}"))
        }
    };
    if wrong.is_empty() { Ok(vec![well]) } else { Err(wrong) }
}

/// The programs that a drill takes, with their versions.
async fn programs(
    cx: Context<'_>,
    drill: &Drill,
    trial: &Trial,
    manifest: &Manifest,
    wrong: &mut Vec<Finding>,
) -> String {
    let of_backup = server_version(manifest);
    let mut programs = Vec::new();
    for tool in &drill.tools {
        let said = match said(cx, drill, trial, tool).await {
            Ok(said) => said,
            Err(finding) => {
                wrong.push(finding);
                continue;
            }
        };
        let (program, version) = (&tool.version.program, version(&said));
        let is_server = drill.server.as_ref().is_some_and(|one| one.program == *program);
        if is_server && older(of_backup, version).is_some() {
            wrong.push(Finding::fail(
                TOPIC,
                format!(
                    "the newest backup is of version {}, and {program} on this machine is {}",
                    of_backup.unwrap_or_default(),
                    version.unwrap_or_default()
                ),
                format!(
                    "install {} of that version or newer, or let DRILL_URI name a server for drills",
                    tool.from
                ),
            ));
        }
        programs.push(match version {
            Some(version) => format!("{program} {version}"),
            None => said.lines().next().unwrap_or_default().trim().to_owned(),
        });
    }
    programs.join(", ")
}

/// Whether the user of `DRILL_URI` may have a scratch database there; of a backup from another family, no version tells
/// anything.
async fn elsewhere(
    cx: Context<'_>,
    permit: &Permit,
    of_backup: Option<&Manifest>,
    by: &str,
) -> Result<Finding, Vec<Finding>> {
    let granted = granted(cx, permit).await.map_err(|finding| vec![finding])?;
    let Granted { user, server, lacks, unsure } = granted;
    let mut wrong = Vec::new();
    let of_backup = of_backup.and_then(server_version);
    if older(of_backup, Some(&server)).is_some() {
        let of_backup = of_backup.unwrap_or_default();
        wrong.push(Finding::fail(
            TOPIC,
            format!("the newest backup is of version {of_backup}, and DRILL_URI names {server}"),
            "let DRILL_URI name a server of that version or newer",
        ));
    }
    wrong.extend(lacks.into_iter().map(|(what, way_out)| Finding::fail(TOPIC, what, way_out)));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(match unsure {
        Some((what, way_out)) => Finding::warn(TOPIC, what, way_out),
        None => Finding::ok(
            TOPIC,
            format!("{user} may make a scratch database on {server} (DRILL_URI), by {by}"),
        ),
    })
}

/// Of the server that was dumped.
fn server_version(manifest: &Manifest) -> Option<&str> {
    manifest.dump()?.passed.server_version.as_deref()
}

/// What is wrong with the user of a private server.
fn as_whom(drill: &Drill, trial: &Trial, temp_dir: &Path) -> Option<Finding> {
    let is_root = rustix::process::geteuid().is_root();
    match trial.user {
        None | Some((0, _)) if is_root => {
            let what = "its private server would run as root";
            let way_out = "let DRILL_USER name another user of this machine";
            // Those that have files made for them first refuse to.
            Some(if drill.prepare.is_empty() {
                Finding::warn(TOPIC, what, way_out)
            } else {
                Finding::fail(TOPIC, format!("{what}, which it refuses"), way_out)
            })
        }
        Some(user) => closed(temp_dir, user).map(|folder| {
            Finding::fail(
                TOPIC,
                format!(
                    "{} is closed to DRILL_USER, and the private server's files are in it",
                    folder.display()
                ),
                "chmod o+x it, or set BACKUP_TEMP_DIR to a directory elsewhere",
            )
        }),
        None => None,
    }
}

/// The folder above that this user does not get through: the lowest one is opened by the drill.
fn closed(temp_dir: &Path, (user, group): (u32, u32)) -> Option<PathBuf> {
    let path = fs::canonicalize(temp_dir).ok()?;
    let is_closed = |folder: &&Path| {
        fs::metadata(folder).is_ok_and(|meta| {
            let bit = match () {
                () if meta.uid() == user => 0o100,
                () if meta.gid() == group => 0o010,
                () => 0o001,
            };
            meta.mode() & bit == 0
        })
    };
    path.ancestors().skip(1).find(is_closed).map(Path::to_owned)
}

/// All that a program says of itself, run as the drill runs it.
async fn said(
    cx: Context<'_>,
    drill: &Drill,
    trial: &Trial,
    tool: &Tool,
) -> Result<String, Finding> {
    let is_client = drill.ready.as_ref().is_none_or(|one| one.program == tool.version.program);
    let asked = if is_client { tool.version.clone() } else { drill.confined(&tool.version, trial) };
    let said = print(&asked, cx).await.map_err(|error| {
        let why = match &error {
            RunError::Dump(error) => drill::missing(error),
            _ => None,
        };
        match why {
            Some(why) => Finding::failed(TOPIC, why),
            None => Finding { topic: TOPIC, ..missing(tool, &error) },
        }
    })?;
    let said = String::from_utf8_lossy(&said).into_owned();
    match (tool.complaint)(&said) {
        Some((what, way_out)) => Err(Finding::fail(TOPIC, what, way_out)),
        None => Ok(said),
    }
}

/// `15.14` of `postgres (PostgreSQL) 15.14`, of `mysqld  Ver 9.7.0 for Linux` and of `Redis server v=7.0.15 bits=64`: a
/// path before it may have numbers, too.
fn version(said: &str) -> Option<&str> {
    let words = said.lines().next()?.split_whitespace();
    let mut words = words.map(|word| word.strip_prefix("v=").unwrap_or(word));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
}

async fn granted(cx: Context<'_>, permit: &Permit) -> Result<Granted, Finding> {
    match print(&permit.question, cx).await {
        Ok(said) => Ok((permit.read)(&String::from_utf8_lossy(&said))),
        Err(error) => {
            let found = cx.refused(TOPIC, &error);
            Err(Finding { what: format!("DRILL_URI: {}", found.what), ..found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (said, wanted) in [
            ("postgres (PostgreSQL) 15.14 (Debian 15.14-0)\n", Some("15.14")),
            ("/opt/mysql97/mysqld  Ver 9.7.0 for Linux on x86_64\n", Some("9.7.0")),
            ("Redis server v=7.0.15 sha=00000000:0 bits=64\n", Some("7.0.15")),
            ("3.40.1 2022-12-28 14:03:47 df5c", Some("3.40.1")),
            ("/usr/bin/mariadb-install-db\n", None),
            ("", None),
        ] {
            assert_eq!(version(said), wanted, "{said}");
        }
    }

    #[test]
    fn a_folder_that_is_closed() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (above, work) = (dir.path().join("above"), dir.path().join("above/work"));
        fs::create_dir_all(&work).unwrap();
        let owner = fs::metadata(&above).unwrap();
        let other = (owner.uid() + 4711, owner.gid() + 4711);
        let set = |mode| {
            for folder in [dir.path(), &above] {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        set(0o711);
        assert_eq!(closed(&work, other), None);
        set(0o710);
        assert_eq!(closed(&work, other), Some(fs::canonicalize(&above).unwrap()));
        assert_eq!(closed(&work, (other.0, owner.gid())), None);
        assert_eq!(closed(&work, (owner.uid(), other.1)), None);
    }
}
