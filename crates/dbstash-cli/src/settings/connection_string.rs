//! `RCLONE_REMOTE`: a remote and a path, a local folder, or a connection string without secrets.

use super::secrets;

/// Where backups go.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// Without needless slashes at its end.
    pub(super) path: String,
    /// A local folder below the working directory, which perhaps was meant to be a remote.
    pub(super) relative: bool,
}

const ACCEPTED: &str = "accepted are remote:path and a local folder";

/// Checks and tidies a root. Errors name keys, never values.
pub(super) fn root(text: &str) -> Result<Root, String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err(format!("it cannot start with '-'; {ACCEPTED}"));
    }
    if text.chars().any(char::is_control) {
        return Err(format!("it holds a control character; {ACCEPTED}"));
    }
    let local = |relative| Root { path: without_end_slashes(text, 0), relative };
    let first = text.find([':', '/', ',']);
    match first.map(|at| text.as_bytes()[at]) {
        Some(b'/') | None => {
            let relative = !text.starts_with(['/', '.']);
            return Ok(local(relative && !text.contains('/')));
        }
        _ => {}
    }
    if text.contains("://") && !text.contains(',') {
        return Err(format!("it is a URL; {ACCEPTED}"));
    }
    let path_at = head(text)?;
    Ok(Root { path: without_end_slashes(text, path_at), relative: false })
}

/// Where the path begins, after the colon that ends the remote's name and its parameters.
fn head(text: &str) -> Result<usize, String> {
    let on_the_fly = text.starts_with(':');
    let name_at = usize::from(on_the_fly);
    let name_end = text[name_at..]
        .find([':', ','])
        .map(|at| name_at + at)
        .ok_or_else(|| format!("a remote's name ends with a colon; {ACCEPTED}"))?;
    let name = &text[name_at..name_end];
    if name.is_empty() {
        return Err(format!("the remote has no name; {ACCEPTED}"));
    }
    if name.contains('/') {
        return Err(format!("'/' cannot be in a remote's name; {ACCEPTED}"));
    }
    let mut at = name_end;
    while text[at..].starts_with(',') {
        let (key, value, end) = parameter(text, at + 1)?;
        if secrets::is_secret(key, &value) {
            let remote = if on_the_fly { "<NAME>".to_owned() } else { name.to_uppercase() };
            return Err(format!(
                "its '{key}' is a secret, which would show in the process list; name the remote \
                 and set RCLONE_CONFIG_{remote}_{}",
                key.to_uppercase()
            ));
        }
        at = end;
    }
    Ok(at + 1)
}

/// A parameter's key, its value, and where it ends: at a `,` or `:`. Quotes are doubled within.
fn parameter(text: &str, at: usize) -> Result<(&str, String, usize), String> {
    let bad = || "a parameter of its connection string is not closed by ',' or ':'".to_owned();
    let rest = &text[at..];
    let key_end = rest.find(['=', ',', ':']).ok_or_else(bad)?;
    let key = &rest[..key_end];
    if !rest[key_end..].starts_with('=') {
        return Ok((key, String::new(), at + key_end));
    }
    let value_at = key_end + 1;
    let quote = rest[value_at..].chars().next().filter(|c| "'\"".contains(*c));
    let Some(quote) = quote else {
        let end = rest[value_at..].find([',', ':']).ok_or_else(bad)? + value_at;
        return Ok((key, rest[value_at..end].to_owned(), at + end));
    };
    let mut value = String::new();
    let mut chars = rest[value_at + 1..].char_indices().peekable();
    while let Some((i, c)) = chars.next() {
        if c != quote {
            value.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            value.push(quote);
        } else {
            let end = value_at + 1 + i + 1;
            return match rest[end..].chars().next() {
                Some(',' | ':') => Ok((key, value, at + end)),
                _ => Err(bad()),
            };
        }
    }
    Err(bad())
}

/// Slashes at the end of a path say nothing, but a path of nothing else is the root.
fn without_end_slashes(text: &str, path_at: usize) -> String {
    let (head, path) = text.split_at(path_at);
    let bare = path.trim_end_matches('/');
    let path = if bare.is_empty() && !path.is_empty() { "/" } else { bare };
    format!("{head}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_tidied() {
        for (text, tidy) in [
            ("s3:bucket/backups", "s3:bucket/backups"),
            ("s3:bucket/backups//", "s3:bucket/backups"),
            ("s3:", "s3:"),
            ("sftp:/", "sftp:/"),
            ("sftp:/srv/", "sftp:/srv"),
            ("/", "/"),
            ("//", "/"),
            ("/backups/", "/backups"),
            ("./here/", "./here"),
            ("/odd:name/x", "/odd:name/x"),
            ("a/b:c", "a/b:c"),
            (":memory:bucket/", ":memory:bucket/".trim_end_matches('/')),
            (":s3,provider=AWS,env_auth=true:bucket", ":s3,provider=AWS,env_auth=true:bucket"),
            ("s3,endpoint=\"http://h:9000\":b/", "s3,endpoint=\"http://h:9000\":b"),
            ("s3,region='a''b',no_check_bucket:b", "s3,region='a''b',no_check_bucket:b"),
        ] {
            let root = root(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(root.path, tidy);
            assert!(!root.relative, "{text}");
        }
        assert!(root("s3").unwrap().relative);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("-rf", "cannot start with '-'"),
            (":path", "ends with a colon"),
            ("::path", "no name"),
            (":,a=b:path", "no name"),
            ("s3:a\nb", "control character"),
            ("s3,region=x", "not closed"),
            ("s3,region='x:y", "not closed"),
            ("s3,region='x'y:z", "not closed"),
            ("https://host/x", "it is a URL"),
        ] {
            let error = root(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_secret_is_refused_by_the_name_of_its_key() {
        for (text, part) in [
            (
                ":s3,access_key_id=AK,secret_access_key=hunter22:b",
                "RCLONE_CONFIG_<NAME>_SECRET_ACCESS_KEY",
            ),
            ("box,pass=hunter22:b", "RCLONE_CONFIG_BOX_PASS"),
            ("box,pass='hunter22,:':b", "'pass' is a secret"),
            ("az,sas_url='https://hunter22':b", "'sas_url' is a secret"),
            ("b2,key=hunter22:b", "'key' is a secret"),
            ("drive,token='{\"access_token\":\"hunter22\"}':", "'token' is a secret"),
            ("dav,url='https://u:hunter22@h/':b", "'url' is a secret"),
        ] {
            let error = root(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter22"), "{error}");
        }
    }
}
