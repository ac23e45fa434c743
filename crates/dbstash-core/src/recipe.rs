//! How a backup is restored without dbstash: a text of comments and lines for bash, with rclone and stock tools only.
//!
//! Every line keeps what dbstash itself keeps: the sum first, and nothing that a cut stream could make count.

use std::fmt::Write as _;

use crate::engine::Engine;
use crate::invocation::quoted;
use crate::job::Source;
use crate::manifest::{Manifest, Object};

/// What a recipe's name adds to its job's.
pub const SUFFIX: &str = ".RESTORE.txt";

/// The line that makes a folder for files, `$dump`, which goes at the end. Where one works there is room, as
/// there may be none in `/tmp`.
pub const FOLDER: &str = "dump=$(mktemp -d -p .); trap 'rm -rf \"$dump\"' EXIT";

/// A backup as a recipe knows it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What it is.
    pub manifest: &'a Manifest,
    /// The folder that its objects lie in: empty, or with a `/` at its end.
    pub folder: &'a str,
    /// Where it shall go, when that is known, and the database there.
    pub goal: Option<(&'a Source, &'a str)>,
}

impl<'a> Subject<'a> {
    /// Of a manifest under this name.
    pub fn under(manifest_name: &'a str, manifest: &'a Manifest) -> Self {
        let folder = manifest_name.rfind('/').map_or("", |end| &manifest_name[..=end]);
        Self { manifest, folder, goal: None }
    }

    /// The path of an object, as a word of bash.
    pub fn path(&self, object: &Object) -> String {
        format!("\"$REMOTE\"{}", quoted(&format!("{}{}", self.folder, object.name)))
    }

    /// The pipe that an object comes out of, freed of our own encodings. `None` where one is not known.
    pub fn pipe(&self, object: &Object) -> Option<String> {
        let mut pipe = format!("rclone cat {}", self.path(object));
        for encoding in object.encodings.iter().rev() {
            pipe.push_str(match encoding.as_str() {
                "zstd" => " | zstd -d",
                "gzip" => " | gzip -d",
                _ => return None,
            });
        }
        Some(pipe)
    }

    /// The lines that get the files of a folder or of a tar of ours into the [`FOLDER`] that they make, proven, and the
    /// word for where they are then.
    pub fn files(&self, object: &Object) -> Option<(Vec<String>, String)> {
        if object.files.is_none() {
            let pipe = self.pipe(object)?;
            let unpack = format!("{pipe} | tar -x -C \"$dump\" --strip-components=1");
            return Some((vec![FOLDER.to_owned(), unpack], "\"$dump\"".to_owned()));
        }
        let is_list = |other: &&Object| other.files.is_none() && other.sha256 == object.sha256;
        let list = self.manifest.objects.iter().find(is_list)?;
        let there = format!("\"$dump\"/{}", quoted(&object.name));
        let copy = format!("rclone copy {} {there}", self.path(object));
        let check = "(cd \"$dump\" && sha256sum --check --quiet)";
        let check = format!("rclone cat {} | {check}", self.path(list));
        Some((vec![FOLDER.to_owned(), copy, check], there))
    }
}

/// The recipe for a backup at `root`, the remote's own name. The error says why there is none.
pub fn recipe(stored: Subject<'_>, engine: &dyn Engine, root: &str) -> Result<String, String> {
    let Subject { manifest, folder, .. } = stored;
    let steps = engine.by_hand(stored).ok_or("this version knows no way by hand for its format")?;
    let slash = if root.ends_with([':', '/']) { "" } else { "/" };
    let mut text = String::new();
    let dump = manifest.dump().ok_or("its manifest has no object")?;
    let version = dump.passed.server_version.as_deref().unwrap_or("of an unknown version");
    let _ = write!(
        text,
        "# Backup {} of database {}, job {}: {} {version}\n\
         # begun {}, in {}{}\n\
         # For bash. rclone needs the configuration it was stored with.\n\
         set -euo pipefail\n\
         REMOTE={}\n",
        manifest.id,
        comment(&manifest.database),
        manifest.job,
        manifest.engine,
        manifest.started.format("%FT%TZ"),
        comment(folder),
        comment(&dump.name),
        quoted(&format!("{root}{slash}")),
    );
    for object in manifest.objects.iter().filter(|object| object.files.is_none()) {
        let _ = writeln!(
            text,
            "[[ $(rclone cat {} | sha256sum) == {}* ]] || {{ echo 'this backup is corrupt' >&2; exit 1; }}",
            stored.path(object),
            object.sha256
        );
    }
    for step in steps {
        text.push_str(&step);
        text.push('\n');
    }
    Ok(text)
}

/// A name inside a comment: it must not end it.
fn comment(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::tests::manifest;

    #[test]
    fn an_object_is_freed_of_what_we_did_to_it() {
        let mut manifest = manifest("j", "shop", 1, "it's.sql.zst");
        manifest.objects[0].encodings = vec!["zstd".to_owned()];
        let stored = Subject::under("a b/it's.sql.zst.dbstash.json", &manifest);
        let object = &manifest.objects[0];
        assert_eq!(
            stored.pipe(object).unwrap(),
            r#"rclone cat "$REMOTE"'a b/it'\''s.sql.zst' | zstd -d"#
        );
        let (lines, place) = stored.files(object).unwrap();
        assert!(lines[0] == FOLDER && lines[1].contains("| zstd -d | tar -x"), "{lines:?}");
        assert_eq!(place, "\"$dump\"");
        manifest.objects[0].encodings = vec!["rot13".to_owned()];
        let stored = Subject::under("x.dbstash.json", &manifest);
        assert_eq!(stored.pipe(&manifest.objects[0]), None);
    }

    #[test]
    fn a_name_cannot_end_a_comment() {
        assert_eq!(comment("a\nrm -rf /"), "a?rm -rf /");
    }
}
