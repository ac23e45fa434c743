//! rclone's JSON log lines.

use serde::Deserialize;

use super::cause;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    object: String,
    /// Only in the lines that `--stats` makes.
    stats: Option<serde_json::Value>,
}

/// The reason of a failure from rclone's stderr: its last complaint, on one line, and the way out where it is a known
/// one.
///
/// Knows JSON lines and the plain ones rclone prints before it reads its flags.
pub(super) fn cause(stderr: &str) -> Option<String> {
    let stderr = &without_stats(stderr);
    let complaint = complaint(stderr)?;
    Some(match cause::sentence(&complaint, stderr) {
        Some(sentence) => format!("{sentence} ({complaint})"),
        None => complaint,
    })
}

/// Whether rclone has found nobody who answers.
pub(super) fn is_silence(stderr: &str) -> bool {
    let stderr = &without_stats(stderr);
    cause::is_silence(&complaint(stderr).unwrap_or_default(), stderr)
}

/// How many bytes have been moved, as the last line of `--stats` tells.
pub(super) fn moved(stderr: &str) -> Option<u64> {
    let stats = |line: &str| serde_json::from_str::<Line>(line).ok()?.stats;
    stderr.lines().rev().find_map(stats)?.get("bytes")?.as_u64()
}

/// What is wrong with single objects, each with its name; the first few.
pub(super) fn about_objects(stderr: &str) -> Vec<String> {
    let told = |line: &str| {
        let line = serde_json::from_str::<Line>(line).ok()?;
        let about = is_complaint(&line) && !line.object.is_empty();
        about.then(|| one_line(&format!("{}: {}", line.object, line.msg)))
    };
    stderr.lines().filter_map(told).take(3).collect()
}

/// Without the lines of `--stats`, which name what is under way, and may be many.
fn without_stats(stderr: &str) -> String {
    let kept =
        |line: &&str| !serde_json::from_str::<Line>(line).is_ok_and(|line| line.stats.is_some());
    stderr.lines().filter(kept).collect::<Vec<_>>().join("\n")
}

fn complaint(stderr: &str) -> Option<String> {
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
    last.map(|text| bare(&one_line(&text)).to_owned()).filter(|text| !text.is_empty())
}

/// What rclone said, without its JSON and without what it always says.
pub(super) fn readable(stderr: &str) -> String {
    let said = |line: &str| match serde_json::from_str::<Line>(line) {
        Ok(line) if line.msg.contains("not found - using defaults") => None,
        Ok(line) if line.stats.is_some() => None,
        Ok(line) => Some(line.msg.trim_end().to_owned()),
        Err(_) => Some(line.to_owned()),
    };
    stderr.lines().filter_map(said).collect::<Vec<_>>().join("\n")
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

    /// What rclone 1.75 says to real servers, and to none; each with its sentence, and whether nobody was there.
    #[test]
    fn real_lines_become_sentences() {
        let list = "Failed to lsjson with 2 errors: last error was: error in ListJSON: ";
        let s3 = "operation error S3: ListObjects, https response error StatusCode: 0, RequestID: , HostID: , request \
                  send failed, Get \\\"http://127.0.0.1:9000/b?prefix=x%2F\\\": ";
        let ssh = "Failed to create file system for \\\"F:x/\\\": NewFs: couldn't connect SSH: ";
        for (level, text, told, silent) in [
            (
                "notice",
                format!("{list}operation error S3: ListObjects, https response error StatusCode: 403, RequestID: , \
                         HostID: , api error SignatureDoesNotMatch: The request signature we calculated does not match"),
                "refuses the credentials",
                false,
            ),
            (
                "notice",
                "Failed to rcat with 2 errors: last error was: operation error S3: PutObject, https response error \
                 StatusCode: 404, RequestID: E12F, HostID: RTEy==, api error NoSuchBucket: The specified bucket does \
                 not exist"
                    .to_owned(),
                "the bucket does not exist: create it",
                false,
            ),
            (
                "notice",
                format!("{list}{s3}dial tcp: lookup no-such-host.invalid on 192.0.2.53:53: no such host"),
                "host name cannot be resolved",
                true,
            ),
            (
                "notice",
                format!("{list}{s3}dial tcp 127.0.0.1:9000: connect: connection refused"),
                "nothing answers at the remote's address",
                true,
            ),
            ("notice", format!("{list}{s3}dial tcp 127.0.0.1:9000: i/o timeout"), "in time", true),
            (
                "notice",
                format!("{list}{s3}net/http: timeout awaiting response headers"),
                "does not answer in time",
                true,
            ),
            (
                "notice",
                format!("{list}{s3}http: server gave HTTP response to HTTPS client"),
                "disagree on http or https",
                true,
            ),
            (
                "notice",
                format!("{list}couldn't list files: Propfind \\\"https://127.0.0.1:9000/x/\\\": tls: failed to verify \
                         certificate: x509: certificate signed by unknown authority"),
                "TLS connection to the remote failed",
                true,
            ),
            (
                "notice",
                format!("{list}couldn't list files: 401 Unauthorized: 401 Unauthorized"),
                "refuses the credentials",
                false,
            ),
            (
                "critical",
                format!("{ssh}ssh: handshake failed: ssh: unable to authenticate, attempted methods [none password], \
                         no supported methods remain"),
                "refuses the credentials",
                false,
            ),
            (
                "critical",
                format!("{ssh}ssh: handshake failed: knownhosts: key is unknown"),
                "the host key of the remote is not the known one",
                false,
            ),
            (
                "critical",
                "Failed to create file system for \\\"F:x/\\\": couldn't connect to ssh-agent: SSH agent requested but \
                 SSH_AUTH_SOCK not-specified"
                    .to_owned(),
                "neither password nor key",
                false,
            ),
            (
                "error",
                "Post request rcat error: write a.sql: no space left on device".to_owned(),
                "the remote is full: make room there",
                false,
            ),
            (
                "error",
                "Update ReadFrom failed: sftp: \\\"Failure\\\" (SSH_FX_FAILURE)".to_owned(),
                "often its disk or a quota is full",
                false,
            ),
        ] {
            let line = format!(
                r#"{{"time":"2026-11-21T07:42:53Z","level":"{level}","msg":"{text}","source":"cmd/cmd.go:336"}}"#
            );
            let cause = cause(&line).unwrap();
            assert!(cause.contains(told), "{told}: {cause}");
            assert!(!cause.contains("last error was"), "{cause}");
            assert_eq!(is_silence(&line), silent, "{cause}");
        }
    }

    /// What is said last may be vague; what came before it says why.
    #[test]
    fn an_earlier_line_explains_a_vague_end() {
        let log = concat!(
            r#"{"level":"error","msg":"x: dial tcp 127.0.0.1:9000: connect: connection refused"}"#,
            "\n",
            r#"{"level":"notice","msg":"Failed to rcat: something went wrong"}"#,
        );
        assert!(cause(log).unwrap().starts_with("nothing answers"));
        assert!(is_silence(log));
    }

    /// A line of `--stats` names files, whatever they are called, and what went wrong with them.
    #[test]
    fn stats_are_no_cause_and_tell_what_was_moved() {
        let stats = |bytes: u64| {
            serde_json::json!({
                "level": "error", "msg": "Failed to x: connection refused",
                "stats": { "bytes": bytes, "lastError": "connection refused" },
            })
        };
        let error = r#"{"level":"error","msg":"sizes differ","object":"a/b"}"#;
        let log = format!("{}\n{error}\n{}", stats(1), stats(1 << 40));
        assert_eq!(cause(&log).unwrap(), "sizes differ");
        assert_eq!(readable(&log), "sizes differ");
        assert_eq!(about_objects(&log), ["a/b: sizes differ"]);
        assert_eq!((moved(&log), moved(error)), (Some(1 << 40), None));
        assert!(!is_silence(&log));
    }

    #[test]
    fn what_is_not_known_is_told_as_it_is_and_is_an_answer() {
        let log = r#"{"level":"error","msg":"teapot"}"#;
        assert_eq!(cause(log).unwrap(), "teapot");
        assert!(!is_silence(log) && !is_silence(""));
    }
}
