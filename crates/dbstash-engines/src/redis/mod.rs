//! Redis and Valkey: the dump that a server sends to a replica.

mod checkup;
mod cli;
mod deliver;
mod drill;
mod framing;
mod load;
mod marked;
mod params;
mod question;
mod rdb;
mod records;
mod refusal;
mod resp;
mod survey;
mod sync;
mod talk;
mod tally;
mod text;
mod walk;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use dbstash_core::checkup::Checkup;
use dbstash_core::dialogue::{Call, Endpoint, Spare, Tls};
use dbstash_core::drill::{Drill, Ground};
use dbstash_core::engine::{Dump, Engine, Format, Origin, Plan, PlanError, Stream, Structure};
use dbstash_core::invocation::Invocation;
use dbstash_core::job::{Database, EngineKey, Job, Mode, RedisMethod, Server, Source};
use dbstash_core::load::{Load, Survey, Target, Wish};
use dbstash_core::manifest::Object;
use dbstash_core::recipe::Subject;
use dbstash_core::tally::Counting;

use self::rdb::Rdb;
pub use self::sync::{Psync, Replica};
use crate::passing;

/// The engine.
pub(crate) struct Redis;

const RDB: Format = Format { name: "rdb", extension: "rdb", compressed: false };
const PORT: u16 = 6379;
/// How long a server is asked again that cannot answer yet, when no limit is set: loading a large data set takes long.
const PATIENCE: Duration = Duration::from_secs(3600);

impl Engine for Redis {
    fn key(&self) -> EngineKey {
        EngineKey::Redis
    }

    fn plan(&self, job: &Job, _database: &Database) -> Result<Plan, PlanError> {
        let Source::Server(server) = &job.source else {
            return Err(PlanError(
                "redis needs a server: set DB_URI=redis://... or DB_HOST".into(),
            ));
        };
        if job.mode != Mode::Stream {
            return Err(PlanError(format!(
                "BACKUP_MODE={} is not for redis, whose dump (RDB) is one file: set BACKUP_MODE=stream",
                job.mode.as_str()
            )));
        }
        let mut warnings = Vec::new();
        let tls = params::tls(server, &mut warnings)?;
        let endpoints = endpoints(server);
        let by_cli = |warnings: &mut Vec<String>| {
            cli::look_at(&job.extra_args, warnings)?;
            if endpoints.len() > 1 {
                warnings.push(format!("redis-cli asks one server: {}", endpoints[0]));
            }
            Ok(cli::origin(server, &endpoints[0], tls.as_ref(), &job.extra_args))
        };
        let by_us = || call(job, server, &endpoints, tls.as_ref());
        let is_raw = params::raw_password(server).is_some();
        let (origin, otherwise) = match job.replication.method {
            RedisMethod::Replication => {
                if !job.extra_args.is_empty() {
                    warnings.push(
                        "DUMP_EXTRA_ARGS has no effect: REDIS_METHOD=replication runs no dump tool"
                            .into(),
                    );
                }
                (by_us(), None)
            }
            RedisMethod::Cli if is_raw => {
                return Err(PlanError(
                    "the password is no text, and redis-cli cannot be given it: set REDIS_METHOD=replication"
                        .into(),
                ));
            }
            RedisMethod::Cli => {
                if tls.as_ref().is_some_and(|tls| !tls.unverified) {
                    warnings.push(
                        "redis-cli does not look whom the server's certificate is for: REDIS_METHOD=replication does"
                            .into(),
                    );
                }
                (by_cli(&mut warnings)?, None)
            }
            RedisMethod::Auto if is_raw => {
                warnings.push(
                    "redis-cli is not asked: it cannot be given a password that is no text".into(),
                );
                (by_us(), None)
            }
            RedisMethod::Auto => {
                let otherwise = by_cli(&mut warnings)?;
                (by_us(), Some(Box::new(otherwise)))
            }
        };
        let check = Box::new(Rdb::new());
        let counting = Counting::By(Box::<tally::Keys>::default());
        let dump = Dump::Stream(Stream { origin, otherwise, format: RDB, check, counting });
        Ok(Plan { dump, companions: Vec::new(), warnings })
    }

    fn checkup(&self, job: &Job, _database: &Database) -> Result<Checkup, PlanError> {
        checkup::checkup(job)
    }

    fn list_databases(&self, _job: &Job) -> Result<Invocation, PlanError> {
        Err(PlanError(
            "BACKUP_SPLIT_DATABASES is not for redis: its dump always holds all databases".into(),
        ))
    }

    fn may_pass(&self, stderr: &str) -> bool {
        self.explain(stderr).is_none() || passing::passes(stderr)
    }

    fn drill(&self, ground: &Ground<'_>) -> Result<Drill, PlanError> {
        drill::drill(ground)
    }

    fn by_hand(&self, stored: Subject<'_>) -> Option<Vec<String>> {
        crate::by_hand::redis(stored)
    }

    fn structure(&self, object: &Object) -> Option<Structure> {
        (object.format == RDB.name).then(|| Structure::Stream(Box::new(walk::Thorough::default())))
    }

    fn survey(&self, wish: &Wish<'_>) -> Result<Survey, PlanError> {
        load::survey(wish)
    }

    fn load(&self, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
        load::load(wish, target)
    }

    fn explain(&self, stderr: &str) -> Option<String> {
        cli::explain(stderr)
    }

    fn is_remark(&self, line: &str) -> bool {
        cli::is_remark(line)
    }
}

/// In the order given; at least one.
fn endpoints(server: &Server) -> Vec<Endpoint> {
    if server.hosts.is_empty() {
        return vec![Endpoint::Tcp("127.0.0.1".to_owned(), PORT)];
    }
    let endpoint = |name: &str, port: Option<u16>| match name {
        path if path.starts_with('/') => Endpoint::Unix(PathBuf::from(path)),
        "" => Endpoint::Tcp("127.0.0.1".to_owned(), port.unwrap_or(PORT)),
        name => Endpoint::Tcp(name.to_owned(), port.unwrap_or(PORT)),
    };
    server.hosts.iter().map(|host| endpoint(&host.name, host.port)).collect()
}

fn call(job: &Job, server: &Server, endpoints: &[Endpoint], tls: Option<&Tls>) -> Origin {
    let raw = params::raw_password(server);
    let psync = Psync {
        user: server.user.clone(),
        password: raw.or(server.password.as_ref()).cloned(),
        encoded: raw.is_some(),
        mode: job.replication.sync,
        tls: tls.is_some(),
        follow: false,
    };
    Origin::Server(Call {
        endpoints: endpoints.to_vec(),
        tls: tls.cloned(),
        protocol: Arc::new(psync),
        patience: job.limits.timeout.is_none().then_some(PATIENCE),
        spool: Spare { dir: job.temp_dir.clone(), most: job.replication.spool_max },
    })
}

#[cfg(test)]
mod tests;
