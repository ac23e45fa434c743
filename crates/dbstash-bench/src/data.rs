//! The databases that are dumped.

use std::fmt;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use dbstash_testkit::{MysqlServer, PgServer, RedisServer, sqlite};

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Data {
    /// One of each common type: its dump shrinks to about a tenth.
    Mixed,
    /// Random text as dense as a plain dump permits: its dump does not shrink.
    Dense,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mixed => "mixed",
            Self::Dense => "dense",
        })
    }
}

/// Tables, filled at the same time.
const TABLES: u64 = 2;
/// Bytes of text in a row of the dense data; below what `PostgreSQL` would move out of line.
const DENSE_ROW: usize = 1000;
/// Bytes of a row of the mixed data in a dump, about.
const MIXED_ROW: u64 = 227;

impl Data {
    /// Makes the database, named like its data, with about this many bytes of plain dump.
    pub(crate) fn load(self, server: &PgServer, bytes: u64) {
        match self {
            Self::Mixed => server.createdb("mixed"),
            // One byte a character, of which all but a few pass through COPY as they are.
            Self::Dense => drop(server.psql(
                "postgres",
                "CREATE DATABASE dense OWNER stash TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'",
            )),
        }
        thread::scope(|scope| {
            for table in 0..TABLES {
                scope.spawn(move || match self {
                    Self::Mixed => mixed(server, table, bytes / TABLES / MIXED_ROW),
                    Self::Dense => dense(server, table, bytes / TABLES / (DENSE_ROW as u64 + 10)),
                });
            }
        });
        // What a first reader would have to write is written now.
        server.psql(&self.to_string(), "VACUUM (FREEZE, ANALYZE)");
    }
}

fn mixed(server: &PgServer, table: u64, rows: u64) {
    server.psql(
        "mixed",
        &format!(
            "SET ROLE stash;
            CREATE UNLOGGED TABLE event_{table} (
                id bigint, account integer, key uuid, kind text, at timestamptz, amount numeric(12, 2),
                ok boolean, note text, payload jsonb, closed date);
            INSERT INTO event_{table}
            SELECT i, i % 9973, md5((i % 500)::text)::uuid,
                (ARRAY['created', 'paid', 'shipped', 'returned', 'closed'])[1 + i % 5],
                timestamptz '2026-01-01 00:00:00+00' + i * interval '250 ms',
                ((i * 7919) % 1000000) / 100.0, i % 3 <> 0,
                CASE WHEN i % 7 = 0 THEN NULL ELSE 'order taken by the web shop, to be delivered '
                    || (ARRAY['today', 'tomorrow', 'next week'])[1 + i % 3] END,
                jsonb_build_object('source', 'web', 'items', i % 20, 'currency', 'EUR',
                    'tags', jsonb_build_array('new', 'gift', 'tag ' || i % 50)),
                CASE WHEN i % 4 = 0 THEN date '2026-01-01' + (i / 345600)::integer END
            FROM generate_series(1, {rows}::bigint) AS i;"
        ),
    );
}

fn dense(server: &PgServer, table: u64, rows: u64) {
    server.psql(
        "dense",
        &format!("SET ROLE stash; CREATE UNLOGGED TABLE noise_{table} (id bigint, noise text)"),
    );
    let mut psql = server
        .client("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "dense"])
        .args(["-c", &format!("COPY noise_{table} FROM STDIN")])
        .env("PGCLIENTENCODING", "LATIN1")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = BufWriter::with_capacity(1 << 20, psql.stdin.take().unwrap());
    let mut noise = Noise::new(table + 1);
    let mut text = [0; DENSE_ROW];
    for id in 0..rows {
        noise.fill(&mut text);
        write!(input, "{id}\t").unwrap();
        input.write_all(&text).unwrap();
        input.write_all(b"\n").unwrap();
    }
    drop(input.into_inner().unwrap());
    assert!(psql.wait().unwrap().success(), "COPY failed");
}

/// A file with about this many bytes of dump.
pub(crate) fn sqlite(file: &Path, bytes: u64) {
    let rows = bytes / 200;
    let _ = fs::remove_file(file);
    sqlite::run(
        file,
        &format!(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
            CREATE TABLE event (id INTEGER PRIMARY KEY, kind TEXT, amount REAL, note TEXT, payload TEXT);
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
            INSERT INTO event SELECT i, 'kind ' || i % 5, i * 0.01,
                'order taken by the web shop, to be delivered on day ' || i % 365,
                '{{\"source\": \"web\", \"items\": ' || i % 20 || ', \"tags\": [\"new\", \"tag ' || i % 50 || '\"], \"n\": ' || i * 7919 % 1000003 || '}}'
            FROM n;"
        ),
    );
}

/// A table in a server's database with about this many bytes of dump.
pub(crate) fn mysql(server: &MysqlServer, database: &str, bytes: u64) {
    server.sql(
        database,
        "CREATE TABLE event (id INT AUTO_INCREMENT PRIMARY KEY, kind VARCHAR(20), amount DECIMAL(12, 2),
            at DATETIME, note VARCHAR(100), payload TEXT);
        INSERT INTO event (kind, amount, at, note, payload) VALUES ('created', 1.5, '2026-01-01 00:00:00',
            'order taken by the web shop, to be delivered today', REPEAT('payload of the web shop ', 4));",
    );
    let (mut rows, wanted) = (1, bytes / 200);
    while rows < wanted {
        let more = rows.min(wanted - rows);
        server.sql(
            database,
            &format!(
                "INSERT INTO event (kind, amount, at, note, payload) SELECT kind, id * 0.37, at + INTERVAL id SECOND,
                    CONCAT('order ', id * 7919 % 1000003, ' taken by the web shop, for day ', id % 365), payload
                FROM event LIMIT {more}"
            ),
        );
        rows += more;
    }
}

/// Orders under small keys, half of each of them noise, and as many counters.
pub(crate) fn redis(server: &RedisServer, bytes: u64) {
    const VALUE: usize = 1000;
    let (mut client, mut noise) = (server.client(), Noise::new(7));
    let orders = bytes / VALUE as u64;
    let mut commands = Vec::new();
    for n in 0..orders {
        let mut value = vec![b'.'; VALUE];
        noise.fill(&mut value[VALUE / 2..]);
        commands.push(vec![b"SET".to_vec(), format!("order:{n}").into_bytes(), value]);
        let counter = format!("seen:{n}").into_bytes();
        commands.push(vec![b"SET".to_vec(), counter, n.to_string().into_bytes()]);
        if commands.len() >= 1000 || n + 1 == orders {
            client.pipeline(&commands);
            commands.clear();
        }
    }
}

/// Random bytes that COPY neither escapes nor refuses; the same ones each time.
struct Noise {
    state: u64,
    plain: Vec<u8>,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let escaped = |byte: &u8| matches!(byte, 0 | 8..=13 | b'\\');
        let plain = (0..=255).filter(|byte| !escaped(byte)).collect();
        Self { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), plain }
    }

    fn fill(&mut self, text: &mut [u8]) {
        for chunk in text.chunks_mut(4) {
            // xorshift64*, of which the upper half is good.
            self.state ^= self.state >> 12;
            self.state ^= self.state << 25;
            self.state ^= self.state >> 27;
            let random = self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
            for (at, byte) in chunk.iter_mut().enumerate() {
                let index = (random >> (8 * at)) & 0xFF;
                *byte = self.plain[usize::try_from(index).unwrap_or(0) % self.plain.len()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_one_line_of_text_for_copy() {
        let mut text = [0; 4096];
        Noise::new(1).fill(&mut text);
        assert!(!text.iter().any(|byte| b"\0\x08\t\n\x0b\x0c\r\\".contains(byte)));
        let kinds: std::collections::BTreeSet<_> = text.iter().collect();
        assert!(kinds.len() > 240, "{}", kinds.len());
    }
}
