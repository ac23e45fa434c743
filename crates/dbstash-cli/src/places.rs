//! The directories and files a run needs on this machine: state, and rclone's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use dbstash_core::remote::rclone::{self, Rclone};
use dbstash_core::secret::ExposeSecret as _;
use dbstash_core::state::{RunDir, StateDir, StateError};

use crate::settings::children::child_environment;
use crate::settings::{Environment, JobSettings, RcloneConfig, RemoteSettings, UploadCheck};

/// Opens the state directory: the one that is set, or the first that can be used.
pub fn open_state(set: Option<&Path>, runtime_dir: Option<&str>) -> Result<StateDir, StateError> {
    if let Some(path) = set {
        return StateDir::open(path);
    }
    let uid = rustix::process::geteuid().as_raw();
    StateDir::open(Path::new("/run/dbstash"))
        .or_else(|error| match runtime_dir {
            Some(dir) => StateDir::open(&Path::new(dir).join("dbstash")),
            None => Err(error),
        })
        .or_else(|_| StateDir::open(&PathBuf::from(format!("/tmp/dbstash-{uid}"))))
}

/// Where the jobs of a process go. Jobs that go to the same place share it.
pub struct Destinations(Vec<(Arc<RemoteSettings>, Destination)>);

impl Destinations {
    /// Prepares each of them; starts nothing.
    pub fn open(jobs: &[JobSettings], environment: &Environment, state: &StateDir) -> Result<Self> {
        let mut all: Vec<(Arc<RemoteSettings>, Destination)> = Vec::new();
        for JobSettings { remote, .. } in jobs {
            if !all.iter().any(|(settings, _)| Arc::ptr_eq(settings, remote)) {
                let env = child_environment(environment, remote);
                all.push((Arc::clone(remote), Destination::open(remote, env, state)?));
            }
        }
        Ok(Self(all))
    }

    /// Where a job of theirs goes, and the number of that place.
    pub fn of(&self, job: &JobSettings) -> (usize, &Destination) {
        let place = self.0.iter().position(|(settings, _)| Arc::ptr_eq(settings, &job.remote));
        let place = place.unwrap_or_default();
        (place, self.at(place))
    }

    /// The place of this number.
    pub fn at(&self, place: usize) -> &Destination {
        &self.0[place].1
    }
}

/// A remote, and the private copy of its configuration if it needed one.
pub struct Destination {
    /// The remote.
    pub remote: Rclone,
    copy: Option<Copy>,
}

/// A configuration of this process's own: two jobs may each have one.
struct Copy {
    path: PathBuf,
    original: String,
    _folder: RunDir,
}

impl Destination {
    /// Prepares rclone's configuration; starts nothing.
    pub fn open(
        settings: &RemoteSettings,
        env: Vec<(String, String)>,
        state: &StateDir,
    ) -> Result<Self> {
        state.forget_dead_processes();
        let text = match &settings.config {
            RcloneConfig::Path(path) if !is_writable(path) => {
                let named =
                    || format!("the rclone configuration {} cannot be read", path.display());
                Some(fs::read_to_string(path).with_context(named)?)
            }
            RcloneConfig::Inline(text) => Some(text.expose_secret().to_owned()),
            RcloneConfig::Default | RcloneConfig::Path(_) => None,
        };
        let copy = match text {
            Some(original) => {
                let folder = state.process_dir()?;
                let path = folder.private_file(&original)?;
                Some(Copy { path, original, _folder: folder })
            }
            None => None,
        };
        let config = match (&copy, &settings.config) {
            (Some(copy), _) => Some(copy.path.clone()),
            (None, RcloneConfig::Path(path)) => Some(path.clone()),
            (None, _) => None,
        };
        let remote = Rclone::new(rclone::Settings {
            root: settings.root.clone(),
            config,
            extra_args: settings.extra_args.clone(),
            env,
            upload_check: settings.upload_check == UploadCheck::Rclone,
            allow_spool: settings.allow_spool,
            patience: rclone::Patience::default(),
        });
        Ok(Self { remote, copy })
    }

    /// What the user should know when the work is done: rclone renewed a token, and only a copy has it.
    pub fn aftermath(&self) -> Option<String> {
        let copy = self.copy.as_ref()?;
        let changed = fs::read_to_string(&copy.path).is_ok_and(|now| now != copy.original);
        changed.then(|| {
            "rclone changed its configuration (a renewed token?), but the original cannot be written: \
             mount it writable, with its folder, as RCLONE_CONFIG_FILE, or the login will expire"
                .to_owned()
        })
    }
}

/// Whether rclone could save this file, which it does by renaming a new one over it.
fn is_writable(path: &Path) -> bool {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    [path, folder].iter().all(|p| rustix::fs::access(*p, rustix::fs::Access::WRITE_OK).is_ok())
}
