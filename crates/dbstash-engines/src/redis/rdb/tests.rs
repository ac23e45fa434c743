use super::*;

/// What a Redis 7.0.15 sent that has a string and a stream.
const REAL: &str = "\
    524544495330303130fa0972656469732d76657206372e302e3135fa0a72656469732d62697473c040fa05637469\
    6d65c2aca0016bfa08757365642d6d656dc270280f00fa0e7265706c2d73747265616d2d6462c000fa077265706c\
    2d69642862663734646437633831656663613632366462356539383030656637663239613930613735346435fa0b\
    7265706c2d6f6666736574c000fa08616f662d62617365c000fe00fb020013017301100000000000000001000000\
    00000000011d1d0000000a0001010001010181610200010201000100018162020401ff0101010101000001000001\
    6b0176ff0416dcf13d583c6d";

fn real() -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&REAL[at..at + 2], 16).unwrap();
    (0..REAL.len()).step_by(2).map(digit).collect()
}

/// A dump of these bytes between magic and last record, with its checksum.
fn dump(magic: &[u8], body: &[u8]) -> Vec<u8> {
    let mut dump = [magic, body, &[LAST]].concat();
    dump.extend(CRC.checksum(&dump).to_le_bytes());
    dump
}

fn check(bytes: &[u8], chunk: usize) -> Result<Passed, String> {
    let mut check = Box::new(Rdb::new());
    for chunk in bytes.chunks(chunk) {
        check.feed(chunk);
    }
    check.finish().map_err(|incomplete| incomplete.to_string())
}

#[test]
fn the_sum_is_that_of_redis() {
    assert_eq!(CRC.checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
}

#[test]
fn a_real_one_in_chunks_of_any_size() {
    let real = real();
    for chunk in 1..=real.len() {
        let passed = check(&real, chunk).unwrap();
        assert_eq!(passed.check, "crc64");
        assert_eq!(passed.server_version.as_deref(), Some("7.0.15"));
        assert_eq!(passed.degraded, None);
    }
}

#[test]
fn none_that_is_cut_or_changed() {
    let real = real();
    for end in 0..real.len() {
        check(&real[..end], 100).unwrap_err();
    }
    for at in 0..real.len() {
        for bit in 0..8 {
            let mut changed = real.clone();
            changed[at] ^= 1 << bit;
            let error = check(&changed, 100).unwrap_err();
            let wanted = match at {
                0..9 => ["no RDB", "checksum"],
                at if at == real.len() - 9 => ["0xFF"; 2],
                _ => ["checksum"; 2],
            };
            assert!(wanted.iter().any(|text| error.contains(text)), "{at}: {error}");
        }
    }
    for more in [&b"\n"[..], b"0123456789abcdef0123456789abcdef01234567", &[0; 8]] {
        check(&[&real, more].concat(), 100).unwrap_err();
    }
}

#[test]
fn without_a_checksum_the_framing_has_to_do() {
    let mut bare = real();
    let sum = bare.len() - 8;
    bare[sum..].fill(0);
    let passed = check(&bare, 64).unwrap();
    assert_eq!(passed.check, "framing");
    assert!(passed.degraded.unwrap().contains("rdbchecksum no"));
    assert_eq!(passed.server_version.as_deref(), Some("7.0.15"));
    // But for its last record.
    bare[sum - 1] = 0;
    check(&bare, 64).unwrap_err();
}

#[test]
fn who_made_it() {
    let aux = b"\xfa\x0avalkey-ver\x059.1.2\xfa\x0aredis-bits\xc0\x40";
    for (magic, body, version) in [
        (b"VALKEY080", &aux[..], Some("Valkey 9.1.2")),
        (b"REDIS0011", b"\xfa\x40\x09redis-ver\x058.0.6", Some("8.0.6")),
        (b"REDIS0011", b"\xfa\x01a\xc1\0\0\xfa\x09redis-ver\x057.4.1", Some("7.4.1")),
        (b"REDIS0006", b"\xfe\x00", None),
        (b"REDIS0010", b"", None),
        (b"REDIS0010", b"\xfa\x09redis-ver\xc3\x01", None),
        (b"REDIS0010", b"\xfa\x7f\xff", None),
    ] {
        let passed = check(&dump(magic, body), 7).unwrap();
        assert_eq!(passed.server_version.as_deref(), version);
    }
    for magic in [b"REDIS00x0", b"VALKEY08 ", b"redis0010", b"VALKEYxyz", b"DRAGON001"] {
        let error = check(&dump(magic, b""), 7).unwrap_err();
        assert!(error.contains("it is no RDB"), "{error}");
    }
}

#[test]
fn random_bytes_are_looked_at_without_harm() {
    use proptest::prelude::*;
    proptest!(|(body in prop::collection::vec(any::<u8>(), 0..300), chunk in 1_usize..50)| {
        prop_assert!(check(&body, chunk).is_err());
        let aux = [b"\xfa".as_slice(), &body].concat();
        prop_assert!(check(&dump(b"REDIS0011", &aux), chunk).is_ok());
    });
}
