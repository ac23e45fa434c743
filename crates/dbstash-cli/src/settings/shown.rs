//! Settings as `dbstash config` shows them: no secrets in any of them.

use dbstash_core::job::{Job, Server, Source};
use dbstash_core::secret::{REDACTED, Redactor};
use dbstash_engines::conn::{self, Connection};

use super::layers::Origin;
use super::reader::Reader;
use super::table::{self, Kind, Setting};
use super::{JobSettings, RcloneConfig, RemoteSettings, secrets};

/// A setting's value, fit for anyone's eyes.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Which setting.
    pub setting: &'static Setting,
    /// Its value; `None` when it has none, or none that can be told before a run.
    pub value: Option<String>,
    /// Where the value is from.
    pub origin: Origin,
}

/// Every setting, in the order of the table.
pub(super) fn all(reader: &Reader<'_>, settings: &JobSettings) -> Vec<Shown> {
    let (job, remote) = (&settings.job, &settings.remote);
    let redactor = Redactor::new(reader.complaints.secrets.iter().map(String::as_str));
    let shown = |&setting: &&'static Setting| {
        let mut value = value(reader, setting, job, remote);
        // Free text may hold a secret that was meant for another setting.
        if matches!(setting.kind, Kind::Text(_) | Kind::Path | Kind::Words) && !setting.is_secret()
        {
            value = value.map(|text| redactor.redact(&text).into_owned());
        }
        Shown { setting, value, origin: reader.origin(setting) }
    };
    table::ALL.iter().map(shown).collect()
}

fn value(
    reader: &Reader<'_>,
    setting: &'static Setting,
    job: &Job,
    remote: &RemoteSettings,
) -> Option<String> {
    let is = |other: &Setting| setting.name == other.name;
    if is(&table::DBSTASH_ENGINE) {
        return Some(job.engine.to_string());
    }
    if is(&table::DBSTASH_JOB) {
        return Some(job.id.to_string());
    }
    if is(&table::RCLONE_REMOTE) {
        return Some(remote.root.clone());
    }
    if is(&table::RCLONE_CONFIG_FILE) && !reader.is_set(&table::RCLONE_CONFIG) {
        return match &remote.config {
            RcloneConfig::Path(path) => Some(path.display().to_string()),
            _ => None,
        };
    }
    if is(&table::BACKUP_SCHEDULE) && reader.is_set(&table::BACKUP_INTERVAL) {
        return None;
    }
    let text = reader.text(setting)?;
    if is(&table::DB_URI) {
        return Some(uri(text));
    }
    if setting.is_secret() {
        return Some(REDACTED.to_owned());
    }
    if setting.kind == Kind::Words {
        return Some(without_secrets(text));
    }
    Some(text.to_owned())
}

/// A URI made anew from its parts, so that nothing of the given one slips through.
fn uri(given: &str) -> String {
    let scheme = given.split(':').next().unwrap_or_default();
    match conn::parse_uri(given) {
        Err(_) => REDACTED.to_owned(),
        Ok(Connection { source: Source::File(path), .. }) => {
            format!("{scheme}://{}", path.display())
        }
        Ok(Connection { source: Source::Server(server), database, .. }) => {
            server_uri(scheme, &server, database.as_deref())
        }
    }
}

fn server_uri(scheme: &str, server: &Server, database: Option<&str>) -> String {
    let mut uri = format!("{scheme}://");
    if server.user.is_some() || server.password.is_some() {
        uri.push_str(server.user.as_deref().unwrap_or_default());
        if server.password.is_some() {
            uri.push(':');
            uri.push_str(REDACTED);
        }
        uri.push('@');
    }
    let hosts = server.hosts.iter().map(|host| {
        let name = if host.name.contains(':') {
            format!("[{}]", host.name)
        } else {
            host.name.replace('/', "%2F")
        };
        host.port.map_or(name.clone(), |port| format!("{name}:{port}"))
    });
    uri.push_str(&hosts.collect::<Vec<_>>().join(","));
    if let Some(name) = database {
        uri.push('/');
        uri.push_str(name);
    }
    // What the scheme says already, and what is no parameter of any URI.
    let said = |key: &str| key.starts_with('(') || scheme == "rediss" && key == conn::redis::TLS;
    let open = server.params.iter().filter(|(key, _)| !said(key));
    let open = open.map(|(key, value)| format!("{key}={value}"));
    let secret = server.secret_params.iter();
    let secret = secret.map(|(key, _)| format!("{}={REDACTED}", key.trim_matches(['(', ')'])));
    for (i, param) in open.chain(secret).enumerate() {
        uri.push(if i == 0 { '?' } else { '&' });
        uri.push_str(&param);
    }
    uri
}

fn without_secrets(text: &str) -> String {
    let Ok(words) = shell_words::split(text) else {
        return REDACTED.to_owned();
    };
    let mut shown = text.to_owned();
    for (_, secret) in secrets::in_words(&words) {
        shown = shown.replace(secret, REDACTED);
    }
    shown
}
