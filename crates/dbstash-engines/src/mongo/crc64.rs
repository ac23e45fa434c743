//! CRC-64/XZ, by which an archive vouches for each of its namespaces.

use crc::{CRC_64_XZ, Crc, Digest, Table};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// The sum of the bytes so far.
#[derive(Clone)]
pub(super) struct Crc64(Digest<'static, u64, Table<16>>);

impl Default for Crc64 {
    fn default() -> Self {
        Self(CRC.digest())
    }
}

impl Crc64 {
    /// The next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The sum.
    pub(super) fn value(self) -> u64 {
        self.0.finalize()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_everybody_computes_it() {
        let mut crc = Crc64::default();
        assert_eq!(crc.clone().value(), 0);
        crc.update(b"123456789");
        assert_eq!(crc.value(), 0x995D_C9BB_DF19_39FA);
        let bytes: Vec<u8> = (0..=255).collect();
        for cut in 0..bytes.len() {
            let (mut whole, mut parts) = (Crc64::default(), Crc64::default());
            whole.update(&bytes);
            parts.update(&bytes[..cut]);
            parts.update(&bytes[cut..]);
            assert_eq!(whole.value(), parts.value());
        }
    }
}
