//! What complaints of a restore mean, and the way out.

/// One sentence for a known complaint of psql or pg_restore at a target.
pub(in super::super) fn explain(stderr: &str) -> Option<String> {
    let has = |text: &str| stderr.contains(text);
    if has("permission denied to create database") {
        return Some(
            "the role may not make databases: make it first, or ALTER ROLE ... CREATEDB".to_owned(),
        );
    }
    // What a dump tool says has other reasons.
    if !has("psql:<stdin>") && !has("pg_restore: ") {
        return None;
    }
    let named = |before: &str, after: &str| {
        stderr.lines().find_map(|line| {
            let rest = &line[line.find(before)? + before.len()..];
            rest.find(after).map(|end| rest[..end].to_owned())
        })
    };
    if let Some(role) = named("ERROR:  role \"", "\" does not exist") {
        return Some(format!(
            "the target has no role \"{role}\": make it first, or --globals makes the roles that are stored beside \
             the backup, or --no-owner leaves out what is of roles"
        ));
    }
    if let Some(role) = named("must be member of role \"", "\"")
        .or_else(|| named("must be able to SET ROLE \"", "\""))
    {
        return Some(format!(
            "something of the backup belongs to \"{role}\", and the role of the target is no member of it: restore as \
             a superuser, or GRANT it, or with --no-owner"
        ));
    }
    if let Some(extension) = named("extension \"", "\" is not available") {
        return Some(format!(
            "the target's server lacks the extension \"{extension}\": install its package there"
        ));
    }
    if let Some(extension) = named("permission denied to create extension \"", "\"") {
        return Some(format!(
            "only a superuser may make the extension \"{extension}\": make it in the database first, or restore as one"
        ));
    }
    if let Some(space) = named("ERROR:  tablespace \"", "\" does not exist") {
        return Some(format!("the target has no tablespace \"{space}\": make it first"));
    }
    if has("canceling statement due to lock timeout") {
        return Some(
            "somebody uses what is to be replaced: end those sessions (pg_stat_activity shows them), and try again"
                .to_owned(),
        );
    }
    if has("the backup is in SQL_ASCII, and the database in ") {
        return Some(
            "a database of another encoding could not read all of its text: make it first, by CREATE DATABASE ... \
             TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"
                .to_owned(),
        );
    }
    if has("invalid byte sequence for encoding") || has("has no equivalent in encoding") {
        return Some(
            "the database's encoding does not have all of its text: make it first, by CREATE DATABASE ... TEMPLATE \
             template0 ENCODING that of the dump"
                .to_owned(),
        );
    }
    if has("max_locks_per_transaction") {
        return Some(
            "the server has too few locks for so much in one transaction: raise max_locks_per_transaction, or \
             --jobs 2, which uses none (not for plain SQL)"
                .to_owned(),
        );
    }
    if has("unsupported version (") && has("in file header") {
        return Some(
            "pg_restore is older than the tool that made the dump: use a newer client".to_owned(),
        );
    }
    // In the middle of a block it says only that.
    if has("No space left on device") || has("could not extend file") && has(": wrote only ") {
        return Some("the target's disk is full".to_owned());
    }
    if has("must be owner of") || has("permission denied for") {
        return Some(
            "the role of the target lacks rights there: restore as the database's owner or a superuser".to_owned(),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_complaints() {
        for (stderr, told) in [
            ("psql:<stdin>:9: ERROR:  role \"bob\" does not exist", "no role \"bob\""),
            ("psql:<stdin>:9: ERROR:  must be member of role \"a b\"", "belongs to \"a b\""),
            ("pg_restore: error: x: ERROR:  must be able to SET ROLE \"a\"", "belongs to \"a\""),
            (
                "psql:<stdin>:9: ERROR:  extension \"postgis\" is not available\nDETAIL:  Could",
                "lacks the extension \"postgis\"",
            ),
            (
                "psql:<stdin>:4: ERROR:  invalid byte sequence for encoding \"UTF8\": 0xe9",
                "TEMPLATE template0",
            ),
            (
                "psql:<stdin>:4: ERROR:  could not extend file \"base/5/1\": No space left on device",
                "disk is full",
            ),
            (
                "psql:<stdin>:7: ERROR:  the backup is in SQL_ASCII, and the database in UTF8",
                "ENCODING 'SQL_ASCII' LOCALE 'C'",
            ),
            (
                "psql:<stdin>:4: ERROR:  could not extend file \"base/5/1\": wrote only 4096 of 8192 bytes",
                "disk is full",
            ),
            ("psql:<stdin>:1: ERROR:  canceling statement due to lock timeout", "somebody uses"),
            ("ERROR:  permission denied to create database", "CREATEDB"),
            ("psql:<stdin>:4: ERROR:  permission denied for schema public", "lacks rights"),
        ] {
            let sentence = explain(stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{sentence}");
        }
        assert_eq!(explain("pg_dump: error: query failed: ERROR:  permission denied for x"), None);
    }
}
