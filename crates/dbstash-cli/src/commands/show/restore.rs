//! How a backup is restored with rclone and the database's own tools.

use dbstash_core::catalog::Backup;
use dbstash_core::job::EngineKey;
use dbstash_core::manifest::{Manifest, Object};
use shell_words::quote;

/// Command lines, to be completed with where to: in their order. None for what this version does not know.
pub(super) fn hints(backup: &Backup, root: &str) -> Vec<String> {
    let manifest = &backup.manifest;
    let slash = if root.ends_with([':', '/']) { "" } else { "/" };
    let mut hints: Vec<String> = manifest
        .objects
        .iter()
        .zip(backup.objects())
        .filter_map(|(object, name)| {
            let path = quote(&format!("{root}{slash}{name}")).into_owned();
            object_hint(manifest, object, &path)
        })
        .collect();
    // What is beside the dump, roles, comes first.
    hints.reverse();
    hints
}

fn object_hint(manifest: &Manifest, object: &Object, path: &str) -> Option<String> {
    let is_dump = manifest.dump().is_some_and(|dump| dump.name == object.name);
    if object.files.is_some() {
        let copy = format!("rclone copy {path} dump");
        return tree(manifest, object).map(|load| format!("{copy} && {load}"));
    }
    let unpack: Option<String> = object
        .encodings
        .iter()
        .rev()
        .map(|encoding| match encoding.split(':').next() {
            Some("zstd") => Some(" | zstd -d"),
            Some("gzip") => Some(" | gzip -d"),
            _ => None,
        })
        .collect();
    let cat = format!("rclone cat {path}{}", unpack?);
    if is_dump && manifest.mode == "tar" {
        let load = tree(manifest, object)?;
        return Some(format!(
            "mkdir dump && {cat} | tar -x -C dump --strip-components=1 && {load}"
        ));
    }
    if !is_dump && object.name.rsplit('.').next() != Some("sql") {
        return None;
    }
    // What the name says and we have not done, the tool has.
    let by_tool = object.encodings.is_empty();
    let gzip = by_tool && object.name.rsplit('.').next() == Some("gz");
    let load = match (manifest.engine, &*object.format) {
        (EngineKey::Pg, "plain") if !is_dump || manifest.database == "*" => "psql -d postgres",
        (EngineKey::Pg, "plain") => {
            let psql = "psql --single-transaction -v ON_ERROR_STOP=1 -d NEW_DATABASE";
            let unpack = match object.name.rsplit('.').next() {
                Some("gz") if by_tool => " | gzip -d",
                Some("zst") if by_tool => " | zstd -d",
                Some("lz4") if by_tool => " | lz4 -d",
                _ => "",
            };
            return Some(format!("{cat}{unpack} | {psql}"));
        }
        (EngineKey::Pg, "custom" | "tar") => "pg_restore -d NEW_DATABASE",
        (EngineKey::Mysql, "plain") => "mysql NEW_DATABASE",
        (EngineKey::Mariadb, "plain") => "mariadb NEW_DATABASE",
        (EngineKey::Mongo, "archive") if gzip => "mongorestore --archive --gzip",
        (EngineKey::Mongo, "archive") => "mongorestore --archive",
        (EngineKey::Sqlite, "plain") => "sqlite3 NEW.db",
        (EngineKey::Sqlite, "file") => return Some(format!("{cat} > NEW.db")),
        (EngineKey::Redis, "rdb") => {
            return Some(format!(
                "{cat} > dump.rdb   # in the place of a stopped server's; start it with --appendonly no"
            ));
        }
        _ => return None,
    };
    Some(format!("{cat} | {load}"))
}

/// What loads the files of a folder called `dump`.
fn tree(manifest: &Manifest, object: &Object) -> Option<&'static str> {
    Some(match (manifest.engine, &*object.format) {
        (EngineKey::Pg, "directory") => "pg_restore -j 4 -d NEW_DATABASE dump",
        (EngineKey::Mysql, "sql-files") => "cat dump/*.sql | mysql NEW_DATABASE",
        (EngineKey::Mariadb, "sql-files") => "cat dump/*.sql | mariadb NEW_DATABASE",
        (EngineKey::Mongo, "directory") => "mongorestore dump",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use dbstash_core::engine::Passed;
    use dbstash_core::manifest::name_for;
    use dbstash_core::sidecar::Notes;

    use super::*;

    fn hint(engine: EngineKey, mode: &str, objects: &[(&str, &str, &[&str])]) -> Vec<String> {
        let objects = objects.iter().map(|(name, format, encodings)| Object {
            name: name.trim_end_matches('/').to_owned(),
            files: name.ends_with('/').then_some(3),
            names: None,
            format: (*format).to_owned(),
            bytes: 1,
            raw_bytes: 1,
            sha256: String::new(),
            encodings: encodings.iter().map(|&one| one.to_owned()).collect(),
            passed: Passed::by("footer"),
            counts: dbstash_core::tally::Counts::Untold,
        });
        let manifest = Manifest {
            format: 1,
            id: "x".into(),
            job: "j".parse().unwrap(),
            engine,
            database: "shop".into(),
            mode: mode.into(),
            objects: objects.collect(),
            started: chrono::Utc::now(),
            ended: chrono::Utc::now(),
            host: "h".into(),
            dbstash: "1".into(),
        };
        let manifest_name = name_for(&format!("a/{}", manifest.objects[0].name));
        let manifest = Box::new(manifest);
        hints(&Backup { manifest_name, manifest, notes: Notes::default() }, "s3:b")
    }

    #[test]
    fn each_form_has_its_way_back() {
        let one = |engine, name, format, encodings: &[&str]| {
            hint(engine, "stream", &[(name, format, encodings)]).concat()
        };
        assert_eq!(
            one(EngineKey::Pg, "x y.sql.zst", "plain", &["zstd"]),
            "rclone cat 's3:b/a/x y.sql.zst' | zstd -d | psql --single-transaction -v \
             ON_ERROR_STOP=1 -d NEW_DATABASE"
        );
        assert_eq!(
            one(EngineKey::Mongo, "x.archive.gz", "archive", &[]),
            "rclone cat s3:b/a/x.archive.gz | mongorestore --archive --gzip"
        );
        assert_eq!(
            one(EngineKey::Mongo, "x.archive.gz", "archive", &["gzip"]),
            "rclone cat s3:b/a/x.archive.gz | gzip -d | mongorestore --archive"
        );
        assert_eq!(one(EngineKey::Sqlite, "x.db", "file", &[]), "rclone cat s3:b/a/x.db > NEW.db");
        assert_eq!(
            hint(
                EngineKey::Pg,
                "directory",
                &[("x/", "directory", &[]), ("x.sha256", "list", &[])]
            ),
            ["rclone copy s3:b/a/x/ dump && pg_restore -j 4 -d NEW_DATABASE dump"]
        );
        assert_eq!(
            hint(EngineKey::Mysql, "tar", &[("x.tar.gz", "sql-files", &["gzip"])]),
            ["mkdir dump && rclone cat s3:b/a/x.tar.gz | gzip -d | tar -x -C dump \
              --strip-components=1 && cat dump/*.sql | mysql NEW_DATABASE"]
        );
        let roles = [("x.dump", "custom", &[][..]), ("x.globals.sql", "plain", &[])];
        assert_eq!(
            hint(EngineKey::Pg, "stream", &roles),
            [
                "rclone cat s3:b/a/x.globals.sql | psql -d postgres",
                "rclone cat s3:b/a/x.dump | pg_restore -d NEW_DATABASE"
            ]
        );
        assert_eq!(one(EngineKey::Pg, "x", "unheard-of", &[]), "");
        assert_eq!(one(EngineKey::Pg, "x", "plain", &["rot13"]), "");
    }
}
