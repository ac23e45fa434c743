//! What a database is, as a text.

use std::fmt::Write as _;

use super::{Family, MysqlServer, quoted};

/// What has a name and a `SHOW CREATE`: its kind, its table in the information schema, the columns
/// of its name and its database, and what else selects it.
const KINDS: [(&str, &str, &str, &str, &str); 7] = [
    ("TABLE", "tables", "table_name", "table_schema", "table_type NOT IN ('VIEW', 'SEQUENCE')"),
    ("VIEW", "tables", "table_name", "table_schema", "table_type = 'VIEW'"),
    ("SEQUENCE", "tables", "table_name", "table_schema", "table_type = 'SEQUENCE'"),
    ("TRIGGER", "triggers", "trigger_name", "trigger_schema", "1"),
    ("EVENT", "events", "event_name", "event_schema", "1"),
    ("PROCEDURE", "routines", "routine_name", "routine_schema", "routine_type = 'PROCEDURE'"),
    ("FUNCTION", "routines", "routine_name", "routine_schema", "routine_type = 'FUNCTION'"),
];

/// See [`MysqlServer::digest`].
pub(super) fn digest(server: &MysqlServer, database: &str) -> String {
    let mut digest = String::new();
    let schema = format!("'{}'", database.replace('\'', "''"));
    for (kind, table, column, home, which) in KINDS {
        let names = format!(
            "SELECT {column} FROM information_schema.{table} WHERE {home} = {schema} AND {which} ORDER BY BINARY {column}"
        );
        for name in server.sql(database, &names).lines() {
            let name = quoted(name);
            let created = server.sql(database, &format!("SHOW CREATE {kind} {name}"));
            // A trigger's birthday is told, too.
            let created = match kind {
                "TRIGGER" => created.rsplit_once('\t').map_or("", |(before, _)| before),
                _ => &created,
            };
            let _ = writeln!(digest, "{kind} {}", created.replace(database, "<db>"));
            let content = match kind {
                "TABLE" => format!("SELECT COUNT(*) FROM {name}; CHECKSUM TABLE {name} EXTENDED"),
                "VIEW" => format!("SELECT COUNT(*) FROM {name}"),
                // Its last value may have been given away unseen, in a cache.
                "SEQUENCE" => format!("SELECT next_not_cached_value FROM {name}"),
                _ => continue,
            };
            let content = server.sql(database, &content);
            let _ = writeln!(digest, "{name}: {}", content.replace(database, "<db>"));
        }
    }
    if server.family() == Family::Mariadb {
        history(server, database, &schema, &mut digest);
    }
    let charset = format!(
        "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = {schema}"
    );
    let _ = writeln!(digest, "{}", server.sql(database, &charset));
    digest
}

/// The rows that system-versioned tables had once.
fn history(server: &MysqlServer, database: &str, schema: &str, digest: &mut String) {
    let names = format!(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = {schema} AND table_type = 'SYSTEM VERSIONED' ORDER BY 1"
    );
    for name in server.sql(database, &names).lines() {
        let query = format!(
            "SELECT *, row_start, row_end FROM {} FOR SYSTEM_TIME ALL ORDER BY 1, row_start",
            quoted(name)
        );
        let _ = writeln!(digest, "{}", server.sql(database, &query));
    }
}
