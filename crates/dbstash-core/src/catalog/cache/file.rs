//! The file: records one after the other, each with a checksum.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use flate2::Crc;

use super::packed::{self, Known};
use crate::manifest::{self, Manifest};
use crate::state;

const FORM: &[u8] = b"dbstash manifests 2\n";
/// No record is longer: one is shorter than its manifest, but for a name.
const LONGEST: u64 = 2 * manifest::MAX_BYTES;

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("manifests")
}

/// The records of a file, as far as they are whole.
pub(super) struct Records {
    file: BufReader<File>,
    /// The last one, packed.
    body: Vec<u8>,
    pub(super) at_end: bool,
}

impl Records {
    pub(super) fn open(folder: &Path) -> Option<Self> {
        let mut file = BufReader::with_capacity(64 * 1024, File::open(path(folder)).ok()?);
        let mut form = [0; FORM.len()];
        file.read_exact(&mut form).ok()?;
        (form == FORM).then_some(Self { file, body: Vec::new(), at_end: false })
    }

    /// The next one; none, too, from the first damage on.
    pub(super) fn next(&mut self) -> Option<Known> {
        self.at_end = self.file.fill_buf().ok()?.is_empty();
        let [sum, length] = [self.number()?, self.number()?];
        let length = Some(length).filter(|length| u64::from(*length) <= LONGEST)?;
        self.body.resize(length.try_into().ok()?, 0);
        self.file.read_exact(&mut self.body).ok()?;
        if sum != checksum(&self.body) {
            return None;
        }
        Known::unpack(&self.body)
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = [0; 4];
        self.file.read_exact(&mut number).ok()?;
        Some(u32::from_le_bytes(number))
    }
}

/// Enough to tell a file that was cut short or damaged; nobody else can write it.
fn checksum(body: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(body);
    crc.sum()
}

fn write(file: &mut impl io::Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    file.write_all(&checksum(body).to_le_bytes())?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(body)
}

/// The file, held by the one process that writes to it. What fails is not kept, and nothing else.
pub(super) struct Writing {
    folder: PathBuf,
    new: Vec<u8>,
    _lock: File,
}

impl Writing {
    pub(super) fn begin(folder: &Path) -> Option<Self> {
        state::private_dir(folder).ok()?;
        let lock = state::private_file(&folder.join("lock")).ok()?;
        lock.try_lock().ok()?;
        Some(Self { folder: folder.to_owned(), new: Vec::new(), _lock: lock })
    }

    pub(super) fn add(&mut self, name: &str, size: u64, manifest: &Manifest) {
        let body = packed::pack(name, size, manifest);
        if body.len() as u64 <= LONGEST {
            // Nothing is in the way of writing to memory.
            let _ = write(&mut self.new, &body);
        }
    }

    /// Appends what was added since.
    pub(super) fn save(&mut self) {
        let new = std::mem::take(&mut self.new);
        let append = || -> io::Result<()> {
            let path = path(&self.folder);
            let mut file = state::private_file(&path)?;
            if io::Seek::seek(&mut file, io::SeekFrom::End(0))? == 0 {
                file.write_all(FORM)?;
            }
            file.write_all(&new)
        };
        if append().is_err() {
            let _ = fs::remove_file(path(&self.folder));
        }
    }

    /// Leaves of the file what is wanted, each once: of several, the last.
    pub(super) fn rewrite(&self, wanted: &HashSet<&str>) {
        let folder = &self.folder;
        let new = folder.join("manifests.new");
        let rewrite = || -> io::Result<()> {
            let mut file = state::private_file(&new)?;
            file.set_len(0)?;
            file.write_all(FORM)?;
            let mut file = BufWriter::with_capacity(64 * 1024, file);
            let mut last = HashMap::with_capacity(wanted.len());
            let mut old = Records::open(folder);
            for n in 0.. {
                let Some(known) = old.as_mut().and_then(Records::next) else { break };
                if wanted.contains(&*known.name) {
                    last.insert(known.name, n);
                }
            }
            let mut old = Records::open(folder);
            for n in 0_usize.. {
                let Some(records) = &mut old else { break };
                let Some(known) = records.next() else { break };
                if last.get(&known.name) == Some(&n) {
                    write(&mut file, &records.body)?;
                }
            }
            file.flush()?;
            fs::rename(&new, path(folder))
        };
        if rewrite().is_err() {
            let _ = fs::remove_file(&new);
            let _ = fs::remove_file(path(folder));
        }
    }
}
