//! What an rclone remote can do: version, streaming, and whether half-written objects show.

use std::collections::HashMap;

use serde::Deserialize;

use crate::remote::RemoteError;

/// A release of rclone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32);

impl Version {
    /// From the first line of `rclone version`: `rclone v1.75.2`, `rclone v1.60.1-DEV`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let version = text.lines().next()?.trim().strip_prefix("rclone v")?;
        let mut parts = version.split(['.', '-']);
        Some(Self(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }

    /// Whether it can be trusted with a stream; what the user should know otherwise.
    pub(super) fn check(self) -> Result<Option<String>, RemoteError> {
        let Self(major, minor) = self;
        let name = format!("rclone {major}.{minor}");
        match self {
            Self(1, 64) => Err(RemoteError::new(format!(
                "{name} can corrupt streamed uploads: install rclone 1.66 or newer"
            ))
            .lasting()),
            old if old < Self(1, 60) => {
                let old = format!("{name} is too old: install rclone 1.66 or newer");
                Err(RemoteError::new(old).lasting())
            }
            old if old < Self(1, 66) => {
                Ok(Some(format!("{name} is old: 1.72 or newer is recommended")))
            }
            _ => Ok(None),
        }
    }
}

/// The part of `rclone backend features` that matters.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Report {
    #[serde(default)]
    pub(super) features: Flags,
    /// The hashes it knows of its objects.
    #[serde(default)]
    pub(super) hashes: Option<Vec<String>>,
    /// How the remote calls itself; that of the other one, for an alias.
    #[serde(default)]
    string: String,
}

impl Report {
    /// Whether `rclone cryptcheck` takes it.
    pub(super) fn is_crypt(&self) -> bool {
        self.string.starts_with("Encrypted drive ")
    }
}

/// Feature flags.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Flags {
    #[serde(default)]
    pub(super) bucket_based: bool,
    #[serde(default)]
    pub(super) put_stream: bool,
}

/// The remote without a path: `s3:`, `:sftp,host=h:`, or a local path as it is.
///
/// rclone looks whether a path is a file, and takes a refusal of that question for a yes.
pub(super) fn without_path(root: &str) -> &str {
    let mut quote = None;
    for (at, c) in root.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ':') if at > 0 => return &root[..=at],
            (None, '/') => return root,
            _ => {}
        }
    }
    root
}

/// The sections of rclone's configuration, as `rclone config dump` prints them.
pub(super) type Config = HashMap<String, HashMap<String, serde_json::Value>>;

/// What is at the bottom of a remote.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    /// `s3` for `s3:`, and for a `crypt` or an `alias` of it.
    pub(super) kind: String,
    /// What is above it, from the top.
    pub(super) wrappers: Vec<Wrapper>,
}

/// A remote that is a view of another one.
#[derive(Debug, Clone)]
pub(super) struct Wrapper {
    /// `crypt` or `alias`.
    pub(super) kind: String,
    /// Its name, with a colon.
    pub(super) name: String,
    /// The other one, maybe with a path.
    pub(super) of: String,
}

impl Storage {
    /// Whether the way from `root` down to the storage names a folder, which is a bucket where there are such.
    pub(super) fn names_a_folder(&self, root: &str) -> bool {
        let of = self.wrappers.iter().map(|wrapper| &*wrapper.of);
        std::iter::once(root).chain(of).any(|root| without_path(root) != root)
    }
}

/// Whether a remote is a path of this machine.
pub(super) fn is_path(root: &str) -> bool {
    root.split_once(':').is_none_or(|(spec, _)| spec.contains('/'))
}

/// The storage system at the bottom of a remote.
///
/// `None` when it cannot be told: then nothing may be assumed about the remote.
pub(super) fn storage(root: &str, config: &Config, env: &[(String, String)]) -> Option<Storage> {
    let mut wrappers = Vec::new();
    let option = |remote: &str, key: &str| {
        let variable = format!("RCLONE_CONFIG_{remote}_{key}").to_uppercase().replace('-', "_");
        let from_env =
            env.iter().find(|(name, _)| *name == variable).map(|(_, value)| value.clone());
        from_env.or_else(|| config.get(remote)?.get(key)?.as_str().map(str::to_owned))
    };
    let mut root = root.to_owned();
    for _ in 0..8 {
        if is_path(&root) {
            return at_bottom("local", wrappers);
        }
        let (spec, _) = root.split_once(':')?;
        if let Some(inline) = root.strip_prefix(':') {
            let kind = inline.split([',', ':']).next()?;
            // What an inline wrapper wraps stands in its quoted options: not worth a guess.
            return if matches!(kind, "crypt" | "alias") {
                None
            } else {
                at_bottom(kind, wrappers)
            };
        }
        let name = spec.split(',').next()?;
        let kind = option(name, "type")?;
        if !matches!(kind.as_str(), "crypt" | "alias") {
            return at_bottom(&kind, wrappers);
        }
        let of = option(name, "remote")?;
        wrappers.push(Wrapper { kind, name: format!("{spec}:"), of: of.clone() });
        root = of;
    }
    None
}

#[expect(clippy::unnecessary_wraps, reason = "it ends a search that can fail")]
fn at_bottom(kind: &str, wrappers: Vec<Wrapper>) -> Option<Storage> {
    Some(Storage { kind: kind.to_owned(), wrappers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(Version::parse("rclone v1.75.2\n- os/version: x"), Some(Version(1, 75)));
        assert_eq!(Version::parse("rclone v1.60.1-DEV"), Some(Version(1, 60)));
        assert_eq!(Version::parse("not rclone"), None);
        assert!(Version(1, 59).check().is_err() && Version(1, 64).check().is_err());
        assert!(
            Version(1, 60).check().unwrap().is_some() && Version(1, 66).check().unwrap().is_none()
        );
    }

    #[test]
    fn a_remote_without_its_path() {
        for (root, remote) in [
            ("s3:bucket/a:b", "s3:"),
            ("s3:", "s3:"),
            (
                ":s3,endpoint='http://h:9000',region=x:bucket",
                ":s3,endpoint='http://h:9000',region=x:",
            ),
            ("/srv/a:b", "/srv/a:b"),
            ("./a:b", "./a:b"),
            ("backups", "backups"),
        ] {
            assert_eq!(without_path(root), remote);
        }
    }

    #[test]
    fn the_storage_under_a_remote() {
        let config: Config = serde_json::from_str(
            r#"{"s3":{"type":"s3"},"enc":{"type":"crypt","remote":"s3:b/p"},"al":{"type":"alias","remote":"enc:x"},
                "loop":{"type":"alias","remote":"loop:"},"disk":{"type":"crypt","remote":"/srv"},
                "un":{"type":"union","upstreams":"s3:a s3:b"}}"#,
        )
        .unwrap();
        let env = [
            ("RCLONE_CONFIG_MY_ENV_TYPE".to_owned(), "crypt".to_owned()),
            ("RCLONE_CONFIG_MY_ENV_REMOTE".to_owned(), "al:".to_owned()),
        ];
        for (root, kind) in [
            ("s3:bucket/a", Some("s3")),
            ("enc:", Some("s3")),
            ("al:x", Some("s3")),
            ("my-env:", Some("s3")),
            ("s3,region=x:bucket", Some("s3")),
            (":s3,provider=Other:bucket", Some("s3")),
            (":crypt,remote='s3:x':", None),
            ("/srv/backups", Some("local")),
            ("backups", Some("local")),
            ("./odd:name", Some("local")),
            ("disk:", Some("local")),
            ("un:", Some("union")),
            ("loop:", None),
            ("unknown:", None),
        ] {
            let storage = storage(root, &config, &env);
            assert_eq!(storage.as_ref().map(|s| &*s.kind), kind, "{root}");
        }
        for (root, named) in [("s3:", false), ("s3:b", true), ("enc:", true), ("bare:", false)] {
            let mut config = config.clone();
            let bare = [("type".into(), "alias".into()), ("remote".into(), "s3:".into())];
            config.insert("bare".into(), bare.into());
            let storage = storage(root, &config, &env).unwrap();
            assert_eq!(storage.names_a_folder(root), named, "{root}");
        }
        let wrappers = storage("al:x", &config, &env).unwrap().wrappers;
        let chain: Vec<_> = wrappers.iter().map(|w| [&*w.kind, &*w.name, &*w.of]).collect();
        assert_eq!(chain, [["alias", "al:", "enc:x"], ["crypt", "enc:", "s3:b/p"]]);
    }
}
