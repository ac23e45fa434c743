//! A queue of bytes on local disk, for what nobody takes at the moment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use crate::dialogue::Spare;
use crate::state::private_dir;

/// First in, first out. The file has no name: it is gone with us, however we end.
pub(super) struct Spill {
    file: File,
    /// Where the next bytes are written, and read.
    end: u64,
    start: u64,
    most: u64,
}

impl Spill {
    /// An empty one.
    pub(super) fn make(spare: &Spare) -> io::Result<Self> {
        private_dir(&spare.dir)?;
        let path = spare.dir.join(format!(".spill-{}", uuid::Uuid::new_v4().simple()));
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        fs::remove_file(&path)?;
        Ok(Self { file, end: 0, start: 0, most: spare.most })
    }

    /// Whether `more` bytes may come in.
    pub(super) fn has_room(&self, more: usize) -> bool {
        self.end + more as u64 <= self.most
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Blocks as long as the disk does, which is better than a server that drops us.
    pub(super) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// The oldest bytes, at most `most` of them. An empty queue gives its disk space back.
    pub(super) fn pop(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let n = usize::try_from(self.end - self.start).unwrap_or(most).min(most);
        let mut bytes = vec![0; n];
        self.file.read_exact_at(&mut bytes, self.start)?;
        self.start += n as u64;
        if self.is_empty() {
            self.file.set_len(0)?;
            (self.start, self.end) = (0, 0);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let spare = Spare { dir: dir.path().join("new"), most: 10 };
        let mut spill = Spill::make(&spare).unwrap();
        assert_eq!(fs::read_dir(&spare.dir).unwrap().count(), 0);
        assert!(spill.is_empty() && spill.has_room(10) && !spill.has_room(11));
        spill.push(b"hello").unwrap();
        assert_eq!(spill.pop(3).unwrap(), b"hel");
        spill.push(b"world").unwrap();
        assert!(!spill.has_room(1), "the file does not shrink at its front");
        assert_eq!(spill.pop(100).unwrap(), b"loworld");
        assert!(spill.has_room(10));
        assert_eq!(spill.file.metadata().unwrap().len(), 0);
    }
}
