//! Where a backup is to go.

use std::path::Path;

use dbstash_core::catalog::Backup;
use dbstash_core::job::{EngineKey, Server, Source};
use dbstash_core::secret::{ExposeSecret as _, Redactor, SecretString};
use dbstash_engines::conn::{self, Connection};

use crate::app::complain;
use crate::args::{Command, Restoration};
use crate::entry::{refuse, variable};
use crate::exit::Exit;
use crate::settings::{Here, Layers, Machine as _, resolve, resolve_target, secrets};

/// The target.
pub(super) struct Goal {
    /// What it is.
    pub(super) engine: EngineKey,
    /// Where it is.
    pub(super) source: Source,
    /// The database there.
    pub(super) database: String,
    /// Whether that is where the backup is from.
    pub(super) own: bool,
}

impl Goal {
    /// What `--to`, `RESTORE_TO` or the job's own settings say. The exit is that of wrong settings.
    pub(super) fn find(
        layers: &Layers,
        command: &Command,
        wanted: &Restoration,
        backup: &Backup,
        redactor: &mut Redactor,
    ) -> Result<Self, Exit> {
        let manifest = &backup.manifest;
        let (set, kept) = match resolve_target(layers, &Here) {
            Ok(found) => found,
            Err(mistakes) => return Err(refuse(&mistakes, layers, command)),
        };
        redactor.learn(kept.iter().map(SecretString::expose_secret));
        if let Some(path) = &wanted.to_file {
            let database = manifest.database.clone();
            let source = Source::File(Here.absolute(Path::new(path)));
            return Ok(Self { engine: manifest.engine, source, database, own: false });
        }
        let to = wanted.to.as_deref().or_else(|| set.as_ref().map(SecretString::expose_secret));
        if let Some(uri) = to {
            let uri_secrets = secrets::in_uri(uri);
            redactor.learn(uri_secrets.iter().map(String::as_str));
            let Connection { engine, mut source, database } = match conn::parse_uri(uri) {
                Ok(connection) => connection,
                Err(error) => {
                    complain(&format!("error: --to: {error}"));
                    return Err(Exit::Usage);
                }
            };
            match &mut source {
                Source::File(path) => *path = Here.absolute(path),
                Source::Server(server) => {
                    let params = server.secret_params.iter().map(|(_, value)| value);
                    redactor.learn(
                        server.password.iter().chain(params).map(SecretString::expose_secret),
                    );
                }
            }
            // The two families share a scheme: it is that of the backup, unless the settings say otherwise.
            let meant = variable(layers, "DBSTASH_ENGINE");
            let mariadb = engine == EngineKey::Mysql
                && match meant {
                    Some(meant) => meant == "mariadb",
                    None => manifest.engine == EngineKey::Mariadb,
                };
            let engine = if mariadb { EngineKey::Mariadb } else { engine };
            let database = database.unwrap_or_else(|| manifest.database.clone());
            return Ok(Self { engine, source, database, own: false });
        }
        let fleet = match resolve(layers, &Here) {
            Ok(fleet) => fleet,
            Err(mistakes) => {
                let exit = refuse(&mistakes, layers, command);
                complain("--to URI names another target");
                return Err(exit);
            }
        };
        redactor.learn(fleet.process.secrets.iter().map(SecretString::expose_secret));
        let Some(job) = fleet.jobs.iter().map(|one| &one.job).find(|job| job.id == manifest.job)
        else {
            complain(&format!(
                "error: the backup is of job {}, which is none of these settings: name where to by --to URI",
                manifest.job
            ));
            return Err(Exit::Usage);
        };
        let database = manifest.database.clone();
        Ok(Self { engine: job.engine, source: job.source.clone(), database, own: true })
    }

    /// For people, without secrets. `of` is the database of the backup.
    pub(super) fn named(&self, of: &str) -> String {
        match &self.source {
            Source::File(path) => path.display().to_string(),
            Source::Server(server) => {
                let hosts = hosts(server);
                let user = server.user.as_ref().map_or(String::new(), |user| format!("{user}@"));
                let database = match of {
                    "*" => "all databases".to_owned(),
                    _ => format!("database {}", self.database),
                };
                format!("{database} of {} {user}{hosts}", self.engine)
            }
        }
    }

    /// The same for everybody who writes there.
    pub(super) fn place(&self) -> String {
        match &self.source {
            Source::File(path) => {
                let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
                let path = folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
                path.map_or_else(|| self.named(""), |path| path.display().to_string())
            }
            Source::Server(server) => format!("{}/{}", hosts(server), self.database),
        }
    }
}

fn hosts(server: &Server) -> String {
    if server.hosts.is_empty() {
        return "the default server".to_owned();
    }
    let each = server.hosts.iter().map(|host| match host.port {
        Some(port) => format!("{}:{port}", host.name),
        None => host.name.clone(),
    });
    each.collect::<Vec<_>>().join(",")
}
