//! rclone's JSON log lines.

use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

/// The reason of a failure from rclone's stderr: its last complaint, on one line, and the way out where it is a known
/// one.
///
/// Knows JSON lines and the plain ones rclone prints before it reads its flags.
pub(super) fn cause(stderr: &str) -> Option<String> {
    let mut last = None;
    for line in stderr.lines() {
        match serde_json::from_str::<Line>(line) {
            Ok(line) if is_complaint(&line) => last = Some(line.msg),
            Ok(_) => {}
            Err(_) => {
                let plain =
                    line.split_once("Fatal error: ").or_else(|| line.split_once("Failed to "));
                if let Some((_, reason)) = plain {
                    last = Some(reason.to_owned());
                }
            }
        }
    }
    let cause =
        last.map(|text| bare(&one_line(&text)).to_owned()).filter(|text| !text.is_empty())?;
    Some(match way_out(stderr) {
        Some(way_out) => format!("{way_out} ({cause})"),
        None => cause,
    })
}

/// What rclone said, without its JSON and without what it always says.
pub(super) fn readable(stderr: &str) -> String {
    let said = |line: &str| match serde_json::from_str::<Line>(line) {
        Ok(line) if line.msg.contains("not found - using defaults") => None,
        Ok(line) => Some(line.msg.trim_end().to_owned()),
        Err(_) => Some(line.to_owned()),
    };
    stderr.lines().filter_map(said).collect::<Vec<_>>().join("\n")
}

/// Sentences for the causes people meet, in the words of the systems below; the first that fits.
fn way_out(stderr: &str) -> Option<&'static str> {
    const KNOWN: [(&[&str], &str); 9] = [
        (
            &["no space left on device", "disk quota exceeded", "QuotaExceeded"],
            "the remote is full",
        ),
        (&["NoSuchBucket"], "the bucket does not exist: create it, or correct RCLONE_REMOTE"),
        (
            &[
                "SignatureDoesNotMatch",
                "InvalidAccessKeyId",
                "InvalidClientTokenId",
                "401 Unauthorized",
                "unable to authenticate",
            ],
            "the remote refuses the credentials: check its keys or password",
        ),
        (
            &["AccessDenied", "Forbidden", "permission denied", "Permission denied"],
            "the remote does not let these credentials do that: check them and their permissions",
        ),
        (&["no such host", "server misbehaving"], "the remote's host name cannot be resolved"),
        (
            &["connection refused"],
            "nothing answers at the remote's address: check host and port, and that it runs",
        ),
        (
            &["x509:", "tls:"],
            "the TLS connection to the remote failed: check its certificate and the CA",
        ),
        (
            &["i/o timeout", "context deadline exceeded", "Client.Timeout", "no route to host"],
            "the remote does not answer in time: check the network and any firewall",
        ),
        (
            &["didn't find section in config file"],
            "no such remote is configured: check RCLONE_REMOTE and the rclone configuration",
        ),
    ];
    KNOWN
        .iter()
        .find(|(marks, _)| marks.iter().any(|mark| stderr.contains(mark)))
        .map(|(_, way)| *way)
}

/// Without rclone's preamble: "Failed to rcat with 2 errors: last error was: ".
fn bare(text: &str) -> &str {
    match text.split_once("last error was: ") {
        Some((_, cause)) => cause,
        None => match text.strip_prefix("Failed to ").and_then(|rest| rest.split_once(": ")) {
            Some((what, cause)) if !what.contains(' ') => cause,
            _ => text,
        },
    }
}

fn is_complaint(line: &Line) -> bool {
    matches!(line.level.as_str(), "error" | "critical" | "fatal" | "emergency" | "alert")
        || line.msg.starts_with("Failed to ")
}

fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(600) {
        line.truncate(end);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complaint_is_the_cause() {
        let log = concat!(
            r#"{"time":"t","level":"warning","msg":"something else","source":"a.go:1"}"#,
            "\n",
            r#"{"time":"t","level":"error","msg":"first","object":"a"}"#,
            "\n",
            r#"{"time":"t","level":"critical","msg":"Failed to create file system for \"nope:\":\n didn't find section"}"#,
        );
        assert_eq!(
            cause(log).unwrap(),
            r#"Failed to create file system for "nope:": didn't find section"#
        );
    }

    #[test]
    fn plain_lines_and_noise() {
        assert_eq!(
            cause("Usage:\n2026/11/21 NOTICE: Fatal error: unknown flag: --bogus").unwrap(),
            "unknown flag: --bogus"
        );
        assert_eq!(cause(""), None);
        assert_eq!(cause("{not json\n\u{0}"), None);
    }
}
