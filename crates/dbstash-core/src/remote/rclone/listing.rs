//! Listings: read as they come, so that neither their text is kept nor rclone's time is lost.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Deserializer;

use super::command::call_piecewise;
use super::{Rclone, succeeded};
use crate::remote::{Entry, ObjectSize, RemoteError};

/// A listing of objects, at any depth.
pub(super) const LISTING: [&str; 5] =
    ["lsjson", "--recursive", "--files-only", "--no-modtime", "--no-mimetype"];
/// The longest listing, in bytes: some five million objects.
const LONGEST: usize = 1024 * 1024 * 1024;
/// What is said of one object is never longer, in bytes.
const LONGEST_ITEM: usize = 1024 * 1024;

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
                let size = item.size();
                let name = match folder {
                    "" => item.path,
                    _ => format!("{folder}{}", item.path),
                };
                entries.push(Entry { name, size });
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
        let mut text = std::mem::take(&mut self.open);
        text.extend_from_slice(bytes);
        match self.read(&text, each) {
            Ok(end) if text.len() - end > LONGEST_ITEM => {
                self.wrong = Some("an item has no end".to_owned());
            }
            Ok(end) => {
                text.drain(..end);
                self.open = text;
            }
            Err(wrong) => drop(self.wrong.get_or_insert(wrong)),
        }
    }

    /// Reads as far as it is whole, and says how far that is.
    fn read(&mut self, text: &[u8], each: &mut dyn FnMut(Item)) -> Result<usize, String> {
        let mut end = 0;
        while let Some(byte) = text.get(end) {
            match byte {
                b',' | b' ' | b'\n' | b'\r' | b'\t' => {}
                b'[' if self.array == Array::Before => self.array = Array::Inside,
                b']' if self.array == Array::Inside => self.array = Array::After,
                b'{' if self.array == Array::Inside => {
                    let mut objects = Deserializer::from_slice(&text[end..]).into_iter();
                    match objects.next() {
                        Some(Ok(item)) => each(item),
                        Some(Err(error)) if !error.is_eof() => return Err(error.to_string()),
                        _ => break,
                    }
                    end += objects.byte_offset();
                    continue;
                }
                other => return Err(format!("{:?} is in it", char::from(*other))),
            }
            end += 1;
        }
        Ok(end)
    }

    /// An error, unless all of it was there and made sense.
    fn end(self) -> Result<(), RemoteError> {
        let is_cut = self.array != Array::After || !self.open.is_empty();
        let cut = || is_cut.then(|| "it ends too soon".to_owned());
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
