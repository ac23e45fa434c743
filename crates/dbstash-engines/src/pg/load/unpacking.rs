//! A script that pg_dump itself compressed: the first bytes tell.

use dbstash_core::load::Edit;

use crate::unpack::{Packing, Unpack};

const MAGIC: usize = 4;

/// Unpacks a script where it is packed, for the edit of its text.
pub(super) struct Unpacking {
    within: Box<dyn Edit>,
    head: Vec<u8>,
    is_known: bool,
    unpack: Option<Unpack>,
}

impl Unpacking {
    pub(super) fn new(within: Box<dyn Edit>) -> Self {
        Self { within, head: Vec::new(), is_known: false, unpack: None }
    }

    fn pass(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let Some(unpack) = &mut self.unpack else { return self.within.feed(bytes, out) };
        let mut fed = Ok(());
        unpack.feed(bytes, &mut |text| {
            if fed.is_ok() {
                fed = self.within.feed(text, out);
            }
        })?;
        fed
    }

    fn know(&mut self) -> Result<(), String> {
        self.is_known = true;
        let packing = match self.head.as_slice() {
            [0x1f, 0x8b, ..] => Packing::Gzip,
            b"\x28\xb5\x2f\xfd" => Packing::Zstd,
            b"\x04\x22\x4d\x18" => {
                return Err("pg_dump compressed it by lz4, which is not read here: --print-command shows how to \
                            restore it by hand"
                    .to_owned());
            }
            _ => return Ok(()),
        };
        self.unpack = Some(Unpack::new(packing).ok_or("there is no memory to unpack it")?);
        Ok(())
    }
}

impl Edit for Unpacking {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        if self.is_known {
            return self.pass(bytes, out);
        }
        let (head, rest) = bytes.split_at(bytes.len().min(MAGIC - self.head.len()));
        self.head.extend_from_slice(head);
        if self.head.len() < MAGIC {
            return Ok(());
        }
        self.know()?;
        let head = std::mem::take(&mut self.head);
        self.pass(&head, out)?;
        self.pass(rest, out)
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> Result<(), String> {
        let head = std::mem::take(&mut self.head);
        self.pass(&head, out)?;
        if let Some(unpack) = self.unpack.take() {
            let mut fed = Ok(());
            unpack.finish(&mut |text| {
                if fed.is_ok() {
                    fed = self.within.feed(text, out);
                }
            })?;
            fed?;
        }
        self.within.finish(out)
    }
}
