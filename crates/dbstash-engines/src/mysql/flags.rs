//! What `DUMP_EXTRA_ARGS` change for us.

use super::footer::Seen;

/// The words that matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// What will be left of the lines by which a whole dump is told.
    pub(super) check: Seen,
    /// Whether rows that system-versioned tables had once can be in the dump: some flags exclude it.
    pub(super) keeps_history: bool,
    /// What is odd about them.
    pub(super) warnings: Vec<String>,
}

impl Flags {
    /// Reads the words in order; the last one on a matter counts.
    pub(super) fn read(tool: &str, words: &[String]) -> Self {
        let mut flags = Self { check: Seen::Footer, keeps_history: true, warnings: Vec::new() };
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let name = name.replace('_', "-");
            let off = matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "off");
            if ["--xml", "-X", "--replace", "--as-of", "--tab", "-T"].contains(&name.as_str()) {
                flags.keeps_history = false;
            }
            match name.as_str() {
                "--compact" if !off => flags.check = Seen::Nothing("--compact"),
                "--skip-comments" => flags.check = Seen::Nothing("--skip-comments"),
                "--comments" if off => flags.check = Seen::Nothing("--comments=0"),
                "--comments" | "-i" => flags.check = Seen::Footer,
                "--xml" | "-X" => flags.check = Seen::Xml,
                "--tab" | "-T" => flags.warnings.push(format!(
                    "DUMP_EXTRA_ARGS: {name} makes {tool} write files, on the database server's host, and nothing is \
                     left to stream"
                )),
                "--result-file" | "-r" => flags.warnings.push(elsewhere(tool, &name)),
                _ if name.starts_with("-T") || name.starts_with("-r") => {
                    flags.warnings.push(elsewhere(tool, &name[..2]));
                }
                _ => {}
            }
        }
        flags
    }
}

fn elsewhere(tool: &str, flag: &str) -> String {
    format!("DUMP_EXTRA_ARGS: {flag} makes {tool} write to a file, and nothing is left to stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Flags {
        Flags::read("mysqldump", &words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn what_takes_the_footer_away() {
        for (words, check) in [
            (&["--where=x", "--no-data"][..], Seen::Footer),
            (&["--compact"], Seen::Nothing("--compact")),
            (&["--skip_comments"], Seen::Nothing("--skip-comments")),
            (&["--comments=0"], Seen::Nothing("--comments=0")),
            (&["--compact", "--comments"], Seen::Footer),
            (&["-X"], Seen::Xml),
        ] {
            assert_eq!(read(words).check, check, "{words:?}");
        }
    }

    #[test]
    fn conflicts_are_warned_about() {
        for words in
            [&["--tab=/x"][..], &["--tab", "/x"], &["-T/x"], &["-r", "x"], &["--result-file=x"]]
        {
            assert_eq!(read(words).warnings.len(), 1, "{words:?}");
        }
        assert_eq!(read(&["--tables", "-R", "--routines"]).warnings, [""; 0]);
    }
}
