//! rclone's JSON log lines.

use serde::Deserialize;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    level: String,
    #[serde(default)]
    msg: String,
}

/// The reason of a failure from rclone's stderr: its last complaint, on one line.
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
    last.map(|text| one_line(&text)).filter(|text| !text.is_empty())
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
