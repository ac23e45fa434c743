//! Strings as an RDB has them: as they are, as a number, or compressed (LZF).

use super::walk::{Number, length};

/// No name of a key or of a function is longer.
const LONGEST: u64 = 512 << 20;

/// The string at the start of `bytes`, and how many bytes it takes; `None` where there is none.
pub(super) fn text(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    match number(bytes)? {
        (Number::Is(len), at) => {
            let end = at.checked_add(usize::try_from(len).ok()?)?;
            Some((bytes.get(at..end)?.to_vec(), end))
        }
        (Number::Coded(kind @ 0..=2), at) => {
            let end = at + (1 << kind);
            let value = bytes.get(at..end)?;
            let value = match kind {
                0 => i64::from(i8::from_le_bytes(value.try_into().ok()?)),
                1 => i64::from(i16::from_le_bytes(value.try_into().ok()?)),
                _ => i64::from(i32::from_le_bytes(value.try_into().ok()?)),
            };
            Some((value.to_string().into_bytes(), end))
        }
        (Number::Coded(3), mut at) => {
            let (packed, n) = plain(bytes.get(at..)?)?;
            at += n;
            let (unpacked, n) = plain(bytes.get(at..)?)?;
            at += n;
            let end = at.checked_add(usize::try_from(packed).ok()?)?;
            Some((unlzf(bytes.get(at..end)?, unpacked)?, end))
        }
        _ => None,
    }
}

/// The number at the start of `bytes`, and how many bytes it takes.
pub(super) fn plain(bytes: &[u8]) -> Option<(u64, usize)> {
    match number(bytes)? {
        (Number::Is(n), at) => Some((n, at)),
        _ => None,
    }
}

fn number(bytes: &[u8]) -> Option<(Number, usize)> {
    let size = match *bytes.first()? {
        0x40..=0x7f => 2,
        0x80 => 5,
        0x81 => 9,
        _ => 1,
    };
    Some((length(bytes.get(..size)?)?, size))
}

/// Runs of bytes, and copies of what came before.
fn unlzf(packed: &[u8], len: u64) -> Option<Vec<u8>> {
    if len > LONGEST {
        return None;
    }
    let (mut out, mut rest) = (Vec::new(), packed.iter().copied());
    while let Some(control) = rest.next() {
        if control < 32 {
            for _ in 0..=control {
                out.push(rest.next()?);
            }
            continue;
        }
        let mut count = usize::from(control >> 5);
        if count == 7 {
            count += usize::from(rest.next()?);
        }
        let back = (usize::from(control & 31) << 8 | usize::from(rest.next()?)) + 1;
        let from = out.len().checked_sub(back)?;
        for at in from..from + count + 2 {
            out.push(out[at]);
        }
        if out.len() as u64 > len {
            return None;
        }
    }
    (out.len() as u64 == len).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_of_each_form() {
        for (bytes, wanted) in [
            (&b"\x03abc+"[..], &b"abc"[..]),
            (b"\x40\x02ab", b"ab"),
            (b"\x80\0\0\0\x01a", b"a"),
            (b"\xc0\xff", b"-1"),
            (b"\xc1\x30\x75", b"30000"),
            (b"\xc2\x00\x00\x00\x80", b"-2147483648"),
            // "ab", and then eight bytes from two before.
            (b"\xc3\x05\x0a\x01ab\xc0\x01", b"ababababab"),
            (b"\xc3\x06\x0b\x01ab\xe0\x00\x01", b"abababababa"),
        ] {
            let (text, n) = text(bytes).unwrap();
            assert_eq!(text, wanted, "{bytes:?}");
            assert!(n >= bytes.len() - 1, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_string() {
        for bytes in [
            &b""[..],
            b"\x03ab",
            b"\x40",
            b"\xc4",
            b"\xc3\x05\x09\x01ab\xc0\x01",
            b"\xc3\x03\x0a\xe0\x00\x01",
            b"\xc3\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00a",
        ] {
            assert_eq!(text(bytes), None, "{bytes:?}");
        }
    }
}
