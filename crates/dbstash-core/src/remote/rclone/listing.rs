//! Listings: read as they come, so that neither their text is kept nor rclone's time is lost.

use std::time::Duration;

use serde::Deserialize;

use super::command::call_piecewise;
use super::{Rclone, succeeded};
use crate::remote::{Entry, ObjectSize, RemoteError};

/// A listing of objects, at any depth.
pub(super) const LISTING: [&str; 5] =
    ["lsjson", "--recursive", "--files-only", "--no-modtime", "--no-mimetype"];
/// The longest listing, in bytes: some five million objects.
const LONGEST: usize = 1024 * 1024 * 1024;

/// What `lsjson` says of an object.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Item {
    pub(super) path: String,
    size: i64,
    pub(super) is_dir: bool,
}

impl Item {
    pub(super) fn size(&self) -> ObjectSize {
        u64::try_from(self.size).map_or(ObjectSize::Unknown, ObjectSize::Known)
    }
}

impl Rclone {
    pub(super) async fn listed(
        &self,
        folder: &str,
        deadline: Duration,
    ) -> Result<Vec<Entry>, RemoteError> {
        let path = if folder.is_empty() { self.settings.root.clone() } else { self.path(folder) };
        let args = [&LISTING[..], &["--fast-list", &path]].concat();
        let (mut items, mut entries) = (Items::default(), Vec::new());
        let mut take = |bytes: &[u8]| {
            items.take(bytes, &mut |item: Item| {
                let name = format!("{folder}{}", item.path);
                entries.push(Entry { size: item.size(), name });
            });
        };
        let work = call_piecewise(&self.settings, &args, b"", &mut take, (deadline, LONGEST));
        let answer = self.attended(work).await?;
        self.heard(answer.exit, &answer.stderr);
        if answer.exit.code() == Some(3) {
            return Ok(Vec::new());
        }
        succeeded(answer, "list the remote")?;
        items.end()?;
        Ok(entries)
    }
}

/// An array of objects in JSON, piece by piece.
#[derive(Default)]
struct Items {
    /// The beginning of an object whose end has not come yet.
    open: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    array: Array,
    wrong: Option<String>,
}

#[derive(Default, PartialEq)]
enum Array {
    #[default]
    Before,
    Inside,
    After,
}

impl Items {
    /// Hands on every object that has ended by now.
    fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(Item)) {
        let mut start = 0;
        for (at, &byte) in bytes.iter().enumerate() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'{' => {
                    if self.depth == 0 {
                        start = at;
                    }
                    self.depth += 1;
                }
                b'"' if self.depth > 0 => self.in_string = true,
                b'}' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.object(&bytes[start..=at], each);
                    }
                }
                _ if self.depth > 0 => {}
                b'[' if self.array == Array::Before => self.array = Array::Inside,
                b']' if self.array == Array::Inside => self.array = Array::After,
                b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
                other => {
                    let text = format!("{:?} is in it", char::from(other));
                    self.wrong.get_or_insert(text);
                }
            }
        }
        if self.depth > 0 {
            self.open.extend_from_slice(&bytes[start..]);
        }
    }

    fn object(&mut self, end: &[u8], each: &mut dyn FnMut(Item)) {
        let whole = if self.open.is_empty() {
            serde_json::from_slice(end)
        } else {
            self.open.extend_from_slice(end);
            serde_json::from_slice(&std::mem::take(&mut self.open))
        };
        match whole {
            Ok(item) if self.array == Array::Inside => each(item),
            Ok(_) => drop(self.wrong.get_or_insert("it is no list".to_owned())),
            Err(error) => drop(self.wrong.get_or_insert(error.to_string())),
        }
    }

    /// An error, unless all of it was there and made sense.
    fn end(self) -> Result<(), RemoteError> {
        let cut = || (self.array != Array::After).then(|| "it ends too soon".to_owned());
        match self.wrong.clone().or_else(cut) {
            None => Ok(()),
            Some(why) => Err(RemoteError::new(format!(
                "the answer of rclone lsjson is not understood: {why}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece: usize) -> Result<Vec<(String, ObjectSize)>, String> {
        let (mut items, mut all) = (Items::default(), Vec::new());
        for bytes in text.as_bytes().chunks(piece) {
            items.take(bytes, &mut |item| all.push((item.path.clone(), item.size())));
        }
        items.end().map_err(|error| error.to_string())?;
        Ok(all)
    }

    #[test]
    fn a_listing_is_read_in_any_pieces() {
        let text = r#"[
{"Path":"a/}\"]{.sql","Name":"x","Size":5,"ModTime":"","IsDir":false,"Metadata":{"a":{}}},
{"Path":"é\\","Name":"x","Size":-1,"IsDir":false}
]
"#;
        let expected = [
            ("a/}\"]{.sql".to_owned(), ObjectSize::Known(5)),
            ("é\\".to_owned(), ObjectSize::Unknown),
        ];
        for piece in 1..=text.len() {
            assert_eq!(read(text, piece).unwrap(), expected, "{piece}");
        }
        assert_eq!(read("[]", 1).unwrap(), []);
    }

    #[test]
    fn what_is_cut_short_or_odd_is_no_listing() {
        let whole = r#"[{"Path":"a","Size":5,"IsDir":false}]"#;
        for end in 0..whole.len() {
            assert!(read(&whole[..end], 7).is_err(), "{end}");
        }
        for odd in ["{}", "[{}]", "[1]", "[]x", "[]]", r#"{"Path":"a","Size":5,"IsDir":false}"#] {
            assert!(read(odd, 3).is_err(), "{odd}");
        }
    }
}
