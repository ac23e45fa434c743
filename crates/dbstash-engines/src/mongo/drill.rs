//! A drill: into a database of its own on a server of the user's.

use dbstash_core::drill::{Census, Drill, Found, Goal, Ground, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::job::Source;
use dbstash_core::load::Extent;

use super::load::asking;

pub(super) fn drill(ground: &Ground<'_>) -> Result<Drill, PlanError> {
    ground.refuse_private()?;
    let Place::Scratch(engine, source @ Source::Server(server), database) = ground.place else {
        return Err(PlanError("DRILL_URI has to name a server: mongodb://user@host".to_owned()));
    };
    if !ground.assertions.is_empty() {
        return Err(PlanError("DRILL_SQL is not for mongo, which has no SQL".to_owned()));
    }
    let question = asking(server, database, "counts", &[])?;
    Ok(Drill {
        goal: Some(Goal {
            engine,
            source: source.clone(),
            database: database.to_owned(),
            extent: Extent::default(),
        }),
        census: Some(Census { question, read: Box::new(read) }),
        dropped: Some(asking(server, database, "drop", &[])?),
        ..Drill::new()
    })
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
    use super::*;

    #[test]
    fn answers() {
        let found = read("3 a b\0\x30 c\nd\0").unwrap();
        let wanted = [("a b", Some(3)), ("c\nd", Some(0))];
        assert_eq!(found, wanted.map(|(name, count)| (name.to_owned(), count)).into());
        assert!(read("x y\0").is_err());
    }
}
