//! What `DUMP_EXTRA_ARGS` change for us.

use super::footer::Seen;

/// The words that matter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flags {
    /// All of them, as the tool gets them.
    pub(super) words: Vec<String>,
    /// What will be left of the lines by which a whole dump is told.
    pub(super) check: Seen,
    /// Whether rows that system-versioned tables had once can be in the dump: some flags exclude it.
    pub(super) keeps_history: bool,
    /// Whether every table has to come with its rows.
    pub(super) wants_rows: bool,
    /// Whether the server writes the files. Where it does, is ours to say.
    pub(super) tab: bool,
    /// The word that makes it impossible to cut the dump into files.
    pub(super) uncut: Option<String>,
    /// What is odd about them.
    pub(super) warnings: Vec<String>,
}

/// Character sets in which a part of a letter looks like a quote or a backslash.
const AMBIGUOUS: [&str; 5] = ["big5", "cp932", "gb18030", "gbk", "sjis"];

impl Flags {
    /// Reads the words in order; the last one on a matter counts. `is_tree`: whether files are
    /// wanted.
    pub(super) fn read(tool: &str, words: &[String], is_tree: bool) -> Self {
        let mut flags = Self {
            words: Vec::new(),
            check: Seen::Footer,
            keeps_history: true,
            wants_rows: true,
            tab: false,
            uncut: None,
            warnings: Vec::new(),
        };
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let name = name.replace('_', "-");
            let off = matches!(value.to_ascii_lowercase().as_str(), "0" | "false" | "off");
            if ["--xml", "-X", "--replace", "--as-of"].contains(&name.as_str()) {
                flags.keeps_history = false;
            }
            if ["--no-data", "--ignore-table-data"].contains(&name.as_str())
                || letters(word).contains('d')
            {
                flags.wants_rows = false;
            }
            match name.as_str() {
                "--compact" if !off => flags.check = Seen::Nothing("--compact"),
                "--skip-comments" => flags.check = Seen::Nothing("--skip-comments"),
                "--comments" if off => flags.check = Seen::Nothing("--comments=0"),
                "--comments" | "-i" => flags.check = Seen::Footer,
                "--xml" | "-X" => flags.check = Seen::Xml,
                "--result-file" | "-r" => flags.output(tool, word, is_tree),
                "--default-character-set" if AMBIGUOUS.contains(&value) => {
                    flags.uncut = Some(word.clone());
                }
                _ if name.starts_with("-r") => flags.output(tool, &name[..2], is_tree),
                _ if name == "--tab" || name.starts_with("-T") => {
                    flags.keeps_history = false;
                    flags.tab(tool, is_tree);
                    let has_path = word.contains('=') || name.len() > 2 && name != "--tab";
                    if is_tree {
                        if !has_path {
                            rest.next();
                        }
                        continue;
                    }
                }
                _ => {}
            }
            flags.words.push(word.clone());
        }
        flags
    }

    fn output(&mut self, tool: &str, word: &str, is_tree: bool) {
        let flag = word.split('=').next().unwrap_or(word);
        if is_tree {
            self.uncut = Some(flag.to_owned());
        } else {
            self.warnings.push(elsewhere(tool, flag));
        }
    }

    fn tab(&mut self, tool: &str, is_tree: bool) {
        self.tab = is_tree;
        self.warnings.push(if is_tree {
            format!(
                "DUMP_EXTRA_ARGS: --tab makes the database server write the rows, as its own user and on its own \
                 host: {tool} finds them only where that is this machine, and the server may write to \
                 BACKUP_TEMP_DIR; views, routines and events are not in such a dump"
            )
        } else {
            format!(
                "DUMP_EXTRA_ARGS: --tab makes {tool} write files, on the database server's host, and nothing is \
                 left to stream"
            )
        });
    }
}

/// The letters of a word of flags without values: `-Rd`.
fn letters(word: &str) -> &str {
    let letters = word.strip_prefix('-').unwrap_or_default();
    if letters.chars().all(|c| "ABCEFKNQRXYacdefilnqtvx".contains(c)) { letters } else { "" }
}

fn elsewhere(tool: &str, flag: &str) -> String {
    format!("DUMP_EXTRA_ARGS: {flag} makes {tool} write to a file, and nothing is left to stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Flags {
        Flags::read("mysqldump", &words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>(), false)
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
    fn where_the_server_writes_is_ours_to_say() {
        for words in
            [&["--tab=/x", "-v"][..], &["--tab", "/x", "-v"], &["-T/x", "-v"], &["-T", "/x", "-v"]]
        {
            let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
            let flags = Flags::read("mysqldump", &words, true);
            assert!(flags.tab && flags.words == ["-v"], "{flags:?}");
            assert!(flags.warnings[0].contains("database server"), "{flags:?}");
        }
    }

    #[test]
    fn tables_without_rows_may_be_wanted() {
        for words in [&["-d"][..], &["-Rd"], &["--no-data"], &["--ignore-table-data=a.b"]] {
            assert!(!read(words).wants_rows, "{words:?}");
        }
        assert!(read(&["-hdb", "--add-drop-table", "-R"]).wants_rows);
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
