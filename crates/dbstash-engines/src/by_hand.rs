//! The lines for bash that load a backup with stock tools. The sums of its objects were compared before them.

use std::fmt::Write as _;

use dbstash_core::invocation::quoted;
use dbstash_core::job::Source;
use dbstash_core::manifest::{Manifest, Object};
use dbstash_core::recipe::Subject;

/// What a line of ours starts with where somebody may have said another value before.
fn unless_set(name: &str, value: &str) -> String {
    format!("[[ -n ${{{name}-}} ]] || {name}={}", quoted(value))
}

fn is_whole_server(manifest: &Manifest) -> bool {
    manifest.database == "*"
}

/// The database it goes to.
fn database(stored: Subject<'_>) -> String {
    let name = stored.goal.map_or(&*stored.manifest.database, |(_, database)| database);
    unless_set("DATABASE", name)
}

/// What the tool itself did to its stream, by the name's end: ours is undone before.
fn by_tool(object: &Object) -> &'static str {
    match object.name.rsplit('.').next() {
        _ if !object.encodings.is_empty() => "",
        Some("gz") => " | gzip -d",
        Some("zst") => " | zstd -d",
        Some("lz4") => " | lz4 -d",
        _ => "",
    }
}

/// The address of a server as variables of its client, and where the password goes.
fn address(stored: Subject<'_>, names: [&str; 3], password: &str) -> Vec<String> {
    let Some((Source::Server(server), _)) = stored.goal else {
        return vec![format!(
            "# the server: {}, and {password} for the password",
            names.join(", ")
        )];
    };
    let host = server.hosts.first();
    let port = host.and_then(|host| host.port).map(|port| port.to_string());
    let values = [host.map(|host| host.name.clone()), port, server.user.clone()];
    let set = names
        .iter()
        .zip(values)
        .filter_map(|(name, value)| value.map(|value| format!("export {name}={}", quoted(&value))));
    set.chain([format!("# the password: {password}")]).collect()
}

const PSQL: &str = "psql -X -q -v ON_ERROR_STOP=1 >/dev/null";

/// An archive as a script. Of a tar pg_restore leaves the end unread, and whoever writes that would fail.
const UNPACK: &str = "{ code=0; pg_restore --file=- || code=$?; cat >/dev/null; exit \"$code\"; }";

/// One transaction, whose end is said only when all of it has come.
fn in_one(pipe: &str) -> String {
    format!("{{ echo 'BEGIN;'; {pipe} && echo 'COMMIT;'; }} | {PSQL}")
}

pub(crate) fn pg(stored: Subject<'_>) -> Option<Vec<String>> {
    let manifest = stored.manifest;
    let dump = manifest.dump()?;
    let mut lines = address(stored, ["PGHOST", "PGPORT", "PGUSER"], "PGPASSWORD or ~/.pgpass");
    let beside = manifest.objects.iter().skip(1);
    for roles in beside.filter(|object| object.format == "plain" && object.name.contains("globals"))
    {
        lines.push(
            "# roles and tablespaces: it complains of those that are there, and goes on".to_owned(),
        );
        lines.push(format!("{} | psql -X -q -d postgres >/dev/null", stored.pipe(roles)?));
    }
    if is_whole_server(manifest) {
        lines.push(
            "# into a new server; it complains of what every server has, and goes on".to_owned(),
        );
        lines.push(format!("{} | psql -X -q -d postgres >/dev/null", stored.pipe(dump)?));
        return Some(lines);
    }
    lines.push(database(stored));
    lines.push("createdb --template=template0 -- \"$DATABASE\"".to_owned());
    lines.push("export PGDATABASE=$DATABASE".to_owned());
    match (&*dump.format, &*manifest.mode) {
        ("plain", _) => lines.push(in_one(&format!("{}{}", stored.pipe(dump)?, by_tool(dump)))),
        ("custom" | "tar", _) => {
            lines.push(in_one(&format!("{} | {UNPACK}", stored.pipe(dump)?)));
        }
        ("directory", _) => {
            let (get, place) = stored.files(dump)?;
            lines.extend(get);
            lines.push(in_one(&format!("pg_restore --file=- {place}")));
        }
        _ => return None,
    }
    Some(lines)
}

/// What a dump says of the database that it is of, before its name: said literally, it would reach that one from any other.
const OF_DATABASE: [&str; 3] =
    ["ALTER DATABASE ", "USE ", r"CREATE DATABASE \/\*![0-9]* IF NOT EXISTS\*\/ "];

/// The lines that make `renamed` of the target's name: a sed that says it in the place of the former one.
fn renaming(from: &str) -> [String; 2] {
    let mut regex = String::from(r"`\{0,1\}");
    for c in from.replace('`', "``").chars() {
        if r"\/.*[]^$".contains(c) {
            regex.push('\\');
        }
        regex.push(c);
    }
    regex.push_str(r"`\{0,1\}");
    let dropped = quoted(&format!(r"/^\/\*!40000 DROP DATABASE IF EXISTS {regex}\*\/;/d"));
    let mut line = format!("renamed=(sed -e {dropped}");
    for before in OF_DATABASE {
        let from = quoted(&format!(r"s/^\({before}\){regex}\([; ]\)/\1`"));
        let _ = write!(line, r#" -e {from}"$name"'`\2/'"#);
    }
    [r#"name=$(printf '%s\n' "$DATABASE" | sed 's/`/``/g; s|[\\/&]|\\&|g')"#.to_owned(), line + ")"]
}

pub(crate) fn mysql(stored: Subject<'_>, client: &str) -> Option<Vec<String>> {
    let manifest = stored.manifest;
    let dump = manifest.dump()?;
    let mut lines =
        address(stored, ["MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER"], "MYSQL_PWD or ~/.my.cnf");
    let options =
        "--binary-mode --comments --default-character-set=utf8mb4 --max-allowed-packet=1G";
    // Not every client looks at these variables itself.
    let mut load = format!("load=({client} {options}");
    for (name, option) in [
        ("MYSQL_HOST", "host"),
        ("MYSQL_TCP_PORT", "port"),
        ("MYSQL_UNIX_PORT", "socket"),
        ("MYSQL_USER", "user"),
    ] {
        let _ = write!(load, " ${{{name}:+--{option}=\"${name}\"}}");
    }
    lines.push(load + ")");
    // Bytes are what is compared, and what names are sorted by.
    lines.push("export LC_ALL=C".to_owned());
    if !is_whole_server(manifest) {
        lines.push(database(stored));
        lines.push(
            "\"${load[@]}\" --execute=\"CREATE DATABASE \\`${DATABASE//\\`/\\`\\`}\\`\"".to_owned(),
        );
        lines.push("load+=(--database=\"$DATABASE\")".to_owned());
        lines.extend(renaming(&manifest.database));
    }
    let load = if is_whole_server(manifest) {
        "\"${load[@]}\""
    } else {
        "\"${renamed[@]}\" | \"${load[@]}\""
    };
    match &*dump.format {
        "plain" => lines.push(format!("{} | {load}", stored.pipe(dump)?)),
        "sql-files" => {
            let (get, place) = stored.files(dump)?;
            lines.extend(get);
            lines.push(format!("cat {place}/*.sql | {load}"));
        }
        _ => return None,
    }
    Some(lines)
}

pub(crate) fn mongo(stored: Subject<'_>) -> Option<Vec<String>> {
    let dump = stored.manifest.dump()?;
    let mut lines = vec![unless_set("MONGO_URI", "mongodb://localhost")];
    // The password is in a file: not for a list of processes, nor among the files of a dump.
    let (place, gone) = if dump.format == "directory" {
        let (get, place) = stored.files(dump)?;
        lines.extend(get);
        (place, "\"$config\" \"$dump\"")
    } else {
        (String::new(), "\"$config\"")
    };
    lines.push(format!("config=$(mktemp); trap 'rm -rf {gone}' EXIT"));
    lines.push("printf 'uri: \"%s\"\\n' \"$MONGO_URI\" >\"$config\"".to_owned());
    let load = "mongorestore --config=\"$config\" --stopOnError";
    match &*dump.format {
        "archive" => {
            let gzip = if by_tool(dump).is_empty() { "" } else { " --gzip" };
            lines.push(format!("{} | {load} --archive{gzip}", stored.pipe(dump)?));
        }
        "directory" => {
            lines.push(format!("gzip=$(find {place} -name '*.bson.gz' -print -quit)"));
            lines.push(format!("{load} ${{gzip:+--gzip}} --dir={place}"));
        }
        _ => return None,
    }
    Some(lines)
}

pub(crate) fn redis(stored: Subject<'_>) -> Option<Vec<String>> {
    let dump = stored.manifest.dump().filter(|dump| dump.format == "rdb")?;
    let mut lines = vec![target(stored, "dump.rdb")];
    lines.extend(new_file(&format!("{} >\"$new/file\"", stored.pipe(dump)?), &[]));
    lines.push(
        "# in the place of a stopped server's file; start that with --appendonly no".to_owned(),
    );
    Some(lines)
}

pub(crate) fn sqlite(stored: Subject<'_>) -> Option<Vec<String>> {
    let dump = stored.manifest.dump()?;
    let pipe = stored.pipe(dump)?;
    let make = match &*dump.format {
        "plain" => format!("{pipe} | sqlite3 -batch -bail -init /dev/null \"$new/file\""),
        "file" => format!("{pipe} >\"$new/file\""),
        _ => return None,
    };
    let name = format!("{}.db", stored.manifest.database.replace('/', "_"));
    Some([vec![target(stored, &name)], new_file(&make, &["-wal", "-journal"])].concat())
}

fn target(stored: Subject<'_>, name: &str) -> String {
    match stored.goal {
        Some((Source::File(path), _)) => unless_set("TARGET", &path.to_string_lossy()),
        _ => unless_set("TARGET", name),
    }
}

/// Makes a file beside its place. With what `ends` name there, left of another one, it would not be what was stored.
fn new_file(make: &str, ends: &[&str]) -> Vec<String> {
    let absent = |end: &&str| {
        let name = format!("$TARGET{end}");
        format!("[[ ! -e {name} ]] || {{ echo \"{name} is there already\" >&2; exit 1; }}")
    };
    let mut lines: Vec<String> = std::iter::once(&"").chain(ends).map(absent).collect();
    lines.extend([
        "new=$TARGET.new-$$".to_owned(),
        "mkdir \"$new\"".to_owned(),
        make.to_owned(),
        "mv -n \"$new/file\" \"$TARGET\"".to_owned(),
        "rmdir \"$new\"".to_owned(),
    ]);
    lines
}

#[cfg(test)]
mod tests {
    use super::renaming;

    #[test]
    fn another_name_is_said_at_the_beginning_of_a_line() {
        let [name, renamed] = renaming("a`b/[c].*");
        assert!(name.contains("$DATABASE"), "{name}");
        let alter = r#" -e 's/^\(ALTER DATABASE \)`\{0,1\}a``b\/\[c\]\.\*`\{0,1\}\([; ]\)/\1`'"$name"'`\2/'"#;
        assert!(renamed.starts_with("renamed=(sed -e '/^") && renamed.contains(alter), "{renamed}");
        assert!(renaming("it's")[1].contains(r"it'\''s"));
    }
}
