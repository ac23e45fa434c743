//! A program to run, as a value: what will be started can be read, logged and tested without starting it.

use std::fmt;

use crate::confinement::Confinement;
use crate::secret::SecretString;

/// A program, its arguments, and what it may see.
///
/// A secret cannot be an argument: it travels in the child's own environment or in a private file.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Found on `PATH` unless it holds a `/`.
    pub program: String,
    /// In order.
    pub args: Vec<Arg>,
    /// Set for this child alone.
    pub env: Vec<(String, Var)>,
    /// Which of our own variables the child inherits, beside [`Invocation::BASE`]; a trailing `*` stands for any end.
    pub inherits: &'static [&'static str],
    /// Folders in which it may be, in this order: [`Invocation::PATH`] stands for those of `PATH`, which are the last
    /// ones otherwise.
    pub folders: Vec<String>,
    /// What it may be and take, where that is less than what we may.
    pub confined: Option<Confinement>,
}

/// An argument.
#[derive(Debug, Clone)]
pub enum Arg {
    /// Shown to everyone on the machine.
    Plain(String),
    /// The path of a private file (0600, gone after the run) that holds `content`, after the words `before`.
    File {
        /// An option that takes a path: `--defaults-file=`.
        before: String,
        /// Secret.
        content: SecretString,
    },
    /// A path in the directory of the [`Tree`](crate::engine::Tree) that this program helps to make.
    Tree {
        /// An option that takes a path: `--file=`.
        before: String,
        /// Added to the directory's path: `/copy.db`, or nothing.
        inside: String,
        /// Words after the path.
        after: String,
    },
}

impl Arg {
    /// What everyone can see of it, if that is all there is.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(arg) => Some(arg),
            Self::File { .. } | Self::Tree { .. } => None,
        }
    }
}

/// A variable of the child.
#[derive(Debug, Clone)]
pub enum Var {
    /// Not secret.
    Plain(String),
    /// Secret.
    Secret(SecretString),
    /// The path of a private file (0600, gone after the run) that holds this.
    File(SecretString),
}

impl Invocation {
    /// Stands for the folders of `PATH` among [`Invocation::folders`].
    pub const PATH: &'static str = "$PATH";
    /// What every child needs to find its files and speak its language.
    pub const BASE: &'static [&'static str] =
        &["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_*", "TMPDIR", "LD_LIBRARY_PATH"];

    /// A program with these plain arguments.
    pub fn new(program: &str, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(|a| Arg::Plain(a.into())).collect(),
            env: Vec::new(),
            inherits: &[],
            folders: Vec::new(),
            confined: None,
        }
    }

    /// The same with the paths of a tree that is made in `tree`.
    #[must_use]
    pub fn in_tree(mut self, tree: &str) -> Self {
        for arg in &mut self.args {
            if let Arg::Tree { before, inside, after } = arg {
                *arg = Arg::Plain(format!("{before}{tree}{inside}{after}"));
            }
        }
        self
    }

    /// Whether a variable of ours is handed down.
    pub fn inherits(&self, name: &str) -> bool {
        Self::BASE.iter().chain(self.inherits).any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        })
    }
}

/// The command line as a shell would take it, secrets as `***`.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, var) in &self.env {
            match var {
                Var::Plain(value) => write!(f, "{name}={} ", quoted(value))?,
                Var::Secret(_) => write!(f, "{name}=*** ")?,
                Var::File(_) => write!(f, "{name}=<private file> ")?,
            }
        }
        f.write_str(&quoted(&self.program))?;
        for arg in &self.args {
            match arg {
                Arg::Plain(arg) => write!(f, " {}", quoted(arg))?,
                Arg::File { before, .. } => write!(f, " {before}<private file>")?,
                Arg::Tree { before, inside, after } => {
                    write!(f, " {before}<temporary directory>{inside}{after}")?;
                }
            }
        }
        Ok(())
    }
}

/// A word as a shell takes it literally.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_without_secrets_and_quoted() {
        let mut inv = Invocation::new("pg_dump", ["--dbname=host='a b'", "it's"]);
        inv.env.push(("PGPASSWORD".into(), Var::Secret("hunter22".into())));
        assert_eq!(
            inv.to_string(),
            r"PGPASSWORD=*** pg_dump '--dbname=host='\''a b'\''' 'it'\''s'"
        );
        let file = Arg::File { before: "--defaults-file=".into(), content: "hunter23".into() };
        inv.args.push(file);
        assert!(inv.to_string().ends_with(" --defaults-file=<private file>"));
        assert!(!format!("{inv:?}{inv}").contains("hunter2"));
    }

    #[test]
    fn inherits_only_what_is_named() {
        let mut inv = Invocation::new("pg_dump", [""; 0]);
        inv.inherits = &["PG*"];
        assert!(inv.inherits("PATH") && inv.inherits("LC_ALL") && inv.inherits("PGSSLROOTCERT"));
        assert!(!inv.inherits("DB_PASSWORD") && !inv.inherits("AWS_SECRET_ACCESS_KEY"));
    }
}
