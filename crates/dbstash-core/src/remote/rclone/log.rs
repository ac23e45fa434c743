//! rclone's JSON log lines.

use serde::Deserialize;

use super::cause;

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
    let complaint = complaint(stderr)?;
    Some(match cause::sentence(&complaint, stderr) {
        Some(sentence) => format!("{sentence} ({complaint})"),
        None => complaint,
    })
}

/// Whether rclone has found nobody who answers.
pub(super) fn is_silence(stderr: &str) -> bool {
    cause::is_silence(&complaint(stderr).unwrap_or_default(), stderr)
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
}
