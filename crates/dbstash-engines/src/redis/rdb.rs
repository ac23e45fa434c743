//! Whether a dump is whole: by its checksum, and by how it begins and ends.

use crc::{CRC_64_REDIS, Crc, Digest, Table};
use dbstash_core::engine::{Check, Incomplete, Passed};

/// An RDB's, and that of a value for `RESTORE`.
pub(super) static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_REDIS);

/// `REDIS0010`, `VALKEY080`.
const MAGIC: usize = 9;
/// Behind the last opcode.
const SUM: usize = 8;
const LAST: u8 = 0xff;
const AUX: u8 = 0xfa;
/// The server's version is among the first words.
const HEAD: usize = 1024;

/// Looks at a dump as it passes.
pub(super) struct Rdb {
    head: Vec<u8>,
    sum: Digest<'static, u64, Table<16>>,
    /// The last bytes, which may be the checksum and then are no part of what it is of.
    tail: Vec<u8>,
    /// The one before them.
    before: u8,
}

impl Rdb {
    pub(super) fn new() -> Self {
        Self { head: Vec::new(), sum: CRC.digest(), tail: Vec::with_capacity(SUM), before: 0 }
    }

    fn digest(&mut self, bytes: &[u8]) {
        self.sum.update(bytes);
        self.before = bytes.last().copied().unwrap_or(self.before);
    }
}

impl Check for Rdb {
    fn feed(&mut self, bytes: &[u8]) {
        let missing = HEAD - self.head.len();
        self.head.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        let done = (self.tail.len() + bytes.len()).saturating_sub(SUM);
        let of_tail = done.min(self.tail.len());
        let old: Vec<u8> = self.tail.drain(..of_tail).collect();
        self.digest(&old);
        let (sure, rest) = bytes.split_at(done - of_tail);
        self.digest(sure);
        self.tail.extend_from_slice(rest);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        let fail = |what: &str| Err(Incomplete(what.to_owned()));
        if !is_magic(&self.head) {
            return fail("it is no RDB: it does not begin with REDIS or VALKEY and a version");
        }
        let Ok(sum) = <[u8; SUM]>::try_from(&self.tail[..]) else {
            return fail("it ends before its first record");
        };
        // Of a dump so short that its first bytes are taken for its checksum, the one before is no opcode either.
        if self.before != LAST {
            return fail("it ends before its last record (opcode 0xFF)");
        }
        let server_version = server_version(&self.head);
        if u64::from_le_bytes(sum) == self.sum.finalize() {
            return Ok(Passed { server_version, ..Passed::by("crc64") });
        }
        if sum == [0; SUM] {
            let degraded = Some(
                "the server makes no checksum (rdbchecksum no): only its own word on where the dump ends vouches for it"
                    .to_owned(),
            );
            return Ok(Passed { server_version, degraded, ..Passed::by("framing") });
        }
        fail("its checksum (CRC-64) is not that of its bytes: they changed on the way")
    }
}

/// The name of a server and a version in digits.
fn is_magic(head: &[u8]) -> bool {
    let Some(magic) = head.get(..MAGIC) else { return false };
    let version = magic.strip_prefix(b"REDIS").or_else(|| magic.strip_prefix(b"VALKEY"));
    version.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// What the words behind the magic say; each is a name and a value.
fn server_version(head: &[u8]) -> Option<String> {
    let mut rest = head.get(MAGIC..)?;
    let mut version = None;
    while let Some((&AUX, after)) = rest.split_first() {
        let (name, after) = text(after)?;
        let (value, after) = text(after)?;
        let value = String::from_utf8_lossy(value);
        match name {
            b"valkey-ver" => return Some(format!("Valkey {value}")),
            b"redis-ver" => version = Some(value.into_owned()),
            _ if version.is_some() => break,
            _ => {}
        }
        rest = after;
    }
    version
}

/// A string as an RDB has it, and what comes after it; a number is an empty one, and a compressed one is none.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let (len, rest) = match (first >> 6, first & 0x3f) {
        (0, len) => (usize::from(len), rest),
        (1, high) => {
            let (&low, rest) = rest.split_first()?;
            (usize::from(high) << 8 | usize::from(low), rest)
        }
        (3, kind @ 0..=2) => return Some((&[], rest.get(1 << kind..)?)),
        _ => return None,
    };
    Some((rest.get(..len)?, rest.get(len..)?))
}

#[cfg(test)]
mod tests;
