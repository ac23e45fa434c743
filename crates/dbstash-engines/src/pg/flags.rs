//! What the user's own words for pg_dump mean, read as getopt_long reads them.

/// What pg_dump will write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    Plain,
    Custom,
    Tar,
    Directory,
}

/// How pg_dump will compress it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
}

/// What the words say about compression.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    #[default]
    Unsaid,
    /// That there be none.
    Off,
    /// This one.
    By(Compression),
}

/// The words that matter to us.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// The format they ask for.
    pub(super) output: Option<Output>,
    /// Whether they name a format at all, known or not.
    pub(super) names_format: bool,
    /// The compression they ask for.
    pub(super) compression: Wish,
    /// Whether they name a database of their own.
    pub(super) names_database: bool,
    /// What is odd about them.
    pub(super) warnings: Vec<String>,
    /// What keeps the dump from being a stream.
    pub(super) no_stream: Vec<String>,
    /// What keeps it from being a directory where we want it.
    pub(super) no_directory: Vec<String>,
}

/// Short options that take a value.
const SHORT: &str = "deEfFhjlnNpSTtUZ";
/// Long ones whose value may be the next word.
const LONG: [&str; 27] = [
    "compress",
    "database",
    "dbname",
    "encoding",
    "exclude-database",
    "exclude-extension",
    "exclude-schema",
    "exclude-table",
    "exclude-table-and-children",
    "exclude-table-data",
    "exclude-table-data-and-children",
    "extension",
    "extra-float-digits",
    "file",
    "filter",
    "format",
    "host",
    "include-foreign-data",
    "jobs",
    "lock-wait-timeout",
    "port",
    "restrict-key",
    "role",
    "rows-per-insert",
    "schema",
    "section",
    "snapshot",
];
const LONG_MORE: [&str; 5] =
    ["superuser", "sync-method", "table", "table-and-children", "username"];

impl Flags {
    /// Reads the words in order; the last word on a matter counts.
    pub(super) fn read(words: &[String]) -> Self {
        let mut flags = Self::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) =
                    long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
                if let Some(short @ ("Fd" | "Fc" | "Fp" | "Ft")) = Some(name) {
                    flags.warnings.push(format!(
                        "DUMP_EXTRA_ARGS: pg_dump does not know --{short}; did you mean -{short}?{}",
                        if short == "Fd" { " And a directory cannot be streamed; BACKUP_MODE=directory stores one" } else { "" }
                    ));
                    continue;
                }
                let name = full_name(name);
                let value = match value {
                    Some(value) => value,
                    None if takes_value(name) => words.next().unwrap_or_default(),
                    None => "",
                };
                flags.option(name, value, word);
            } else if let Some(bundle) = word.strip_prefix('-') {
                for (at, letter) in bundle.char_indices() {
                    if !SHORT.contains(letter) {
                        continue;
                    }
                    let rest = &bundle[at + letter.len_utf8()..];
                    let value =
                        if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
                    match letter {
                        'F' => flags.option("format", value, word),
                        'Z' => flags.option("compress", value, word),
                        'f' => flags.option("file", value, word),
                        'd' => flags.option("dbname", value, word),
                        _ => {}
                    }
                    break;
                }
            }
        }
        flags
    }

    fn option(&mut self, name: &str, value: &str, word: &str) {
        match name {
            "format" => {
                self.names_format = true;
                self.output = match value.to_ascii_lowercase().as_str() {
                    "p" | "plain" => Some(Output::Plain),
                    "c" | "custom" => Some(Output::Custom),
                    "t" | "tar" => Some(Output::Tar),
                    "d" | "directory" => {
                        self.no_stream.push(format!(
                            "DUMP_EXTRA_ARGS: {word} makes pg_dump write a directory, which cannot be streamed: use \
                             BACKUP_MODE=directory"
                        ));
                        Some(Output::Directory)
                    }
                    _ => None,
                };
                if self.output.is_some_and(|output| output != Output::Directory) {
                    self.no_directory.push(format!(
                        "DUMP_EXTRA_ARGS: {word} asks for another format than the directory of BACKUP_MODE"
                    ));
                }
            }
            "compress" => {
                let method = value.split(':').next().unwrap_or_default();
                self.compression = match method {
                    "none" | "0" => Wish::Off,
                    "zstd" => Wish::By(Compression::Zstd),
                    "lz4" => Wish::By(Compression::Lz4),
                    _ => Wish::By(Compression::Gzip),
                };
            }
            "file" => {
                self.no_stream.push(format!(
                    "DUMP_EXTRA_ARGS: {word} makes pg_dump write to a file, and nothing is left to stream"
                ));
                self.no_directory.push(format!(
                    "DUMP_EXTRA_ARGS: {word} makes pg_dump write elsewhere, and nothing is left to store"
                ));
            }
            "dbname" => self.names_database = true,
            _ => {}
        }
    }
}

fn takes_value(name: &str) -> bool {
    LONG.contains(&name) || LONG_MORE.contains(&name)
}

/// The option an abbreviation stands for: getopt takes any that only one option begins with.
fn full_name(name: &str) -> &str {
    if takes_value(name) {
        return name;
    }
    let mut fitting = LONG.iter().chain(&LONG_MORE).filter(|long| long.starts_with(name));
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => only,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Flags {
        Flags::read(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn formats_in_every_spelling() {
        for (words, output) in [
            (&["-Fc"][..], Output::Custom),
            (&["-F", "c"], Output::Custom),
            (&["--format=custom"], Output::Custom),
            (&["--format", "c"], Output::Custom),
            (&["--form=c"], Output::Custom),
            (&["-vFc"], Output::Custom),
            (&["-FC"], Output::Custom),
            (&["--format=Custom"], Output::Custom),
            (&["--statistics", "-Fc"], Output::Custom),
            (&["--superu", "-Fp", "-Fc"], Output::Custom),
            (&["-Ft"], Output::Tar),
            (&["-Fc", "-Fp"], Output::Plain),
        ] {
            let flags = read(words);
            assert_eq!((flags.output, flags.warnings.len()), (Some(output), 0), "{words:?}");
            assert_eq!((flags.no_stream.len(), flags.no_directory.is_empty()), (0, false));
            assert!(flags.names_format);
        }
        assert_eq!(read(&["-v", "--schema-only"]), Flags::default());
    }

    #[test]
    fn compression_in_every_spelling() {
        for (words, compression) in [
            (&["-Z9"][..], Wish::By(Compression::Gzip)),
            (&["-Z", "5"], Wish::By(Compression::Gzip)),
            (&["--compress=zstd:9"], Wish::By(Compression::Zstd)),
            (&["--compress", "lz4"], Wish::By(Compression::Lz4)),
            (&["-Z0"], Wish::Off),
            (&["--compress=none"], Wish::Off),
            (&["-Z9", "-Z0"], Wish::Off),
        ] {
            assert_eq!(read(words).compression, compression, "{words:?}");
        }
    }

    #[test]
    fn conflicts_are_warned_about_and_values_are_not_misread() {
        for words in [
            &["-f", "x"][..],
            &["-fx"],
            &["--file=x"],
            &["--file", "x"],
            &["-vfx"],
            &["-Fd"],
            &["--format=d"],
        ] {
            assert_eq!(read(words).no_stream.len(), 1, "{words:?}");
        }
        assert_eq!(read(&["-Fd"]).no_directory, [""; 0]);
        for words in [
            &["-t", "-f"][..],
            &["--table", "-Fd"],
            &["-n-f"],
            &["--exclude-table=-f"],
            &["--filter=x"],
            &["--format=custom"],
            &["--", "-f"],
        ] {
            assert_eq!(read(words).no_stream, [""; 0], "{words:?}");
        }
        for words in [&["-dx"][..], &["-d", "x"], &["--dbname=x"], &["--dbn", "x"], &["-vd", "x"]] {
            assert!(read(words).names_database, "{words:?}");
        }
        assert!(!read(&["-t", "-d"]).names_database && !read(&["--data-only"]).names_database);
        assert!(read(&["--Fc"]).warnings[0].contains("did you mean -Fc?"));
        assert!(read(&["--Fd"]).warnings[0].contains("directory"));
    }
}
