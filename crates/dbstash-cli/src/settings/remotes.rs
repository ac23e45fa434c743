//! Remotes that several jobs have in common, kept once.

use std::collections::HashMap;
use std::sync::Arc;

use dbstash_core::secret::{ExposeSecret as _, SecretString};

use super::{RcloneConfig, RemoteSettings};

/// The remotes of the jobs so far.
#[derive(Default)]
pub(super) struct Remotes {
    by_root: HashMap<String, Vec<Arc<RemoteSettings>>>,
    confs: Vec<Arc<SecretString>>,
}

impl Remotes {
    /// These settings, or the same ones of another job.
    pub(super) fn shared(&mut self, mut remote: RemoteSettings) -> Arc<RemoteSettings> {
        let known = self.by_root.entry(remote.root.clone()).or_default();
        if let Some(same) = known.iter().find(|known| known.is_as(&remote)) {
            return Arc::clone(same);
        }
        if let RcloneConfig::Inline(conf) = &mut remote.config {
            match self.confs.iter().find(|known| known.expose_secret() == conf.expose_secret()) {
                Some(same) => *conf = Arc::clone(same),
                None => self.confs.push(Arc::clone(conf)),
            }
        }
        let remote = Arc::new(remote);
        known.push(Arc::clone(&remote));
        remote
    }
}

impl RemoteSettings {
    /// Whether these lead to the same place in the same way.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        let Self { root, config, config_pass, extra_args, upload_check, allow_spool } = self;
        let pass =
            |pass: &Option<SecretString>| pass.as_ref().map(|pass| pass.expose_secret().to_owned());
        let same_config = match (config, &other.config) {
            (RcloneConfig::Default, RcloneConfig::Default) => true,
            (RcloneConfig::Path(a), RcloneConfig::Path(b)) => a == b,
            (RcloneConfig::Inline(a), RcloneConfig::Inline(b)) => {
                a.expose_secret() == b.expose_secret()
            }
            _ => false,
        };
        same_config
            && *root == other.root
            && pass(config_pass) == pass(&other.config_pass)
            && *extra_args == other.extra_args
            && *upload_check == other.upload_check
            && *allow_spool == other.allow_spool
    }
}
