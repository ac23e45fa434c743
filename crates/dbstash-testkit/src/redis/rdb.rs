//! Dumps made by hand.

/// A dump of one string, with bytes that cannot be compressed; as long as asked for, 29 bytes at least.
pub fn dump(length: usize) -> Vec<u8> {
    dump_with(b"REDIS0010", &noise(length - 28))
}

/// A dump of the string `k`, after this magic.
pub fn dump_with(magic: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    // A database's number; a string with its key, and its length in 4 bytes.
    bytes.extend([0xFE, 0x00, 0x00, 0x01, b'k', 0x80]);
    bytes.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    sealed(bytes)
}

/// The same with the end of a dump and its checksum.
pub fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(0xFF);
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Bytes that cannot be compressed, the same ones each time.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// The checksum of a dump: polynomial `ad93d23594c935a9`, everything reflected.
pub fn crc64(bytes: &[u8]) -> u64 {
    let mut table = [0_u64; 256];
    for (at, entry) in table.iter_mut().enumerate() {
        *entry = (0..8).fold(at as u64, |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x95AC_9329_AC4B_C9B5 } else { 0 }
        });
    }
    bytes.iter().fold(0, |crc, byte| table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}
