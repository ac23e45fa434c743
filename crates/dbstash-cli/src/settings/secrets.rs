//! Which values are secrets, told by the names they stand under.

use crate::settings::layers::Environment;

/// Whether a key, flag or variable of this name holds a secret.
///
/// Names that merely speak of secrets (`access_key_id`, `key_file`, `auth_url`) do not count.
pub fn is_secret_name(name: &str) -> bool {
    const SECRET: &[&str] = &[
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "header",
        "headers",
        "key",
        "pem",
        "pwd",
        "sas",
        "secret",
        "token",
    ];
    const OPEN_ENDS: &[&str] =
        &["_agent", "_command", "_exchange", "_file", "_id", "_path", "_type", "_version"];
    let name = name.trim_start_matches('-').to_ascii_lowercase().replace('-', "_");
    let mut parts = name.split('_');
    let url_or_open = (name.ends_with("_url") && !name.contains("sas"))
        || OPEN_ENDS.iter().any(|end| name.ends_with(end))
        || name.starts_with("no_");
    !url_or_open
        && (name == "connection_string"
            || parts.any(|part| {
                SECRET.contains(&part)
                    || part.starts_with("pass")
                    || part.ends_with("password")
                    || ["apikey", "accesskey", "secretkey"].contains(&part)
            }))
}

/// Whether `value`, under `name`, is a secret: a switch is none, whatever it is called.
pub fn is_secret(name: &str, value: &str) -> bool {
    is_secret_name(name) && !["", "true", "false"].contains(&value)
        || password_in_url(value).is_some()
}

/// The password of `scheme://user:password@host`, as it is spelled.
pub fn password_in_url(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    // A password with a bare '/', '?' or '#' in it is no valid URI, but must not be shown either.
    let user_info = match authority.rsplit_once('@') {
        Some((user_info, _)) => user_info,
        None => rest.rsplit_once('@')?.0,
    };
    let (_, password) = user_info.split_once(':')?;
    (!password.is_empty()).then_some(password)
}

/// Every part of a connection URI that may be a secret, as it is spelled; the URI itself if there
/// are any.
pub fn in_uri(uri: &str) -> Vec<String> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    // A file's path, which an error has to name.
    let is_path = |key: &str| key == "key" && uri.starts_with("redis");
    let mut secrets: Vec<String> = query
        .split(['&', '#'])
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, value)| is_secret(key, value) && !is_path(key))
        .map(|(_, value)| value.to_owned())
        .collect();
    secrets.extend(password_in_url(uri).map(str::to_owned));
    if !secrets.is_empty() {
        secrets.push(uri.to_owned());
    }
    secrets
}

/// The secrets among the words of a command line: `--flag=value`, `--flag value`, or a URL.
pub fn in_words(words: &[String]) -> Vec<(&str, &str)> {
    let mut secrets = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let next = words.get(i + 1).map_or("", String::as_str);
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => (flag, value),
            _ if word.starts_with("--") && !next.starts_with('-') => (word.as_str(), next),
            _ => ("", word.as_str()),
        };
        if is_secret(flag, value) {
            secrets.push((flag, value));
        }
    }
    secrets
}

/// The values of secret keys of an rclone.conf.
pub fn in_rclone_conf(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with(['#', ';']))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim(), value.trim()))
        .filter(|(key, value)| is_secret(key, value))
        .map(|(_, value)| value.to_owned())
}

/// The secrets in variables that dbstash itself does not read but hands to its children, or that
/// children are kept from.
pub fn in_environment(environment: &Environment) -> impl Iterator<Item = String> {
    environment
        .iter()
        .filter(|(name, value)| match *name {
            "PGPASSWORD" | "MYSQL_PWD" | "REDISCLI_AUTH" => true,
            _ => {
                ["RCLONE_", "AWS_", "AZURE_", "POSTGRES_"].iter().any(|p| name.starts_with(p))
                    && is_secret(name, value)
            }
        })
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets() {
        for secret in [
            "secret_access_key",
            "pass",
            "password",
            "password2",
            "token",
            "bearer_token",
            "key",
            "auth",
            "sas_url",
            "service_account_credentials",
            "client_secret",
            "key_pem",
            "headers",
            "api_key",
            "sse_customer_key",
            "connection_string",
            "sslpassword",
            "--s3-secret-access-key",
            "RCLONE_CONFIG_MYS3_SECRET_ACCESS_KEY",
            "RCLONE_CONFIG_PASS",
            "AWS_SESSION_TOKEN",
            "session_token",
        ] {
            assert!(is_secret_name(secret), "{secret}");
        }
        for open in [
            "provider",
            "access_key_id",
            "RCLONE_CONFIG_S3_ACCESS_KEY_ID",
            "key_file",
            "auth_url",
            "region",
            "endpoint",
            "account",
            "user",
            "sse_kms_key_id",
            "token_url",
            "RCLONE_PASSWORD_COMMAND",
            "type",
            "RCLONE_CONFIG_PASS_TYPE",
            "--no-password",
            "bypass",
            "tokens_dir_x",
            "sslkey_file",
            "AWS_SHARED_CREDENTIALS_FILE",
        ] {
            assert!(!is_secret_name(open), "{open}");
        }
        assert!(!is_secret("env_auth", "true") && !is_secret("ask_password", "false"));
        assert!(is_secret("url", "https://u:hunter22@host/"));
    }

    #[test]
    fn passwords_in_urls() {
        assert_eq!(password_in_url("postgresql://u:p%40ss@h/db"), Some("p%40ss"));
        assert_eq!(password_in_url("postgresql://u:a:b@h/db?x=y@z"), Some("a:b"));
        assert_eq!(password_in_url("postgresql://u:a/b@h/db"), Some("a/b"));
        for none in [
            "postgresql://u@h:5432/db",
            "postgresql://h:5432/db",
            "h:p",
            "sqlite:///a.db",
            "x://u:@h",
        ] {
            assert_eq!(password_in_url(none), None, "{none}");
        }
    }

    #[test]
    fn secrets_in_uris_words_and_files() {
        assert_eq!(in_uri("postgresql://u@h/db?sslmode=require"), [""; 0]);
        let uri = "postgresql://u@h/db?sslpassword=hunter22&sslmode=require";
        assert_eq!(in_uri(uri), ["hunter22", uri]);

        let words = [
            "--s3-secret-access-key=a1",
            "--sftp-pass",
            "b2",
            "--fast-list",
            "--no-password",
            "c3",
        ];
        let words = words.map(str::to_owned);
        assert_eq!(in_words(&words), [("--s3-secret-access-key", "a1"), ("--sftp-pass", "b2")]);

        let conf = "[s3]\ntype = s3\n# pass = no\nsecret_access_key = d4=\nenv_auth = true\n";
        assert_eq!(in_rclone_conf(conf).collect::<Vec<_>>(), ["d4="]);
    }
}
