//! A folder: every file against the list of sums that is stored beside it.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{Context, Flaw, Level, small};
use crate::catalog::Backup;
use crate::engine::{Incomplete, Passed, Structure, TreeCheck};
use crate::manifest::Object;
use crate::remote::{ObjectSize, Remote};
use crate::store::Phase;

const BUFFER: usize = 256 * 1024;
/// Half a million files.
const LONGEST_LIST: u64 = 64 * 1024 * 1024;

/// Reads every file of the folder `name`, which ends with a `/`. The list alone is held in memory.
pub(super) async fn look(
    backup: &Backup,
    object: &Object,
    name: &str,
    level: Level,
    cx: Context<'_>,
) -> Result<Option<Passed>, Flaw> {
    let corrupt = |what: String| Err(Flaw::Corrupt(what));
    let sums = sums(backup, object, cx.remote).await?;
    let mut sizes = BTreeMap::new();
    for entry in cx.remote.list(name).await? {
        if let Some(path) = entry.name.strip_prefix(name) {
            sizes.insert(path.to_owned(), entry.size);
        }
    }
    if let Some(more) = sizes.keys().find(|path| !sums.contains_key(*path)) {
        return corrupt(format!("its file {more} is not in the list of its files"));
    }
    let mut check = match (level, cx.engine.structure(object)) {
        (Level::Structure, Some(Structure::Files(check))) => Some(check),
        _ => None,
    };
    let (mut buffer, mut all) = (vec![0; BUFFER], 0_u64);
    for (path, sum) in &sums {
        let size = match sizes.get(path) {
            None => return corrupt(format!("its file {path} is missing")),
            Some(ObjectSize::Known(size)) => *size,
            // Not nothing, as far as anybody knows.
            Some(ObjectSize::Unknown) => u64::MAX,
        };
        let wanted = check.as_mut().is_some_and(|check| check.begin(path, size));
        cx.progress.enter(Phase::Reading);
        let mut download = cx.remote.read(&format!("{name}{path}")).await?;
        let mut hash = Sha256::new();
        loop {
            let n = match download.read(&mut buffer).await.map_err(Flaw::from) {
                Ok(0) => break,
                Ok(n) => n,
                Err(Flaw::Corrupt(what)) => return corrupt(format!("its file {path}: {what}")),
                Err(untested) => return Err(untested),
            };
            cx.progress.moved();
            hash.update(&buffer[..n]);
            all += n as u64;
            if let (true, Some(check)) = (wanted, &mut check) {
                check.feed(&buffer[..n]);
            }
        }
        if base16ct::lower::encode_string(&hash.finalize()) != *sum {
            return corrupt(format!(
                "its file {path} has changed: its sha256 is not that of the list"
            ));
        }
    }
    if all != object.bytes {
        return corrupt(format!("it has {all} bytes and should have {}", object.bytes));
    }
    let verdict = check.map(TreeCheck::finish).transpose();
    verdict.map_err(|Incomplete(what)| Flaw::Corrupt(what))
}

/// The sum of each file, by its path in the folder.
pub(crate) async fn sums(
    backup: &Backup,
    folder: &Object,
    remote: &dyn Remote,
) -> Result<BTreeMap<String, String>, Flaw> {
    let corrupt = |what: &str| Flaw::Corrupt(what.to_owned());
    let mut beside = backup.manifest.objects.iter().zip(backup.objects());
    let (list, name) = beside
        .find(|(other, _)| other.files.is_none() && other.sha256 == folder.sha256)
        .ok_or_else(|| corrupt("its manifest knows no list of its files"))?;
    if list.bytes > LONGEST_LIST {
        return Err(Flaw::Untested(format!("its list {name} has {} bytes", list.bytes)));
    }
    let text = small(remote, &name, list.bytes).await?;
    if base16ct::lower::encode_string(&Sha256::digest(&text)) != list.sha256 {
        return Err(corrupt("the list of its files has changed"));
    }
    let line = |line: &str| {
        let (sum, path) = line.split_once("  ")?;
        Some((path.strip_prefix(&*folder.name)?.strip_prefix('/')?.to_owned(), sum.to_owned()))
    };
    let text = String::from_utf8(text).map_err(|_| corrupt("the list of its files is no text"))?;
    let all = text.lines().map(line).collect::<Option<_>>();
    all.ok_or_else(|| corrupt("the list of its files is not one"))
}
