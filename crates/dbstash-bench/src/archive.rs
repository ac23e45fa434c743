//! An archive as mongodump writes it, made without one: of one collection of small documents.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// CRC-64/XZ: the sum by which an archive vouches for each namespace.
const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;

/// Writes an archive of about this many bytes.
pub(crate) fn write(file: &Path, database: &str, collection: &str, bytes: u64) {
    let table: Vec<u64> = (0..256_u64)
        .map(|byte| {
            (0..8).fold(byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 })
        })
        .collect();
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file).unwrap());
    let mut put = |bytes: &[u8]| out.write_all(bytes).unwrap();
    put(&0x8199_e26d_u32.to_le_bytes());
    let mut header = Document::default();
    header.int32("concurrent_collections", 4).text("version", "0.1");
    header.text("server_version", "8.0.0").text("tool_version", "100.12.0");
    put(&header.bytes());
    let named = || {
        let mut document = Document::default();
        document.text("db", database).text("collection", collection);
        document
    };
    put(&named()
        .text("metadata", "{\"indexes\":[]}")
        .int32("size", 0)
        .text("type", "collection")
        .bytes());
    put(&u32::MAX.to_le_bytes());
    put(&named().bool("EOF", false).int64("CRC", 0).bytes());
    let (mut crc, mut written) = (!0_u64, 0);
    let mut id = 0;
    while written < bytes {
        let mut document = Document::default();
        let note =
            format!("order {} taken by the web shop, for day {}", id * 7919 % 1_000_003, id % 365);
        document.int64("_id", id).text("kind", "created").text("note", &note);
        let document = document.text("payload", &"payload of the web shop ".repeat(4)).bytes();
        for byte in &document {
            crc = table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ crc >> 8;
        }
        put(&document);
        written += document.len() as u64;
        id += 1;
    }
    put(&u32::MAX.to_le_bytes());
    put(&named().bool("EOF", true).int64("CRC", (!crc).cast_signed()).bytes());
    put(&u32::MAX.to_le_bytes());
    out.flush().unwrap();
}

/// A BSON document in the making.
#[derive(Default)]
struct Document(Vec<u8>);

impl Document {
    fn field(&mut self, kind: u8, name: &str, value: &[u8]) -> &mut Self {
        self.0.push(kind);
        self.0.extend_from_slice(name.as_bytes());
        self.0.push(0);
        self.0.extend_from_slice(value);
        self
    }

    fn text(&mut self, name: &str, value: &str) -> &mut Self {
        let length = u32::try_from(value.len() + 1).unwrap();
        let value = [&length.to_le_bytes()[..], value.as_bytes(), &[0]].concat();
        self.field(2, name, &value)
    }

    fn int32(&mut self, name: &str, value: i32) -> &mut Self {
        self.field(16, name, &value.to_le_bytes())
    }

    fn int64(&mut self, name: &str, value: i64) -> &mut Self {
        self.field(18, name, &value.to_le_bytes())
    }

    fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.field(8, name, &[u8::from(value)])
    }

    fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() + 5).unwrap();
        [&length.to_le_bytes()[..], &self.0, &[0]].concat()
    }
}
