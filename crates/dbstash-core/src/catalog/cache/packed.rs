//! A manifest in few bytes, which are read in a tenth of the time that its JSON takes.
//!
//! Numbers are seven bits a byte, the lowest first; texts and lists begin with their length; what may be missing is a
//! list of none or one.

use chrono::{DateTime, Utc};

use crate::engine::Passed;
use crate::job::EngineKey;
use crate::manifest::{Manifest, Object};
use crate::tally::Counts;

/// What is known of a manifest of this name and size on the remote.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) manifest: Box<Manifest>,
}

impl Known {
    /// Reads what [`pack`] made. It is believed no further than its JSON was.
    pub(super) fn unpack(bytes: &[u8]) -> Option<Self> {
        let mut packed = Packed(bytes);
        let (name, size, manifest) = (packed.text()?, packed.number()?, packed.manifest()?);
        let manifest = manifest.found_under(&name).ok().filter(|_| packed.0.is_empty())?;
        Some(Self { name, size, manifest: Box::new(manifest) })
    }
}

/// A manifest, and where and how big it is.
pub(super) fn pack(name: &str, size: u64, manifest: &Manifest) -> Vec<u8> {
    let mut packed = Packing(Vec::with_capacity(512));
    packed.text(name);
    packed.number(size);
    // Field by field, so that no later one is forgotten.
    let Manifest {
        format,
        id,
        job,
        engine,
        database,
        mode,
        objects,
        started,
        ended,
        host,
        dbstash,
    } = manifest;
    packed.number(u64::from(*format));
    for text in [id, job.as_str(), engine.as_str(), database, mode, host, dbstash] {
        packed.text(text);
    }
    packed.time(started);
    packed.time(ended);
    packed.list(objects, |packed, object| {
        // What was counted is for those who look at one backup.
        let Object {
            name,
            files,
            names,
            format,
            bytes,
            raw_bytes,
            sha256,
            encodings,
            passed,
            counts: _,
        } = object;
        let Passed { check, degraded, server_version, tool_version } = passed;
        for text in [name, format, sha256, check] {
            packed.text(text);
        }
        packed.number(*bytes);
        packed.number(*raw_bytes);
        packed.list(files.as_slice(), |packed, one| packed.number(*one));
        packed.list(encodings, |packed, one| packed.text(one));
        for maybe in [names, degraded, server_version, tool_version] {
            packed.list(maybe.as_slice(), |packed, one| packed.text(one));
        }
    });
    packed.0
}

struct Packing(Vec<u8>);

impl Packing {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn time(&mut self, time: &DateTime<Utc>) {
        self.number(time.timestamp().cast_unsigned());
        self.number(u64::from(time.timestamp_subsec_nanos()));
    }

    fn list<T>(&mut self, list: &[T], one: impl Fn(&mut Self, &T)) {
        self.number(list.len() as u64);
        for item in list {
            one(self, item);
        }
    }
}

struct Packed<'a>(&'a [u8]);

impl Packed<'_> {
    fn manifest(&mut self) -> Option<Manifest> {
        Some(Manifest {
            format: self.number()?.try_into().ok()?,
            id: self.text()?,
            job: self.text()?.try_into().ok()?,
            engine: self.engine()?,
            database: self.text()?,
            mode: self.text()?,
            host: self.text()?,
            dbstash: self.text()?,
            started: self.time()?,
            ended: self.time()?,
            objects: self.list(Self::object)?,
        })
    }

    fn object(&mut self) -> Option<Object> {
        let [name, format, sha256, check] =
            [self.text()?, self.text()?, self.text()?, self.text()?];
        let [bytes, raw_bytes] = [self.number()?, self.number()?];
        let files = self.list(Self::number)?.pop();
        let encodings = self.list(Self::text)?;
        let mut maybe = || self.list(Self::text).map(|mut one| one.pop());
        let names = maybe()?;
        let (degraded, server_version, tool_version) = (maybe()?, maybe()?, maybe()?);
        let passed = Passed { check, degraded, server_version, tool_version };
        Some(Object {
            name,
            files,
            names,
            format,
            bytes,
            raw_bytes,
            sha256,
            encodings,
            passed,
            counts: Counts::Untold,
        })
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn length(&mut self) -> Option<usize> {
        self.number()?.try_into().ok().filter(|length| *length <= self.0.len())
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        str::from_utf8(text).ok().map(str::to_owned)
    }

    fn engine(&mut self) -> Option<EngineKey> {
        let word = self.text()?;
        EngineKey::ALL.into_iter().find(|engine| engine.as_str() == word)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        let seconds = self.number()?.cast_signed();
        DateTime::from_timestamp(seconds, self.number()?.try_into().ok()?)
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let length = self.length()?;
        let mut list = Vec::with_capacity(length);
        for _ in 0..length {
            list.push(one(self)?);
        }
        Some(list)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::manifest::{self, tests::manifest};

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            texts in prop::collection::vec(".{0,200}", 8),
            maybe in prop::collection::vec(prop::option::of(".{0,9}"), 4),
            numbers in prop::array::uniform3(any::<u64>()),
            files in prop::option::of(1_u64..),
            encodings in prop::collection::vec(".{0,9}", 0..4),
            engine in prop::sample::select(EngineKey::ALL.to_vec()),
            times in prop::array::uniform2((-8_334_601_228_800_i64..8_210_266_876_800, 0_u32..2_000_000_000)),
            folder in "(\\PC{0,9}/)?",
            more in 0_usize..3,
        ) {
            let mut one = manifest("j-1", "db", 0, "x y.sql");
            let [bytes, raw_bytes, size] = numbers;
            let text = |n: usize| texts[n].clone();
            (one.id, one.database, one.mode, one.host) = (text(0), text(1), text(2), text(3));
            (one.dbstash, one.engine) = (text(4), engine);
            let time = |n: usize| DateTime::from_timestamp(times[n].0, times[n].1 % 1_000_000_000);
            (one.started, one.ended) = (time(0).unwrap(), time(1).unwrap());
            let passed = Passed {
                check: text(5),
                degraded: maybe[0].clone(),
                server_version: maybe[1].clone(),
                tool_version: maybe[2].clone(),
            };
            let object = Object {
                name: "x y.sql".into(), files, names: maybe[3].clone(), format: text(6), bytes, raw_bytes,
                sha256: text(7), encodings, passed, counts: Counts::Untold,
            };
            one.objects = vec![object.clone()];
            one.objects.extend((0..more).map(|n| Object { name: format!("{n}"), ..object.clone() }));
            let name = manifest::name_for(&format!("{folder}x y.sql"));
            let packed = pack(&name, size, &one);
            let known = Known::unpack(&packed).unwrap();
            prop_assert_eq!((&known.name, known.size, &*known.manifest), (&name, size, &one));
            prop_assert!(Known::unpack(&packed[..packed.len() - 1]).is_none());
            prop_assert!(Known::unpack(&[&packed[..], b"x"].concat()).is_none());
        }

        #[test]
        fn nothing_else_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300) {
            let _ = Known::unpack(&bytes);
            let mut packed = pack("x.dbstash.json", 1, &manifest("j", "db", 0, "x"));
            let at = at % packed.len();
            packed.truncate(at);
            packed.extend(bytes);
            let _ = Known::unpack(&packed);
        }
    }

    #[test]
    fn it_is_believed_no_further_than_its_json() {
        let one = manifest("j", "db", 0, "x");
        assert!(Known::unpack(&pack("a/x.dbstash.json", 1, &one)).is_some());
        assert!(Known::unpack(&pack("a/y.dbstash.json", 1, &one)).is_none());
        let mut newer = one;
        newer.format = manifest::FORMAT + 1;
        assert!(Known::unpack(&pack("a/x.dbstash.json", 1, &newer)).is_none());
    }
}
