//! CRC-64/XZ (ECMA-182, reflected), by which an archive vouches for each of its namespaces.

const POLYNOMIAL: u64 = 0xC96C_5795_D787_0F42;
/// Eight bytes at a step: table `k` is for a byte that `k` others follow.
static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc: u64 = tables[table - 1][byte];
            tables[table][byte] = tables[0][(crc & 0xff) as usize] ^ crc >> 8;
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The sum of the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crc64(u64);

impl Default for Crc64 {
    fn default() -> Self {
        Self(!0)
    }
}

impl Crc64 {
    /// The next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let word = (self.0 ^ u64::from_le_bytes(*eight)).to_le_bytes();
            self.0 = (0..8).fold(0, |crc, at| crc ^ TABLES[7 - at][usize::from(word[at])]);
        }
        for byte in rest {
            self.0 = TABLES[0][usize::from(self.0.to_le_bytes()[0] ^ byte)] ^ self.0 >> 8;
        }
    }

    /// The sum.
    pub(super) fn value(self) -> u64 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_everybody_computes_it() {
        let mut crc = Crc64::default();
        assert_eq!(crc.value(), 0);
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0x995D_C9BB_DF19_39FA);
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let (mut whole, mut parts) = (Crc64::default(), Crc64::default());
            whole.update(&bytes);
            parts.update(&bytes[..cut]);
            parts.update(&bytes[cut..]);
            assert_eq!(whole, parts);
        }
    }
}
