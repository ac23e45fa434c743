//! What a child process may see of our environment.

use std::fmt::Write as _;
use std::path::Path;

use dbstash_core::secret::ExposeSecret as _;

use super::RemoteSettings;
use super::layers::{Environment, is_ours};
use super::table::RCLONE_CONFIG_PASS;

/// Variables of databases: rclone has no use for them.
const DATABASES: &[&str] =
    &["DATABASE_URL", "MARIADB_", "MONGO", "MYSQL_", "PG", "POSTGRES_", "REDIS"];

/// The environment of every call of rclone: ours, without dbstash's own settings (`RCLONE_CONFIG`
/// would be taken for a path) and without the databases' variables.
pub fn child_environment(
    environment: &Environment,
    remote: &RemoteSettings,
) -> Vec<(String, String)> {
    let foreign =
        |name: &str| !is_ours(name) && !DATABASES.iter().any(|prefix| name.starts_with(prefix));
    let mut handed_down: Vec<(String, String)> = environment
        .iter()
        .filter(|(name, _)| foreign(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Ours, because it can come from a file, and rclone's as well.
    if let Some(password) = &remote.config_pass {
        let password = password.expose_secret().to_owned();
        handed_down.push((RCLONE_CONFIG_PASS.name.to_owned(), password));
    }
    handed_down
}

/// Our own environment for the launcher of dump tools, which picks from it. Programs of ours lie beside us: they are
/// found there when nowhere else.
pub fn tool_environment(environment: &Environment, ours: Option<&Path>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> =
        environment.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let beside = ours.and_then(Path::parent).and_then(Path::to_str);
    if let (Some(folder), Some((_, path))) = (beside, all.iter_mut().find(|(n, _)| n == "PATH")) {
        let _ = write!(path, ":{folder}");
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{RcloneConfig, UploadCheck};

    #[test]
    fn rclone_sees_its_own_variables_and_none_of_ours() {
        let remote = RemoteSettings {
            root: "s3:b".into(),
            config: RcloneConfig::Default,
            config_pass: Some("from-a-file".into()),
            extra_args: vec![],
            upload_check: UploadCheck::Size,
            allow_spool: false,
        };
        let names = [
            "PATH",
            "HOME",
            "RCLONE_CONFIG",
            "RCLONE_CONFIG_FILE",
            "RCLONE_REMOTE",
            "RCLONE_EXTRA_ARGS",
            "RCLONE_CONFIG_MYS3_TYPE",
            "RCLONE_CONFIG_MYS3_SECRET_ACCESS_KEY",
            "RCLONE_CONFIG_PASS",
            "RCLONE_CONFIG_PASS_FILE",
            "RCLONE_BWLIMIT",
            "AWS_REGION",
            "AWS_SECRET_ACCESS_KEY",
            "DB_URI",
            "DB_PASSWORD_FILE",
            "DB_PASWORD",
            "SMTP_URL",
            "PGPASSWORD",
            "MYSQL_PWD",
            "REDISCLI_AUTH",
            "POSTGRES_PASSWORD",
            "HTTPS_PROXY",
        ];
        let environment = Environment::new(names.map(|n| (n.into(), "x".into())));
        let mut seen = child_environment(&environment, &remote);
        seen.sort();
        assert_eq!(
            seen.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>(),
            [
                "AWS_REGION=x",
                "AWS_SECRET_ACCESS_KEY=x",
                "HOME=x",
                "HTTPS_PROXY=x",
                "PATH=x",
                "RCLONE_BWLIMIT=x",
                "RCLONE_CONFIG_MYS3_SECRET_ACCESS_KEY=x",
                "RCLONE_CONFIG_MYS3_TYPE=x",
                "RCLONE_CONFIG_PASS=from-a-file",
            ]
        );
    }
}
