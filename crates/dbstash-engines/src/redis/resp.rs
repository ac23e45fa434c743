//! RESP, as far as a replica speaks it: commands as arrays, and the answers to them.

/// A longer answer is not looked at as a whole; less than a dialogue's window.
const LONGEST: usize = 48 * 1024;
/// As many elements and levels has an answer that we ask for, at most.
const ELEMENTS: u64 = 16;
const DEPTH: u8 = 2;

/// A command, whatever bytes its words have; inline commands could not hold them.
pub(super) fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words.iter().map(AsRef::as_ref) {
        out.extend_from_slice(&bulk(word));
    }
    out
}

/// A word of a command.
pub(super) fn bulk(word: &[u8]) -> Vec<u8> {
    let mut out = format!("${}\r\n", word.len()).into_bytes();
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
    out
}

/// What a server answers.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// `+OK`, `:1`: the line without its sign.
    Line(&'a [u8]),
    /// `-ERR ...` without its sign.
    Error(&'a [u8]),
    /// A value; none is an empty one.
    Bulk(&'a [u8]),
    /// Several.
    Array(Vec<Reply<'a>>),
    /// A value so long that only its head was looked at; so many bytes of it are to come.
    Long(u64),
}

/// Bytes that are no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The answer at the start of `input` and how many bytes it has; `None` when not all of it is there.
pub(super) fn reply(input: &[u8]) -> Result<Option<(Reply<'_>, usize)>, Malformed> {
    nested(input, DEPTH)
}

fn nested(input: &[u8], depth: u8) -> Result<Option<(Reply<'_>, usize)>, Malformed> {
    let Some(sign) = input.first() else { return Ok(None) };
    if !b"+-:$*".contains(sign) {
        return Err(Malformed);
    }
    let Some((line, mut end)) = line(input)? else { return Ok(None) };
    let rest = &line[1..];
    let reply = match sign {
        b'+' | b':' => Reply::Line(rest),
        b'-' => Reply::Error(rest),
        b'$' if rest == b"-1" => Reply::Bulk(&[]),
        b'$' => {
            let len = number(rest).ok_or(Malformed)?;
            let Some(len) = usize::try_from(len).ok().filter(|len| *len <= LONGEST) else {
                let left = len.checked_add(2).ok_or(Malformed)?;
                return Ok(Some((Reply::Long(left), end)));
            };
            let Some(value) = input.get(end..end + len + 2) else { return Ok(None) };
            let value = value.strip_suffix(b"\r\n").ok_or(Malformed)?;
            end += len + 2;
            Reply::Bulk(value)
        }
        _ if rest == b"-1" => Reply::Array(Vec::new()),
        _ => {
            let count = number(rest).filter(|count| *count <= ELEMENTS).ok_or(Malformed)?;
            let depth = depth.checked_sub(1).ok_or(Malformed)?;
            let mut elements = Vec::new();
            for _ in 0..count {
                let Some((element, len)) = nested(&input[end..], depth)? else { return Ok(None) };
                if let Reply::Long(_) = element {
                    return Err(Malformed);
                }
                elements.push(element);
                end += len;
            }
            if end > LONGEST {
                return Err(Malformed);
            }
            Reply::Array(elements)
        }
    };
    Ok(Some((reply, end)))
}

/// The line at the start of `input` without its end, and how many bytes it has with it; `None` when its end is not there.
pub(super) fn line(input: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let seen = &input[..input.len().min(LONGEST)];
    match memchr::memchr(b'\n', seen) {
        Some(at) => {
            let line = &input[..at];
            Ok(Some((line.strip_suffix(b"\r").unwrap_or(line), at + 1)))
        }
        None if seen.len() == LONGEST => Err(Malformed),
        None => Ok(None),
    }
}

/// Digits and nothing else.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_bytes() {
        let words = [b"AUTH".as_slice(), b"", b"p \"w\r\n\xff\0"];
        let sent: &[u8] = b"*3\r\n$4\r\nAUTH\r\n$0\r\n\r\n$8\r\np \"w\r\n\xff\0\r\n";
        assert_eq!(command(&words), sent);
    }

    #[test]
    fn answers_of_each_kind() {
        for (bytes, wanted) in [
            (&b"+OK\r\n"[..], Reply::Line(b"OK")),
            (b":12\r\n", Reply::Line(b"12")),
            (b"-ERR no\r\n", Reply::Error(b"ERR no")),
            (b"-ERR no\n", Reply::Error(b"ERR no")),
            (b"$0\r\n\r\n", Reply::Bulk(b"")),
            (b"$-1\r\n", Reply::Bulk(b"")),
            (b"$4\r\na\r\nb\r\n", Reply::Bulk(b"a\r\nb")),
            (b"*0\r\n", Reply::Array(vec![])),
            (
                b"*2\r\n$12\r\nrepl-timeout\r\n$2\r\n60\r\n",
                Reply::Array(vec![Reply::Bulk(b"repl-timeout"), Reply::Bulk(b"60")]),
            ),
        ] {
            let more = [bytes, b"+more"].concat();
            assert_eq!(reply(&more), Ok(Some((wanted, bytes.len()))));
            for end in 0..bytes.len() {
                assert_eq!(reply(&bytes[..end]), Ok(None), "{end}");
            }
        }
        assert_eq!(reply(b"$49153\r\nab"), Ok(Some((Reply::Long(49155), 8))));
    }

    #[test]
    fn what_is_no_answer() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"\x15\x03\x03",
            b"$x\r\n",
            b"$\r\n",
            b"$+1\r\n",
            b"$18446744073709551615\r\n",
            b"$99999999999999999999\r\n",
            b"$1\r\nabc",
            b"*17\r\n",
            b"*1\r\n*1\r\n*1\r\n",
        ] {
            assert_eq!(reply(bytes), Err(Malformed), "{bytes:?}");
        }
        assert_eq!(reply(&vec![b'+'; LONGEST]), Err(Malformed));
    }
}
