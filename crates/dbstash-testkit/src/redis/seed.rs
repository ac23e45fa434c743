//! One of everything that a server can hold, and how two servers are compared.

use std::fmt::Write as _;

use super::rdb::noise;
use super::{Client, Family, RedisServer, Reply};

/// A command; a word that starts with `hex:` is bytes.
fn words(line: &str) -> Vec<Vec<u8>> {
    let word = |word: &str| match word.strip_prefix("hex:") {
        None => word.as_bytes().to_vec(),
        Some(digits) => digits
            .as_bytes()
            .chunks(2)
            .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
            .collect(),
    };
    line.split_whitespace().map(word).collect()
}

/// Every type in every encoding that a few elements make, odd keys, several databases and times to live.
const SEED: &str = "
    SET int 1234567890123
    SET embstr short
    SET raw abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz
    SET hex: empty-key
    SET empty hex:
    SET hex:6b0d0a00ff2a310d0a hex:000dff0a2b4f4b0d0a
    SET hex:ff hex:fffefdfc00
    RPUSH small-list a b 3 hex:00ff
    SADD intset 1 2 30000 -7000000000
    SADD listpack-set a b c 7
    ZADD listpack-zset 1.5 a -inf b 3e300 c
    HSET listpack-hash a 1 b 2 hex:00 hex:ff
    PFADD hll a b c d e f g h
    GEOADD geo 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
    SETBIT bitmap 100003 1
    XADD stream 1-1 a 1 b 2
    XADD stream 1-2 a 3 b 4
    XADD stream 5-0 other fields too x
    XADD stream 6-0 a 5 b 6
    XDEL stream 1-2
    XGROUP CREATE stream readers 0
    XGROUP CREATE stream idle $ ENTRIESREAD 3
    XREADGROUP GROUP readers anna COUNT 2 STREAMS stream >
    XACK stream readers 1-1
    XGROUP CREATECONSUMER stream readers berta
    XADD emptied 1-1 a b
    XDEL emptied 1-1
    SET far future PXAT 33000000000000
    SET near future EX 86400
    PEXPIREAT small-list 32000000000000
    SELECT 5
    SET int other-database
    HSET there is one
    SELECT 15
    SET last database
    SELECT 0";

/// Field times to live; Redis 8 and Valkey 9.
const FIELDS: [&str; 2] =
    ["HSET fields a 1 b 2 c 3", "HPEXPIREAT fields 33000000000000 FIELDS 2 a b"];

const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('answer', function(keys, args) return 'täglich 42' end)\n";

impl RedisServer {
    /// Fills it with one of everything, and `megabytes` of what cannot be compressed.
    pub fn seed(&self, megabytes: usize) {
        let mut all: Vec<Vec<Vec<u8>>> =
            SEED.lines().map(words).filter(|words| !words.is_empty()).collect();
        if self.family() != Family::Redis7 {
            all.extend(FIELDS.map(words));
        }
        all.push(vec![b"FUNCTION".into(), b"LOAD".into(), LIBRARY.into()]);
        let noise = noise(1 << 20);
        let text = |text: String| text.into_bytes();
        for i in 0..600 {
            let (i, piece) = (i.to_string(), noise[i * 1000..][..200].to_vec());
            all.push(vec![b"RPUSH".into(), b"quicklist".into(), piece.clone()]);
            all.push(vec![b"SADD".into(), b"hashtable".into(), piece.clone()]);
            all.push(vec![b"ZADD".into(), b"skiplist".into(), text(i.clone()), piece.clone()]);
            all.push(vec![b"HSET".into(), b"big-hash".into(), text(i.clone()), piece.clone()]);
            let entry = format!("XADD long-stream {i}-1 field");
            let mut entry = words(&entry.replace(" 0-1", " 0-2"));
            entry.push(piece);
            all.push(entry);
            all.push(words(&format!("SET counted:{i} {i}")));
        }
        all.push(vec![b"RPUSH".into(), b"quicklist".into(), noise[..100_000].to_vec()]);
        self.client().pipeline(&all);
        self.fill(megabytes);
    }

    /// Adds `megabytes` of what cannot be compressed, in values of a megabyte.
    pub fn fill(&self, megabytes: usize) {
        let (mut client, mut value) = (self.client(), noise(1 << 20));
        for i in 0..megabytes {
            value[..8].copy_from_slice(&i.to_le_bytes());
            let key = format!("bulk:{i}");
            client.pipeline(&[vec![b"SET".to_vec(), key.into_bytes(), value.clone()]]);
        }
    }

    /// Adds a key that is past its time and still there, as many are in a busy server: whoever looks at it ends it.
    pub fn add_expired(&self) {
        self.ask("DEBUG SET-ACTIVE-EXPIRE 0");
        self.ask("SET past-its-time x PX 1");
    }

    /// Equal for two servers of one version exactly when they hold the same: every key with its time, its fields'
    /// times and what it holds, and the functions. What is past its time goes with it.
    pub fn digest(&self) -> String {
        let mut digest = String::new();
        let mut client = self.client();
        for database in 0..16 {
            client.ask(&["SELECT", &database.to_string()]).unwrap();
            let mut keys = keys(&mut client);
            keys.sort();
            for key in keys {
                let expires = client.ask(&[b"PEXPIRETIME".as_slice(), &key]).unwrap();
                // It is gone now that somebody has looked at it.
                if expires == Reply::Int(-2) {
                    continue;
                }
                let name = key.escape_ascii();
                writeln!(digest, "{database} {name} {}", expires.text()).unwrap();
            }
        }
        client.ask(&["SELECT", "0"]).unwrap();
        if self.family() != Family::Redis7 {
            let fields = client.ask(&words("HPEXPIRETIME fields FIELDS 3 a b c")).unwrap();
            writeln!(digest, "fields {}", fields.text()).unwrap();
        }
        let functions = client.ask(&["FUNCTION", "LIST", "WITHCODE"]).unwrap();
        writeln!(digest, "functions {}", functions.text()).unwrap();
        let debug = client.ask(&["DEBUG", "DIGEST"]).unwrap();
        assert!(matches!(debug, Reply::Simple(_)), "{debug:?}");
        digest + &debug.text()
    }
}

fn keys(client: &mut Client) -> Vec<Vec<u8>> {
    let (mut keys, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let reply = client.ask(&["SCAN", &cursor, "COUNT", "1000"]).unwrap();
        let [next, found] = reply.items() else { panic!("{reply:?}") };
        keys.extend(found.items().iter().map(|key| key.clone().bytes()));
        cursor = next.text();
        if cursor == "0" {
            keys.sort();
            keys.dedup();
            return keys;
        }
    }
}
