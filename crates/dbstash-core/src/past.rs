//! What is known of a database's backups, in few words.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::Backup;
use crate::manifest::Manifest;

/// A backup that is there, in few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// Its id.
    pub id: String,
    /// The database's label.
    pub database: String,
    /// The dump's name on the remote.
    pub object: String,
    /// When its run began.
    pub started: DateTime<Utc>,
    /// When it was whole.
    pub ended: DateTime<Utc>,
    /// Bytes on the remote.
    pub bytes: u64,
    /// Bytes of the dump.
    pub raw_bytes: u64,
}

impl Past {
    /// What this manifest says of the dump `object`.
    pub fn of(manifest: &Manifest, object: &str) -> Self {
        Self {
            id: manifest.id.clone(),
            database: manifest.database.clone(),
            object: object.to_owned(),
            started: manifest.started,
            ended: manifest.ended,
            bytes: manifest.bytes(),
            raw_bytes: manifest.raw_bytes(),
        }
    }
}

impl From<&Backup> for Past {
    fn from(backup: &Backup) -> Self {
        Self::of(&backup.manifest, &backup.objects().next().unwrap_or_default())
    }
}

/// What is in stock of one database, as manifests and the marks beside them tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// The database's label.
    pub database: String,
    /// The newest backup that is not known to be corrupt.
    pub good: Option<Past>,
    /// The newest of all, if it is corrupt.
    pub corrupt: Option<Past>,
    /// When anything was found out about any of them last.
    pub verified: Option<DateTime<Utc>>,
    /// When the newest that was found good was whole.
    pub proven: Option<DateTime<Utc>>,
}

impl Stock {
    /// Nothing yet.
    pub fn new(database: &str) -> Self {
        let database = database.to_owned();
        Self { database, good: None, corrupt: None, verified: None, proven: None }
    }

    /// Adds a backup that is older than all so far.
    pub fn add(&mut self, backup: &Backup) {
        if self.good.is_none() && self.corrupt.is_none() && backup.is_corrupt() {
            self.corrupt = Some(backup.into());
        }
        if self.good.is_none() && !backup.is_corrupt() {
            self.good = Some(backup.into());
        }
        let mark = backup.verified();
        self.verified = self.verified.max(mark.map(|mark| mark.at));
        if mark.is_some() && !backup.is_corrupt() {
            self.proven.get_or_insert(backup.manifest.ended);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{self, tests::manifest};
    use crate::sidecar::Notes;
    use crate::verify::{Mark, Outcome};

    #[test]
    fn the_newest_good_one_is_not_the_newest_corrupt_one() {
        let backup = |age: i64, found: Option<Outcome>| {
            let object = format!("{age}.sql");
            let manifest = Box::new(manifest("j", "db", age, &object));
            let verified = found.map(|outcome| Mark::new(manifest.started, outcome));
            let notes = Notes { pinned: false, verified: verified.into_iter().collect() };
            Backup { manifest_name: manifest::name_for(&object), manifest, notes }
        };
        let stock = |all: &[Backup]| {
            let mut stock = Stock::new("db");
            for backup in all {
                stock.add(backup);
            }
            let name = |past: &Option<Past>| past.as_ref().map(|past| past.object.clone());
            (name(&stock.good), name(&stock.corrupt), stock)
        };
        let [first, second, third, fourth] = [
            backup(1, Some(Outcome::Corrupt)),
            backup(2, None),
            backup(3, Some(Outcome::Corrupt)),
            backup(4, Some(Outcome::Bytes)),
        ];
        let (good, corrupt, all) = stock(&[first.clone(), second.clone(), third, fourth.clone()]);
        assert_eq!((good.as_deref(), corrupt.as_deref()), (Some("2.sql"), Some("1.sql")));
        assert_eq!(all.proven, Some(fourth.manifest.ended));
        assert_eq!(all.verified, first.verified().map(|mark| mark.at));
        let (good, corrupt, _) = stock(&[second, first.clone()]);
        assert_eq!((good.as_deref(), corrupt), (Some("2.sql"), None));
        let (good, corrupt, _) = stock(&[first]);
        assert_eq!((good, corrupt.as_deref()), (None, Some("1.sql")));
    }
}
