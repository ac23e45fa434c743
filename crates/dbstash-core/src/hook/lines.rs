//! What a hook says: line by line, without secrets, and not more of it than a log can bear.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::Line;
use crate::secret::Redactor;

/// Lines of one hook that are told.
const MOST: usize = 1000;
/// Bytes of a line that are looked at for secrets.
const KEPT: usize = 16 * 1024;
/// Characters of a line that are told.
const LONGEST: usize = 4000;
/// Lines of stderr that a failure tells, and the characters of each.
const LAST: (usize, usize) = (5, 300);

/// The ears of one hook.
pub(super) struct Heard<'a> {
    redactor: &'a Redactor,
    tell: &'a (dyn Fn(Line<'_>) + Sync),
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    lines: usize,
    /// Of stderr: a line as it came, and whether it was cut.
    last: VecDeque<(Vec<u8>, bool)>,
}

impl<'a> Heard<'a> {
    pub(super) fn new(redactor: &'a Redactor, tell: &'a (dyn Fn(Line<'_>) + Sync)) -> Self {
        Self { redactor, tell, said: Mutex::default() }
    }

    /// Listens until the pipe is closed. What is in a line that has no end yet is told when this is dropped.
    pub(super) async fn listen(&self, pipe: Option<impl AsyncRead + Unpin>, is_stderr: bool) {
        let Some(mut pipe) = pipe else { return };
        let mut open = Open { heard: self, is_stderr, bytes: Vec::new(), cut: false };
        let mut chunk = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            open.push(&chunk[..n]);
        }
    }

    /// Says how much was not told; returns the last lines of stderr.
    pub(super) fn finish(&self) -> String {
        let said = self.said();
        if let Some(dropped @ 1..) = said.lines.checked_sub(MOST) {
            let text = format!("{dropped} more lines of this hook are left out");
            (self.tell)(Line { text: &text, is_stderr: true });
        }
        let last = said.last.iter().map(|(bytes, cut)| self.clean(bytes, *cut, LAST.1));
        last.collect::<Vec<_>>().join("\n")
    }

    fn line(&self, bytes: &[u8], cut: bool, is_stderr: bool) {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let mut said = self.said();
        said.lines += 1;
        let told = said.lines <= MOST;
        if is_stderr {
            let full = said.last.len() == LAST.0;
            let oldest = if full { said.last.pop_front() } else { None };
            let (mut kept, _) = oldest.unwrap_or_default();
            kept.clear();
            kept.extend_from_slice(bytes);
            said.last.push_back((kept, cut));
        }
        drop(said);
        if told {
            (self.tell)(Line { text: &self.clean(bytes, cut, LONGEST), is_stderr });
        }
    }

    /// As text without secrets, of at most so many characters, with a sign where there were more.
    fn clean(&self, bytes: &[u8], cut: bool, most: usize) -> String {
        let text = String::from_utf8_lossy(bytes);
        let mut clean = if cut {
            self.redactor.redact_cut(&text)
        } else {
            self.redactor.redact(text.trim_end()).into_owned()
        };
        let end = clean.char_indices().nth(most).map(|(at, _)| at);
        if let Some(end) = end {
            clean.truncate(end);
        }
        if cut || end.is_some() {
            clean.push_str("...");
        }
        clean
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line that is being said.
struct Open<'h, 'a> {
    heard: &'h Heard<'a>,
    is_stderr: bool,
    bytes: Vec<u8>,
    cut: bool,
}

impl Open<'_, '_> {
    fn push(&mut self, chunk: &[u8]) {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = KEPT - self.bytes.len();
            self.cut |= text.len() > room;
            self.bytes.extend_from_slice(&text[..text.len().min(room)]);
            if is_whole {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        self.heard.line(&self.bytes, self.cut, self.is_stderr);
        self.bytes.clear();
        self.cut = false;
    }
}

impl Drop for Open<'_, '_> {
    fn drop(&mut self) {
        self.end();
    }
}
