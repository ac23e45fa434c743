//! A dump of all databases, with the server's own tables of users and rights, into a server that has no databases yet.

use std::fmt::Write as _;

use dbstash_core::engine::PlanError;
use dbstash_core::load::{Load, MARK, Stage, Survey, Target, Wish};

use super::super::{Dialect, OWN_DATABASES};
use super::translation::Translation;
use super::{At, loading, mark, name};

pub(super) fn survey(to: &At<'_>) -> Result<Survey, PlanError> {
    let mut text = format!(
        "SELECT 'version', VERSION(); SELECT 'mark', table_comment FROM information_schema.tables WHERE table_schema \
         = '{MARK}' AND table_name = '{MARK}'; "
    );
    let _ = write!(
        text,
        "SELECT 'database', REPLACE(schema_name, CHAR(10), '?') FROM information_schema.schemata WHERE schema_name \
         NOT IN ({OWN_DATABASES}, '{MARK}') ORDER BY 2"
    );
    Ok(Survey::Ask { question: to.statement(&text)?, read, missing: |_| None })
}

fn read(said: &str) -> Result<Target, String> {
    let mut target = Target { exists: true, ..Target::default() };
    for line in said.lines() {
        match line.split_once('\t') {
            Some(("version", version)) => target.version = Some(version.to_owned()),
            Some(("mark", of)) => target.mark = Some(of.to_owned()),
            Some(("database", name)) => target.holds.push(format!("database {name}")),
            _ => return Err(format!("the client says: {line:.200}")),
        }
    }
    match target.version {
        Some(_) => Ok(target),
        None => Err("the client says nothing of the server's version".to_owned()),
    }
}

/// The mark is a database of its own, and a table in each that has begun. One session loads all of it, for afterwards the login may be another one, and
/// takes the mark away.
pub(super) fn load(of: Dialect, wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    wish.refuse_parts("a dump of all databases")?;
    let to = At::of(of, wish)?;
    let there = target.version.as_deref().unwrap_or_default();
    let version = wish.dump()?.passed.server_version.as_deref().and_then(series);
    if version.is_none() || version != series(there) || Dialect::of_version(Some(there)) != Some(of)
    {
        let version = version
            .map_or("of a version that it does not tell".to_owned(), |(a, b)| format!("{a}.{b}"));
        return Err(PlanError(format!(
            "a dump of all databases has the server's own tables in it, and goes only into {} {version}, and this is \
             {there}: BACKUP_SPLIT_DATABASES=true makes backups of each database, which go into newer ones",
            of.name()
        )));
    }
    if !target.holds.is_empty() {
        return Err(PlanError(format!(
            "all databases are restored only into a server without databases of its own, also with --clean, and this \
             one has: {}{}",
            target.holds.join(", "),
            if target.mark.is_some() { ", of an interrupted restore: drop them first" } else { "" }
        )));
    }
    let mut notes = Vec::new();
    let mut after = format!("\nDROP DATABASE `{MARK}`;\n");
    if !wish.extent.bare {
        notes.push(
            "users, passwords and rights become those of the backup: afterwards this login may be no longer valid"
                .to_owned(),
        );
        after.insert_str(0, "\nFLUSH PRIVILEGES;");
    }
    let mut stages = loading(wish, 1, to.loader(None)?, Vec::new(), &mut notes)?;
    if let Some(Stage::Script(script)) = stages.last_mut() {
        script.after = after;
        // Whose part is not complete is no backup by itself either. Views come after the tables of all.
        let translation = Translation::new(of, to.dialect, of, there);
        let comment = mark::comment(&wish.manifest.id, "");
        script.edit = Some(Box::new(translation.marking(comment)));
    }
    let prepared = format!(
        "DROP DATABASE IF EXISTS `{MARK}`; CREATE DATABASE `{MARK}`; {}",
        mark::marking(&name(MARK), &wish.manifest.id, "")
    );
    let at = stages.len() - 1;
    let invocation = to.statement(&prepared)?;
    stages.insert(at, Stage::Run { what: "the target cannot be marked", invocation });
    Ok(Load { stages, mark: Some(at), notes, ..Load::default() })
}

/// `10.11` of `10.11.14-MariaDB`: within it, the server's own tables stay the same.
fn series(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use dbstash_core::job::EngineKey;
    use dbstash_core::load::Extent;
    use dbstash_core::manifest::Manifest;

    use super::*;
    use crate::conn::parse_uri;

    #[test]
    fn answers_are_read() {
        let said = "version\t9.7.0\nmark\t2026-x\ndatabase\ta b\ndatabase\tshop\n";
        let target = read(said).unwrap();
        assert_eq!(target.version.as_deref(), Some("9.7.0"));
        assert_eq!(target.mark.as_deref(), Some("2026-x"));
        assert_eq!(target.holds, ["database a b", "database shop"]);
        assert!(read("database\tshop\n").is_err() && read("version\t9\nwhat\n").is_err());
    }

    #[test]
    fn the_servers_own_tables_go_only_into_their_like() {
        let refused = |of: Option<&str>, there: &str| {
            let version = of.map_or(String::new(), |of| format!(r#""server_version": "{of}","#));
            let text = format!(
                r#"{{"format": 1, "id": "x", "job": "j", "engine": "mariadb", "database": "*", "mode": "stream",
                  "objects": [{{"name": "x.sql", "format": "plain", "bytes": 1, "raw_bytes": 1, "sha256": "{:064}",
                  {version} "encodings": [], "check": "footer", "tool_version": "1"}}],
                  "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:01Z", "host": "h", "dbstash": "0"}}"#,
                0
            );
            let manifest = Manifest::read("x.sql.dbstash.json", text.as_bytes()).unwrap();
            let source = parse_uri("mysql://u@h").unwrap().source;
            let (engine, database, extent) = (EngineKey::Mariadb, "*", Extent::default());
            let wish = Wish {
                manifest: &manifest,
                engine,
                source: &source,
                database,
                extent: &extent,
                clean: true,
                jobs: 1,
            };
            let target = Target { version: Some(there.to_owned()), ..Target::default() };
            load(Dialect::Mariadb, &wish, &target).err().map(|error| error.to_string())
        };
        let ours = Some("10.11.14-MariaDB");
        assert_eq!(refused(ours, "10.11.2-MariaDB"), None);
        for (of, there) in [(ours, "10.6.2-MariaDB"), (ours, "11.8.1-MariaDB"), (ours, "10.11.0")] {
            let told = refused(of, there).unwrap();
            assert!(told.contains("goes only into MariaDB 10.11, and this is"), "{told}");
        }
        let told = refused(None, "10.11.14-MariaDB").unwrap();
        assert!(told.contains("of a version that it does not tell"), "{told}");
    }

    #[test]
    fn a_series_has_the_same_tables() {
        assert_eq!(series("10.11.14-MariaDB-0+deb12u2"), Some((10, 11)));
        assert_eq!(series("9.7.0"), Some((9, 7)));
        assert_eq!(series("9"), None);
    }
}
