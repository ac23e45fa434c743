//! What the user's own words for mongodump mean, read as go-flags reads them.

use dbstash_core::engine::PlanError;

/// Options with a value, by their long names; a value may stand in a word of its own.
const WITH_VALUE: [&str; 32] = [
    "authenticationDatabase",
    "authenticationMechanism",
    "awsSessionToken",
    "collection",
    "compressors",
    "config",
    "db",
    "dialTimeout",
    "excludeCollection",
    "excludeCollectionsWithPrefix",
    "failpoints",
    "gssapiHostName",
    "gssapiServiceName",
    "host",
    "internalOnlySourceWritesDoneBarrier",
    "numParallelCollections",
    "numThreads",
    "out",
    "password",
    "port",
    "query",
    "queryFile",
    "readPreference",
    "serverSelectionTimeout",
    "socketTimeout",
    "sslCAFile",
    "sslCRLFile",
    "sslPEMKeyFile",
    "sslPEMKeyPassword",
    "TCPKeepAliveSeconds",
    "uri",
    "username",
];

/// The words that matter.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a word is there or it is not")]
pub(super) struct Flags {
    /// The tool compresses.
    pub(super) gzip: bool,
    /// All that is written during the dump is in it, too.
    pub(super) oplog: bool,
    /// It says where an archive goes.
    pub(super) archive: bool,
    /// It says where a tree goes.
    pub(super) out: bool,
    /// The documents of one collection, without an archive around them.
    pub(super) bare: bool,
    /// It says how long to look for a server.
    pub(super) selection_timeout: bool,
    /// It says how many collections are read at the same time.
    pub(super) parallel: bool,
    /// Why nothing would be left to stream.
    pub(super) no_stream: Vec<String>,
    /// What is odd about them.
    pub(super) warnings: Vec<String>,
}

impl Flags {
    /// Reads the words in order. An error for those that would say another server or database than the settings, or
    /// show a secret.
    pub(super) fn read(words: &[String]) -> Result<Self, PlanError> {
        let mut flags = Self::default();
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            if word == "--" {
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) =
                    long.split_once('=').map_or((long, None), |(n, v)| (n, Some(v)));
                let value = match value {
                    None if WITH_VALUE.contains(&name) => words.next(),
                    value => value,
                };
                flags.option(name, value.unwrap_or_default())?;
            } else if let Some(bundle) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                for (at, letter) in bundle.char_indices() {
                    let Some(name) = long_name(letter) else { continue };
                    let rest = &bundle[at + letter.len_utf8()..];
                    let rest = rest.strip_prefix('=').unwrap_or(rest);
                    let value =
                        if rest.is_empty() { words.next().unwrap_or_default() } else { rest };
                    flags.option(name, value)?;
                    break;
                }
            } else if word.starts_with("mongodb://") || word.starts_with("mongodb+srv://") {
                return Err(refused("a URI"));
            }
        }
        Ok(flags)
    }

    fn option(&mut self, name: &str, value: &str) -> Result<(), PlanError> {
        match name {
            "db" | "uri" | "password" | "config" => return Err(refused(&format!("--{name}"))),
            "sslPEMKeyPassword" | "awsSessionToken" => {
                return Err(PlanError(format!(
                    "DUMP_EXTRA_ARGS: --{name} would show a secret in the process list: write it into DB_URI \
                     (tlsCertificateKeyFilePassword, authMechanismProperties)"
                )));
            }
            "gzip" => self.gzip = true,
            "oplog" => self.oplog = true,
            "archive" => {
                self.archive = true;
                if !matches!(value, "" | "-") {
                    self.no_stream.push(elsewhere("--archive with a path", "a file"));
                }
            }
            "out" => {
                self.out = true;
                self.bare = value == "-";
            }
            "serverSelectionTimeout" => self.selection_timeout = true,
            "numParallelCollections" => self.parallel = true,
            _ => {}
        }
        Ok(())
    }
}

/// What a tool is said to do that leaves nothing for a remote.
pub(super) fn elsewhere(flag: &str, place: &str) -> String {
    format!(
        "DUMP_EXTRA_ARGS: {flag} makes mongodump write to {place}, and nothing is left to stream"
    )
}

fn refused(what: &str) -> PlanError {
    PlanError(format!(
        "DUMP_EXTRA_ARGS names a server, a database or a secret ({what}): set DB_URI, or DB_HOST, DB_NAME and \
         DB_PASSWORD instead"
    ))
}

/// The long name of a short option that takes a value.
fn long_name(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "db",
        'c' => "collection",
        'h' => "host",
        'u' => "username",
        'p' => "password",
        'q' => "query",
        'o' => "out",
        'j' => "numParallelCollections",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Flags, PlanError> {
        Flags::read(&words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_of_every_spelling() {
        assert_eq!(
            read(&["--quiet", "-v", "--readPreference=secondary"]).unwrap(),
            Flags::default()
        );
        assert!(read(&["-c", "x", "--gzip"]).unwrap().gzip);
        assert!(read(&["--oplog"]).unwrap().oplog);
        assert!(read(&["-vj4"]).unwrap().parallel && read(&["-j", "4"]).unwrap().parallel);
        assert!(read(&["--serverSelectionTimeout", "3"]).unwrap().selection_timeout);
        for archive in [&["--archive"][..], &["--archive=-"]] {
            let flags = read(archive).unwrap();
            assert!(flags.archive && flags.no_stream.is_empty());
        }
        assert_eq!(read(&["--archive=/x"]).unwrap().no_stream.len(), 1);
        for out in [&["-o", "/x"][..], &["-o/x"], &["--out=/x"], &["--out", "/x"], &["-o=/x"]] {
            let flags = read(out).unwrap();
            assert!(flags.out && !flags.bare, "{out:?}");
        }
        assert!(read(&["-c", "x", "-o", "-"]).unwrap().bare);
        // Values are not options.
        assert_eq!(read(&["--query", "--gzip", "-c", "--db"]).unwrap(), Flags::default());
        assert_eq!(read(&["--excludeCollection", "-d", "--", "--gzip"]).unwrap(), Flags::default());
    }

    #[test]
    fn another_place_or_a_secret_is_refused() {
        for words in [
            &["--db=x"][..],
            &["--db", "x"],
            &["-d", "x"],
            &["-vdx"],
            &["--uri=mongodb://h"],
            &["mongodb://h"],
            &["--password", "x"],
            &["-px"],
            &["--config=x"],
            &["--sslPEMKeyPassword=x"],
            &["--awsSessionToken", "x"],
        ] {
            let error = read(words).unwrap_err().to_string();
            assert!(error.contains("DUMP_EXTRA_ARGS") && error.contains("DB_URI"), "{error}");
        }
    }
}
