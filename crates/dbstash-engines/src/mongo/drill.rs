//! A drill: into a database of its own on a server of the user's.

use dbstash_core::checkup::Tool;
use dbstash_core::drill::{Census, Drill, Found, Goal, Granted, Ground, Permit, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::Source;
use dbstash_core::load::Extent;

use super::load::{ALL, asking};
use super::{ASKER, address};
use crate::rows::rows;

/// Roles that change nothing.
const READING: [&str; 4] = ["read", "readAnyDatabase", "backup", "clusterMonitor"];

pub(super) fn drill(ground: &Ground<'_>) -> Result<Drill, PlanError> {
    ground.refuse_private()?;
    if ground.manifest.database == ALL {
        return Err(PlanError(
            "a dump of all databases has no drill: BACKUP_SPLIT_DATABASES=true makes one of each that has".to_owned(),
        ));
    }
    let Place::Scratch(engine, source @ Source::Server(server), database) = ground.place else {
        return Err(PlanError("DRILL_URI has to name a server: mongodb://user@host".to_owned()));
    };
    if !ground.assertions.is_empty() {
        return Err(PlanError("DRILL_SQL is not for mongo, which has no SQL".to_owned()));
    }
    let question = asking(server, "counts", &[database])?;
    Ok(Drill {
        goal: Some(Goal {
            engine,
            source: source.clone(),
            database: database.to_owned(),
            extent: Extent::default(),
        }),
        census: Some(Census { question, read: Box::new(read) }),
        dropped: Some(asking(server, "drop", &[database])?),
        tools: vec![Tool::any("mongorestore", "--version", "MongoDB's database tools")],
        permit: address::for_driver(server).ok().map(|content| {
            let mut question = Invocation::new(ASKER, ["checkup"]);
            question.args.push(Arg::File { before: String::new(), content });
            Permit { question, read: granted }
        }),
        ..Drill::new()
    })
}

/// Of a role that is not known here it is not known, either.
fn granted(said: &str) -> Granted {
    let rows = rows::<3>(said.as_bytes());
    let of = |kind: &'static str| rows.iter().filter(move |row| row[0] == kind);
    let (server, user) = (of("server").next(), of("user").next());
    let name =
        |row: Option<&[String; 3]>, none: &str| row.map_or(none.to_owned(), |row| row[1].clone());
    let mut told = Granted {
        user: name(user, "everybody"),
        server: format!("MongoDB {}", name(server, "")),
        ..Granted::default()
    };
    if let Some([_, user, home]) = user
        && of("role").all(|row| READING.contains(&&*row[1]))
    {
        told.lacks.push((
            format!("{user} may write no scratch database at DRILL_URI"),
            format!(
                "in {home}: db.grantRolesToUser(\"{user}\", [{{role: \"readWriteAnyDatabase\", db: \"admin\"}}, {{role: \
                 \"dbAdminAnyDatabase\", db: \"admin\"}}])"
            ),
        ));
    }
    told
}

/// A number and a name, each ended by a NUL.
fn read(said: &str) -> Result<Found, String> {
    let one = |said: &str| {
        let (count, name) = said.split_once(' ')?;
        Some((name.to_owned(), Some(count.parse().ok()?)))
    };
    let all = said.split_terminator('\0').map(|said| one(said).ok_or(said));
    all.collect::<Result<_, _>>().map_err(|said| format!("the count of documents is {said:?}"))
}

#[cfg(test)]
mod tests {
    use dbstash_core::job::EngineKey;
    use dbstash_core::manifest::Manifest;

    use super::*;
    use crate::conn::parse_uri;

    #[test]
    fn all_databases_are_no_scratch_database() {
        let drilled = |of: &str| {
            let text = format!(
                r#"{{"format": 1, "id": "x", "job": "j", "engine": "mongo", "database": "{of}", "mode": "stream",
                  "objects": [{{"name": "x.archive", "format": "archive", "bytes": 1, "raw_bytes": 1,
                  "sha256": "{:064}", "encodings": [], "check": "blocks"}}], "started": "2026-01-01T00:00:00Z",
                  "ended": "2026-01-01T00:00:01Z", "host": "h", "dbstash": "0"}}"#,
                0
            );
            let manifest = Manifest::read("x.archive.dbstash.json", text.as_bytes()).unwrap();
            let source = parse_uri("mongodb://u:geheim@h").unwrap().source;
            let place = Place::Scratch(EngineKey::Mongo, &source, "dbstash_drill_x");
            let drill = drill(&Ground { manifest: &manifest, place, assertions: &[] });
            drill.map(|drill| drill.dropped.unwrap().to_string()).map_err(|error| error.to_string())
        };
        let dropped = "dbstash-mongo drop <private file> dbstash_drill_x".to_owned();
        assert_eq!(drilled("shop"), Ok(dropped));
        assert!(drilled("*").unwrap_err().contains("BACKUP_SPLIT_DATABASES=true"));
    }

    #[test]
    fn who_may_write() {
        let told = |rows: &str| granted(&format!("server\x007.0.5\0\0{rows}"));
        assert_eq!((&*told("").user, &*told("").server), ("everybody", "MongoDB 7.0.5"));
        let reader = told("user\0d\0admin\0role\0read\0shop\0role\0backup\0admin\0");
        assert!(reader.lacks[0].1.contains("in admin: db.grantRolesToUser(\"d\""), "{reader:?}");
        for role in ["root", "readWriteAnyDatabase", "ours"] {
            assert_eq!(told(&format!("user\0d\0admin\0role\0{role}\0admin\0")).lacks, []);
        }
    }

    #[test]
    fn answers() {
        let found = read("3 a b\0\x30 c\nd\0").unwrap();
        let wanted = [("a b", Some(3)), ("c\nd", Some(0))];
        assert_eq!(found, wanted.map(|(name, count)| (name.to_owned(), count)).into());
        assert!(read("x y\0").is_err());
    }
}
