//! Who restored what, and whereto: two lines in the log, as it begins and as it ends.

use std::time::Duration;

use dbstash_core::catalog::Backup;
use dbstash_core::secret::Redactor;

use crate::entry::variable;
use crate::logging;
use crate::settings::{Here, Layers, LogFormat, LogSettings, Machine as _};

/// A restore, as it is accounted for.
pub(super) struct Audit<'a> {
    /// By whom.
    pub(super) layers: &'a Layers,
    /// What.
    pub(super) backup: &'a Backup,
    /// Whereto.
    pub(super) target: String,
    /// Whether what was there was to be replaced.
    pub(super) replaced: bool,
}

impl Audit<'_> {
    /// It begins.
    pub(super) fn begun(&self, redactor: &Redactor) {
        let layers = self.layers;
        let text = variable(layers, "LOG_FORMAT").is_some_and(|f| f.eq_ignore_ascii_case("text"));
        let format = if text { LogFormat::Text } else { LogFormat::Json };
        let log = LogSettings { level: tracing::Level::INFO, format };
        logging::start(&log, variable(layers, "RUST_LOG"), redactor.clone());
        self.line("begun", Duration::ZERO, None);
    }

    /// It is over.
    pub(super) fn ended(&self, how: &str, took: Duration, error: Option<&str>) {
        self.line(how, took, error);
    }

    fn line(&self, how: &str, took: Duration, error: Option<&str>) {
        let manifest = &self.backup.manifest;
        tracing::info!(
            audit = "restore",
            restore = how,
            who = who(self.layers),
            host = Here.host_name(),
            backup = manifest.id,
            job = manifest.job.as_str(),
            database = manifest.database,
            object = self.backup.objects().next().unwrap_or_default(),
            target = self.target,
            clean = self.replaced,
            seconds = took.as_secs_f64(),
            error,
            "restore {how}"
        );
    }
}

/// Who was logged in, as far as the environment tells, and the user's number, whatever it tells.
fn who(layers: &Layers) -> String {
    let uid = rustix::process::getuid().as_raw();
    let name = ["SUDO_USER", "LOGNAME", "USER"].into_iter().find_map(|name| variable(layers, name));
    name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
}
