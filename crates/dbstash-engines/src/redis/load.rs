//! How a dump gets back: as the file of a stopped server, or into one that is up.

use std::path::Path;
use std::sync::Arc;

use dbstash_core::dialogue::Tls;
use dbstash_core::engine::PlanError;
use dbstash_core::errand::{Errand, Speech};
use dbstash_core::job::{Server, Source, SyncMode};
use dbstash_core::load::{Load, OnExisting, Stage, Survey, Target, Wish, beside, major};

use super::deliver::{Part, Restore, Terms};
use super::sync::Psync;
use super::{RDB, endpoints, params, survey};

/// The longest value that a server takes when it does not say.
const LONGEST: u64 = 512 << 20;
/// Before it there are no times to live as a date (`ABSTTL`).
const OLDEST: u32 = 5;
/// Since then there are functions.
const FUNCTIONS: u32 = 7;

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    match wish.source {
        Source::File(path) => Ok(Survey::File(path.clone())),
        Source::Server(_) if ![&*wish.manifest.database, "0"].contains(&wish.database) => {
            Err(PlanError(format!(
                "every key goes back to the number that it had: leave /{} out of the target",
                wish.database
            )))
        }
        Source::Server(server) => {
            let (login, tls) = login(server)?;
            let errand = errand(server, tls, Arc::new(survey::Survey(login)));
            Ok(Survey::Errand { errand, read: survey::read })
        }
    }
}

pub(super) fn load(wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    wish.refuse_parts("redis")?;
    let object = wish.dump()?;
    if object.format != RDB.name {
        return Err(PlanError(format!(
            "a dump of the format {} is not known to this version",
            object.format
        )));
    }
    match wish.source {
        Source::File(path) => to_file(wish, path),
        Source::Server(server) => live(wish, server, target),
    }
}

fn to_file(wish: &Wish<'_>, path: &Path) -> Result<Load, PlanError> {
    if wish.extent.on_existing.is_some() {
        return Err(PlanError(
            "--on-existing is of a server that is up: a file is made anew".to_owned(),
        ));
    }
    let new = beside(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new(".")).to_string_lossy();
    let notes = vec![
        format!(
            "for a stopped server that may read it: start it with --dir '{folder}' --dbfilename '{name}' --appendonly \
             no, or it comes up empty"
        ),
        "look at INFO keyspace; then CONFIG SET appendonly yes turns the append-only files on again".to_owned(),
    ];
    let stages = vec![
        Stage::Write { object: 0, to: new.clone() },
        Stage::Rename { from: new.clone(), to: path.to_owned(), stale: Vec::new() },
    ];
    Ok(Load { atomic: true, stages, scraps: vec![new], notes, ..Load::default() })
}

fn live(wish: &Wish<'_>, server: &Server, target: &Target) -> Result<Load, PlanError> {
    let refused = |what: String| Err(PlanError(what));
    let facts = |name: &'static str| {
        target.facts.iter().filter_map(move |fact| fact.strip_prefix(name)?.strip_prefix(':'))
    };
    let fact = |name: &'static str| facts(name).next();
    let version = target.version.clone().unwrap_or_default();
    if wish.clean && wish.extent.on_existing.is_some() {
        return refused(
            "--clean and --on-existing exclude each other: --clean leaves nothing there".to_owned(),
        );
    }
    if fact("cluster_enabled") == Some("1") {
        return refused(
            "the target is a node of a cluster, which takes only the keys of its own slots: restore into a server of \
             its own, and move the keys from there (redis-cli --cluster import)"
                .to_owned(),
        );
    }
    if fact("role") == Some("slave") {
        let master = fact("master_host").unwrap_or("another server");
        return refused(format!("the target is a replica of {master}: restore into its master"));
    }
    if let Some(what) = fact("refuses") {
        return refused(format!("the target refuses RESTORE: \"{what}\""));
    }
    let is_valkey = version.starts_with("Valkey");
    if !is_valkey && major(&version).is_some_and(|major| major < OLDEST) {
        return refused(format!(
            "the target is Redis {version}, and RESTORE knows times to live from version {OLDEST} on: --to-file makes a \
             file for it"
        ));
    }
    let (login, tls) = login(server)?;
    let number = |name| fact(name).and_then(|n| n.parse::<u64>().ok());
    let terms = Arc::new(Terms {
        login,
        backup: wish.manifest.id.clone(),
        functions: is_valkey || major(&version).is_some_and(|major| major >= FUNCTIONS),
        version: if is_valkey { version } else { format!("Redis {version}") },
        reads: facts("reads").filter_map(|n| n.parse().ok()).collect(),
        databases: number("databases").filter(|n| *n < survey::MOST).unwrap_or(u64::MAX),
        longest: number("longest").unwrap_or(LONGEST),
        modules: fact("module").is_some(),
        clean: wish.clean,
        marked: target.mark.is_some(),
        on_existing: wish.extent.on_existing,
    });
    let mut notes = Vec::new();
    if wish.clean && !target.is_empty() {
        notes.push(
            "FLUSHALL removes everything there first, in all databases, and the functions"
                .to_owned(),
        );
    }
    match wish.extent.on_existing {
        _ if target.is_empty() => {}
        Some(OnExisting::Fail) => {
            notes.push("a key that is there already ends it before anything is changed".to_owned());
        }
        Some(OnExisting::Skip) => {
            notes.push("a key that is there already stays as it is".to_owned());
        }
        Some(OnExisting::Replace) => {
            notes.push("a key that is there already is replaced; others stay".to_owned());
        }
        None => {}
    }
    if number("maxmemory").is_some_and(|most| most > 0) {
        notes.push(format!(
            "the target has at most {} bytes of memory (maxmemory-policy {}): a key that has no room fails the restore",
            number("maxmemory").unwrap_or(0),
            fact("maxmemory_policy").unwrap_or("not known")
        ));
    }
    let one = |part| errand(server, tls.clone(), Arc::new(Restore(Arc::clone(&terms), part)));
    Ok(Load {
        stages: vec![Stage::Rehearsal(one(Part::Rehearsal)), Stage::Errand(one(Part::Delivery))],
        notes,
        ..Load::default()
    })
}

fn errand(server: &Server, tls: Option<Tls>, speech: Arc<dyn Speech>) -> Errand {
    Errand { endpoints: endpoints(server), tls, speech }
}

/// As whom, and how encrypted. What has no effect was said when the backup was made.
fn login(server: &Server) -> Result<(Psync, Option<Tls>), PlanError> {
    let tls = params::tls(server, &mut Vec::new())?;
    let raw = params::raw_password(server);
    let login = Psync {
        user: server.user.clone(),
        password: raw.or(server.password.as_ref()).cloned(),
        encoded: raw.is_some(),
        mode: SyncMode::Auto,
        tls: tls.is_some(),
        follow: false,
    };
    Ok((login, tls))
}
